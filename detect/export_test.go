package detect

import "go.etcd.io/bbolt"

// UseDB replaces the engine's database, as when a disk fails and comes back.
func (e *Engine) UseDB(db *bbolt.DB) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.journal.db = db
}

// Checkpoints returns how many checkpoints of a rule are in memory.
func (e *Engine) Checkpoints(id string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.rules[id].checkpoints)
}
