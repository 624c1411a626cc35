package block

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestUnpackIsPlain: every width, length and beginning gives what unpackPlain
// gives.
func TestUnpackIsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for width := uint(0); width <= maxWidth; width++ {
		for range 300 {
			n, from := rng.IntN(MaxValues), rng.IntN(20)
			data := make([]byte, (uint(from+n)*width+7)/8)
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			base := rng.Uint64()
			got, want := make([]float64, n), make([]float64, n)
			unpack(got, data, uint(from)*width, width, base)
			unpackPlain(want, data, uint(from)*width, width, base)
			for i := range want {
				if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
					t.Fatalf("width %d, %d from %d: %#x at %d, want %#x", width, n, from, math.Float64bits(got[i]), i, math.Float64bits(want[i]))
				}
			}
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	for _, width := range []uint{3, 7, 10, 14, 20, 40} {
		data := make([]byte, (Size*width+7)/8)
		for i := range data {
			data[i] = byte(i * 37)
		}
		var dst [Size]float64
		for name, f := range map[string]func([]float64, []byte, uint, uint, uint64){"plain": unpackPlain, "loads": unpack} {
			b.Run(fmt.Sprintf("width=%d/by=%s", width, name), func(b *testing.B) {
				for b.Loop() {
					f(dst[:], data, 0, width, 7)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*Size), "ns/value")
			})
		}
	}
}

// TestConvertIsPlain: the loops in one give what unpackPlain and value give, for
// every arithmetic.
func TestConvertIsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for f := whole; f <= ieee; f++ {
		tr := transform{family: f, k: 2 * uint8(boolInt(f.hasPower())), s: 60 * uint64(boolInt(f.hasSeconds()))}
		for width := uint(0); width <= maxWidth; width++ {
			n, from := rng.IntN(MaxValues), rng.IntN(20)
			data := make([]byte, (uint(from+n)*width+7)/8)
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			base := rng.Uint64() >> rng.IntN(60)
			got, want := make([]float64, n), make([]float64, n)
			tr.convert(got, data, uint(from)*width, width, base)
			unpackPlain(want, data, uint(from)*width, width, base)
			for i := range want {
				want[i] = canonical(tr.value(int64(math.Float64bits(want[i]))))
				if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
					t.Fatalf("family %d, width %d, %d from %d: %v at %d, want %v", f, width, n, from, got[i], i, want[i])
				}
			}
			if n == 0 || !tr.linear() {
				continue
			}
			deltas, i := make([]float64, n+1), rng.Uint64()>>rng.IntN(60)
			tr.convertDeltas(deltas, data[from*int(width)/8:], width, base, i)
			unpackPlain(want, data[from*int(width)/8:], 0, width, base)
			for k, got := range deltas {
				if k > 0 {
					i += math.Float64bits(want[k-1])
				}
				if v := tr.value(int64(i)); math.Float64bits(got) != math.Float64bits(v) {
					t.Fatalf("family %d, width %d: %v at %d of differences, want %v", f, width, got, k, v)
				}
			}
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
