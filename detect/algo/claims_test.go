package algo_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/detect/algo"
)

var (
	seeds = flag.Uint64("seeds", 50, "how many seeds the tests of claims run")
	first = flag.Uint64("first", 0, "the first of them")
)

// eachSeed runs f with the sources of randomness of as many seeds as asked for.
func eachSeed(t *testing.T, f func(t *testing.T, r *rand.Rand)) {
	n := *seeds
	if testing.Short() {
		n = min(n, 5)
	}
	for seed := *first; seed < *first+n; seed++ {
		f(t, rand.New(rand.NewPCG(seed, 11)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// drawSpec returns a kind with drawn parameters for a stream around 100.
func drawSpec(t *testing.T, r *rand.Rand, kind *algo.Kind, step int64) algo.Spec {
	t.Helper()
	var keys []string
	for _, k := range kind.Keys {
		keys = append(keys, k.Name)
	}
	var err error
	for range 100 {
		spec := algo.Spec{Kind: kind.Name, Params: testkit.Params(r, kind.Name, keys, 100, step)}
		if _, err = algo.New(spec, step); err == nil {
			return spec
		}
	}
	t.Fatalf("%s: no parameters are good: %v", kind.Name, err)
	return algo.Spec{}
}

// course draws the values of n steps: a level with a day and a week or without,
// noise of some kind, counts or not, and everything that happens to streams, seldom
// or often.
func course(r *rand.Rand, n int, step int64) []float64 {
	day := 86_400_000 / float64(step)
	pick := func(of ...float64) float64 { return of[r.IntN(len(of))] }
	swing, noise, event := pick(0, 0.3, 0.8), pick(0, 0.02, 0.02, 0.3), pick(0, 0, 1000/float64(step))
	every, long := int(pick(150, 800, 2500)), int(pick(60, 400))
	level, size, begun, left, what := 100.0, 1.0, 0, 0, 0
	values := make([]float64, n)
	for i := range values {
		v := level * math.Exp(swing*math.Sin(2*math.Pi*float64(i)/day)+noise*r.NormFloat64())
		if math.Mod(float64(i)/day, 7) > 5 {
			v *= 1 - swing/2
		}
		if left--; left < 0 && r.IntN(every) == 0 {
			if begun, left, what, size = i, 1+r.IntN(long), r.IntN(10), r.Float64(); what == 0 {
				level *= 0.8 + 0.4*size
			}
		}
		if left >= 0 {
			switch what {
			case 1:
				v = nan
			case 2:
				v = 0
			case 3:
				v *= size
			case 4:
				v *= 1 + 3*size
			case 5:
				v = 100 * size
			case 6: // slowly down
				v *= 1 - size*float64(i-begun)/float64(i-begun+left+1)
			case 7:
				v = -v
			case 8:
				v = []float64{v, v, v, math.Inf(1), math.MaxFloat64, -math.MaxFloat64, 5e-324}[r.IntN(7)]
			}
		}
		if event > 0 && math.Abs(v) < 1e12 {
			v = math.Round(v/event) * event
		}
		values[i] = v
	}
	return values
}

// stepper is a detector that is fed one or two streams.
func stepper(d algo.Detector, base []float64) func(i int, at int64, v float64) algo.Verdict {
	pair, ok := d.(interface {
		StepPair(t int64, v, baseline float64) algo.Verdict
	})
	return func(i int, at int64, v float64) algo.Verdict {
		if ok {
			return pair.StepPair(at, v, base[i])
		}
		return d.Step(at, v)
	}
}

// length is how many values of which step a test feeds: days where there are
// seasons.
func length(kind string, r *rand.Rand) (n int, step int64) {
	if kind == "seasonal" || kind == "auto" {
		switch r.IntN(4) {
		case 0:
			return 3000, 300_000
		case 1, 2:
			return 4000, 60_000
		}
	}
	return 900, []int64{100, 1000, 10_000, 60_000, 300_000, 3_600_000}[r.IntN(6)]
}

// teach gives detectors that take it the same coarse past of some days, which ends
// at a step index.
func teach(r *rand.Rand, index, step int64, detectors ...algo.Detector) {
	width := max(step, []int64{300_000, 3_600_000}[r.IntN(2)])
	width = (width + step - 1) / step * step
	n := 10 * 86_400_000 / int(width)
	past := course(r, n, width)
	for _, d := range detectors {
		if l, ok := d.(algo.Learner); ok {
			for i, v := range past {
				l.Learn(index*step-int64(n-1-i)*width, v, width)
			}
		}
	}
}

// TestAnyCutGoesOn: a detector of any kind and parameters that is saved and
// restored anywhere, before, in and after the steps in which choices are made, ends
// with the same verdicts and the same state, and so does one that was asked what
// it would say.
func TestAnyCutGoesOn(t *testing.T) {
	kinds := algo.Kinds()
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for k := range kinds {
			n, step := length(kinds[k].Name, r)
			spec := drawSpec(t, r, &kinds[k], step)
			values, base := course(r, n, step), course(r, n, step)
			index := 1_700_000_000_000/step + r.Int64N(2000)
			whole, cut, learn := newDetector(t, spec, step), newDetector(t, spec, step), r.IntN(2) == 0
			a, b := stepper(whole, base), stepper(cut, base)
			if learn {
				teach(r, index, step, whole, cut)
			}
			for i, v := range values {
				at := (index + int64(i) + 1) * step
				if into := (index + int64(i) + 1) % 720; r.IntN(100) == 0 || into < 70 && r.IntN(10) == 0 {
					state := cut.AppendState(nil)
					cut = newDetector(t, spec, step)
					if rest, err := cut.Restore(state); err != nil || len(rest) > 0 {
						t.Fatalf("%v at %d ms, step %d: restore: %v, %d bytes left", spec, step, i, err, len(rest))
					}
					b = stepper(cut, base)
					cut.Peek(at, values[r.IntN(n)])
				}
				x, y := a(i, at, v), b(i, at, v)
				if !same(x, y) {
					t.Fatalf("%v at %d ms, step %d (index %% 720 is %d), value %v:\nuninterrupted %+v\nrestored      %+v", spec, step, i, (at/step)%720, v, x, y)
				}
				if !(x.Score >= 0 && x.Score <= 1) || math.IsInf(x.Lower, 0) || math.IsInf(x.Upper, 0) || math.IsInf(x.Expected, 0) {
					t.Fatalf("%v at %d ms, step %d, value %v: %+v", spec, step, i, v, x)
				}
			}
			if x, y := whole.AppendState(nil), cut.AppendState(nil); !bytes.Equal(x, y) {
				t.Fatalf("%v at %d ms: the states differ at the end", spec, step)
			}
		}
	})
}

// TestCutChangesNothingBefore: what `pulse score` says about the rows before any
// cut is the same when the rest is not there, or is something else.
func TestCutChangesNothingBefore(t *testing.T) {
	kinds := algo.Kinds()
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for k := range kinds {
			n, step := length(kinds[k].Name, r)
			spec := drawSpec(t, r, &kinds[k], step)
			values, others := course(r, n, step), course(r, n, step)
			opts := algo.ScoreOptions{}
			stamps := make([]int64, n)
			at := 1_700_000_000_000/step*step + r.Int64N(2000)*step
			for i := range stamps {
				if at += step; r.IntN(40) == 0 {
					at += r.Int64N(20) * step
				}
				stamps[i] = at
			}
			timed := r.IntN(2) == 0
			if !timed {
				opts.Step, opts.Origin = step, &stamps[0]
			}
			cut := 1 + r.IntN(n-1)
			if timed {
				cut = max(cut, 100) // the first hundred rows tell the step
			}
			whole := scoreLines(t, spec, opts, stamps, values)
			short := scoreLines(t, spec, opts, stamps[:cut], values[:cut])
			other := scoreLines(t, spec, opts, stamps, append(append([]float64(nil), values[:cut]...), others[cut:]...))
			if len(whole) != n+1 || len(short) != cut+1 {
				t.Fatalf("%v: %d and %d lines for %d and %d rows", spec, len(whole), len(short), n, cut)
			}
			for i := range short {
				if whole[i] != short[i] || whole[i] != other[i] {
					t.Fatalf("%v at %d ms, cut after row %d: row %d is\n%s, cut\n%s, with other rows behind\n%s", spec, step, cut, i, whole[i], short[i], other[i])
				}
			}
		}
	})
}

func scoreLines(t *testing.T, spec algo.Spec, opts algo.ScoreOptions, stamps []int64, values []float64) []string {
	t.Helper()
	var in, out bytes.Buffer
	in.WriteString("timestamp,value,baseline\n") // which others than compare do not read
	for i, v := range values {
		fmt.Fprintf(&in, "%d,%v,%d\n", stamps[i], v, 90+stamps[i]/1000%17)
	}
	if err := algo.Score(&out, &in, spec, opts); err != nil {
		t.Fatalf("%v: %v", spec, err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}
