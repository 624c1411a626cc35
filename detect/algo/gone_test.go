package algo_test

import (
	"testing"

	"pulse/detect/algo"
)

// A stream that is next to nothing for longer than a new level takes stays out, is
// usual again as soon as it is back, and has learned nothing from it.
func TestOutageIsNoLevelToLearn(t *testing.T) {
	const before, after = 3*24 + 5, 3 // hours
	for _, kind := range seasonalKinds {
		for _, c := range []struct {
			step  int64
			hours int
			share float64
			out   bool // to its end
		}{
			{10_000, 1, 0, true}, {10_000, 3, 0, true}, {10_000, 3, 0.001, true}, {10_000, 3, 0.01, true},
			{60_000, 4, 0, true}, {60_000, 4, 0.01, true}, {10_000, 3, 0.3, false}, {60_000, 26, 0, false},
		} {
			hour := int(3_600_000 / c.step)
			from, to := before*hour, (before+c.hours)*hour
			values := starts(to+after*hour, c.step, 2000, 23)
			scale(values, from, to, c.share)
			scale(values, to+2*hour, to+2*hour+hour/2, 0.6)
			d, back, band := newDetector(t, algo.Spec{Kind: kind}, c.step), false, 0.0
			for i, v := range values {
				got := d.Step(monday+int64(i+1)*c.step, v)
				switch {
				case i == from-1:
					band = got.Upper / got.Expected
				case i == to-1 && got.Out != c.out:
					t.Errorf("%s, %+v: out at its end: %v", kind, c, got.Out)
				case i >= to+hour/6 && i < to+2*hour && c.share < 0.3 && got.Out:
					t.Fatalf("%s, %+v: out %d steps after", kind, c, i-to)
				case i == to+2*hour-1 && c.share < 0.3 && (got.Upper/got.Expected-1 > 2*(band-1) || got.Expected < 0.9*v || got.Expected > 1.1*v):
					t.Errorf("%s, %+v: %+v two hours after, value %v, upper end at %v before", kind, c, got, v, band)
				case i >= to+2*hour && i < to+2*hour+hour/2 && got.Out:
					back = true
				}
			}
			if !back {
				t.Errorf("%s, %+v: a drop two hours after is not found", kind, c)
			}
		}
	}
}
