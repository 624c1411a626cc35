package expr_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pulse/query/expr"
	"pulse/store/match"
	"pulse/store/tags"
)

var nan = math.NaN()

// sameBits compares values bit for bit, any NaN being equal to any other.
func sameBits(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}

// gappy returns n values of very different size with gaps of one and of many.
func gappy(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]float64, n)
	gap := 0
	for i := range out {
		switch {
		case gap > 0:
			gap--
			out[i] = nan
		case r.IntN(8) == 0:
			gap = r.IntN(14)
			out[i] = nan
		case r.IntN(10) == 0:
			out[i] = 0
		default:
			out[i] = (r.Float64() - 0.3) * math.Pow(10, float64(r.IntN(9)-3))
		}
	}
	return out
}

// words is every stateful word with the arguments it is tested with.
func words() map[string][][]float64 {
	windows := [][]float64{{1}, {2}, {3}, {7}, {64}}
	return map[string][][]float64{
		"delay": windows, "rolling-count": windows, "rolling-sum": windows, "rolling-min": windows, "rolling-max": windows,
		"rolling-mean": {{1, 1}, {3, 1}, {7, 4}, {7, 7}},
		"derivative":   {{}}, "integral": {{}}, "cumulative-max": {{}},
		"trend": {{60_000}, {180_000}, {420_000}},
		"des":   {{2, 0.1, 0.02}, {10, 0.5, 0.1}},
		"sdes":  {{1, 0.5, 0.5}, {2, 0.1, 0.02}, {7, 0.3, 0.1}},
	}
}

const minute = 60_000

// feed evaluates values, the first stamped start, in windows of the given
// sizes, and calls between before every window but the first.
func feed(t *testing.T, x expr.TimeSeries, start int64, values []float64, sizes func(i int) int, between func(e *expr.Evaluator) *expr.Evaluator) []float64 {
	t.Helper()
	e, err := expr.NewEvaluator(x)
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	for i, k := 0, 0; i < len(values); k++ {
		if k > 0 && between != nil {
			e = between(e)
		}
		n := min(sizes(k), len(values)-i)
		e.SetData(0, []expr.Line{{Tags: tags.Of("name", "x"), Label: "x", Values: values[i : i+n]}}, k == 0)
		at := start + int64(i)*minute
		if err := e.Eval(expr.Window{Start: at, End: at + int64(n)*minute, Step: minute}); err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Lines(0)[0].Values...)
		i += n
	}
	return out
}

// Every stateful word gives the same values, bit for bit, over a whole range,
// step by step, in uneven pieces, and when it is saved and restored between
// any two steps.
func TestStatefulWordsStepByStep(t *testing.T) {
	tested := map[string]bool{}
	for name, all := range words() {
		tested[name] = true
		for _, args := range all {
			t.Run(fmt.Sprint(name, args), func(t *testing.T) {
				x, err := expr.NewStateful(name, expr.NewAggregate(expr.AggSum, match.True), args...)
				if err != nil {
					t.Fatal(err)
				}
				restored := func(e *expr.Evaluator) *expr.Evaluator {
					state := e.AppendState([]byte("head"))
					fresh, err := expr.NewEvaluator(x)
					if err != nil {
						t.Fatal(err)
					}
					rest, err := fresh.Restore(append(state, "tail"...)[4:], false)
					if err != nil || string(rest) != "tail" {
						t.Fatalf("restore: rest %q, %v", rest, err)
					}
					return fresh
				}
				one := func(int) int { return 1 }
				for seed := range uint64(4) {
					values := gappy(seed, 300)
					start := int64(seed) * 3 * minute
					batch := feed(t, x, start, values, func(int) int { return len(values) }, nil)
					for what, got := range map[string][]float64{
						"step by step":  feed(t, x, start, values, one, nil),
						"uneven":        feed(t, x, start, values, func(i int) int { return 1 + i*i%17 }, nil),
						"restored":      feed(t, x, start, values, one, restored),
						"restored late": feed(t, x, start, values, func(i int) int { return 1 + i*5%31 }, restored),
					} {
						if !sameBits(got, batch) {
							t.Errorf("seed %d, %s:\n got %v\nwant %v", seed, what, got, batch)
						}
					}
				}
			})
		}
	}
	for _, name := range expr.StatefulOps() {
		if !tested[name] {
			t.Errorf("%s is not tested", name)
		}
	}
}

// Skip is the same as feeding NaN, Reset the same as a new algorithm, and an
// empty algorithm has the future of a new one that was fed as many NaN.
func TestAlgorithmsSkipAndReset(t *testing.T) {
	for name, all := range words() {
		if name == "trend" {
			name, all = "trend-by-count", [][]float64{{2}, {5}}
		}
		for _, args := range all {
			create := func() expr.Algorithm {
				a, err := expr.NewAlgorithm(name, args...)
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			run := func(a expr.Algorithm, values []float64) []float64 {
				var out []float64
				for _, v := range values {
					out = append(out, a.Next(v))
				}
				return out
			}
			values := gappy(3, 150)
			want := run(create(), values)
			for _, k := range []int64{0, 1, 2, 5, 6, 13, 14, 15, 127, 128, 200, 1001} {
				skipped, fed := create(), create()
				run(skipped, values[:20])
				run(fed, values[:20])
				skipped.Skip(k)
				for range k {
					fed.Next(nan)
				}
				if a, b := run(skipped, values), run(fed, values); !sameBits(a, b) {
					t.Errorf("%s%v: skip %d:\n got %v\nwant %v", name, args, k, a, b)
				}
			}
			a := create()
			run(a, values)
			a.Reset()
			if got := run(a, values); !sameBits(got, want) {
				t.Errorf("%s%v: after reset got %v, want %v", name, args, got, want)
			}
			for k := range int64(40) {
				a := create()
				a.Skip(k)
				if !a.IsEmpty() {
					t.Errorf("%s%v: not empty after %d NaN", name, args, k)
				}
			}
		}
	}
}

// Windowed words agree with a fold of the window done anew each time.
func TestWindowsAgainstPlainFold(t *testing.T) {
	fold := func(f func(a, b float64) float64) func(w []float64) float64 {
		return func(w []float64) float64 {
			acc := nan
			for _, v := range w {
				acc = f(acc, v)
			}
			return acc
		}
	}
	for name, plain := range map[string]func(w []float64) float64{
		"rolling-sum": fold(expr.AddNaN), "rolling-min": fold(expr.MinNaN), "rolling-max": fold(expr.MaxNaN),
		"rolling-count": fold(func(a, b float64) float64 {
			if math.IsNaN(a) {
				a = 0
			}
			return a + expr.BoolValue(expr.Truth(b))
		}),
	} {
		for _, n := range []int{1, 2, 3, 5, 50} {
			a, err := expr.NewAlgorithm(name, float64(n))
			if err != nil {
				t.Fatal(err)
			}
			values := gappy(11, 400)
			for i, v := range values {
				got, want := a.Next(v), plain(values[max(0, i-n+1):i+1])
				if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-9*math.Max(1e5, math.Abs(want)) {
					t.Fatalf("%s %d at %d: got %v, want %v", name, n, i, got, want)
				}
			}
		}
	}
}

func TestAlgorithmArguments(t *testing.T) {
	f := func(name string, args ...float64) {
		t.Helper()
		if _, err := expr.NewAlgorithm(name, args...); err == nil {
			t.Errorf("%s%v is accepted", name, args)
		}
	}
	for _, n := range []float64{0, -1, 86_401, 1.5, nan, math.Inf(1)} {
		f("rolling-sum", n)
		f("delay", n)
		f("rolling-mean", n, 1)
		f("trend-by-count", n)
	}
	f("rolling-mean", 2, 0)
	f("rolling-mean", 2, 3)
	f("rolling-mean", 2, nan)
	f("des", -1, 0.1, 0.1)
	f("des", nan, 0.1, 0.1)
	f("des", 1, nan, 0.1)
	f("sdes", 0, 0.1, 0.1)
	f("ignore-n", -1)
	f("rolling-sum")
	f("unknown", 1)
}

// A state that says nothing was evaluated yet can hold no lines.
func TestRestoreWithoutStep(t *testing.T) {
	x := fuzzed(t)
	e, err := expr.NewEvaluator(x)
	if err != nil {
		t.Fatal(err)
	}
	e.SetData(0, []expr.Line{line([]float64{1}, "name", "x")}, true)
	if err := e.Eval(expr.Window{Start: 0, End: minute, Step: minute}); err != nil {
		t.Fatal(err)
	}
	state := e.AppendState(nil)
	const stepAt = 1 + 3*8
	clear(state[stepAt : stepAt+8])
	if _, err := e.Restore(state, true); err == nil {
		t.Error("a state without step is restored")
	}
}

// A damaged state is refused, never followed.
func FuzzRestore(f *testing.F) {
	x := fuzzed(f)
	e, err := expr.NewEvaluator(x)
	if err != nil {
		f.Fatal(err)
	}
	for i, v := range gappy(1, 20) {
		e.SetData(0, []expr.Line{{Tags: tags.Of("name", "x"), Values: []float64{v}}}, i == 0)
		if err := e.Eval(expr.Window{Start: int64(i) * minute, End: int64(i+1) * minute, Step: minute}); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(e.AppendState(nil))
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, src []byte) {
		e, err := expr.NewEvaluator(x)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Restore(src, len(src)%2 == 0); err != nil {
			return
		}
		next, began := e.Next()
		if !began || next > math.MaxInt64/2 || next < 0 {
			return
		}
		step := expr.Window{Start: next, End: next + minute, Step: minute}
		e.SetData(0, []expr.Line{{Tags: tags.Of("name", "x"), Values: []float64{1}}}, true)
		_ = e.Eval(step)
	})
}

// fuzzed is an expression with a state of every kind.
func fuzzed(t testing.TB) expr.TimeSeries {
	var x expr.TimeSeries = expr.NewAggregate(expr.AggSum, match.True)
	for _, name := range expr.StatefulOps() {
		s, err := expr.NewStateful(name, x, words()[name][0]...)
		if err != nil {
			t.Fatal(err)
		}
		x = s
	}
	return x
}
