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

// ratio returns the arithmetic of t, if that is all that value does.
func (t transform) ratio() (r lanes.Ratio, ok bool) {
	switch t.family {
	case whole, decimal, perSecond, perSecondFine:
		return lanes.Ratio{Div: t.divisor(), Mul: 1}, true
	case timer:
		return lanes.Ratio{Div: float64(t.s), Mul: nano}, true
	case squares:
		return lanes.Ratio{Div: float64(t.s), Mul: nanoSquared}, true
	}
	return lanes.Ratio{}, false
}

// convert sets dst to what len(dst) integers stand for.
func (t transform) convert(dst []float64, p *lanes.Packed) {
	if r, ok := t.ratio(); ok {
		tier.Values(dst, p, r)
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
	if r, ok := t.ratio(); ok {
		tier.ValuesOf(dst, r)
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
