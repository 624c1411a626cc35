package block

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"pulse/bench/gen"
	"pulse/store/block/lanes"
)

// withTiers calls f once with each tier of this machine.
func withTiers(f func()) {
	defer func(was lanes.Tier) { tier = was }(tier)
	for _, t := range lanes.Tiers() {
		tier = t
		f()
	}
}

// reading is everything that can be read of a block.
type reading struct {
	corrupt bool
	rest    []byte
	values  []float64
	sums    [][]float64
}

// windows are steps of a block.
var windows = [][2]int{{0, Size}, {0, 1}, {7, 9}, {13, 113}, {Size - 8, Size}, {60, 60}}

// reader is Decode and Sum, or what they do for any block.
type reader struct {
	name   string
	decode func(dst []float64, src []byte) (rest []byte, err error)
	sum    func(acc []float64, src []byte, from, to int, scratch *[Size]float64) error
}

var readers = []reader{{"Decode", Decode, Sum}, {"decode", decode, sumWhole}}

func sumWhole(acc []float64, src []byte, from, to int, scratch *[Size]float64) error {
	return sum(acc, src, Size, from, to, scratch)
}

func (d *reader) read(t *testing.T, src []byte, n int) (r reading) {
	r.values = make([]float64, n)
	var err error
	if r.rest, err = d.decode(r.values, src); err != nil {
		r.corrupt = errors.Is(err, ErrCorrupt)
		if !r.corrupt {
			t.Fatalf("decode %x: %v", src, err)
		}
	}
	var scratch [Size]float64
	for k, w := range windows {
		acc := make([]float64, w[1]-w[0])
		for i := range acc {
			acc[i] = []float64{math.NaN(), 0, 1.5, math.Inf(1)}[(i+k)%4]
		}
		if err := d.sum(acc, src, w[0], w[1], &scratch); err == nil {
			r.sums = append(r.sums, acc)
		}
	}
	return r
}

// sameReading reads a block of n values with every tier, as a simple block and as
// any, and compares.
func sameReading(t *testing.T, src []byte, n int) {
	t.Helper()
	var first *reading
	withTiers(func() {
		for _, d := range readers {
			r := d.read(t, src, n)
			if first == nil {
				first = &r
				continue
			}
			if r.corrupt != first.corrupt || !bytes.Equal(r.rest, first.rest) || len(r.sums) != len(first.sums) || !sameDoubles(r.values, first.values) {
				t.Fatalf("%s with %v reads %x as %v, corrupt %v; off as %v, corrupt %v", d.name, tier, src, r.values, r.corrupt, first.values, first.corrupt)
			}
			for i, s := range r.sums {
				if !sameDoubles(s, first.sums[i]) {
					t.Fatalf("%s with %v sums %x to %v, off to %v", d.name, tier, src, s, first.sums[i])
				}
			}
		}
	})
}

func sameDoubles(a, b []float64) bool {
	for i, v := range a {
		if math.Float64bits(v) != math.Float64bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// TestTiersAgree: blocks of every class, whole, cut and with bytes changed, are
// read alike, bit for bit.
func TestTiersAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	var e Encoder
	for _, c := range gen.Classes() {
		for seed := range uint64(40) {
			n := Size
			if seed%2 == 1 {
				n = 1 + rng.IntN(MaxValues)
			}
			src := e.AppendTo(nil, c.Series(seed, n, 60_000), 60_000)
			for _, behind := range []int{0, 7, 64} {
				sameReading(t, append(bytes.Clone(src), make([]byte, behind)...), n)
			}
			for range 20 {
				broken := bytes.Clone(src)
				broken[rng.IntN(min(len(broken), 1+rng.IntN(len(broken))))] = byte(rng.Uint32())
				sameReading(t, broken[:len(broken)-rng.IntN(2)*rng.IntN(len(broken))], n)
			}
		}
	}
}

func FuzzTiers(f *testing.F) {
	var e Encoder
	for _, c := range gen.Classes() {
		f.Add(e.AppendTo(nil, c.Series(1, Size, 60_000), 60_000), uint8(Size-1))
	}
	f.Fuzz(func(t *testing.T, src []byte, n uint8) {
		sameReading(t, src, int(n)+1)
	})
}

// TestTierOfVariable: the tier is what PULSE_SIMD says, so that runs with each
// value test each tier.
func TestTierOfVariable(t *testing.T) {
	if want := lanes.Choose(os.Getenv("PULSE_SIMD")); tier != want {
		t.Errorf("blocks are read with %v, want %v", tier, want)
	}
}
