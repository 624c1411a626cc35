package algo_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"pulse/detect/algo"
)

// onset is a step at which a stream goes out.
type onset struct {
	at    int // step
	cause algo.Cause
}

// causes returns the onsets of values step ms apart, with their causes.
func causes(d algo.Detector, values []float64, step int64) []onset {
	var found []onset
	out := false
	for i, v := range values {
		verdict := d.Step(int64(i+1)*step, v)
		if verdict.Out && !out {
			found = append(found, onset{i, verdict.Cause})
		}
		if verdict.Out != (verdict.Cause != algo.CauseNone) {
			panic(fmt.Sprintf("step %d: %+v", i, verdict))
		}
		out = verdict.Out
	}
	return found
}

// within returns the first onset in [from, to), with step −1 when there is none.
func within(found []onset, from, to int) onset {
	for _, o := range found {
		if o.at >= from && o.at < to {
			return o
		}
	}
	return onset{at: -1}
}

func TestFallsByHalfAreDecidedWithinAMinute(t *testing.T) {
	for _, kind := range bandedKinds {
		for _, step := range []int64{10_000, 60_000} {
			minute := int(60_000 / step)
			for _, rate := range []float64{5, 100, 10_000} {
				for _, left := range []float64{0, 0.3, 0.5} {
					if rate == 5 && left > 0 {
						continue // too little to be sure so soon
					}
					values := starts(32*60*minute, step, rate, 21)
					at := 30 * 60 * minute
					scale(values, at, at+30*minute, left)
					got := within(causes(newDetector(t, algo.Spec{Kind: kind}, step), values, step), at, len(values))
					if got.at < 0 || got.at-at >= minute || got.cause != algo.CauseDrop {
						t.Errorf("%s, steps of %d ms, %g/s, left %g: %+v, want a drop within %d steps of %d", kind, step, rate, left, got, minute, at)
					}
				}
			}
		}
	}
}

// What is slight takes longer than what is clear.
func TestDepthIsTradedAgainstTime(t *testing.T) {
	const step, minute = 10_000, 6
	for _, kind := range bandedKinds {
		at := 12 * 60 * minute
		last := at
		for _, left := range []float64{0.3, 0.8, 0.95, 0.97} {
			values := starts(14*60*minute, step, 1000, 5)
			scale(values, at, len(values), left)
			got := within(causes(newDetector(t, algo.Spec{Kind: kind}, step), values, step), at, len(values))
			if got.at < last || got.at-at > 10*minute {
				t.Errorf("%s, left %g: %+v, after %d at the depth before", kind, left, got, last)
			}
			last = got.at
		}
	}
}

// A slow leak is never clear, and its cause is another one.
func TestSlowLeakIsADrift(t *testing.T) {
	const step, minute = 10_000, 6
	values := starts(16*60*minute, step, 1000, 5)
	at := 12 * 60 * minute
	for i := at; i < len(values); i++ {
		values[i] *= math.Max(0.3, 1-0.2*float64(i-at)/(60*minute))
	}
	got := within(causes(newDetector(t, algo.Spec{Kind: "exponential"}, step), values, step), at, len(values))
	if got.cause != algo.CauseDrift {
		t.Errorf("a leak of a fifth per hour is %+v, want a drift", got)
	}
}

func TestFrozenValueIsNoNormalStream(t *testing.T) {
	for _, kind := range bandedKinds {
		for _, step := range []int64{10_000, 60_000, 300_000} {
			for _, rate := range []float64{20, 5000} {
				values := starts(3000, step, rate, 9)
				for i := 2500; i < 2530; i++ {
					values[i] = values[2499]
				}
				got := causes(newDetector(t, algo.Spec{Kind: kind}, step), values[:2530], step)
				if o := within(got, 2500, 2516); o.cause != algo.CauseFrozen {
					t.Errorf("%s, steps of %d ms, %g/s: %+v", kind, step, rate, got)
				}
			}
		}
	}
}

// Streams that rightly repeat themselves are not frozen.
func TestRepeatsOfItsOwnAreNoFrozenValue(t *testing.T) {
	const step = 60_000
	r := rand.New(rand.NewPCG(8, 8))
	streams := map[string]func(i int) float64{
		"constant":            func(int) float64 { return 7 },
		"rarely anything":     func(int) float64 { return poisson(r, 0.05) },
		"few":                 func(int) float64 { return poisson(r, 1.5) },
		"published every 5th": func(i int) float64 { return math.Round(1000 * (1 + 0.1*math.Sin(float64(i/5)))) },
		"steps of an hour":    func(i int) float64 { return 100 + float64(i/60*37%11) },
		"full, now and then":  func(i int) float64 { return math.Min(100, 90+20*math.Abs(math.Sin(float64(i)/40))) },
		"nothing for the night": func(i int) float64 {
			return math.Max(0, math.Round(500*math.Sin(2*math.Pi*float64(i)/1440)+5*r.NormFloat64()))
		},
	}
	for name, at := range streams {
		for _, kind := range bandedKinds {
			values := make([]float64, 6000)
			for i := range values {
				values[i] = at(i)
			}
			for _, o := range causes(newDetector(t, algo.Spec{Kind: kind}, step), values, step) {
				if o.cause == algo.CauseFrozen && o.at > 1500 {
					t.Errorf("%s, %s: frozen at %d", kind, name, o.at)
				}
			}
		}
	}
}

func known(t *testing.T, d algo.Detector, name string) float64 {
	t.Helper()
	v, ok := algo.Find(d.Facts(nil), name)
	if !ok {
		t.Fatalf("no fact %s", name)
	}
	return v
}

// Where the level wanders much, a new value weighs much.
func TestWeightsAreFoundFromTheStream(t *testing.T) {
	const step = 60_000
	for _, kind := range bandedKinds {
		found := map[float64]float64{}
		for _, walk := range []float64{0, 0.3, 3} {
			r := rand.New(rand.NewPCG(3, 3))
			d := newDetector(t, algo.Spec{Kind: kind}, step)
			level := 1000.0
			for i := range 5000 {
				level += walk * r.NormFloat64()
				d.Step(int64(i+1)*step, level+r.NormFloat64())
			}
			found[walk] = known(t, d, "alpha")
		}
		if !(found[0] < 0.12 && found[0] < found[0.3] && found[0.3] < found[3] && found[3] > 0.5) {
			t.Errorf("%s: alpha by the size of the level's steps: %v", kind, found)
		}
		d := newDetector(t, algo.Spec{Kind: kind, Params: map[string]any{"alpha": 0.33}}, step)
		for i, v := range starts(3000, step, 100, 1) {
			d.Step(int64(i+1)*step, v)
		}
		if got := known(t, d, "alpha"); float32(got) != 0.33 {
			t.Errorf("%s: a given alpha of 0.33 became %g", kind, got)
		}
	}
}

// Fits take effect 64 steps after the steps whose index is a multiple of 720.
func TestFitsTakeEffectAtTheirSteps(t *testing.T) {
	const step = 10_000
	for _, kind := range bandedKinds {
		d := newDetector(t, algo.Spec{Kind: kind}, step)
		const first = 1_000_000_007
		before, changes := 0.0, 0
		for i, v := range starts(20_000, step, 300, 4) {
			d.Step((first+int64(i))*step, v)
			now := known(t, d, "alpha") + known(t, d, "beta") + known(t, d, "ratio_noise")
			if i > 0 && now != before {
				changes++
				if (first+int64(i))%720 != 64 {
					t.Fatalf("%s: a fit took effect at index %d", kind, first+i)
				}
			}
			before = now
		}
		if changes == 0 {
			t.Errorf("%s: nothing was found", kind)
		}
	}
}

// Counts scatter by the root of their mean, rates under a common cause in proportion to it.
func TestGrowthOfTheNoiseIsFound(t *testing.T) {
	const step = 60_000
	for _, kind := range bandedKinds {
		for _, c := range []struct {
			rate, common float64
			least, most  float64
		}{{1, 0, 0, 0.4}, {100_000, 0.02, 0.7, 1}} {
			r := rand.New(rand.NewPCG(5, 5))
			d := newDetector(t, algo.Spec{Kind: kind}, step)
			for i := range 12 * 1440 {
				mean := 60 * c.rate * (1 + 0.6*math.Sin(2*math.Pi*float64(i)/(4*1440))) * math.Exp(c.common*r.NormFloat64())
				d.Step(int64(i+1)*step, poisson(r, mean)/60)
			}
			if got := known(t, d, "ratio_noise"); got < c.least || got > c.most {
				t.Errorf("%s at %g/s: share %g, want %g to %g", kind, c.rate, got, c.least, c.most)
			}
		}
	}
}

func TestStateIsSmall(t *testing.T) {
	for _, kind := range []string{"static", "exponential", "double-exponential"} {
		for _, step := range []int64{100, 10_000, 60_000, 300_000} {
			d, err := algo.NewForScore(algo.Spec{Kind: kind}, step)
			if err != nil {
				t.Fatal(err)
			}
			if size := reflect.TypeOf(d).Elem().Size(); size > 320 {
				t.Errorf("%s, steps of %d ms: %d bytes", kind, step, size)
			}
		}
	}
}
