package block_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"pulse/store/block"
)

// TestEncoderForgets: what an Encoder encoded before changes nothing.
func TestEncoderForgets(t *testing.T) {
	var e block.Encoder
	rapid.Check(t, func(r *rapid.T) {
		values, step := drawValues(r)
		if got, want := e.AppendTo(nil, values, step), block.AppendTo(nil, values, step); !bytes.Equal(got, want) {
			r.Fatalf("step %d, %v: %x, by itself %x", step, values, got, want)
		}
	})
}

// counts returns random counts per second of a minute.
func counts(n int) []float64 {
	rng := rand.New(rand.NewPCG(9, 9))
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(1+rng.IntN(63)) / 60
	}
	return out
}

// TestPatches: as many values as may be are patched, wherever they are and
// whatever, and then the block is small.
func TestPatches(t *testing.T) {
	plain := len(roundTrip(t, counts(block.Size), 60_000))
	for _, odd := range []float64{math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.Pi, 1e300, 5e-324, 0x1p60} {
		for n := 1; n <= 9; n++ {
			for _, from := range []int{0, 1, 50, block.Size - n} {
				values := counts(block.Size)
				for i := range n {
					values[from+i] = odd
				}
				size := len(roundTrip(t, values, 60_000))
				if few := n <= block.Size/16 && (from > 5 || n == 1); few && size > plain+8+9*n {
					t.Errorf("%d times %v from %d: %d bytes, without %d", n, odd, from, size, plain)
				}
			}
		}
	}
}

// TestULP: values up to 64 ULP from counts are counts with corrections, further
// ones are not.
func TestULP(t *testing.T) {
	for _, off := range []int64{1, 2, 63, 64, 65, 1000} {
		values := counts(block.Size)
		for i, v := range values {
			by := off
			if i%2 == 0 {
				by = -off
			}
			values[i] = math.Float64frombits(uint64(int64(math.Float64bits(v)) + by))
		}
		size := len(roundTrip(t, values, 60_000))
		if near := size < 2*block.Size; near != (off <= 64) {
			t.Errorf("%d ULP off: %d bytes", off, size)
		}
	}
}
