package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// limitHeap keeps the collector's heap within what the memory leaves beside
// columns and blocks, which lie outside of it: the collector runs the more
// often the less there is. Far below that it keeps the garbage small, unless
// the environment says with GOGC how much there may be.
func (s *server) limitHeap(ctx context.Context) error {
	pace, given := gcPace{percent: 100}, os.Getenv("GOGC") != ""
	for {
		debug.SetMemoryLimit(s.memory.HeapLimit(s.store.OffHeap()))
		if !given {
			if percent := pace.next(readGC()); percent != pace.percent {
				debug.SetGCPercent(percent)
				pace.percent = percent
			}
		}
		select {
		case <-s.clock.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// gcPace decides how much garbage there may be, in per cent of what lives. What
// lives here has few pointers, so that a cycle of the collector costs little
// beside the memory that rare cycles take.
type gcPace struct {
	percent int
	seen    gcUse
}

// gcUse is what the collector has used so far, as of the end of its last cycle.
type gcUse struct {
	collecting, all float64 // CPU seconds; of all there was
	live            uint64  // bytes
}

const (
	leastGarbage = 32 << 20 // bytes
	leastPercent = 10
	busyGC       = 0.05 // part of all CPU from which on there may be more garbage
	idleGC       = 0.01 // and below which there may be less
)

// next returns the per cent from now on.
func (g *gcPace) next(u gcUse) int {
	if u.all <= g.seen.all {
		return g.percent // no cycle ended meanwhile
	}
	percent := g.percent
	switch share := (u.collecting - g.seen.collecting) / (u.all - g.seen.all); {
	case share > busyGC:
		percent *= 2
	case share < idleGC:
		percent /= 2
	}
	g.seen = u
	least := leastPercent
	if u.live < 100*leastGarbage/leastPercent {
		least = int(100 * leastGarbage / max(u.live, 1))
	}
	return min(max(percent, least), 100)
}

func readGC() gcUse {
	samples := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples)
	return gcUse{
		collecting: samples[0].Value.Float64() - samples[1].Value.Float64(), // idle cores collect for nothing
		all:        samples[2].Value.Float64(),
		live:       samples[3].Value.Uint64(),
	}
}
