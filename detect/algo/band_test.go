package algo_test

import (
	"math/rand/v2"
	"testing"

	"pulse/detect/algo"
)

// Values that never leave their range by more than a little are within it.
func TestRecordsByLittleAreNoSurprise(t *testing.T) {
	const step, n = 300_000, 6000
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 6))
		d, err := algo.NewForScore(algo.Spec{Kind: "static"}, step)
		if err != nil {
			t.Fatal(err)
		}
		values := make([]float64, n)
		for i := range values {
			values[i] = 8 + 11*r.Float64()
		}
		values[n-10] = 25
		found := causes(d, values, step)
		if o := within(found, 600, n-10); o.at >= 0 {
			t.Errorf("seed %d: out at %d with %g", seed, o.at, values[o.at])
		}
		if within(found, n-10, n).at < 0 {
			t.Errorf("seed %d: 25 is within", seed)
		}
	}
}
