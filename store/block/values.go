package block

import "math"

// values turns the integers in the bits of dst into what they stand for. There
// is one loop for each arithmetic, so that nothing is decided per value.
func (t transform) values(dst []float64) {
	switch t.family {
	case whole:
		for i, v := range dst {
			dst[i] = float64(int64(math.Float64bits(v)))
		}
	case decimal, perSecond, perSecondFine:
		div := t.divisor()
		for i, v := range dst {
			dst[i] = float64(int64(math.Float64bits(v))) / div
		}
	case timer:
		s := float64(t.s)
		for i, v := range dst {
			dst[i] = float64(int64(math.Float64bits(v))) / s * nano
		}
	case ieee:
		for i, v := range dst {
			dst[i] = canonical(math.Float64frombits(math.Float64bits(v) << t.zeros))
		}
	default:
		for i, v := range dst {
			dst[i] = t.value(int64(math.Float64bits(v)))
		}
	}
}

// addTo adds what the integers in the bits of ints stand for to acc, in which
// NaN means nothing yet. The arithmetic is one of addable.
func (t transform) addTo(acc, ints []float64) {
	ints = ints[:len(acc)]
	if t.family == whole {
		for i, a := range acc {
			v := float64(int64(math.Float64bits(ints[i])))
			if a != a {
				acc[i] = v
			} else {
				acc[i] = a + v
			}
		}
		return
	}
	div := t.divisor()
	for i, a := range acc {
		v := float64(int64(math.Float64bits(ints[i]))) / div
		if a != a {
			acc[i] = v
		} else {
			acc[i] = a + v
		}
	}
}

// addable reports whether addTo knows the arithmetic.
func (t transform) addable() bool { return t.family <= perSecondFine }
