package lanes

import "math"

// The plain twins. Loops are short, hold nothing but registers, and there is one
// for each arithmetic, so that nothing is decided per value. Where a value takes
// a division, what else a loop does costs nothing. Products are converted, which
// keeps a compiler from fusing them with a sum.

func plainValues(dst []float64, p *Packed, r Ratio) {
	switch {
	case p.Width == 0:
		plainFill(dst, r.Value(int64(p.Base)))
	case r.Div == 1 && r.Mul == 1:
		plainInts(dst, p)
		plainValuesOf(dst, r)
	case p.Width <= tableWidth && len(dst) >= 4<<p.Width:
		plainValuesByTable(dst, p, r)
	default:
		n := valuesOfLoads(dst, p, r)
		if n < len(dst) {
			var memory [tailBytes]byte
			tail := p.tail(n, &memory)
			valuesOfLoads(dst[n:], &tail, r)
		}
	}
}

// valuesOfLoads is plainValues as far as whole loads reach, and returns how many
// values that were.
func valuesOfLoads(dst []float64, p *Packed, r Ratio) int {
	data, bit, width, base, div, by := p.Data, p.Bit, p.Width, p.Base, r.Div, r.Mul
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
			d[0] = float64(float64(int64(base+x&mask)) / div * by)
			x >>= w
			d[1] = float64(float64(int64(base+x&mask)) / div * by)
			x >>= w
			d[2] = float64(float64(int64(base+x&mask)) / div * by)
			x >>= w
			d[3] = float64(float64(int64(base+x&mask)) / div * by)
			bit += 4 * width
		}
	}
	if width <= 28 {
		for ; n+2 <= len(dst) && bit < end; n += 2 {
			x := load(data, bit)
			d := dst[n : n+2 : n+2]
			d[0] = float64(float64(int64(base+x&mask)) / div * by)
			d[1] = float64(float64(int64(base+x>>w&mask)) / div * by)
			bit += 2 * width
		}
	}
	for ; n < len(dst) && bit < end; n++ {
		dst[n] = float64(float64(int64(base+load(data, bit)&mask)) / div * by)
		bit += width
	}
	return n
}

// tableWidth is the largest width of integers of which so few are different
// that their values are worked out once for all.
const tableWidth = 4

// plainValuesByTable is plainValues for integers of tableWidth bits at most.
func plainValuesByTable(dst []float64, p *Packed, r Ratio) {
	data, bit, width := p.Data, p.Bit, p.Width
	var table [1 << tableWidth]float64
	for u := range uint64(1) << width {
		table[u&(1<<tableWidth-1)] = math.Float64frombits(p.Base + u)
	}
	plainValuesOf(table[:1<<width], r)
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

func plainAddValues(acc []float64, p *Packed, r Ratio) {
	if p.Width == 0 {
		plainAddSame(acc, r.Value(int64(p.Base)))
		return
	}
	n := p.wholeLoads(len(acc))
	addValuesOfLoads(acc[:n], p, r)
	if n < len(acc) {
		var memory [tailBytes]byte
		tail := p.tail(n, &memory)
		addValuesOfLoads(acc[n:], &tail, r)
	}
}

func addValuesOfLoads(acc []float64, p *Packed, r Ratio) {
	data, bit, width, base := p.Data, p.Bit, p.Width, p.Base
	mask := uint64(1)<<width - 1
	if r.Mul != 1 {
		for i, a := range acc {
			acc[i] = plainSum(a, float64(float64(int64(base+load(data, bit)&mask))/r.Div*r.Mul))
			bit += width
		}
		return
	}
	for i, a := range acc {
		v := float64(int64(base + load(data, bit)&mask))
		if r.Div != 1 {
			v /= r.Div
		}
		acc[i] = plainSum(a, v)
		bit += width
	}
}

// plainSum adds v, which is not NaN, to a, in which NaN means nothing yet.
func plainSum(a, v float64) float64 {
	if a != a {
		return v
	}
	return a + v
}

func plainAddValuesOf(acc, ints []float64, r Ratio) {
	switch {
	case r.Mul != 1:
		for i, a := range acc {
			acc[i] = plainSum(a, float64(float64(int64(math.Float64bits(ints[i])))/r.Div*r.Mul))
		}
	case r.Div != 1:
		for i, a := range acc {
			acc[i] = plainSum(a, float64(int64(math.Float64bits(ints[i])))/r.Div)
		}
	default:
		for i, a := range acc {
			acc[i] = plainSum(a, float64(int64(math.Float64bits(ints[i]))))
		}
	}
}

func plainSums(dst []float64, p *Packed, first uint64, r Ratio) {
	if p.Width == 0 {
		plainFill(dst, math.Float64frombits(p.Base))
		plainSumsOf(dst, first, r)
		return
	}
	n := p.wholeLoads(len(dst))
	last := sumsOfLoads(dst[:n], p, first, r)
	if n < len(dst) {
		var memory [tailBytes]byte
		tail := p.tail(n, &memory)
		sumsOfLoads(dst[n:], &tail, last, r)
	}
}

// sumsOfLoads is plainSums where every load is whole. It returns the last sum.
func sumsOfLoads(dst []float64, p *Packed, i uint64, r Ratio) uint64 {
	data, bit, width, base := p.Data, p.Bit, p.Width, p.Base
	mask := uint64(1)<<width - 1
	if r.Div == 1 && r.Mul == 1 {
		for k := range dst {
			i += base + load(data, bit)&mask
			bit += width
			dst[k] = float64(int64(i))
		}
		return i
	}
	for k := range dst {
		i += base + load(data, bit)&mask
		bit += width
		dst[k] = float64(float64(int64(i)) / r.Div * r.Mul)
	}
	return i
}

func plainSumsOf(dst []float64, i uint64, r Ratio) {
	if r.Div == 1 && r.Mul == 1 {
		for k, d := range dst {
			i += math.Float64bits(d)
			dst[k] = float64(int64(i))
		}
		return
	}
	for k, d := range dst {
		i += math.Float64bits(d)
		dst[k] = float64(float64(int64(i)) / r.Div * r.Mul)
	}
}

func plainValuesOf(dst []float64, r Ratio) {
	switch {
	case r.Mul != 1:
		for k, i := range dst {
			dst[k] = float64(float64(int64(math.Float64bits(i))) / r.Div * r.Mul)
		}
	case r.Div != 1:
		for k, i := range dst {
			dst[k] = float64(int64(math.Float64bits(i))) / r.Div
		}
	default:
		for k, i := range dst {
			dst[k] = float64(int64(math.Float64bits(i)))
		}
	}
}

func plainDoubles(dst []float64, p *Packed, zeros uint) {
	plainInts(dst, p)
	zeros &= 63 // saves a comparison per value
	for i, v := range dst {
		dst[i] = canonical(math.Float64frombits(math.Float64bits(v) << zeros))
	}
}

func plainNudge(dst []float64, p *Packed) {
	var some [32]float64
	for from := 0; from < len(dst); from += len(some) {
		part := dst[from:min(from+len(some), len(dst))]
		by := some[:len(part)]
		rest := p.after(from)
		plainInts(by, &rest)
		for i, v := range part {
			part[i] = canonical(math.Float64frombits(math.Float64bits(v) + math.Float64bits(by[i])))
		}
	}
}

// plainAdd adds four values at a time as long as all are there.
func plainAdd(acc, values []float64) {
	for len(acc) >= 4 {
		a, v := acc[:4:4], values[:4:4]
		s0, s1, s2, s3 := a[0]+v[0], a[1]+v[1], a[2]+v[2], a[3]+v[3]
		if s0 == s0 && s1 == s1 && s2 == s2 && s3 == s3 {
			a[0], a[1], a[2], a[3] = s0, s1, s2, s3
		} else {
			addEach(a, v)
		}
		acc, values = acc[4:], values[4:]
	}
	addEach(acc, values)
}

func addEach(acc, values []float64) {
	for i, v := range values[:len(acc)] {
		switch a := acc[i]; {
		case a != a:
			acc[i] = v
		case v == v:
			acc[i] = a + v
		}
	}
}

func plainAddSame(acc []float64, v float64) {
	for i, a := range acc {
		acc[i] = plainSum(a, v)
	}
}

func plainFill(dst []float64, v float64) {
	for len(dst) >= 8 {
		d := dst[:8:8]
		d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = v, v, v, v, v, v, v, v
		dst = dst[8:]
	}
	for i := range dst {
		dst[i] = v
	}
}

// plainSpread goes from the end to the front, so that no value is overwritten
// before it was moved. No branch depends on a bit, since nobody can foresee it.
func plainSpread(dst []float64, bitmap []byte, present int, v float64) {
	next, gap := present, math.Float64bits(v)
	for k := len(bitmap) - 1; k >= 0; k-- {
		x := bitmap[k]
		part := dst[8*k : min(8*k+8, len(dst))]
		if x == 0xff {
			next -= 8
			copy(part, dst[next:next+8])
			continue
		}
		for i := len(part) - 1; i >= 0; i-- {
			bit := uint64(x>>i) & 1
			value := math.Float64bits(dst[max(next-1, 0)])
			part[i] = math.Float64frombits(value&-bit | gap&(bit-1))
			next -= int(bit)
		}
	}
}
