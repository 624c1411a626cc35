package detect

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"pulse/store"
)

// UseDB replaces the engine's database, as when a disk fails and comes back.
func (e *Engine) UseDB(db *bbolt.DB) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.journal.db = db
}

// Owed returns how much waits for the database.
func (e *Engine) Owed() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &e.entry
	return len(w.records) + len(w.drops) + len(w.resolved) + len(w.unexplained) + len(w.notes)
}

// Checkpoints returns how many checkpoints of a rule are in memory.
func (e *Engine) Checkpoints(id string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.rules[id].trail.list)
}

// State returns what the detectors of all rules know and how far their alerts have
// come, with the steps that they saw last.
func (e *Engine) State() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out bytes.Buffer
	for _, r := range e.order {
		fmt.Fprintf(&out, "%s %d %d ", r.c.judges(), r.judged, r.turn)
		out.Write(r.stream.AppendState(r.judge.appendGroups(nil, r.judge.groups, r.alerts)))
	}
	return out.Bytes()
}

// ReadMark reads a mark and returns it as it would be written.
func ReadMark(src []byte) ([]byte, error) {
	m, err := parseMark(src)
	return m.appendTo(nil), err
}

// ParseValues reads the values of a series of a rule test.
func ParseValues(text string) ([]float64, error) { return parseValues(text) }

// Ranges says at which steps a rule is judged over the time of a back-test.
func Ranges(rule Rule, primary int64, tiers []store.TierRange, start, end int64) ([]StepRange, []string) {
	c := &compiled{rule: rule, step: rule.stepMs(primary)}
	return c.ranges(tiers, start, end)
}

// ReadTests reads a file of rule tests without running them.
func ReadTests(text []byte) error {
	s := &source{text: text}
	_, _, err := s.readTests()
	return err
}

// OnCommit calls f after every transaction that stores notifications; nil: nothing.
func (e *Engine) OnCommit(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w, ok := e.journal.outbox.(waking); ok {
		e.journal.outbox = w.Outbox
	}
	if f != nil {
		e.journal.outbox = waking{e.journal.outbox, f}
	}
}

type waking struct {
	Outbox
	f func()
}

func (w waking) Wake() {
	w.Outbox.Wake()
	w.f()
}

// Crew is who works on back-tests.
type Crew struct{ crew }

func (c *Crew) Live(is bool)              { c.live.Store(is) }
func (c *Crew) Working() int64            { return c.working.Load() }
func (c *Crew) Each(n int, f func(i int)) { c.each(n, f) }

// InWords says what a decision was made on.
func (w *Why) InWords(d *Decision, since, step int64) string { return w.explain(d, since, step) }

// Portion stores a step in portions of n changes.
func (e *Engine) Portion(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.journal.portion = n
}

// SavePortions makes one transaction look at so many bytes of states only.
func (e *Engine) SavePortions(bytes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.saves.most = bytes
}

// SaveBegin begins to store all states, SavePortion stores the next of them and reports
// whether there is more.
func (e *Engine) SaveBegin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.order {
		e.saveSoon(r)
	}
}

func (e *Engine) SavePortion() (more bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.saveNext()
}

// ClosedOf returns how many steps the rules of an owner have judged, within OnCommit.
func (e *Engine) ClosedOf(owner string) int64 { return e.owners[owner].stats.Closed }
