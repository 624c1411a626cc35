package detect_test

import (
	"math"
	"testing"

	"pulse/detect"
)

// A decision in plain words: how far off, for how long where that is known, and what
// was expected.
func TestWords(t *testing.T) {
	nan := detect.Number(math.NaN())
	step := func(at int64, v detect.Number) detect.JudgedStep {
		return detect.JudgedStep{T: at, Value: v, Expected: 100, Lower: 80, Upper: 120, Out: true, Cause: "drop"}
	}
	held := func(n detect.Number, s detect.JudgedStep) detect.JudgedStep {
		s.Facts = []detect.Number{n}
		return s
	}
	before := func(values ...detect.Number) (out []detect.JudgedStep) {
		for i, v := range values {
			out = append(out, step(int64(i-len(values)+10)*1000, v))
		}
		return out
	}
	far := detect.JudgedStep{T: 10_000, Value: detect.Number(math.MaxFloat64), Expected: 1e-300, Lower: nan, Upper: nan, Cause: "rise"}
	for _, c := range []struct {
		name  string
		first detect.JudgedStep // the first decision, at 10 s
		at    int64             // of the alert, s
		steps []detect.JudgedStep
		want  string
	}{
		{"one step", step(10_000, 15), 10, nil, "85 % below what was expected: 15, expected 100 ± 20"},
		{"later steps", step(10_000, 15), 13, nil, "85 % below what was expected for 4 s: 15, expected 100 ± 20"},
		{"held", held(4, step(10_000, 15)), 10, nil, "85 % below what was expected for 4 s: 15, expected 100 ± 20"},
		{"steps before", held(2, step(10_000, 15)), 10, before(100, 85, 100, 85, 20, 20), "85 % below what was expected for 6 s: 15, expected 100 ± 20"},
		{"steps before, but as expected", step(10_000, 15), 10, before(20, 100, 95), "85 % below what was expected: 15, expected 100 ± 20"},
		{"steps before, of which some are not known", step(10_000, 15), 10, before(15, 15, 15)[:2], "85 % below what was expected: 15, expected 100 ± 20"},
		{"three times", step(10_000, 1000), 10, nil, "10 times what was expected: 1,000, expected 100 ± 20"},
		{"beyond all numbers", far, 10, nil, "far above what was expected: 1.79769e+308, expected 1e-300"},
		{"nothing expected", detect.JudgedStep{T: 10_000, Value: 7, Lower: nan, Upper: nan, Cause: "rise"}, 10, nil, "7 above what was expected: 7, expected 0"},
	} {
		d := detect.Decision{Kind: detect.StateFiring, JudgedStep: c.first}
		w := detect.Why{Facts: []string{"held"}, Decisions: []detect.Decision{d}, Steps: c.steps}
		d.T = c.at * 1000
		if got := w.InWords(&d, 10_000, 1000); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}
