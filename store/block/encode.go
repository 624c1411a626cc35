package block

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// encoder holds the working memory of one AppendTo; it lives on the stack.
type encoder struct {
	n       int                // values in all
	m       int                // present values
	same    bool               // the present values are equal, bit for bit
	runs    int                // runs of absent values
	values  [MaxValues]float64 // present values
	present [MaxValues / 8]byte
	runAt   [MaxValues]uint8 // where each run begins and ends, inclusive
	runEnd  [MaxValues]uint8
	ints    [MaxValues]int64
	diffs   [MaxValues]uint64 // of best: each integer less base
	best    form
}

// form is one way to keep the present values, with what it costs.
type form struct {
	kind  kind
	t     transform
	base  uint64 // two's complement except in ieee
	width int
	size  int // bytes after the mask
}

// loadConstant takes values if all of them are present and equal, bit for bit,
// which is the most common case.
func (e *encoder) loadConstant(values []float64) bool {
	first := math.Float64bits(values[0])
	for _, v := range values {
		if math.Float64bits(v) != first || v != v {
			return false
		}
	}
	e.n, e.m, e.same = len(values), len(values), true
	e.values[0] = values[0] // the others are not read
	return true
}

// load splits values into mask and present values.
func (e *encoder) load(values []float64) {
	e.n, e.same = len(values), true
	inRun := false
	for i, v := range values {
		if math.IsNaN(v) {
			if !inRun {
				e.runAt[e.runs] = uint8(i)
				e.runs++
				inRun = true
			}
			e.runEnd[e.runs-1] = uint8(i)
			continue
		}
		inRun = false
		e.present[i>>3] |= 1 << (i & 7)
		e.values[e.m] = v
		e.same = e.same && math.Float64bits(v) == math.Float64bits(e.values[0])
		e.m++
	}
}

func (e *encoder) appendTo(dst []byte, step int64) []byte {
	if e.m == 0 {
		return append(dst, version, byte(absent))
	}
	mask := e.maskKind()
	e.choose(step)
	f := &e.best
	dst = append(dst, version, byte(f.kind)|byte(mask)<<2|byte(f.t.family)<<4)
	dst = e.appendMask(dst, mask)
	if f.kind == raw {
		for _, v := range e.values[:e.m] {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		}
		return dst
	}
	dst = f.appendTransform(dst)
	if f.kind == packed {
		dst = append(dst, byte(f.width))
		dst = pack(dst, e.diffs[:e.m], f.width)
	}
	return dst
}

func (e *encoder) maskKind() maskKind {
	switch {
	case e.m == e.n:
		return maskNone
	case 1+2*e.runs < (e.n+7)/8:
		return maskRuns
	}
	return maskBitmap
}

func (e *encoder) appendMask(dst []byte, mask maskKind) []byte {
	switch mask {
	case maskRuns:
		dst = append(dst, byte(e.runs))
		for i := range e.runs {
			dst = append(dst, e.runAt[i], e.runEnd[i]-e.runAt[i])
		}
	case maskBitmap:
		dst = append(dst, e.present[:(e.n+7)/8]...)
	}
	return dst
}

// choose sets best to the smallest form. A candidate is tried on a few values
// before it is tried on all. Divisors are tried from the smallest up, and one
// that works ends the search among its kin, since a larger one only makes the
// same integers longer.
func (e *encoder) choose(step int64) {
	values := e.values[:e.m]
	if e.same {
		values = values[:1]
	}
	e.best = form{kind: raw, size: 8 * e.m}
	e.offerBits(values)
	var memory [sampledNonZero]float64
	sample := sampleOf(memory[:0], values)
	if e.try(transform{family: whole}, sample, values) {
		return
	}
	found := e.tryPowers(decimal, 0, sample, values)
	if step < 1000 || step%1000 != 0 || step/1000 > maxSeconds {
		return
	}
	s := uint64(step / 1000)
	if s > 1 {
		found = e.try(transform{family: perSecond, s: s}, sample, values) ||
			e.tryPowers(perSecondFine, s, sample, values) ||
			e.tryPowers(decimalAmount, s, sample, values) || found
	}
	if !found {
		_ = e.try(transform{family: timer, s: s}, sample, values) ||
			e.try(transform{family: squares, s: s}, sample, values)
	}
}

// sampleOf appends the first few values that are not zero, which every divisor
// suits.
func sampleOf(dst, values []float64) []float64 {
	for _, v := range values {
		if v == 0 {
			continue
		}
		if dst = append(dst, v); len(dst) == cap(dst) {
			break
		}
	}
	return dst
}

// tryPowers tries the powers of ten of a family.
func (e *encoder) tryPowers(f family, s uint64, sample, values []float64) bool {
	for k := uint8(1); k <= f.maxPower(); k++ {
		if e.try(transform{family: f, k: k, s: s}, sample, values) {
			return true
		}
	}
	return false
}

// try offers the form of t if t gives back every value, and reports whether it
// does.
func (e *encoder) try(t transform, sample, values []float64) bool {
	if !t.invert(e.ints[:], sample) || !t.invert(e.ints[:], values) {
		return false
	}
	lo, hi := e.ints[0], e.ints[0]
	for _, i := range e.ints[1:len(values)] {
		lo, hi = min(lo, i), max(hi, i)
	}
	width := bits.Len64(uint64(hi - lo))
	if !e.better(t, uint64(lo), width, len(values)) {
		return true
	}
	for j, i := range e.ints[:len(values)] {
		e.diffs[j] = uint64(i - lo)
	}
	return true
}

// offerBits offers the form that keeps the bits of the doubles.
func (e *encoder) offerBits(values []float64) {
	var b [MaxValues]uint64
	t := invertBits(b[:], values)
	lo, hi := b[0], b[0]
	for _, u := range b[1:len(values)] {
		lo, hi = min(lo, u), max(hi, u)
	}
	width := bits.Len64(hi - lo)
	if width > maxWidth || !e.better(t, lo, width, len(values)) {
		return
	}
	for j, u := range b[:len(values)] {
		e.diffs[j] = u - lo
	}
}

// better makes the form the best one if it is smaller than what is best so
// far, or equal and simpler than bits. The differences are left to the caller.
func (e *encoder) better(t transform, base uint64, width, m int) bool {
	f := form{kind: packed, t: t, base: base, width: width}
	f.size = f.transformSize() + 1 + (m*width+7)/8
	if width == 0 {
		f.kind, f.size = constant, f.transformSize()
	}
	if f.size > e.best.size || f.size == e.best.size && e.best.t.family != ieee && e.best.kind != raw {
		return false
	}
	e.best.kind, e.best.t, e.best.base, e.best.width, e.best.size = f.kind, t, base, width, f.size
	return true
}
