package block

import "math"

// Integers are unpacked in two steps: into the bits of doubles, at a place of
// their own each, and from there into values. Both loops are short, hold nothing
// but registers and know nothing of each other.

// unpack puts len(dst) integers, base and width bits of data more, from the
// given bit of data on, each into the bits of a double. Data must have them all.
func unpack(dst []float64, data []byte, bit, width uint, base uint64) {
	if width == 0 {
		fill(dst, math.Float64frombits(base))
		return
	}
	n := unpackLoads(dst, data, bit, width, base)
	if n == len(dst) {
		return
	}
	var memory [24]byte
	tail, first := tailOf(&memory, data, bit+uint(n)*width)
	unpackLoads(dst[n:], tail, first, width, base)
}

// tailOf copies the last bytes of data to where there is room behind them, since
// the last loads would reach beyond data, and returns the place of bit there.
func tailOf(memory *[24]byte, data []byte, bit uint) (tail []byte, first uint) {
	start := max(0, len(data)-16)
	copy(memory[:], data[start:])
	return memory[:], bit - 8*uint(start)
}

// wholeLoads returns how many of n integers lie in loads of 8 bytes that do not
// reach beyond data.
func wholeLoads(n int, data []byte, bit, width uint) int {
	end := uint(len(data)) * 8
	if end < bit+64 {
		return 0
	}
	return min(n, int((end-63-bit+width-1)/width))
}

// unpackLoads is unpack as far as whole loads of 8 bytes reach, and returns how
// many integers that were. A load gives 57 bits and so up to eight integers.
func unpackLoads(dst []float64, data []byte, bit, width uint, base uint64) int {
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

// unpackPlain is unpack, an integer at a time.
func unpackPlain(dst []float64, data []byte, bit, width uint, base uint64) {
	for i := range dst {
		dst[i] = math.Float64frombits(base + loadEnd(data, bit)&(1<<width-1))
		bit += width
	}
}
