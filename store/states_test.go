package store_test

import (
	"fmt"
	"runtime"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/tags"
)

// What rates carry from report to report is not kept for gauges and sums.
func TestOnlyRatesCarryAState(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector takes memory of its own")
	}
	const n = 20_000
	taken := func(dstype string) int64 {
		before := liveHeap()
		s := open(t, store.Options{NewSeriesRate: -1})
		for i := range n {
			resolve(t, s, start, tags.Of("name", "m", "id", fmt.Sprint(i), "atlas.dstype", dstype))
		}
		bytes := liveHeap() - before
		runtime.KeepAlive(s)
		return bytes
	}
	rates := min(taken("rate"), taken("counter"))
	for _, dstype := range []string{"gauge", "sum"} {
		if saved := rates - taken(dstype); saved < n*30 {
			t.Errorf("%s: %d bytes a series less than a rate, want 32", dstype, saved/n)
		}
	}
}

// A series that gets the slot of another one begins with nothing, whatever kinds
// the two are of, and the states of those that are gone are used again.
func TestStatesOfReusedSlots(t *testing.T) {
	const step, blockMs = 1000, 120 * 1000
	s := open(t, store.Options{Step: step, Retention: blockMs, NewSeriesRate: -1})
	kinds := []string{"rate", "gauge", "counter", "sum"}
	now := start
	for round := range 24 {
		var refs []store.Ref
		for i := range 200 {
			refs = append(refs, series(t, s, now, "name", "m", "id", fmt.Sprint(round, " ", i), "atlas.dstype", kinds[(round+i)%4]))
		}
		for range 3 {
			now += step
			var points []point
			for _, ref := range refs {
				points = append(points, point{ref, now, 5})
			}
			send(s, 0, now, points...)
		}
		for i, l := range scan(t, s, store.Scan{Query: named("m"), Agg: store.AggAll, Start: now - step, End: now}) {
			id, _ := l.Tags.Get("id")
			kind, _ := l.Tags.Get("atlas.dstype")
			want := 5.0
			if kind == "counter" {
				want = 0 // the total did not grow
			}
			var of int
			if fmt.Sscan(id, &of); of == round && l.Values[0] != want {
				t.Fatalf("round %d, line %d of %s: %v, want %v", round, i, kind, l.Values[0], want)
			}
		}
		for range 80 {
			now += blockMs / 20
			s.Advance(now)
		}
	}
	if n := s.States(); n > 600 {
		t.Errorf("%d states, of 100 rates and counters at a time", n)
	}
}
