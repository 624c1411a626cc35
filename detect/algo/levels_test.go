package algo_test

import (
	"testing"

	"pulse/bench/gen"
	"pulse/detect/algo"
)

// What detectors do as shipped on generated streams of starts per second, with so
// much margin that only a regression fails. Programs under bench measure it.
const (
	levelSeeds  = 2
	outageMost  = 180_000 // ms until a total outage is paged, after its first whole step
	benignShare = 0.1     // of deploy dips, of gaps and lost samples
)

// tally counts events of a class.
type tally struct{ paged, all int }

func (x *tally) add(paged bool) {
	if x.all++; paged {
		x.paged++
	}
}

// TestLevels: a total outage always pages within three minutes, whatever the kind;
// deploy dips, gaps, lost samples and restarted totals do not.
func TestLevels(t *testing.T) {
	if testing.Short() {
		t.Skip("weeks of streams are not short")
	}
	kinds := []string{"static", "exponential", "double-exponential", "seasonal", "auto"}
	counts := make([]struct{ outages, dips, gaps, restarts tally }, len(kinds))
	for seed := range uint64(levelSeeds) {
		for _, s := range gen.Streams(seed+100, gen.StreamsOptions{Minute: 6, Fine: -1, Families: -1, Weeks: 2}) {
			values := s.Values()
			for k, kind := range kinds {
				d, err := algo.NewForScore(algo.Spec{Kind: kind}, s.Step)
				if err != nil {
					t.Fatal(err)
				}
				c := &counts[k]
				onsets, until := onsetsOf(s, values, d)
				for _, e := range s.Events {
					first, wasOut := pagedIn(onsets, until, &e, s.Step)
					switch {
					case e.Trial:
					case e.Kind == gen.Drop && e.Depth == 1:
						found := wasOut || first > 0 && first-s.Whole(&e) <= outageMost
						if c.outages.add(!found); !found {
							t.Errorf("%s on %s (%.0f/s): outage at %d, page at %d", kind, s.Name, s.Level, e.Start, first)
						}
					case e.Kind == gen.Dip:
						c.dips.add(first > 0)
					case e.Kind == gen.Gap, e.Kind == gen.Lost:
						c.gaps.add(first > 0)
					case e.Kind == gen.Restart:
						c.restarts.add(first > 0)
					}
				}
			}
		}
	}
	for k, kind := range kinds {
		c := &counts[k]
		if c.outages.all < 10 {
			t.Errorf("%d outages", c.outages.all)
		}
		for name, x := range map[string]tally{"deploy dips": c.dips, "gaps and lost samples": c.gaps, "restarts": c.restarts} {
			if x.all == 0 || float64(x.paged) > benignShare*float64(x.all) {
				t.Errorf("%s: %d of %d %s were paged", kind, x.paged, x.all, name)
			}
		}
	}
}

// onsetsOf returns when the stream goes out, and until when it stays out.
func onsetsOf(s *gen.Stream, values []float64, d algo.Detector) (onsets, until []int64) {
	out := false
	for i, v := range values {
		t := s.Start + int64(i+1)*s.Step
		verdict := d.Step(t, v)
		switch {
		case verdict.Out && !out:
			onsets, until = append(onsets, t), append(until, s.End)
		case out && !verdict.Out:
			until[len(until)-1] = t
		}
		out = verdict.Out
	}
	return onsets, until
}

// pagedIn returns the first onset in an event, 0 when there is none, and whether
// the stream was out when it began.
func pagedIn(onsets, until []int64, e *gen.Event, step int64) (first int64, wasOut bool) {
	for i, at := range onsets {
		if at > e.Start && at <= e.Start+e.Duration+step && first == 0 {
			first = at
		}
		wasOut = wasOut || at <= e.Start && until[i] > e.Start
	}
	return first, wasOut
}
