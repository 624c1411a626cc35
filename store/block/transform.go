package block

import (
	"math"
	"math/bits"
)

// family is the arithmetic that turns an integer into a value, the header's
// bits 4 to 6.
type family uint8

const (
	whole         family = iota // i
	decimal                     // i / 10^k
	perSecond                   // i / S
	perSecondFine               // i / (S·10^k)
	timer                       // i / S · 1e-9
	squares                     // i / S · 1e-18
	decimalAmount               // (i / 10^k) / S
	ieee                        // the double whose bits are i << z
)

const (
	maxDecimal     = 14
	maxFine        = 9
	maxSeconds     = 86_400 * 400
	integerLimit   = 1 << 53
	nano           = 1e-9
	nanoSquared    = 1e-18
	sampledNonZero = 6
	nudgedLimit    = 1 << 48 // of integers with nudges, beyond which the bits are as short
)

// transform is a family and its parameters.
type transform struct {
	family family
	k      uint8  // power of ten
	zeros  uint8  // ieee: bits shifted off
	s      uint64 // seconds of the step
}

func (f family) hasSeconds() bool { return f >= perSecond && f <= decimalAmount }

func (f family) hasPower() bool {
	return f == decimal || f == perSecondFine || f == decimalAmount
}

// maxPower returns the largest k of the family, 0 if it has none.
func (f family) maxPower() uint8 { return maxPowers[f] }

// factors are what a family multiplies by after it divided.
var factors = [...]float64{whole: 1, decimal: 1, perSecond: 1, perSecondFine: 1, timer: nano, squares: nanoSquared}

var maxPowers = [...]uint8{decimal: maxDecimal, perSecondFine: maxFine, decimalAmount: maxFine, ieee: 0}

// divisor returns the exact product that divides i in one step.
func (t transform) divisor() float64 {
	switch t.family {
	case decimal:
		return pow10(t.k)
	case perSecond, timer, squares, decimalAmount:
		return float64(t.s)
	case perSecondFine:
		return float64(t.s) * pow10(t.k)
	}
	return 1
}

// powers are 10^k, which doubles hold exactly.
var powers = [maxDecimal + 1]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

func pow10(k uint8) float64 { return powers[k] }

// value returns what the integer i stands for.
func (t transform) value(i int64) float64 {
	switch t.family {
	case whole:
		return float64(i)
	case timer:
		return float64(i) / float64(t.s) * nano
	case squares:
		return float64(i) / float64(t.s) * nanoSquared
	case decimalAmount:
		return float64(i) / pow10(t.k) / float64(t.s)
	case ieee:
		return math.Float64frombits(uint64(i) << t.zeros)
	}
	return float64(i) / t.divisor()
}

// scale returns the factor that brings values of the family close to their
// integers.
func (t transform) scale() float64 {
	switch t.family {
	case timer:
		return float64(t.s) * 1e9
	case squares:
		return float64(t.s) * 1e18
	case decimalAmount:
		return float64(t.s) * pow10(t.k)
	}
	return t.divisor()
}

// invert sets out[j] to the integer of values[j] and reports whether every one
// gives its value back, bit for bit.
func (t transform) invert(out []int64, values []float64) bool {
	scale, div := t.scale(), t.divisor()
	out = out[:len(values)]
	switch t.family {
	case whole:
		for j, v := range values {
			if !(v > -integerLimit && v < integerLimit) {
				return false
			}
			i := int64(v)
			if math.Float64bits(float64(i)) != math.Float64bits(v) {
				return false
			}
			out[j] = i
		}
		return true
	case decimal, perSecond, perSecondFine:
		for j, v := range values {
			i, ok := nearest(float64(v * scale))
			if !ok || math.Float64bits(float64(i)/div) != math.Float64bits(v) {
				return false
			}
			out[j] = i
		}
		return true
	}
	for j, v := range values {
		i, ok := nearest(float64(v * scale))
		if !ok || math.Float64bits(t.value(i)) != math.Float64bits(v) {
			return false
		}
		out[j] = i
	}
	return true
}

// misses returns how many of a few values t does not give back: 0, 1 or, for
// any more, 2. It also reports whether those it looked at are no more than
// maxULP away.
func (t transform) misses(values []float64) (missed int, near bool) {
	scale := t.scale()
	near = true
	for _, v := range values {
		x := float64(v * scale)
		i, ok := nearest(x)
		// What is maxULP away at most is within 2^-45 of an integer; a division
		// is only worth while for that.
		if ok = ok && math.Abs(x-float64(i)) <= math.Abs(x)*0x1p-45; ok {
			d := math.Float64bits(v) - math.Float64bits(t.value(i))
			if d == 0 {
				continue
			}
			ok = d+maxULP <= 2*maxULP
		}
		near = near && ok
		if missed++; missed == 2 {
			break
		}
	}
	return missed, near
}

// invertMost is invert for all but a few values: their positions are put into
// bad, and their integers are those of a neighbour. With nudges, a value may be
// up to maxULP from what its integer stands for, and these must be small.
func (t transform) invertMost(out []int64, nudges []int8, bad []uint8, values []float64) (nbad int, ok bool) {
	scale, limit := t.scale(), float64(integerLimit)
	if nudges != nil {
		limit = nudgedLimit
	}
	last := int64(0)
	for j, v := range values {
		i, near := nearest(float64(v * scale))
		d := int64(math.Float64bits(v) - math.Float64bits(t.value(i)))
		if near = near && float64(i) < limit && float64(i) > -limit; nudges != nil {
			near = near && d >= -maxULP && d <= maxULP
		} else {
			near = near && d == 0
		}
		if !near {
			if nbad == len(bad) {
				return nbad, false
			}
			bad[nbad] = uint8(j)
			nbad++
			i, d = last, 0
		}
		out[j], last = i, i
		if nudges != nil {
			nudges[j] = int8(d)
		}
	}
	if nbad > 0 && bad[0] == 0 {
		for j := 1; j < len(values); j++ { // those at the front take the first good one
			if j >= nbad || int(bad[j]) != j {
				for k := range j {
					out[k] = out[j]
				}
				break
			}
		}
	}
	return nbad, true
}

// nearest rounds x to an integer, if that has at most 53 bits. Between 2^52
// and 2^53 it may miss by one, which the caller's proof finds.
func nearest(x float64) (int64, bool) {
	if !(x > -integerLimit && x < integerLimit) {
		return 0, false
	}
	if x < 0 {
		return int64(x - 0.5), true
	}
	return int64(x + 0.5), true
}

// invertBits sets out to the bits of values without the zeros that all of them
// end in, and returns the transform that undoes it.
func invertBits(out []int64, values []float64) transform {
	var any uint64
	for _, v := range values {
		any |= math.Float64bits(v)
	}
	z := uint8(min(bits.TrailingZeros64(any), 63))
	for j, v := range values {
		out[j] = int64(math.Float64bits(v) >> z)
	}
	return transform{family: ieee, zeros: z}
}

// baseBytes returns the length of the base of an ieee transform.
func (t transform) baseBytes() int { return (64 - int(t.zeros) + 7) / 8 }
