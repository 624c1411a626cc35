package block

import (
	"encoding/binary"
	"math"

	"pulse/store/block/lanes"
)

// layered fills dst with the first len(dst) present values.
func (b *view) layered(dst []float64) {
	if len(dst) == 0 {
		return
	}
	l := &b.l
	b.layeredValues(dst)
	if l.nudged {
		l.nudges.nudge(dst, b.src)
	}
	for k := range l.patched {
		if place := int(b.src[l.places+k]); place < len(dst) {
			dst[place] = canonical(math.Float64frombits(binary.LittleEndian.Uint64(b.src[l.patches+8*k:])))
		}
	}
}

// layeredValues fills dst with what the integers stand for.
func (b *view) layeredValues(dst []float64) {
	l := &b.l
	var r lanes.Ratio
	switch {
	case l.mode == direct:
		l.main.convert(dst, b.src, b.t)
	case l.mode == delta && b.t.ratio(&r):
		dst[0] = r.Value(int64(l.first))
		if l.main.count == 0 {
			var p lanes.Packed
			l.main.packed(&p, b.src)
			tier.Sums(dst[1:], &p, l.first, &r)
			return
		}
		l.main.unpack(dst[1:], b.src)
		tier.SumsOf(dst[1:], l.first, &r)
	case l.mode == lengths:
		l.spreadLengths(dst, b.src, &b.t)
	default:
		l.integers(dst, b.src)
		b.t.values(dst)
	}
}

// integers puts integers into dst as stream.unpack does.
func (l *layers) integers(dst []float64, src []byte) {
	switch l.mode {
	case direct:
		l.main.unpack(dst, src)
	case delta:
		dst[0] = math.Float64frombits(l.first)
		l.main.unpack(dst[1:], src)
		i := l.first
		for k, d := range dst[1:] {
			i += math.Float64bits(d)
			dst[1+k] = math.Float64frombits(i)
		}
	case delta2:
		dst[0] = math.Float64frombits(l.first)
		if len(dst) == 1 {
			return
		}
		i, d := l.first+l.second, l.second
		dst[1] = math.Float64frombits(i)
		l.main.unpack(dst[2:], src)
		for k, dd := range dst[2:] {
			d += math.Float64bits(dd)
			i += d
			dst[2+k] = math.Float64frombits(i)
		}
	case lengths:
		l.spreadLengths(dst, src, nil)
	}
}

// spreadLengths fills dst with runs of integers, with t of their values.
func (l *layers) spreadLengths(dst []float64, src []byte, t *transform) {
	var some, sizes [16]float64
	var main, runs lanes.Packed
	l.main.packed(&main, src)
	l.runs.packed(&runs, src)
	for k := 0; len(dst) > 0; k += len(some) {
		n := min(len(some), int(l.main.n)-k)
		values := some[:n]
		main.Bit, runs.Bit = uint(k)*main.Width, uint(k)*runs.Width
		tier.Ints(values, &main)
		tier.Ints(sizes[:n], &runs)
		if t != nil {
			t.values(values)
		}
		for j, v := range values {
			size := min(int(math.Float64bits(sizes[j]))+1, len(dst))
			tier.Fill(dst[:size], v)
			dst = dst[size:]
		}
	}
}
