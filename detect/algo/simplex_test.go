package algo

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/optimize"
)

// TestSimplexIsThatOfALibrary: the same places are tried in the same order as by an
// independent implementation of the method, so both come to the same place, bit for bit.
func TestSimplexIsThatOfALibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	for i := range 2000 {
		u := newTuner(10_000, -1, []float64{-1, 0, 0.1}[i%3])
		m := misses{trials: &u.trials, sloped: u.beta > 0}
		for k := range m.logs {
			m.logs[k] = r.NormFloat64() * []float64{1, 0.1, 5}[i/3%3]
		}
		dim := 1
		if m.sloped {
			dim = 2
		}
		start := place{-4, -9}
		result, err := optimize.Minimize(optimize.Problem{Func: func(x []float64) float64 {
			var p place
			copy(p[:], x)
			return m.loss(p)
		}}, start[:dim], &optimize.Settings{
			FuncEvaluations: simplexAsks,
			Converger:       &optimize.FunctionConverge{Absolute: simplexClear, Iterations: simplexStale},
		}, &optimize.NelderMead{SimplexSize: simplexSize})
		if err != nil {
			t.Fatal(err)
		}
		got := least(m.loss, start, dim)
		for k := range dim {
			if math.Float64bits(got[k]) != math.Float64bits(result.X[k]) {
				t.Fatalf("misses %v: %v, the library finds %v", m.logs, got, result.X)
			}
		}
	}
}

// TestFitAllocatesNothing: a fit is part of a step.
func TestFitAllocatesNothing(t *testing.T) {
	u := newTuner(10_000, -1, -1)
	var n tuning
	n.start(&u, 100)
	for i := range n.trials {
		n.trials[i].miss = float32(1 + i)
	}
	if got := testing.AllocsPerRun(20, func() { n.fit(&u) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkFit(b *testing.B) {
	u := newTuner(10_000, -1, -1)
	var n tuning
	n.start(&u, 100)
	for i := range n.trials {
		n.trials[i].miss = float32(1 + i)
	}
	for range b.N {
		n.fit(&u)
	}
}
