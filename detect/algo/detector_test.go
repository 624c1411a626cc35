package algo_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pulse/detect/algo"
)

var nan = math.NaN()

// configurations are one or more of every kind, for tests of what all must do.
var configurations = []struct {
	name string
	spec algo.Spec
}{
	{"signal", algo.Spec{Kind: "signal"}},
	{"static", algo.Spec{Kind: "static", Params: map[string]any{"above": 130.0, "clear_above": 120.0, "below": 20.0, "hold": "30s"}}},
	{"exponential", algo.Spec{Kind: "exponential"}},
	{"exponential by width", algo.Spec{Kind: "exponential", Params: map[string]any{"width": 3, "direction": "below"}}},
	{"double-exponential", algo.Spec{Kind: "double-exponential"}},
	{"seasonal", algo.Spec{Kind: "seasonal", Params: map[string]any{"timezone": "Europe/Berlin"}}},
	{"seasonal by width", algo.Spec{Kind: "seasonal", Params: map[string]any{"season": []any{"day"}, "width": 4, "direction": "below"}}},
	{"auto", algo.Spec{Kind: "auto"}},
	{"absence", algo.Spec{Kind: "absence"}},
	{"compare", algo.Spec{Kind: "compare", Params: map[string]any{"baseline": "x", "tolerance": 0.1, "decide_by": "4h"}}},
	{"compare by a learned split", algo.Spec{Kind: "compare", Params: map[string]any{"baseline": "x", "split": "learned", "train": "30m"}}},
	{"double-exponential without hold", algo.Spec{Kind: "double-exponential", Params: map[string]any{"hold": 0, "train": "200s"}}},
}

// stateMost is how many bytes a saved state may have.
func stateMost(kind string) int {
	if kind == "seasonal" || kind == "auto" {
		return 24_000
	}
	return 320
}

func newDetector(t testing.TB, spec algo.Spec, step int64) algo.Detector {
	t.Helper()
	d, err := algo.New(spec, step)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eventful returns n values that take a detector through most of what it does:
// noise, drops, spikes, shifts, a slow wave, gaps, zeros, absurd and infinite
// values.
func eventful(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	values := make([]float64, n)
	level := 100.0
	for i := range values {
		v := level + 20*math.Sin(float64(i)/200) + 3*r.NormFloat64()
		switch {
		case i%701 > 660:
			v = nan
		case i%500 > 460:
			v *= 0.3
		case i%317 == 0:
			v += 80
		case i%1201 > 1150:
			v = 0
		case i == n/2:
			v = math.Inf(1)
		case i == n/2+1:
			v = math.MaxFloat64
		}
		if i%900 == 899 {
			level *= 1.2
		}
		values[i] = v
	}
	return values
}

func same(a, b algo.Verdict) bool {
	eq := func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y }
	return eq(a.Expected, b.Expected) && eq(a.Lower, b.Lower) && eq(a.Upper, b.Upper) && eq(a.Score, b.Score) && a.Out == b.Out && a.Cause == b.Cause
}

func TestRestoredDetectorGoesOnAsIfNeverInterrupted(t *testing.T) {
	const step = 10_000
	values := eventful(3000, 7)
	for _, c := range configurations {
		t.Run(c.name, func(t *testing.T) {
			whole := newDetector(t, c.spec, step)
			broken := newDetector(t, c.spec, step)
			for i, v := range values {
				if i%17 == 0 {
					state := broken.AppendState([]byte("before"))
					if n, most := len(state)-len("before"), stateMost(c.spec.Kind); n > most {
						t.Fatalf("state has %d bytes, at most %d are promised", n, most)
					}
					broken = newDetector(t, c.spec, step)
					rest, err := broken.Restore(append(state[len("before"):], "after"...))
					if err != nil || string(rest) != "after" {
						t.Fatalf("step %d: restore left %q, error %v", i, rest, err)
					}
				}
				at := int64(i+1) * step
				want, got := whole.Step(at, v), broken.Step(at, v)
				if !same(want, got) {
					t.Fatalf("step %d, value %v: restored %+v, uninterrupted %+v", i, v, got, want)
				}
			}
		})
	}
}

func TestPeekSaysWhatStepWillAndChangesNothing(t *testing.T) {
	values := eventful(3000, 8)
	for _, c := range configurations {
		d, other := newDetector(t, c.spec, 10_000), newDetector(t, c.spec, 10_000)
		names := factNames(d)
		for i, v := range values {
			at := int64(i+1) * 10_000
			d.Peek(at, 2*v)
			d.Peek(at, nan)
			peeked := d.Peek(at, v)
			got, want := d.Step(at, v), other.Step(at, v)
			if !same(peeked, want) || !same(got, want) {
				t.Fatalf("%s, step %d: peeked %+v, then %+v, without peeking %+v", c.name, i, peeked, got, want)
			}
			if i%100 == 0 && factNames(d) != names {
				t.Fatalf("%s, step %d: facts are now %s, were %s", c.name, i, factNames(d), names)
			}
		}
	}
}

func factNames(d algo.Detector) string {
	var names []string
	for _, f := range d.Facts(nil) {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

func TestResetDetectorIsNew(t *testing.T) {
	values := eventful(1500, 9)
	for _, c := range configurations {
		used, fresh := newDetector(t, c.spec, 10_000), newDetector(t, c.spec, 10_000)
		for i, v := range values {
			used.Step(int64(i)*10_000, v)
		}
		used.Reset()
		for i, v := range values {
			if want, got := fresh.Step(int64(i), v), used.Step(int64(i), v); !same(want, got) {
				t.Fatalf("%s, step %d: after reset %+v, new %+v", c.name, i, got, want)
			}
		}
	}
}

func TestVerdictsAreSane(t *testing.T) {
	values := eventful(6000, 3)
	for _, c := range configurations {
		d := newDetector(t, c.spec, 10_000)
		wasOut := false
		for i, v := range values {
			got := d.Step(int64(i)*10_000, v)
			if !(got.Score >= 0 && got.Score <= 1) {
				t.Fatalf("%s, step %d: score %v", c.name, i, got.Score)
			}
			for _, x := range []float64{got.Expected, got.Lower, got.Upper} {
				if math.IsInf(x, 0) {
					t.Fatalf("%s, step %d: infinite verdict %+v", c.name, i, got)
				}
			}
			if got.Lower > got.Expected || got.Upper < got.Expected {
				t.Fatalf("%s, step %d: expected outside the band: %+v", c.name, i, got)
			}
			if math.IsNaN(v) && c.spec.Kind != "signal" && c.spec.Kind != "absence" && (got.Score != 0 || got.Out != wasOut) {
				t.Fatalf("%s, step %d: no data moved the verdict from out=%v to %+v", c.name, i, wasOut, got)
			}
			wasOut = got.Out
		}
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	values := eventful(2000, 5)
	for _, c := range configurations {
		d := newDetector(t, c.spec, 10_000)
		i := 0
		if n := testing.AllocsPerRun(2000, func() {
			d.Step(int64(i)*10_000, values[i%len(values)])
			i++
		}); n != 0 {
			t.Errorf("%s: %v allocations per step", c.name, n)
		}
	}
}

func TestNewRefusesWhatItDoesNotKnow(t *testing.T) {
	cases := []struct {
		kind   string
		params map[string]any
		want   string // in the error
	}{
		{"holt", nil, `kind "holt" is unknown (known: signal, static`},
		{"signal", map[string]any{"above": 1}, `key "above" is unknown (known: none)`},
		{"static", nil, "above is missing, want above or below"},
		{"static", map[string]any{"above": 1, "below": 2}, "below is 2, want at most above"},
		{"static", map[string]any{"above": 1, "clear_above": 2}, "clear_above is 2, want a number from -1.7976931348623157e+308 to 1"},
		{"static", map[string]any{"above": 1, "clear_below": 2}, "clear_below is 2, want below beside it"},
		{"static", map[string]any{"above": "high"}, "above is high, want a number"},
		{"absence", map[string]any{"after": 0}, "after is 0, want a duration such as 90s from 1 to 1000000 steps of 10s"},
		{"compare", nil, "baseline is missing, want an expression"},
		{"compare", map[string]any{"baseline": 3}, "baseline is 3, want an expression"},
		{"compare", map[string]any{"baseline": "x", "error_rate": 0}, "error_rate is 0, want a number from 1e-09 to 0.5"},
		{"compare", map[string]any{"baseline": "x", "tolerance": -0.1}, "tolerance is -0.1, want a number from 0 to 100"},
		{"compare", map[string]any{"baseline": "x", "decide_by": "1s"}, "decide_by is 1s, want a duration such as 2h from 10s to 366d"},
		{"compare", map[string]any{"baseline": "x", "split": 0}, "split is 0, want a number from 0.0001 to 10000, two of them as in 1:20, or learned"},
		{"compare", map[string]any{"baseline": "x", "split": "1:0"}, "split is 1:0, want"},
		{"compare", map[string]any{"baseline": "x", "train": "1h"}, "train is 1h, want split: learned beside it"},
		{"compare", map[string]any{"baseline": "x", "split": "learned", "train": "10s"}, "train is 10s, want a duration such as 2h from 100s to 366d"},
		{"exponential", map[string]any{"beta": 0.1}, `key "beta" is unknown`},
		{"exponential", map[string]any{"alpha": 0}, "alpha is 0, want a number from 1e-06 to 1"},
		{"exponential", map[string]any{"alpha": nan}, "alpha is NaN, want a number"},
		{"double-exponential", map[string]any{"beta": -1}, "beta is -1, want a number from 0 to 1"},
		{"double-exponential", map[string]any{"direction": "sideways"}, "direction is sideways, want one of both, above, below"},
		{"double-exponential", map[string]any{"train": 30}, "train is 30, want a duration such as 90s from 2 to 1000000 steps of 10s"},
		{"double-exponential", map[string]any{"hold": "-5s"}, "hold is -5s, want a duration"},
		{"double-exponential", map[string]any{"hold": "5 parsecs"}, "hold is 5 parsecs, want a duration"},
		{"double-exponential", map[string]any{"rest": "1e300h"}, "rest is 1e300h, want a duration"},
		{"double-exponential", map[string]any{"threshold": 1}, "threshold is 1, want a number from 0.975"},
		{"double-exponential", map[string]any{"threshold": 0.99, "clear": 0.995}, "clear is 0.995, want a number from 0.97 to 0.99"},
		{"double-exponential", map[string]any{"width": 3, "threshold": 0.999}, "threshold is 0.999, want no width beside it"},
	}
	for _, c := range cases {
		_, err := algo.New(algo.Spec{Kind: c.kind, Params: c.params}, 10_000)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want %q in it", c.kind, c.params, err, c.want)
		}
	}
	if _, err := algo.New(algo.Spec{Kind: "signal"}, 0); err == nil {
		t.Error("a step of 0 was accepted")
	}
}

func TestSpecTakesKeysAsText(t *testing.T) {
	spec := algo.Spec{Kind: "exponential"}
	if v := spec.Threshold(); v != 0.999 {
		t.Errorf("by default a step is out at %v", v)
	}
	for _, text := range []string{"threshold=0.99", "hold=1m", "direction="} {
		if err := spec.Set(text); err != nil {
			t.Error(err)
		}
	}
	if spec.Threshold() != 0.99 || spec.Params["hold"] != "1m" || spec.Params["direction"] != "" {
		t.Errorf("%v, out at %v", spec.Params, spec.Threshold())
	}
	for _, text := range []string{"", "hold", "=1m"} {
		if err := spec.Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestParametersComeFromJSONAndText(t *testing.T) {
	var fromJSON map[string]any
	if err := json.Unmarshal([]byte(`{"alpha":0.3,"hold":"30s","width":4,"direction":"below","learn_shift":"1h"}`), &fromJSON); err != nil {
		t.Fatal(err)
	}
	asText := map[string]any{"alpha": "0.3", "hold": "0.5m", "width": "4", "direction": "below", "learn_shift": "3600000ms"}
	a := newDetector(t, algo.Spec{Kind: "exponential", Params: fromJSON}, 10_000)
	b := newDetector(t, algo.Spec{Kind: "exponential", Params: asText}, 10_000)
	for i, v := range eventful(2000, 2) {
		if x, y := a.Step(0, v), b.Step(0, v); !same(x, y) {
			t.Fatalf("step %d: %+v from JSON, %+v from text", i, x, y)
		}
	}
}

func TestEveryKindIsDescribed(t *testing.T) {
	for _, kind := range algo.Kinds() {
		if kind.Doc == "" {
			t.Errorf("%s has no documentation", kind.Name)
		}
		for _, key := range kind.Keys {
			if key.Doc == "" {
				t.Errorf("%s.%s has no documentation", kind.Name, key.Name)
			}
		}
		params := map[string]any{}
		switch kind.Name {
		case "static":
			params["above"] = 1
		case "compare":
			params["baseline"] = "name,sps,:eq"
		}
		lookback, err := algo.Lookback(algo.Spec{Kind: kind.Name, Params: params}, 10_000)
		if err != nil || lookback < 0 || lookback%10_000 != 0 {
			t.Errorf("%s looks back %d ms, error %v", kind.Name, lookback, err)
		}
	}
	long, _ := algo.Lookback(algo.Spec{Kind: "exponential", Params: map[string]any{"train": "1d"}}, 10_000)
	if long < 86_400_000 {
		t.Errorf("a detector that trains for a day looks back %d ms", long)
	}
}

func FuzzRestore(f *testing.F) {
	for _, c := range configurations {
		d := newDetector(f, c.spec, 10_000)
		f.Add(d.AppendState(nil))
		for i, v := range eventful(400, 1) {
			d.Step(int64(i)*10_000, v)
		}
		f.Add(d.AppendState(nil))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, c := range configurations {
			d := newDetector(t, c.spec, 10_000)
			rest, err := d.Restore(src)
			if err != nil {
				if fresh := newDetector(t, c.spec, 10_000); string(fresh.AppendState(nil)) != string(d.AppendState(nil)) {
					t.Fatalf("%s: not reset after %v", c.name, err)
				}
				continue
			}
			used := src[:len(src)-len(rest)]
			if got := d.AppendState(nil); string(got) != string(used) {
				t.Fatalf("%s: restored %x, saved again as %x", c.name, used, got)
			}
			for i, v := range []float64{1, nan, 1e300, -1e300, 0, 5} {
				if got := d.Step(int64(i), v); got.Score < 0 || got.Score > 1 {
					t.Fatalf("%s: score %v", c.name, got.Score)
				}
			}
		}
	})
}
