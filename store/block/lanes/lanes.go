// Package lanes turns packed integers into doubles and adds doubles up, several
// at a time where the machine can.
//
// Every function has a plain twin in Go and kernels for AVX2 and AVX-512, which
// genlanes writes; a Tier says which of them is used. All of them give the same
// bits. Slices that a function writes to are the caller's and overlap nothing
// else. Functions are safe for concurrent use and keep no reference.
package lanes

import "math"

//go:generate go tool genlanes -pkg lanes -out kernels_amd64.s -stubs kernels_amd64.go

// Tier is how many lanes there are. The zero Tier works everywhere.
type Tier uint8

const (
	Plain Tier = iota
	AVX2
	AVX512
)

var tierNames = [...]string{Plain: "off", AVX2: "avx2", AVX512: "avx512"}

// String returns what Choose takes.
func (t Tier) String() string { return tierNames[t] }

// Tiers returns the tiers that this machine has, the widest last.
func Tiers() []Tier {
	out := []Tier{Plain}
	for t := AVX2; t <= widest(); t++ {
		out = append(out, t)
	}
	return out
}

// Choose returns the tier of a name, or the widest of this machine that is no
// wider. Any other name means the widest.
func Choose(name string) Tier {
	for t, n := range tierNames {
		if n == name {
			return min(Tier(t), widest())
		}
	}
	return widest()
}

// Ratio is the arithmetic that makes a value of an integer i: the double of i,
// divided by Div, times Mul, each rounded as IEEE 754 says. Div is a whole number
// whose odd part is below 2^47, and Mul is not NaN.
//
// Kernels do not divide. With z the double of i, r the double nearest to 1/Div and
// s = (1 - r·Div)·r, whose first factor a fused operation gives exactly, r + s is
// within 2^-105 of 1/Div, relatively. So is z·r + z·s of z/Div, of which the last
// product is rounded, and then the fused sum. That could be rounded another way
// than z/Div only if the middle between two doubles were as near to z/Div. But
// z/Div is no such middle, which would have 54 bits, and as a fraction with the odd
// part of Div below the line it is 2^-49 ULP away at least.
//
// Kernels know the order of the fields.
type Ratio struct {
	Div, Mul  float64
	inv, more float64 // r and s
}

// Over returns the arithmetic that divides by div and multiplies by mul.
func Over(div, mul float64) Ratio {
	inv := 1 / div
	return Ratio{div, mul, inv, math.FMA(-inv, div, 1) * inv}
}

// Value returns what i stands for.
func (r Ratio) Value(i int64) float64 {
	v := float64(i)
	if r.Div != 1 {
		v /= r.Div
	}
	if r.Mul != 1 {
		v = float64(v * r.Mul)
	}
	return v
}

// fewest is how many values a kernel is worth calling for.
const fewest = 8

// wide reports whether a kernel is called for dst.
func (t Tier) wide(dst []float64) bool { return t != Plain && len(dst) >= fewest }

// Ints puts len(dst) integers into the bits of dst.
func (t Tier) Ints(dst []float64, p *Packed) {
	n := 0
	if p.check(len(dst)); t.wide(dst) {
		n = t.ints(dst, p)
	}
	if n < len(dst) {
		rest := p.after(n)
		plainInts(dst[n:], &rest)
	}
}

// Values sets dst to the values of len(dst) integers.
func (t Tier) Values(dst []float64, p *Packed, r *Ratio) {
	n := 0
	if p.check(len(dst)); t.wide(dst) {
		n = t.values(dst, p, r)
	}
	if n < len(dst) {
		rest := p.after(n)
		plainValues(dst[n:], &rest, *r)
	}
}

// ValuesOf is Values for integers in the bits of dst.
func (t Tier) ValuesOf(dst []float64, r *Ratio) {
	if !t.wide(dst) || !t.valuesOf(dst, r) {
		plainValuesOf(dst, *r)
	}
}

// AddValues adds the values of len(acc) integers to acc, in which NaN means
// nothing yet.
func (t Tier) AddValues(acc []float64, p *Packed, r *Ratio) {
	n := 0
	if p.check(len(acc)); t.wide(acc) {
		n = t.addValues(acc, p, r)
	}
	if n < len(acc) {
		rest := p.after(n)
		plainAddValues(acc[n:], &rest, *r)
	}
}

// Sums sets dst to the values of running sums: of first and one, two and so on
// of len(dst) integers.
func (t Tier) Sums(dst []float64, p *Packed, first uint64, r *Ratio) {
	n := 0
	if p.check(len(dst)); t.wide(dst) {
		n, first = t.sums(dst, p, first, r)
	}
	if n < len(dst) {
		rest := p.after(n)
		plainSums(dst[n:], &rest, first, *r)
	}
}

// SumsOf is Sums for integers in the bits of dst.
func (t Tier) SumsOf(dst []float64, first uint64, r *Ratio) {
	if !t.wide(dst) || !t.sumsOf(dst, first, r) {
		plainSumsOf(dst, first, *r)
	}
}

// Doubles sets dst to the doubles whose bits are the integers shifted left by
// zeros, which is below 64. Every NaN is the one of math.NaN.
func (t Tier) Doubles(dst []float64, p *Packed, zeros uint) {
	n := 0
	if p.check(len(dst)); t.wide(dst) {
		n = t.doubles(dst, p, zeros)
	}
	if n < len(dst) {
		rest := p.after(n)
		plainDoubles(dst[n:], &rest, zeros)
	}
}

// Nudge adds len(dst) integers to the bits of dst. Every NaN becomes the one of
// math.NaN.
func (t Tier) Nudge(dst []float64, p *Packed) {
	n := 0
	if p.check(len(dst)); t.wide(dst) {
		n = t.nudge(dst, p)
	}
	if n < len(dst) {
		rest := p.after(n)
		plainNudge(dst[n:], &rest)
	}
}

// AddValuesOf is AddValues for integers in the bits of ints, which is as long as
// acc.
func (t Tier) AddValuesOf(acc, ints []float64, r *Ratio) {
	ints = ints[:len(acc)]
	if !t.wide(acc) || !t.addValuesOf(acc, ints, r) {
		plainAddValuesOf(acc, ints, *r)
	}
}

// Add adds values to acc, which is as long. NaN means nothing in both.
func (t Tier) Add(acc, values []float64) {
	values = values[:len(acc)]
	if !t.wide(acc) || !t.add(acc, values) {
		plainAdd(acc, values)
	}
}

// AddSame adds v, which is not NaN, to every element of acc, in which NaN means
// nothing yet.
func (t Tier) AddSame(acc []float64, v float64) {
	if !t.wide(acc) || !t.addSame(acc, v) {
		plainAddSame(acc, v)
	}
}

// Fill sets every element of dst to v.
func (t Tier) Fill(dst []float64, v float64) {
	if !t.wide(dst) || !t.fill(dst, v) {
		plainFill(dst, v)
	}
}

// Spread moves the values at the front of dst to the places whose bits in bitmap
// are set, and sets all others to v. Bitmap has a bit for each element of dst and
// none beyond; present is how many are set. Anything else is a mistake of the
// caller.
func (t Tier) Spread(dst []float64, bitmap []byte, present int, v float64) {
	bitmap = bitmap[:(len(dst)+7)/8]
	if !t.wide(dst) || !t.spread(dst, bitmap, present, v) {
		plainSpread(dst, bitmap, present, v)
	}
}

// canonical returns v, or the one NaN that stands for no data.
func canonical(v float64) float64 {
	if v != v {
		return math.NaN()
	}
	return v
}
