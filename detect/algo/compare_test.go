package algo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pulse/detect/algo"
)

// pairs are the values of a stream and its baseline whose counts per step are
// Poisson distributed, with a common swing of three, around mean events of the
// baseline and split times as many of the stream; each varies by itself by own, and
// events come in clumps.
type pairs struct {
	mean, split, own, clump float64
}

// draw gives step i, with worse times as many events of the stream as there should be.
func (p pairs) draw(r *rand.Rand, i int, worse float64) (v, baseline float64) {
	mean := p.mean * (1 + 0.5*math.Sin(float64(i)/60))
	of := func(mean float64) float64 {
		if p.own > 0 {
			mean *= math.Exp(p.own*r.NormFloat64() - p.own*p.own/2)
		}
		clump := max(1, p.clump)
		return clump * poisson(r, mean/clump)
	}
	return of(mean * p.split * worse), of(mean)
}

func newPair(t testing.TB, params map[string]any, step int64) algo.Pair {
	t.Helper()
	given := map[string]any{"baseline": "name,sps,:eq"}
	for k, v := range params {
		given[k] = v
	}
	return newDetector(t, algo.Spec{Kind: "compare", Params: given}, step).(algo.Pair)
}

func decision(d algo.Detector) algo.Decision {
	got, _ := d.(algo.Decider).Decision()
	return got
}

func fact(t testing.TB, d algo.Detector, name string) float64 {
	t.Helper()
	v, ok := algo.Find(d.Facts(nil), name)
	if !ok {
		t.Fatalf("no fact %s", name)
	}
	return v
}

// run judges steps until the comparison has ended, and returns how many that took.
func (p pairs) run(d algo.Pair, r *rand.Rand, worse float64, steps int) (algo.Decision, int) {
	from := r.IntN(1000)
	for i := range steps {
		v, baseline := p.draw(r, from+i, worse)
		d.StepPair(int64(i+1)*1000, v, baseline)
		if got := decision(d); got != algo.Undecided {
			return got, i + 1
		}
	}
	return algo.Undecided, steps
}

// Where there is no difference, a comparison that is looked at after each of 300
// steps fails in at most 5 % of 2,000 runs, whatever the volume, the split and
// how much the streams vary by themselves.
func TestEqualStreamsRarelyFail(t *testing.T) {
	for _, p := range []pairs{
		{mean: 0.5, split: 1}, {mean: 10, split: 0.05}, {mean: 100, split: 1}, {mean: 1000, split: 5},
		{mean: 10, split: 1, own: 0.5}, {mean: 1000, split: 1, own: 0.03}, {mean: 1000, split: 0.05, own: 0.1}, {mean: 100_000, split: 5, own: 0.1},
		{mean: 50, split: 1, clump: 10}, {mean: 50, split: 0.3, clump: 3},
	} {
		const runs = 2000
		r := rand.New(rand.NewPCG(9, uint64(p.mean)))
		d := newPair(t, map[string]any{"split": p.split}, 1000)
		failed := 0
		for range runs {
			d.Reset()
			if got, _ := p.run(d, r, 1, 300); got == algo.Fail {
				failed++
			}
		}
		if failed > runs/20 {
			t.Errorf("%+v: %d of %d runs failed without a difference", p, failed, runs)
		}
	}
}

func TestDifferencesAreFound(t *testing.T) {
	for _, c := range []struct {
		p      pairs
		worse  float64
		within int // steps, in 9 of 10 runs
	}{
		{pairs{mean: 1000, split: 1, own: 0.03}, 1.2, 10}, {pairs{mean: 10, split: 1}, 1.2, 130}, {pairs{mean: 10, split: 1}, 1.5, 30},
		{pairs{mean: 100, split: 1}, 1.1, 60}, {pairs{mean: 1000, split: 0.05}, 2, 10}, {pairs{mean: 10_000, split: 1, own: 0.03}, 0.9, 15},
		{pairs{mean: 1, split: 1}, 0, 70},
	} {
		r := rand.New(rand.NewPCG(3, 3))
		late := 0
		for range 200 {
			d := newPair(t, map[string]any{"split": c.p.split}, 1000)
			if got, _ := c.p.run(d, r, c.worse, c.within); got != algo.Fail {
				late++
			}
		}
		if late > 20 {
			t.Errorf("%+v times %g: %d of 200 not found within %d steps", c.p, c.worse, late, c.within)
		}
	}
}

// The confidence sequence holds the true ratio at every step of at least 95 % of
// the runs.
func TestConfidenceSequenceHoldsTheRatio(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	p := pairs{mean: 50, split: 1.3, own: 0.1}
	outside := 0
	for range 300 {
		d := newPair(t, map[string]any{"error_rate": 0.05}, 1000)
		for i := range 60 {
			v, baseline := p.draw(r, i, 1)
			d.StepPair(int64(i+1)*1000, v, baseline)
			if decision(d) != algo.Undecided {
				break // what comes later is not counted
			}
			if fact(t, d, "ratio_lower") > 1.3 || fact(t, d, "ratio_upper") < 1.3 {
				outside++
				break
			}
		}
	}
	if outside > 15 {
		t.Errorf("%d of 300 sequences leave out the ratio", outside)
	}
}

func TestPassIsProvenWithinTolerance(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	p := pairs{mean: 1000, split: 1, own: 0.02}
	params := map[string]any{"tolerance": 0.1, "direction": "above"}
	for range 50 {
		d := newPair(t, params, 1000)
		if got, _ := p.run(d, r, 1, 200); got != algo.Pass {
			t.Fatalf("equal streams: %s, %v", got, d.Facts(nil))
		}
		if high := fact(t, d, "ratio_upper"); high > 1.1 {
			t.Errorf("passed with the ratio up to %v", high)
		}
		d.Reset()
		if got, _ := p.run(d, r, 1.3, 200); got != algo.Fail {
			t.Errorf("30 %% more: %s", got)
		}
		d.Reset()
		if got, _ := p.run(d, r, 0.5, 200); got != algo.Pass {
			t.Errorf("half, where more is worse: %s", got)
		}
	}
}

func TestDecideByEndsIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		mean   float64
		params map[string]any
		want   algo.Decision
	}{
		{"equal", 100, map[string]any{}, algo.Pass},
		{"equal, but few events", 0.02, map[string]any{}, algo.Undecided},
		{"equal, proof wanted, but too little of it", 1, map[string]any{"tolerance": 0.05}, algo.Undecided},
	} {
		c.params["decide_by"] = "60s"
		d := newPair(t, c.params, 1000)
		r := rand.New(rand.NewPCG(5, 5))
		p := pairs{mean: c.mean, split: 1}
		for i := range 90 {
			at := int64(i+1) * 1000
			v, baseline := p.draw(r, i, 1)
			if got := d.StepPair(at, v, baseline); got.Out {
				t.Errorf("%s, step %d: %+v", c.name, i, got)
			}
			got, ended := d.(algo.Decider).Decision()
			if i < 59 && ended != 0 && c.want == algo.Undecided || i >= 59 && (got != c.want || ended == 0 || ended > 60_000) {
				t.Fatalf("%s, step %d: %s at %d, want %s; %v", c.name, i, got, ended, c.want, d.Facts(nil))
			}
		}
	}
}

// A decision is final.
func TestFailureStays(t *testing.T) {
	d := newPair(t, map[string]any{"direction": "above"}, 1000)
	r := rand.New(rand.NewPCG(6, 6))
	p := pairs{mean: 100, split: 1}
	if got, _ := p.run(d, r, 3, 100); got != algo.Fail {
		t.Fatal(got)
	}
	before := fact(t, d, "p_value")
	for i := range 1000 {
		v, baseline := p.draw(r, i, 1)
		got := d.StepPair(int64(i+1000)*1000, v, baseline)
		if !got.Out || got.Cause != algo.CauseWorse || got.Score < 0.95 || got.Expected != baseline {
			t.Fatalf("step %d: %+v", i, got)
		}
		if gap := d.StepPair(int64(i+1000)*1000+500, nan, baseline); !gap.Out || gap.Score != 0 {
			t.Fatalf("step %d without data: %+v", i, gap)
		}
	}
	if got := fact(t, d, "p_value"); got != before || got > 0.05 || fact(t, d, "decision") != -1 {
		t.Errorf("p-value %v, was %v", got, before)
	}
}

func TestLearnedSplit(t *testing.T) {
	params := map[string]any{"split": "learned", "train": "300s"}
	p := pairs{mean: 1000, split: 0.4, own: 0.02}
	failed := 0
	for k := range 200 {
		r := rand.New(rand.NewPCG(7, uint64(k)))
		d := newPair(t, params, 1000)
		for i := range 1200 {
			v, baseline := p.draw(r, i, 1)
			got := d.StepPair(int64(i+1)*1000, v, baseline)
			if i < 298 && (!math.IsNaN(got.Expected) || got.Score != 0) {
				t.Fatalf("step %d of the training: %+v", i, got)
			}
		}
		if decision(d) == algo.Fail {
			failed++
		}
	}
	if failed > 10 {
		t.Errorf("%d of 200 failed without a difference", failed)
	}
	r := rand.New(rand.NewPCG(8, 8))
	found := 0
	for range 50 {
		d := newPair(t, params, 1000)
		for i := range 330 {
			v, baseline := p.draw(r, i, 1)
			if i >= 300 {
				v = math.Round(0.8 * v)
			}
			d.StepPair(int64(i+1)*1000, v, baseline)
		}
		if decision(d) == algo.Fail {
			found++
		}
	}
	if found < 45 {
		t.Errorf("%d of 50 falls by 20 %% found in 30 steps", found)
	}
	if back, err := algo.Lookback(algo.Spec{Kind: "compare", Params: map[string]any{"baseline": "x", "split": "learned", "train": "301s"}}, 2000); err != nil || back != 302_000 {
		t.Errorf("look-back %d, %v", back, err)
	}
}

// What is no pair of counts is passed over.
func TestWhatIsNoCountDecidesNothing(t *testing.T) {
	d := newPair(t, nil, 1000)
	for i := range 200 {
		for _, x := range [][2]float64{{100, nan}, {nan, 100}, {-5, 1}, {1, -5}, {math.Inf(1), 1}, {1, math.Inf(1)}, {1e300, 1}, {0, 0}} {
			if got := d.StepPair(int64(i+1)*1000, x[0], x[1]); got.Out || got.Score != 0 {
				t.Fatalf("%v: %+v", x, got)
			}
		}
	}
	if n := fact(t, d, "samples"); n != 0 {
		t.Errorf("%v samples", n)
	}
}

// Per-second values count with their step.
func TestStepsMakeCounts(t *testing.T) {
	a, b := newPair(t, nil, 1000), newPair(t, nil, 60_000)
	r := rand.New(rand.NewPCG(4, 4))
	for i := range 50 {
		v, baseline := pairs{mean: 600, split: 1}.draw(r, i, 1)
		x, y := a.StepPair(int64(i), v, baseline), b.StepPair(int64(i), v/60, baseline/60)
		if math.Abs(x.Score-y.Score) > 1e-9 {
			t.Fatalf("step %d: %v by the second, %v by the minute", i, x.Score, y.Score)
		}
	}
}

func TestPairGoesOnAfterRestoreAndPeekChangesNothing(t *testing.T) {
	for _, params := range []map[string]any{nil, {"tolerance": 0.05, "decide_by": "200s"}, {"split": "learned", "train": "60s", "direction": "below"}} {
		whole, broken := newPair(t, params, 1000), newPair(t, params, 1000)
		r := rand.New(rand.NewPCG(10, 10))
		for i := range 400 {
			v, baseline := pairs{mean: 200, split: 1, own: 0.05}.draw(r, i, 1)
			if i%23 == 5 {
				v = nan
			}
			if i > 300 {
				v *= 0.7
			}
			at := int64(i+1) * 1000
			broken.PeekPair(at, 5*v, baseline)
			peeked := broken.PeekPair(at, v, baseline)
			want, got := whole.StepPair(at, v, baseline), broken.StepPair(at, v, baseline)
			if !same(peeked, want) || !same(got, want) {
				t.Fatalf("%v, step %d: peeked %+v, then %+v, uninterrupted %+v", params, i, peeked, got, want)
			}
			state := broken.AppendState(nil)
			broken = newPair(t, params, 1000)
			if rest, err := broken.Restore(append(state, 7)); err != nil || len(rest) != 1 || len(state) > 150 {
				t.Fatalf("%v, step %d: %d of %d bytes left, %v", params, i, len(rest), len(state), err)
			}
		}
		if x, y := whole.AppendState(nil), broken.AppendState(nil); string(x) != string(y) {
			t.Errorf("%v: states differ", params)
		}
	}
}

func TestPairAllocatesNothing(t *testing.T) {
	d := newPair(t, map[string]any{"tolerance": 0.1}, 1000)
	i := int64(0)
	if n := testing.AllocsPerRun(500, func() {
		i++
		d.StepPair(i*1000, float64(100+i%7), float64(100+i%5))
	}); n != 0 {
		t.Errorf("%v allocations per step", n)
	}
}

func TestAbsence(t *testing.T) {
	d := newDetector(t, algo.Spec{Kind: "absence", Params: map[string]any{"after": "3s"}}, 1000)
	for i, s := range []struct {
		v   float64
		out bool
	}{{nan, false}, {nan, false}, {nan, false}, {nan, false}, {0, false}, {nan, false}, {nan, false}, {4, false}, {nan, false}, {nan, false}, {nan, true}, {nan, true}, {0, false}, {nan, false}} {
		got := d.Step(int64(i)*1000, s.v)
		if got.Out != s.out || (got.Score == 1) != s.out || (got.Cause == algo.CauseMissing) != s.out {
			t.Errorf("step %d, value %v: %+v, want out %v", i, s.v, got, s.out)
		}
	}
}
