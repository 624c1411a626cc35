package block_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pulse/store/block"
)

// Adding the integers of a unit gives the sum that exact arithmetic gives.
func TestUnitSums(t *testing.T) {
	var r *rand.Rand
	level, drawn := 1e6, 0
	kinds := map[string]func() float64{
		"whole":   func() float64 { return float64(r.IntN(1000)) },
		"decimal": func() float64 { return float64(r.IntN(100_000)) / 100 },
		"counts":  func() float64 { return float64(r.IntN(1000)) / 10 },
		"timers":  func() float64 { return float64(r.IntN(1_000_000_000)) / 10 * 1e-9 },
		"walk": func() float64 {
			level += float64(r.IntN(3) - 1)
			return level
		},
		"noise": func() float64 { return r.NormFloat64() },
		"sums":  func() float64 { return float64(r.IntN(1000))/60 + float64(r.IntN(1000))/60 + float64(r.IntN(1000))/60 },
		"strays": func() float64 {
			if drawn++; drawn%40 == 0 {
				return math.Pi
			}
			return float64(r.IntN(1000))
		},
	}
	unknown := map[string]bool{"noise": true, "sums": true, "strays": true}
	for name, next := range kinds {
		r = rand.New(rand.NewPCG(1, 2))
		values := make([]float64, block.Size)
		for i := range values {
			if values[i] = next(); i%7 == 3 {
				values[i] = math.NaN()
			}
		}
		src := append(block.AppendTo(nil, values, 10_000), 1, 2, 3)
		if n, err := block.Length(src, block.Size); err != nil || n != len(src)-3 {
			t.Errorf("%s: length %d of %d, %v", name, n, len(src)-3, err)
		}
		got := make([]float64, block.Size)
		u, rest, err := block.DecodeUnit(got, src)
		if err != nil || len(rest) != 3 {
			t.Fatalf("%s: %v, %d bytes left", name, err, len(rest))
		}
		if u.Known() == unknown[name] {
			t.Errorf("%s: unit known %v", name, u.Known())
		}
		sum := 0.0
		for i, v := range got {
			if math.Float64bits(v) != math.Float64bits(values[i]) && (v == v || values[i] == values[i]) {
				t.Fatalf("%s: value %d is %v, want %v", name, i, v, values[i])
			}
			if v != v || !u.Known() {
				continue
			}
			n := u.Integer(v)
			if n != math.Trunc(n) || u.Value(n) != v {
				t.Fatalf("%s: %v has the integer %v, which stands for %v", name, v, n, u.Value(n))
			}
			sum += n
		}
		plain := 0.0
		for _, v := range values {
			if v == v {
				plain += v
			}
		}
		if u.Known() && math.Abs(u.Value(sum)-plain) > 1e-12*math.Abs(plain) {
			t.Errorf("%s: sum %v, want %v", name, u.Value(sum), plain)
		}
	}
}
