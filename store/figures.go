package store

import "pulse/store/wal"

// Figures describe the log, the snapshots and the last recovery of a store with
// a data folder.
type Figures struct {
	Log       wal.Stats
	Snapshots SnapshotFigures
	Recovery  Recovery // zero while it is under way
}

// SnapshotFigures are those of the snapshots taken since the start.
type SnapshotFigures struct {
	Taken    int64
	Failures int64
	Bytes    int64 // of the last one
	TookMs   int64 // the same
}

// Figures returns the present ones; ok is false for a store in memory.
func (s *Store) Figures() (f Figures, ok bool) {
	if s.folder == nil {
		return Figures{}, false
	}
	t := &s.folder.snapshots
	f.Snapshots = SnapshotFigures{Taken: t.count.Load(), Failures: t.fails.Load(), Bytes: t.bytes.Load(), TookMs: t.took.Load()}
	f.Log = s.folder.log.Stats()
	if s.folder.ready.Load() { // which was stored after it
		f.Recovery = s.folder.recovery
	}
	return f, true
}
