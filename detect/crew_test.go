package detect_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulse/detect"
)

// Every number is worked on once, by about as many workers as there are cores however
// many back-tests there are, and by one of each while live rules are judged.
func TestCrew(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, c := range []struct {
		name              string
		live              bool
		tests, most, more int
	}{
		{"alone", false, 1, 4, 2},
		{"two at once", false, 2, 5, 2}, // until the first sees the second
		{"beside live rules", true, 1, 1, 1},
		{"two beside live rules", true, 2, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var crew detect.Crew
			crew.Live(c.live)
			var now, peak atomic.Int64
			var wait sync.WaitGroup
			for range c.tests {
				wait.Go(func() {
					done := make([]atomic.Int32, 999)
					crew.Each(len(done), func(i int) {
						n := now.Add(1)
						defer now.Add(-1)
						for top := peak.Load(); n > top && !peak.CompareAndSwap(top, n); top = peak.Load() {
						}
						for range 20 {
							runtime.Gosched()
						}
						done[i].Add(1)
					})
					for i := range done {
						if n := done[i].Load(); n != 1 {
							t.Errorf("number %d was worked on %d times", i, n)
						}
					}
				})
			}
			wait.Wait()
			if n := int(peak.Load()); n > c.most || n < c.more {
				t.Errorf("%d at once, want %d to %d", n, c.more, c.most)
			}
			if n := crew.Working(); n != 0 {
				t.Errorf("%d still work", n)
			}
		})
	}
}

// Helpers go home when live rules begin to be judged, and what they leave is done.
func TestCrewStepsAside(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var crew detect.Crew
	var done atomic.Int64
	crew.Each(10_000, func(i int) {
		done.Add(1)
		switch i {
		case 1000:
			crew.Live(true)
		case 9000:
			for began := time.Now(); crew.Working() > 1; {
				if time.Since(began) > 20*time.Second {
					t.Error("helpers work while live rules are judged")
					return
				}
				runtime.Gosched()
			}
		}
	})
	if n := done.Load(); n != 10_000 {
		t.Errorf("%d of 10000 numbers were worked on", n)
	}
}
