package algo_test

import (
	"math"
	"slices"
	"testing"

	"pulse/detect/algo"
)

// spell is a time with another rate.
type spell struct {
	from, to   float64 // hours from the first incident
	begin, end float64 // factor on the rate
	paged      bool
}

// The way back is no excursion, however the stream got there; another incident is.
func TestReturnIsNotPaged(t *testing.T) {
	const before = 3*24 + 5 // hours
	cases := []struct {
		name   string
		spells []spell
	}{
		{"drop", []spell{{0, 0.75, 0.8, 0.8, true}}},
		{"half", []spell{{0, 0.5, 0.5, 0.5, true}}},
		{"outage", []spell{{0, 0.6, 0, 0, true}}},
		{"spike", []spell{{0, 0.3, 1.6, 1.6, true}}},
		{"long outage", []spell{{0, 1.5, 0, 0, true}}},
		{"shift down for 14 hours", []spell{{0, 14, 0.8, 0.8, true}}},
		{"shift up for 14 hours", []spell{{0, 14, 1.25, 1.25, true}}},
		{"leak to a half, too slow to be seen", []spell{{0, 5, 1, 0.5, false}}},
		{"leak by a third, too slow to be seen", []spell{{0, 4, 1, 0.7, false}}},
		{"drop after drop", []spell{{0, 0.5, 0.7, 0.7, true}, {3.5, 4, 0.7, 0.7, true}}},
		{"drop after spike", []spell{{0, 0.2, 1.5, 1.5, true}, {3.5, 4, 0.6, 0.6, true}}},
		{"outage soon after spike", []spell{{0, 0.2, 2, 2, true}, {1, 1.5, 0, 0, true}}},
		{"spike soon after drop", []spell{{0, 0.5, 0.7, 0.7, true}, {2, 2.5, 1.5, 1.5, true}}},
		{"outage out of a shift up", []spell{{0, 6, 1.25, 1.25, true}, {6, 6.5, 0, 0, true}}},
		{"half out of a rise", []spell{{0, 0.5, 1.15, 1.15, true}, {0.5, 1, 0.5, 0.5, true}}},
		{"half the day after a leak", []spell{{0, 4, 1, 0.5, false}, {16, 16.5, 0.5, 0.5, true}}},
		{"outage out of a leak", []spell{{0, 4, 1, 0.7, false}, {4, 4.5, 0, 0, true}}},
	}
	for _, kind := range bandedKinds {
		for _, step := range []int64{10_000, 60_000} {
			hour := int(3_600_000 / step)
			for _, c := range cases {
				values := starts((before+20)*hour, step, 2000, 17)
				for _, s := range c.spells {
					from, to := before*hour+int(s.from*float64(hour)), before*hour+int(s.to*float64(hour))
					for i := from; i < to; i++ {
						values[i] *= s.begin + (s.end-s.begin)*float64(i-from)/float64(to-from)
					}
				}
				var got []float64
				for _, o := range causes(newDetector(t, algo.Spec{Kind: kind}, step), values, step) {
					if at := float64(o.at)/float64(hour) - before; at >= 0 {
						got = append(got, math.Round(100*at)/100)
					}
				}
				for _, s := range c.spells {
					first := slices.IndexFunc(got, func(at float64) bool { return at >= s.from && at < s.from+0.25 })
					if s.paged && first < 0 {
						t.Errorf("%s, steps of %d ms, %s: pages at %v h, none at %g", kind, step, c.name, got, s.from)
					}
				}
				for _, at := range got {
					if !slices.ContainsFunc(c.spells, func(s spell) bool { return at >= s.from && at < s.to }) {
						t.Errorf("%s, steps of %d ms, %s: pages at %v h", kind, step, c.name, got)
					}
				}
			}
		}
	}
}
