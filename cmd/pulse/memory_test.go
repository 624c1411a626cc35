package main

import (
	"runtime"
	"testing"
	"time"
)

// The collector leaves little garbage when it has little to do, and more when it
// would take a considerable part of the processor.
func TestGCPace(t *testing.T) {
	const gib = 1 << 30
	g := gcPace{percent: 100}
	u := gcUse{live: gib}
	for i, c := range []struct {
		collecting, all float64 // since the case before
		live            uint64
		want            int
	}{
		{0, 0, gib, 100}, // no cycle yet
		{0.001, 10, gib, 50},
		{0.2, 10, gib, 50},
		{0.001, 10, gib, 25},
		{0.001, 10, gib, 12},
		{0.001, 10, gib, 10},
		{0, 0, gib, 10},
		{0.6, 10, gib, 20},
		{9, 10, gib, 40},
		{9, 10, gib, 80},
		{9, 10, gib, 100},
		{9, 10, gib, 100},
		{0.001, 10, 64 << 20, 50},
		{0.001, 10, 64 << 20, 50}, // 32 MiB
		{0.001, 10, 1 << 20, 100},
		{0.001, 10, 0, 100},
	} {
		u.collecting, u.all, u.live = u.collecting+c.collecting, u.all+c.all, c.live
		if g.percent = g.next(u); g.percent != c.want {
			t.Errorf("case %d: %d %%, want %d", i, g.percent, c.want)
		}
	}
}

// What is read of the collector is of its last cycle: what lived, its part of the
// processors' time, and all of that.
func TestReadGC(t *testing.T) {
	const held = 64 << 20
	runtime.GC()
	before, begun := readGC(), time.Now()
	keep := make([]byte, held)
	for i := range keep {
		keep[i] = byte(i)
	}
	least := time.Since(begun).Seconds() * float64(runtime.GOMAXPROCS(0))
	runtime.GC()
	u := readGC()
	runtime.KeepAlive(keep)
	if more := int64(u.live) - int64(before.live); more < held/2 || more > held*3/2 {
		t.Errorf("%d bytes more alive, want about %d", more, held)
	}
	if all, collecting := u.all-before.all, u.collecting-before.collecting; all < least || collecting <= 0 || collecting > all {
		t.Errorf("%v s of processors, %v of them to collect; there were at least %v s", all, collecting, least)
	}
}
