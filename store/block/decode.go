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

// present fills dst with present values, beginning with the one numbered from.
func (b *view) present(dst []float64, from int) {
	switch b.kind {
	case constant:
		fill(dst, b.constantValue())
	case packed:
		b.unpack(dst, from)
	case raw:
		for i := range dst {
			dst[i] = canonical(math.Float64frombits(binary.LittleEndian.Uint64(b.data[8*(from+i):])))
		}
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
// numbered from.
func (b *view) unpack(dst []float64, from int) {
	var memory [MaxValues]int64
	ints := memory[:len(dst)]
	b.unpackInts(ints, from)
	switch b.t.family {
	case whole:
		for j, i := range ints {
			dst[j] = float64(i)
		}
	case decimal, perSecond, perSecondFine:
		div := b.t.divisor()
		for j, i := range ints {
			dst[j] = float64(i) / div
		}
	case timer:
		s := float64(b.t.s)
		for j, i := range ints {
			dst[j] = float64(i) / s * nano
		}
	case squares:
		s := float64(b.t.s)
		for j, i := range ints {
			dst[j] = float64(i) / s * nanoSquared
		}
	case decimalAmount:
		p, s := pow10(b.t.k), float64(b.t.s)
		for j, i := range ints {
			dst[j] = float64(i) / p / s
		}
	case ieee:
		for j, i := range ints {
			dst[j] = canonical(math.Float64frombits(uint64(i) << b.t.zeros))
		}
	}
}

// unpackInts sets dst to base plus the packed integers, beginning with the one
// numbered from. It loads 8 bytes per value; the last values, near the end of
// data, are loaded from a copy with room behind it.
func (b *view) unpackInts(dst []int64, from int) {
	width, mask, base := b.width, uint64(1)<<b.width-1, b.base
	bit := from * width
	data := b.data
	// Values whose 8 bytes lie inside data.
	direct := 0
	if len(data) >= 8 {
		direct = ((len(data)-8)*8+7)/width + 1 - from
		direct = max(0, min(direct, len(dst)))
	}
	for j := range dst[:direct] {
		dst[j] = int64(base + binary.LittleEndian.Uint64(data[bit>>3:])>>(bit&7)&mask)
		bit += width
	}
	if direct == len(dst) {
		return
	}
	var tail [24]byte
	start := max(0, len(data)-16)
	copy(tail[:], data[start:])
	for j := direct; j < len(dst); j++ {
		dst[j] = int64(base + binary.LittleEndian.Uint64(tail[bit>>3-start:])>>(bit&7)&mask)
		bit += width
	}
}
