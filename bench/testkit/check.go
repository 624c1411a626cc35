package testkit

import (
	"testing"

	"go.uber.org/goleak"
)

// Race tells whether the race detector is on: a sync.Pool then forgets at
// random, and counts of allocations say nothing.
const Race = raceEnabled

// NoAllocs fails t when f allocates. It does nothing under the race detector,
// which allocates on its own and empties pools at random.
func NoAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if raceEnabled {
		return
	}
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations, want none", what, n)
	}
}

// NoLeaks fails t when goroutines that started after this call still run when
// t and its clean-ups end. Call it first; not for parallel tests.
func NoLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}
