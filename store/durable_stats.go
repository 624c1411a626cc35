package store

import (
	"sync/atomic"
	"time"

	"pulse/store/wal"
)

// DurableStats is what becomes durable, and how. Counts are since start.
type DurableStats struct {
	InMemory bool // the store has no data folder, and nothing else is set
	Mode     Durability
	Log      wal.Stats
	Waiting  int   // operations that are queued or wait for a sync
	Refused  int64 // operations, since the disk took nothing
	Doubtful int64 // operations that were answered with ErrUncertain

	LastSync, WorstSync time.Duration // of the log, by the store's clock

	Snapshots        int64
	SnapshotFailures int64
	SnapshotBytes    int64 // of the last one
	SnapshotMs       int64 // that it took

	Recovery Recovery // zero while it is under way
}

// journalCounts are kept since start.
type journalCounts struct {
	refused, doubtful   atomic.Int64
	lastSync, worstSync atomic.Int64
}

// sync syncs the log and notes how long it took.
func (j *journal) sync() error {
	began := j.clock.Now()
	err := j.log.Sync()
	took := int64(j.clock.Now().Sub(began))
	j.counts.lastSync.Store(took)
	j.counts.worstSync.Store(max(took, j.counts.worstSync.Load()))
	return err
}

// Durability returns the present figures.
func (s *Store) Durability() DurableStats {
	f := s.folder
	if f == nil {
		return DurableStats{InMemory: true}
	}
	t := &f.snapshots
	st := DurableStats{
		Mode: f.Mode, Log: f.log.Stats(),
		Snapshots: t.count.Load(), SnapshotFailures: t.fails.Load(), SnapshotBytes: t.bytes.Load(), SnapshotMs: t.took.Load(),
	}
	if !f.ready.Load() { // which is stored after what follows
		return st
	}
	st.Recovery = f.recovery
	if j := f.journal; j != nil {
		st.Waiting = j.queue.length() + j.unsynced.length()
		st.Refused, st.Doubtful = j.counts.refused.Load(), j.counts.doubtful.Load()
		st.LastSync, st.WorstSync = time.Duration(j.counts.lastSync.Load()), time.Duration(j.counts.worstSync.Load())
	}
	return st
}
