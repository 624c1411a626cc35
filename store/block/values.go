package block

import "math"

// convert is unpack and values in one loop: where a value takes a division, what
// else the loop does costs nothing.
func (t transform) convert(dst []float64, data []byte, bit, width uint, base uint64) {
	if width == 0 || !t.addable() && t.family != timer && t.family != ieee {
		unpack(dst, data, bit, width, base)
		t.values(dst)
		return
	}
	n := wholeLoads(len(dst), data, bit, width)
	t.convertLoads(dst[:n], data, bit, width, base)
	if n < len(dst) {
		var memory [24]byte
		tail, first := tailOf(&memory, data, bit+uint(n)*width)
		t.convertLoads(dst[n:], tail, first, width, base)
	}
}

// convertLoads is convert where every load lies in data.
func (t transform) convertLoads(dst []float64, data []byte, bit, width uint, base uint64) {
	mask := uint64(1)<<width - 1
	switch t.family {
	case whole:
		for i := range dst {
			dst[i] = float64(int64(base + load(data, bit)&mask))
			bit += width
		}
	case timer:
		s := float64(t.s)
		for i := range dst {
			dst[i] = float64(int64(base+load(data, bit)&mask)) / s * nano
			bit += width
		}
	case ieee:
		for i := range dst {
			dst[i] = canonical(math.Float64frombits((base + load(data, bit)&mask) << t.zeros))
			bit += width
		}
	default:
		div := t.divisor()
		for i := range dst {
			dst[i] = float64(int64(base+load(data, bit)&mask)) / div
			bit += width
		}
	}
}

// convertAdd is convert for the sum of an addable arithmetic: it adds the values
// to acc, in which NaN means nothing yet.
func (t transform) convertAdd(acc []float64, data []byte, bit, width uint, base uint64) {
	n := wholeLoads(len(acc), data, bit, width)
	t.convertAddLoads(acc[:n], data, bit, width, base)
	if n < len(acc) {
		var memory [24]byte
		tail, first := tailOf(&memory, data, bit+uint(n)*width)
		t.convertAddLoads(acc[n:], tail, first, width, base)
	}
}

func (t transform) convertAddLoads(acc []float64, data []byte, bit, width uint, base uint64) {
	mask, div := uint64(1)<<width-1, t.divisor()
	for i, a := range acc {
		v := float64(int64(base + load(data, bit)&mask))
		bit += width
		if t.family != whole {
			v /= div
		}
		if a != a {
			acc[i] = v
		} else {
			acc[i] = a + v
		}
	}
}

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

// valuesOfDeltas is values for integers of which dst has the differences, from
// its second place on. The arithmetic is one of addable.
func (t transform) valuesOfDeltas(dst []float64, first uint64) {
	i := first
	if t.family == whole {
		dst[0] = float64(int64(i))
		for k, d := range dst[1:] {
			i += math.Float64bits(d)
			dst[1+k] = float64(int64(i))
		}
		return
	}
	div := t.divisor()
	dst[0] = float64(int64(i)) / div
	for k, d := range dst[1:] {
		i += math.Float64bits(d)
		dst[1+k] = float64(int64(i)) / div
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

// addable reports whether addTo and valuesOfDeltas know the arithmetic.
func (t transform) addable() bool { return t.family <= perSecondFine }
