package simulation_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"testing/synctest"
)

var (
	seeds = flag.Uint64("seeds", 0, "how many seeds the simulation runs; 0: 50, or 8 with -short")
	first = flag.Uint64("first", 0, "the first of them")
	steps = flag.Int("steps", 0, "for how many steps things go wrong with a seed; 0: 150 of what -seeds asks for, else 75")
)

// TestMain lets one goroutine run at a time: in which order several do what they do at one
// moment of the virtual clock would be drawn by the machine otherwise, not by the seed.
func TestMain(m *testing.M) {
	flag.Parse()
	if *steps == 0 {
		if *steps = 75; *seeds > 0 {
			*steps = 150
		}
	}
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSimulation runs seed after seed.
func TestSimulation(t *testing.T) {
	n := *seeds
	if n == 0 {
		if n = 50; testing.Short() {
			n = 8
		}
	}
	deaths, held, told, fired := map[string]int{}, map[string]int{}, 0, 0
	for seed := *first; seed < *first+n; seed++ {
		var w *world
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { w = simulate(t, seed) }) {
			continue
		}
		for where, n := range w.deaths {
			deaths[where] += n
		}
		for what, n := range w.watch.held {
			held[what] += n
		}
		told, fired = told+w.book.told, fired+w.watch.fired
	}
	t.Logf("%d alerts, %d notifications, kills %v, held back %v", fired, told, deaths, held)
}

func simulate(t *testing.T, seed uint64) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, seed)
		w.run(*steps)
	})
	return w
}

// TestKills lets processes die at 200 random points of the way and nothing else go wrong
// with them; receivers and networks fail as ever.
func TestKills(t *testing.T) {
	want := 200
	if testing.Short() {
		want = 40
	}
	kills, deaths := 0, map[string]int{}
	for seed := *first + 1_000_000; kills < want && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			w.onlyEnd = true
			w.run(100)
			kills += w.kills
			for where, n := range w.deaths {
				deaths[where] += n
			}
		})
	}
	t.Logf("%d kills: %v", kills, deaths)
}

// TestSameSeed runs seeds twice: what happens is the same.
func TestSameSeed(t *testing.T) {
	for seed := *first; seed < *first+3; seed++ {
		a, b := simulate(t, seed), simulate(t, seed)
		for _, of := range slices.Sorted(maps.Keys(a.trace)) {
			if a.trace[of] != b.trace[of] {
				t.Errorf("seed %d: what is told of %s differs", seed, of)
			}
		}
		if t.Failed() {
			for i := range min(len(a.last), len(b.last)) {
				if a.last[i] != b.last[i] {
					t.Fatalf("%s\n%s", a.last[i], b.last[i])
				}
			}
		}
	}
}
