package block

import (
	"math"
	"os"

	"pulse/store/block/lanes"
)

// tier is how integers are unpacked and values added up: as wide as the machine
// is or, for tests, as PULSE_SIMD says (off, avx2 or avx512). It never changes, and
// no result depends on it.
var tier = lanes.Choose(os.Getenv("PULSE_SIMD"))

// overSeconds and overPowers are the divisors that most blocks have, of steps and
// of decimals: to invert one takes as long as eight values do. No seconds divide by 1.
var (
	overSeconds = inverted(64, func(i int) float64 { return float64(max(i, 1)) })
	overPowers  = inverted(maxDecimal+1, func(i int) float64 { return powers[i] })
)

func inverted(n int, div func(i int) float64) []lanes.Ratio {
	out := make([]lanes.Ratio, n)
	for i := range out {
		out[i] = lanes.Over(div(i), 1)
	}
	return out
}

// ratio sets r to the arithmetic of t, if that is all that value does.
func (t transform) ratio(r *lanes.Ratio) (ok bool) {
	if t.family >= decimalAmount {
		return false
	}
	ratioOf(r, t.family, t.s, t.k)
	return true
}

// ratioOf is ratio for families of which it is all; s or k are 0 where a family
// has none.
func ratioOf(r *lanes.Ratio, f family, s uint64, k uint8) {
	switch {
	case k == 0 && s < uint64(len(overSeconds)):
		*r = overSeconds[s]
	case s == 0:
		*r = overPowers[k]
	default:
		*r = lanes.Over(float64(float64(s)*powers[k]), 1)
	}
	r.Mul = factors[f]
}

// convert sets dst to what len(dst) integers stand for.
func (t transform) convert(dst []float64, p *lanes.Packed) {
	var r lanes.Ratio
	if t.ratio(&r) {
		tier.Values(dst, p, &r)
		return
	}
	if t.family == ieee {
		tier.Doubles(dst, p, uint(t.zeros))
		return
	}
	tier.Ints(dst, p)
	t.values(dst)
}

// values turns the integers in the bits of dst into what they stand for.
func (t transform) values(dst []float64) {
	var r lanes.Ratio
	if t.ratio(&r) {
		tier.ValuesOf(dst, &r)
		return
	}
	if t.family == ieee {
		for i, v := range dst {
			dst[i] = canonical(math.Float64frombits(math.Float64bits(v) << (t.zeros & 63)))
		}
		return
	}
	for i, v := range dst {
		dst[i] = canonical(t.value(int64(math.Float64bits(v))))
	}
}
