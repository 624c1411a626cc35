package block

import (
	"encoding/binary"
	"math"
)

// decode fills dst, of n values.
func (b *view) decode(dst []float64) {
	switch {
	case b.kind == absent:
		fill(dst, math.NaN())
	case b.mask == maskNone:
		b.present(dst, 0)
	default:
		var memory [MaxValues]float64
		values := memory[:b.m]
		b.present(values, 0)
		b.scatter(dst, values)
	}
}

// present fills dst with present values, beginning with the one numbered from,
// which is 0 in a layered block.
func (b *view) present(dst []float64, from int) {
	switch b.kind {
	case constant:
		fill(dst, b.constantValue())
	case packed:
		b.unpack(dst, from, false)
	case raw:
		for i := range dst {
			dst[i] = canonical(math.Float64frombits(binary.LittleEndian.Uint64(b.data[8*(from+i):])))
		}
	case layered:
		b.layered(dst)
	}
}

// scatter spreads the present values over dst, with NaN where there is none.
func (b *view) scatter(dst, values []float64) {
	if b.mask == maskRuns {
		at := 0
		for i := 0; i < len(b.runs); i += 2 {
			run, size := int(b.runs[i]), int(b.runs[i+1])+1
			n := copy(dst[at:run], values)
			values = values[n:]
			fill(dst[run:run+size], math.NaN())
			at = run + size
		}
		copy(dst[at:], values)
		return
	}
	next := 0
	for i := range dst {
		if b.bitmap[i>>3]>>(i&7)&1 == 0 {
			dst[i] = math.NaN()
			continue
		}
		dst[i] = values[next]
		next++
	}
}

// unpack fills dst with the values of a packed block, beginning with the one
// numbered from, or adds them to it. Values are loaded 8 bytes at a time; the
// last ones, whose 8 bytes would reach beyond data, are read from a copy with
// room behind it.
func (b *view) unpack(dst []float64, from int, add bool) {
	bit := from * b.width
	direct := 0
	if len(b.data) >= 8 {
		direct = ((len(b.data)-8)*8+7)/b.width + 1 - from
		direct = max(0, min(direct, len(dst)))
		b.convert(dst[:direct], b.data, bit, add)
	}
	if direct == len(dst) {
		return
	}
	var tail [24]byte
	start := max(0, len(b.data)-16)
	copy(tail[:], b.data[start:])
	b.convert(dst[direct:], tail[:], bit+direct*b.width-8*start, add)
}

// convert fills dst with the values packed in data from a bit on, or adds them
// to it; the 8 bytes from the start of each value lie inside data. There is one
// loop for each arithmetic, so that nothing is decided per value.
func (b *view) convert(dst []float64, data []byte, first int, add bool) {
	if add {
		b.add(dst, data, first)
		return
	}
	bit, width, base, mask := uint(first), uint(b.width), b.base, uint64(1)<<b.width-1
	switch b.t.family {
	case whole:
		for j := range dst {
			dst[j] = float64(int64(base + load(data, bit)&mask))
			bit += width
		}
	case decimal, perSecond, perSecondFine:
		div := b.t.divisor()
		for j := range dst {
			dst[j] = float64(int64(base+load(data, bit)&mask)) / div
			bit += width
		}
	case timer:
		s := float64(b.t.s)
		for j := range dst {
			dst[j] = float64(int64(base+load(data, bit)&mask)) / s * nano
			bit += width
		}
	case ieee:
		for j := range dst {
			dst[j] = canonical(math.Float64frombits((base + load(data, bit)&mask) << b.t.zeros))
			bit += width
		}
	default:
		for j := range dst {
			dst[j] = b.t.value(int64(base + load(data, bit)&mask))
			bit += width
		}
	}
}

// addable reports whether unpack can add the values of the block.
func (b *view) addable() bool {
	return b.kind == packed && b.mask == maskNone && b.t.family <= perSecondFine
}

// add is convert for the sums of addable blocks, of which no value is NaN.
func (b *view) add(acc []float64, data []byte, first int) {
	bit, width, base, mask := uint(first), uint(b.width), b.base, uint64(1)<<b.width-1
	if b.t.family == whole {
		for j, a := range acc {
			v := float64(int64(base + load(data, bit)&mask))
			bit += width
			if a != a {
				acc[j] = v
			} else {
				acc[j] = a + v
			}
		}
		return
	}
	div := b.t.divisor()
	for j, a := range acc {
		v := float64(int64(base+load(data, bit)&mask)) / div
		bit += width
		if a != a {
			acc[j] = v
		} else {
			acc[j] = a + v
		}
	}
}

// load returns the 57 or more bits of data that begin at bit.
func load(data []byte, bit uint) uint64 {
	i := bit >> 3
	return binary.LittleEndian.Uint64(data[i:i+8]) >> (bit & 7)
}
