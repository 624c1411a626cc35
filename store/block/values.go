package block

import "math"

// convert is unpack and values in one: integers of which a load has several are
// divided as they are taken out of it.
func (t transform) convert(dst []float64, data []byte, bit, width uint, base uint64) {
	switch {
	case width == 0:
		fill(dst, t.value(int64(base)))
	case t.family == whole || t.family > squares:
		unpack(dst, data, bit, width, base)
		t.values(dst)
	case width <= tableWidth && len(dst) >= 4<<width:
		t.convertTable(dst, data, bit, width, base)
	default:
		div, by := t.quotient()
		n := convertLoads(dst, data, bit, width, base, div, by)
		if n < len(dst) {
			var memory [24]byte
			tail, first := tailOf(&memory, data, bit+uint(n)*width)
			convertLoads(dst[n:], tail, first, width, base, div, by)
		}
	}
}

// quotient returns what an integer is divided and then multiplied by, where that
// is all that value does.
func (t transform) quotient() (div, by float64) {
	switch t.family {
	case timer:
		return t.divisor(), nano
	case squares:
		return t.divisor(), nanoSquared
	}
	return t.divisor(), 1 // which changes nothing
}

// convertLoads is convert as far as whole loads of 8 bytes reach, and returns how
// many values that were. A value is the integer divided by div, times by.
func convertLoads(dst []float64, data []byte, bit, width uint, base uint64, div, by float64) int {
	n, end := 0, uint(len(data))*8
	if end < 64 {
		return 0
	}
	end -= 63
	mask := uint64(1)<<width - 1
	w := width & 63
	if width <= 14 {
		for ; n+4 <= len(dst) && bit < end; n += 4 {
			x := load(data, bit)
			d := dst[n : n+4 : n+4]
			d[0] = float64(int64(base+x&mask)) / div * by
			x >>= w
			d[1] = float64(int64(base+x&mask)) / div * by
			x >>= w
			d[2] = float64(int64(base+x&mask)) / div * by
			x >>= w
			d[3] = float64(int64(base+x&mask)) / div * by
			bit += 4 * width
		}
	}
	if width <= 28 {
		for ; n+2 <= len(dst) && bit < end; n += 2 {
			x := load(data, bit)
			d := dst[n : n+2 : n+2]
			d[0] = float64(int64(base+x&mask)) / div * by
			d[1] = float64(int64(base+x>>w&mask)) / div * by
			bit += 2 * width
		}
	}
	for ; n < len(dst) && bit < end; n++ {
		dst[n] = float64(int64(base+load(data, bit)&mask)) / div * by
		bit += width
	}
	return n
}

// tableWidth is the largest width of integers of which so few are different
// that their values are worked out once for all.
const tableWidth = 4

// convertTable is convert for integers of tableWidth bits at most.
func (t transform) convertTable(dst []float64, data []byte, bit, width uint, base uint64) {
	var table [1 << tableWidth]float64
	for u := range uint64(1) << width {
		table[u&(1<<tableWidth-1)] = math.Float64frombits(base + u)
	}
	t.values(table[:1<<width])
	mask, w := uint64(1)<<width-1, width&63
	mask &= 1<<tableWidth - 1
	n, end := 0, uint(len(data))*8
	for ; n+8 <= len(dst) && bit+63 < end; n += 8 {
		x := load(data, bit)
		d := dst[n : n+8 : n+8]
		d[0] = table[x&mask]
		x >>= w
		d[1] = table[x&mask]
		x >>= w
		d[2] = table[x&mask]
		x >>= w
		d[3] = table[x&mask]
		x >>= w
		d[4] = table[x&mask]
		x >>= w
		d[5] = table[x&mask]
		x >>= w
		d[6] = table[x&mask]
		x >>= w
		d[7] = table[x&mask]
		bit += 8 * width
	}
	for ; n < len(dst); n++ {
		dst[n] = table[loadEnd(data, bit)&mask]
		bit += width
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

// convertDeltas puts the values of integers into dst, of which first is the first
// and data has the differences, base and width bits more each. The arithmetic is
// one of linear.
func (t transform) convertDeltas(dst []float64, data []byte, width uint, base, first uint64) {
	if width == 0 {
		fill(dst[1:], math.Float64frombits(base))
		t.valuesOfDeltas(dst, first)
		return
	}
	dst[0] = t.value(int64(first))
	dst = dst[1:]
	n := wholeLoads(len(dst), data, 0, width)
	last := t.convertDeltaLoads(dst[:n], data, 0, width, base, first)
	if n < len(dst) {
		var memory [24]byte
		tail, bit := tailOf(&memory, data, uint(n)*width)
		t.convertDeltaLoads(dst[n:], tail, bit, width, base, last)
	}
}

// convertDeltaLoads is convertDeltas where every load lies in data. It returns
// the last integer.
func (t transform) convertDeltaLoads(dst []float64, data []byte, bit, width uint, base, i uint64) uint64 {
	mask := uint64(1)<<width - 1
	if t.family == whole {
		for k := range dst {
			i += base + load(data, bit)&mask
			bit += width
			dst[k] = float64(int64(i))
		}
		return i
	}
	div := t.divisor()
	for k := range dst {
		i += base + load(data, bit)&mask
		bit += width
		dst[k] = float64(int64(i)) / div
	}
	return i
}

// valuesOfDeltas is values for integers of which dst has the differences, from
// its second place on. The arithmetic is one of linear.
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

// linear reports whether valuesOfDeltas and convertDeltas know the arithmetic.
func (t transform) linear() bool { return t.family <= perSecondFine }
