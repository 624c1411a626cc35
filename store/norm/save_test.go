package norm_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pulse/store/norm"
)

// TestSavedStateGoesOnAlike saves and restores between reports: what follows
// is the same, bit for bit, as without.
func TestSavedStateGoesOnAlike(t *testing.T) {
	const step, base = 10_000, 1_700_000_000_000
	p := norm.Params{Step: step}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, counter := range []bool{false, true} {
		var kept, saved norm.State
		at := int64(base)
		for i := range 5000 {
			at += rng.Int64N(30_000)
			v := math.Float64frombits(rng.Uint64())
			if i%3 > 0 {
				v = float64(rng.IntN(1000))
			}
			var want, got norm.Emit
			if counter {
				want, _ = kept.Counter(p, at, v)
				got, _ = saved.Counter(p, at, v)
			} else {
				want, _ = kept.Rate(p, at, v)
				got, _ = saved.Rate(p, at, v)
			}
			if got != want && (got.FirstValue == got.FirstValue || want.FirstValue == want.FirstValue) {
				t.Fatalf("counter %v, report %d: %+v, want %+v", counter, i, got, want)
			}
			bytes := append(saved.AppendTo(nil, base), 42)
			rest, err := saved.Restore(bytes, base, step)
			if err != nil || len(rest) != 1 {
				t.Fatalf("restore %x: %v, %d bytes left", bytes, err, len(rest))
			}
		}
	}
}

func FuzzRestore(f *testing.F) {
	var s norm.State
	f.Add(s.AppendTo(nil, 0))
	s.Rate(norm.Params{Step: 10_000}, 17_003, 5)
	f.Add(s.AppendTo(nil, 10_000))
	f.Fuzz(func(t *testing.T, src []byte) {
		var s norm.State
		if _, err := s.Restore(src, 10_000, 10_000); err != nil {
			return
		}
		last, _ := s.Last()
		if last > 1<<60 || last < -1<<60 {
			return // farther than any clock
		}
		e, _ := s.Rate(norm.Params{Step: 10_000}, last+25_000, 1)
		if e.N > 4 {
			t.Fatalf("%d steps at once: %+v", e.N, e)
		}
	})
}
