package main

import (
	"context"
	"runtime/debug"
	"time"
)

// limitHeap keeps the collector's heap within what the memory leaves beside
// columns and blocks, which lie outside of it: the collector runs the more
// often the less there is.
func (s *server) limitHeap(ctx context.Context) error {
	for {
		debug.SetMemoryLimit(s.memory.HeapLimit(s.store.OffHeap()))
		select {
		case <-s.clock.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}
