package lanes

import "math"

// plainInts is Ints.
func plainInts(dst []float64, p *Packed) {
	if p.Width == 0 {
		plainFill(dst, math.Float64frombits(p.Base))
		return
	}
	n := intsOfLoads(dst, p)
	if n < len(dst) {
		var memory [tailBytes]byte
		tail := p.tail(n, &memory)
		intsOfLoads(dst[n:], &tail)
	}
}

// intsOfLoads is plainInts as far as whole loads reach, and returns how many
// integers that were. A load gives 57 bits and so up to eight integers.
func intsOfLoads(dst []float64, p *Packed) int {
	data, bit, width, base := p.Data, p.Bit, p.Width, p.Base
	n, end := 0, uint(len(data))*8
	if end < 64 {
		return 0
	}
	end -= 63 // a load may begin before
	mask := uint64(1)<<width - 1
	w := width & 63 // saves a comparison in each shift
	if width <= 7 {
		for ; n+8 <= len(dst) && bit < end; n += 8 {
			x := load(data, bit)
			d := dst[n : n+8 : n+8]
			d[0] = math.Float64frombits(base + x&mask)
			x >>= w
			d[1] = math.Float64frombits(base + x&mask)
			x >>= w
			d[2] = math.Float64frombits(base + x&mask)
			x >>= w
			d[3] = math.Float64frombits(base + x&mask)
			x >>= w
			d[4] = math.Float64frombits(base + x&mask)
			x >>= w
			d[5] = math.Float64frombits(base + x&mask)
			x >>= w
			d[6] = math.Float64frombits(base + x&mask)
			x >>= w
			d[7] = math.Float64frombits(base + x&mask)
			bit += 8 * width
		}
	}
	if width <= 14 {
		for ; n+4 <= len(dst) && bit < end; n += 4 {
			x := load(data, bit)
			d := dst[n : n+4 : n+4]
			d[0] = math.Float64frombits(base + x&mask)
			x >>= w
			d[1] = math.Float64frombits(base + x&mask)
			x >>= w
			d[2] = math.Float64frombits(base + x&mask)
			x >>= w
			d[3] = math.Float64frombits(base + x&mask)
			bit += 4 * width
		}
	}
	if width <= 28 {
		for ; n+2 <= len(dst) && bit < end; n += 2 {
			x := load(data, bit)
			d := dst[n : n+2 : n+2]
			d[0] = math.Float64frombits(base + x&mask)
			d[1] = math.Float64frombits(base + x>>w&mask)
			bit += 2 * width
		}
	}
	for ; n < len(dst) && bit < end; n++ {
		dst[n] = math.Float64frombits(base + load(data, bit)&mask)
		bit += width
	}
	return n
}
