package algo_test

import (
	"math"
	"testing"

	"pulse/detect/algo"
)

// A bucket of which one value came teaches a week nothing that the next one would
// page for: the first, and the one after a gap.
func TestThinBucketsTeachLittle(t *testing.T) {
	const step, hour = 10_000, 360
	for _, c := range []struct {
		name string
		at   int // of the odd value, before which there is none for hours
	}{{"first", 0}, {"first in the middle of a bucket", 20}, {"after a gap", 30 * hour}} {
		values := starts(16*24*hour, step, 2000, 29)
		scale(values, max(c.at-2*hour, 0), c.at, nan)
		values[c.at] *= 0.7
		d, worst := newDetector(t, algo.Spec{Kind: "seasonal", Params: map[string]any{"season": "week"}}, step), 0.0
		for i, v := range values {
			got := d.Step(monday+int64(i)*step, v) // row 0 ends a bucket
			if again := c.at + 14*24*hour; i > again-hour/4 && i < again+hour/4 {
				worst = max(worst, math.Abs(math.Log(got.Expected/v)))
			}
		}
		if !(worst < 0.08) {
			t.Errorf("%s: off by %.3f two weeks after", c.name, worst)
		}
	}
}

// A stream of which a row in six comes learns its course all the same.
func TestSparseStreamLearns(t *testing.T) {
	const step, hour = 10_000, 360
	values := starts(4*24*hour, step, 2000, 31)
	d, worst := newDetector(t, algo.Spec{Kind: "seasonal"}, step), 0.0
	for i, v := range values {
		if i%6 != 0 {
			v = nan
		}
		got := d.Step(monday+int64(i)*step, v)
		if v == v && i > 3*24*hour {
			worst = max(worst, math.Abs(math.Log(got.Expected/v)))
		}
	}
	if got := factOf(t, d, "season_hours"); got != 24 || !(worst < 0.1) {
		t.Errorf("season of %v hours, off by %.3f", got, worst)
	}
}
