package block_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pulse/store/block"
)

// sameBits compares bit for bit, with all NaN equal.
func sameBits(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

// roundTrip encodes and decodes, with bytes before and behind that must stay.
func roundTrip(t *testing.T, values []float64, step int64) []byte {
	t.Helper()
	b := block.AppendTo([]byte("head"), values, step)
	if string(b[:4]) != "head" {
		t.Fatalf("prefix was overwritten: %x", b[:4])
	}
	enc := b[4:]
	got := make([]float64, len(values))
	rest, err := block.Decode(got, append(enc[:len(enc):len(enc)], "tail"...))
	if err != nil {
		t.Fatalf("decode %x of %v: %v", enc, values, err)
	}
	if string(rest) != "tail" {
		t.Fatalf("decode of %x left %q", enc, rest)
	}
	for i, v := range values {
		if !sameBits(got[i], v) {
			t.Fatalf("step %d, n %d: value %d is %v (%#x), want %v (%#x)\nblock %x", step, len(values), i,
				got[i], math.Float64bits(got[i]), v, math.Float64bits(v), enc)
		}
		if got[i] != got[i] && math.Float64bits(got[i]) != math.Float64bits(math.NaN()) {
			t.Fatalf("NaN came back as %#x", math.Float64bits(got[i]))
		}
	}
	return enc
}

func TestRoundTripEveryLength(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= block.MaxValues; n++ {
		for _, step := range []int64{100, 1000, 10_000, 60_000, 3_600_000} {
			values := make([]float64, n)
			for i := range values {
				values[i] = float64(rng.IntN(1000)) / (float64(step) / 1000)
			}
			roundTrip(t, values, step)
			for i := range values {
				if rng.IntN(4) == 0 {
					values[i] = math.NaN()
				}
			}
			roundTrip(t, values, step)
			for i := range values {
				values[i] = math.Float64frombits(rng.Uint64())
			}
			roundTrip(t, values, step)
		}
	}
}

// TestWideDifferences: integers whose differences take 64 bits, in blocks too
// short for exceptions.
func TestWideDifferences(t *testing.T) {
	a, b := math.SmallestNonzeroFloat64, math.Copysign(0, -1)
	for _, values := range [][]float64{{a, a, 0, 0, 0, b, b, a, a}, {a, b, a, 0, b, a, 0, 0, b, b}} {
		for n := 1; n <= len(values); n++ {
			roundTrip(t, values[:n], 60_000)
		}
	}
}
