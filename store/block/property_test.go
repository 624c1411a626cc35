package block_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"pulse/bench/testkit"
	"pulse/store/block"
)

// oddities are the doubles at the edges of what each form can keep.
func oddities() []float64 {
	out := []float64{
		0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, 0x1p-1022, math.Nextafter(0x1p-1022, 0),
		math.NaN(), math.Float64frombits(0x7ff0000000000001), math.Float64frombits(0xfff8dead0000beef),
		1e-9, 1e-18, 1.0 / 60, 0.1, 1e22, 1e15, math.Pi,
	}
	for _, e := range []int{31, 32, 51, 52, 53, 54, 62, 63, 64} {
		v := math.Ldexp(1, e)
		out = append(out, v, -v, v-1, v+1, math.Nextafter(v, 0), math.Nextafter(v, math.Inf(1)), v-0.5)
	}
	return out
}

// transforms are the ways in which clients make a value of an integer.
func transforms() []func(i int64, seconds float64) float64 {
	return []func(i int64, s float64) float64{
		func(i int64, _ float64) float64 { return float64(i) },
		func(i int64, s float64) float64 { return float64(i) / s },
		func(i int64, _ float64) float64 { return float64(i) / 1000 },
		func(i int64, s float64) float64 { return float64(i) / (s * 100) },
		func(i int64, s float64) float64 { return float64(i) / 100 / s },
		func(i int64, s float64) float64 { return float64(i) / s * 1e-9 },
		func(i int64, s float64) float64 { return float64(i) / s * 1e-18 },
		func(i int64, s float64) float64 { return float64(i/3)/s + float64(i/7)/s + float64(i%21)/s },
		func(i int64, _ float64) float64 { return float64(i/2)*0.01 + float64(i-i/2)*0.01 },
		func(i int64, _ float64) float64 { return float64(float32(i) / 7) },
		func(i int64, _ float64) float64 { return math.Float64frombits(uint64(i) * 0x9e3779b97f4a7c15) },
	}
}

// courses are the ways in which integers follow each other; by is random.
func courses() []func(last, base, by int64) int64 {
	return []func(last, base, by int64) int64{
		func(_, base, by int64) int64 { return base + by },
		func(last, _, by int64) int64 { return last/2 + by }, // walks
		func(last, _, by int64) int64 { return last + by%3 + 100 },
		func(last, base, by int64) int64 { // mostly the base
			if by%4 == 0 {
				return base + by
			}
			return base
		},
		func(last, base, by int64) int64 { // levels
			if by%8 == 0 {
				return base + by
			}
			return last
		},
		func(_, base, by int64) int64 { // few far from many
			if by%16 == 0 {
				return base + by
			}
			return base + by&7
		},
	}
}

// drawValues draws 1 to 256 values as series have them: of one transform,
// with repeats, gaps and now and then an oddity.
func drawValues(t *rapid.T) (values []float64, step int64) {
	step = rapid.SampledFrom([]int64{0, 100, 500, 1000, 5000, 10_000, 60_000, 3_600_000, math.MaxInt64}).Draw(t, "step")
	n := rapid.IntRange(1, block.MaxValues).Draw(t, "n")
	f := rapid.SampledFrom(transforms()).Draw(t, "transform")
	base := rapid.Int64Range(-1<<53, 1<<53).Draw(t, "base")
	spread := int64(1) << rapid.IntRange(0, 53).Draw(t, "spread")
	odd := rapid.IntRange(0, 3).Draw(t, "odd") == 0
	gaps := rapid.IntRange(0, 2).Draw(t, "gaps")
	course := rapid.SampledFrom(courses()).Draw(t, "course")
	values = make([]float64, n)
	level := base / 2
	for i := range values {
		level = course(level, base/2, rapid.Int64Range(-spread/2, spread/2).Draw(t, "i"))
		switch pick := rapid.IntRange(0, 9).Draw(t, "pick"); {
		case pick < 4 && i > 0:
			values[i] = values[i-1]
		case pick == 4 && gaps > 0 || gaps == 2 && pick > 5:
			values[i] = math.NaN()
		case pick == 5 && odd:
			values[i] = rapid.SampledFrom(oddities()).Draw(t, "oddity")
		default:
			values[i] = f(level, max(float64(step)/1000, 1))
		}
	}
	return values, step
}

func TestRoundTripOfAnySeries(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		values, step := drawValues(r)
		roundTrip(t, values, step)
	})
}

// TestRoundTripOfOddities: every oddity alone, constant, beside every other,
// and in the middle of counts.
func TestRoundTripOfOddities(t *testing.T) {
	for _, step := range []int64{100, 1000, 60_000} {
		for _, a := range oddities() {
			roundTrip(t, []float64{a}, step)
			roundTrip(t, []float64{a, a, a}, step)
			counts := []float64{1 / 60.0, 2 / 60.0, a, 3 / 60.0, math.NaN(), 0}
			roundTrip(t, counts, step)
			for _, b := range oddities() {
				roundTrip(t, []float64{a, b, a}, step)
			}
		}
	}
}

// TestEveryWidth packs differences of every width, up to the borders of what
// fits a load of 64 bits.
func TestEveryWidth(t *testing.T) {
	for width := 0; width <= 64; width++ {
		top := uint64(math.MaxUint64)
		if width < 64 {
			top = 1<<width - 1
		}
		for n := 2; n < 40; n++ {
			values := make([]float64, n)
			for i := range values {
				values[i] = math.Float64frombits(top / uint64(i+1))
			}
			roundTrip(t, values, 1000)
			if width <= 53 {
				for i := range values {
					values[i] = float64(top / uint64(i+1))
				}
				roundTrip(t, values, 1000)
			}
		}
	}
}

// accumulator is one of Sum, Min, Max, Count with its plain twin.
type accumulator struct {
	name  string
	fold  func(acc []float64, src []byte, from, to int, scratch *[block.Size]float64) error
	plain func(a, v float64) float64 // a may be NaN, v is not
}

func accumulators() []accumulator {
	first := func(f func(a, v float64) float64) func(a, v float64) float64 {
		return func(a, v float64) float64 {
			if math.IsNaN(a) {
				return v
			}
			return f(a, v)
		}
	}
	return []accumulator{
		{"sum", block.Sum, first(func(a, v float64) float64 { return a + v })},
		{"min", block.Min, first(func(a, v float64) float64 {
			if v < a {
				return v
			}
			return a
		})},
		{"max", block.Max, first(func(a, v float64) float64 {
			if v > a {
				return v
			}
			return a
		})},
		{"count", block.Count, func(a, _ float64) float64 {
			if math.IsNaN(a) {
				return 1
			}
			return a + 1
		}},
	}
}

func TestAccumulators(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		from := rapid.IntRange(0, block.Size).Draw(r, "from")
		to := rapid.IntRange(from, block.Size).Draw(r, "to")
		var blocks [][]byte
		var series [][]float64
		for range rapid.IntRange(1, 4).Draw(r, "series") {
			values, step := drawValues(r)
			for len(values) < block.Size {
				values = append(values, values...)
			}
			values = values[:block.Size]
			series = append(series, values)
			blocks = append(blocks, block.AppendTo(nil, values, step))
		}
		for _, a := range accumulators() {
			got, want := make([]float64, to-from), make([]float64, to-from)
			for i := range got {
				got[i], want[i] = math.NaN(), math.NaN()
			}
			var scratch [block.Size]float64
			for i, b := range blocks {
				if err := a.fold(got, b, from, to, &scratch); err != nil {
					r.Fatal(err)
				}
				for j, v := range series[i][from:to] {
					if !math.IsNaN(v) {
						want[j] = a.plain(want[j], v)
					}
				}
			}
			for i := range want {
				if !sameBits(got[i], want[i]) {
					r.Fatalf("%s of [%d,%d): step %d is %v, want %v", a.name, from, to, from+i, got[i], want[i])
				}
			}
		}
	})
}

func TestAccumulatorsOfCorruptBytes(t *testing.T) {
	var scratch [block.Size]float64
	for _, a := range accumulators() {
		acc := []float64{1, 2}
		if err := a.fold(acc, []byte{1, 2, 0}, 3, 5, &scratch); !errors.Is(err, block.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", a.name, err)
		}
		if acc[0] != 1 || acc[1] != 2 {
			t.Errorf("%s changed the accumulator: %v", a.name, acc)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s took a range of 3 steps into 2 values", a.name)
				}
			}()
			_ = a.fold(acc, []byte{1, 0}, 3, 6, &scratch)
		}()
	}
}

// blocksOfEachForm returns a block of Size values for every kind, mask and
// transform that the encoder writes.
func blocksOfEachForm() [][]byte {
	var out [][]byte
	for _, f := range transforms() {
		for _, gap := range []int{0, 2, 50} {
			values := make([]float64, block.Size)
			for i := range values {
				values[i] = f(int64(1000+i*i%97), 60)
				if gap > 0 && i%gap == 1 {
					values[i] = math.NaN()
				}
			}
			out = append(out, block.AppendTo(nil, values, 60_000))
		}
	}
	for _, c := range courses() {
		level := int64(1000)
		values := make([]float64, block.Size)
		for i := range values {
			level = c(level, 1000, int64(i*i%97))
			values[i] = float64(level) / 60
		}
		out = append(out, block.AppendTo(nil, values, 60_000))
		values[7], values[99] = math.Inf(1), math.Pi
		out = append(out, block.AppendTo(nil, values, 60_000))
		for i := range values {
			values[i] = float64(i*i)/100 + float64(level)
		}
		out = append(out, block.AppendTo(nil, values, 60_000))
	}
	constant, empty := make([]float64, block.Size), make([]float64, block.Size)
	for i := range empty {
		empty[i] = math.NaN()
	}
	return append(out, block.AppendTo(nil, constant, 1000), block.AppendTo(nil, empty, 1000))
}

func TestNothingIsAllocated(t *testing.T) {
	var scratch, values [block.Size]float64
	acc := make([]float64, block.Size)
	buf := make([]byte, 0, 2048)
	for _, b := range blocksOfEachForm() {
		testkit.NoAllocs(t, "decode", func() {
			if _, err := block.Decode(values[:], b); err != nil {
				t.Fatal(err)
			}
		})
		testkit.NoAllocs(t, "encode", func() { buf = block.AppendTo(buf[:0], values[:], 60_000) })
		for _, a := range accumulators() {
			testkit.NoAllocs(t, a.name, func() {
				if err := a.fold(acc, b, 0, block.Size, &scratch); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// Blocks of fewer values add up as they decode.
func TestSumOfShortBlocks(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		values, step := drawValues(r)
		values = values[:min(len(values), block.Size)]
		n := len(values)
		from := rapid.IntRange(0, n).Draw(r, "from")
		to := rapid.IntRange(from, n).Draw(r, "to")
		got, want := make([]float64, to-from), make([]float64, to-from)
		for i := range got {
			got[i] = []float64{math.NaN(), 0, 1.5}[i%3]
			want[i] = got[i]
			switch v := values[from+i]; {
			case v != v:
			case want[i] != want[i]:
				want[i] = v
			default:
				want[i] += v
			}
		}
		var scratch [block.Size]float64
		if err := block.SumOf(got, block.AppendTo(nil, values, step), n, from, to, &scratch); err != nil {
			r.Fatal(err)
		}
		for i := range want {
			if !sameBits(got[i], want[i]) {
				r.Fatalf("step %d of [%d,%d) of %d: %v, want %v", from+i, from, to, n, got[i], want[i])
			}
		}
	})
}
