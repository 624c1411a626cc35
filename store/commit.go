package store

import (
	"io"
	"sync/atomic"
)

// folder is a store's use of its data folder.
type folder struct {
	Durable
	lock  io.Closer
	hooks SnapshotHooks
	ready atomic.Bool
}

// Commit puts the points of b into their series and returns when they are as
// durable as the mode says. On a store of New it is Append. After an error
// other than ErrUncertain nothing of b is in the store. b must not be used
// before Commit returns.
func (s *Store) Commit(b *Batch, now int64) (Result, error) {
	if s.folder != nil && !s.folder.ready.Load() {
		return Result{}, ErrNotReady
	}
	return s.Append(b, now), nil
}
