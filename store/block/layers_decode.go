package block

import (
	"encoding/binary"
	"math"
)

// layered fills dst with the first len(dst) present values.
func (b *view) layered(dst []float64) {
	if len(dst) == 0 {
		return
	}
	switch l := &b.l; {
	case l.mode == direct && l.main.count == 0:
		b.t.convert(dst, l.main.data, 0, uint(l.main.width), l.main.base)
	case l.mode == delta && b.t.addable():
		l.main.unpack(dst[1:])
		b.t.valuesOfDeltas(dst, l.first)
	default:
		l.integers(dst)
		b.t.values(dst)
	}
	if b.l.nudged {
		var memory [MaxValues]float64
		by := memory[:len(dst)]
		b.l.nudges.unpack(by)
		for i, v := range dst {
			dst[i] = canonical(math.Float64frombits(math.Float64bits(v) + math.Float64bits(by[i])))
		}
	}
	for k, place := range b.l.places {
		if int(place) < len(dst) {
			dst[place] = canonical(math.Float64frombits(binary.LittleEndian.Uint64(b.l.patches[8*k:])))
		}
	}
}

// integers puts integers into dst as stream.unpack does.
func (l *layers) integers(dst []float64) {
	switch l.mode {
	case direct:
		l.main.unpack(dst)
	case delta:
		dst[0] = math.Float64frombits(l.first)
		l.main.unpack(dst[1:])
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
		l.main.unpack(dst[2:])
		for k, dd := range dst[2:] {
			d += math.Float64bits(dd)
			i += d
			dst[2+k] = math.Float64frombits(i)
		}
	case lengths:
		var memory [MaxValues]float64
		values := memory[:l.main.n]
		l.main.unpack(values)
		for k, v := range values {
			n := min(int(l.runs.at(k))+1, len(dst))
			fill(dst[:n], v)
			dst = dst[n:]
		}
	}
}
