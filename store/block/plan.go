package block

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// attempt is the present values turned into integers by one transform, and the
// smallest way to keep these that was found.
type attempt struct {
	t      transform
	ints   [MaxValues]int64
	nudged bool
	nudges [MaxValues]int8 // ULP from what the integer stands for to the value
	bad    [MaxValues / patchShare]uint8
	nbad   int // values that the transform does not give back, the patches

	mode          mode
	plain         bool // of version 1
	first, second int64
	main          shape
	runs          shape // lengths
	nudge         shape
	size          int // bytes, without the mask and the first two
}

// course is what one pass over the integers tells about every mode.
type course struct {
	x, d extent // the integers, their differences
	runs int    // of equal integers
}

func courseOf(x []int64) course {
	c := course{x: extent{x[0], x[0]}, d: extent{math.MaxInt64, math.MinInt64}, runs: 1}
	last := x[0]
	for _, v := range x[1:] {
		d := v - last
		c.x.lo, c.x.hi = min(c.x.lo, v), max(c.x.hi, v)
		c.d.lo, c.d.hi = min(c.d.lo, d), max(c.d.hi, d)
		if d != 0 {
			c.runs++
		}
		last = v
	}
	return c
}

// differencesPay estimates from a few differences whether they are shorter than
// size bytes for all. A fixed width is at least a bit more than they take on
// average.
func differencesPay(x []int64, size int) bool {
	sum, n := 0, 0
	for i := 1; i < len(x); i += 5 {
		sum += 1 + bits.Len64(zigzag(x[i]-x[i-1]))
		n++
	}
	return sum*len(x) < 8*size*n
}

// directWins is the per cent of the direct mode's size that another one must
// stay below: the integers themselves are read twice as fast, at any place.
const directWins = 95

// plan finds the smallest way to keep the first m integers.
func (a *attempt) plan(m int, scratch *[MaxValues]int64) {
	x := a.ints[:m]
	c := courseOf(x)
	a.mode, a.plain = direct, false
	a.main = shapeOf(x, c.x, m-c.runs)
	size := a.main.size
	if m >= shortStream && c.runs > 1 {
		size = a.planModes(x, &c, scratch)
	}
	a.size = a.headSize() + size
	if a.nudged {
		n := scratch[:m]
		within := extent{maxULP, -maxULP}
		for i, v := range a.nudges[:m] {
			n[i] = int64(v)
			within.lo, within.hi = min(within.lo, n[i]), max(within.hi, n[i])
		}
		a.nudge = shapeOf(n, within, 0)
		a.size += a.nudge.size
	}
	if a.nudged || a.nbad > 0 {
		return
	}
	f := formOf(a.t, c.x, m)
	if f.width <= maxWidth && (f.size <= a.size || a.mode == direct && a.main.count == 0) {
		a.plain, a.size = true, f.size
		a.main.base, a.main.width = int64(f.base), f.width
	}
}

// planModes sets the mode to the smallest one and returns the bytes of the
// integers.
func (a *attempt) planModes(x []int64, c *course, scratch *[MaxValues]int64) int {
	best := a.main.size * directWins / 100
	found := a.main.size
	if size, main, runs := lengthsSize(c, x); size < best {
		best, found = size, size
		a.mode, a.main, a.runs = lengths, main, runs
	}
	if !differencesPay(x, best) {
		return found
	}
	d := differences(scratch, x)
	if main := shapeOf(d, c.d, 0); varintLen(x[0])+main.size < best {
		best = varintLen(x[0]) + main.size
		found = best
		a.mode, a.main, a.first = delta, main, x[0]
	}
	if !differencesPay(d, best) {
		return found
	}
	first := d[0]
	dd := differences(scratch, d)
	within := extentOf(dd)
	if within.width()*len(x)/8 >= best {
		return found
	}
	main := shapeOf(dd, within, 0)
	if size := varintLen(x[0]) + varintLen(first) + main.size; size < best {
		found = size
		a.mode, a.main, a.first, a.second = delta2, main, x[0], first
	}
	return found
}

// differences puts the differences of neighbours in x into out, which may be
// where x is.
func differences(out *[MaxValues]int64, x []int64) []int64 {
	last := x[0]
	for i, v := range x[1:] {
		out[i] = v - last
		last = v
	}
	return out[:len(x)-1]
}

func lengthsSize(c *course, x []int64) (size int, main, runs shape) {
	main = plainShape(c.runs, c.x)
	if c.runs > len(x)/2 || c.runs > math.MaxUint8 || main.size >= unusable {
		return unusable, main, runs
	}
	longest, start := 0, 0
	for i, v := range x {
		if v != x[start] {
			start = i
		}
		longest = max(longest, i-start)
	}
	runs = plainShape(c.runs, extent{0, int64(longest)})
	return 1 + main.size + runs.size, main, runs
}

// headSize returns the bytes of a layered block before its integers and nudges,
// without the mask and the first two.
func (a *attempt) headSize() int {
	size := 1
	if a.t.family == ieee {
		size++
	}
	if a.t.family.hasSeconds() {
		size += uvarintLen(a.t.s)
	}
	if a.nbad > 0 {
		size += 1 + 9*a.nbad
	}
	return size
}

// appendLayers appends what follows the mask.
func (e *Encoder) appendLayers(dst []byte, a *attempt) []byte {
	if a.t.family == ieee {
		dst = append(dst, a.t.zeros)
	}
	if a.t.family.hasSeconds() {
		dst = binary.AppendUvarint(dst, a.t.s)
	}
	if a.nbad > 0 {
		dst = append(dst, byte(a.nbad))
		dst = append(dst, a.bad[:a.nbad]...)
		for _, i := range a.bad[:a.nbad] {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.values[i]))
		}
	}
	if a.nudged {
		n := e.scratch[:e.m]
		for i, v := range a.nudges[:e.m] {
			n[i] = int64(v)
		}
		dst = a.nudge.appendStream(dst, n)
	}
	x := a.ints[:e.m]
	switch a.mode {
	case delta:
		dst = binary.AppendUvarint(dst, zigzag(a.first))
		x = differences(&e.scratch, x)
	case delta2:
		dst = binary.AppendUvarint(dst, zigzag(a.first))
		dst = binary.AppendUvarint(dst, zigzag(a.second))
		x = differences(&e.scratch, differences(&e.scratch, x))
	case lengths:
		return e.appendLengths(dst, a)
	}
	return a.main.appendStream(dst, x)
}

// appendLengths appends runs of equal integers.
func (e *Encoder) appendLengths(dst []byte, a *attempt) []byte {
	x := a.ints[:e.m]
	var starts [MaxValues / 2]uint8
	n := 0
	for i, v := range x {
		if i == 0 || v != x[i-1] {
			starts[n] = uint8(i)
			n++
		}
	}
	dst = append(dst, byte(n))
	for k, at := range starts[:n] {
		e.scratch[k] = x[at]
	}
	dst = a.main.appendStream(dst, e.scratch[:n])
	for k, at := range starts[:n] {
		end := e.m
		if k+1 < n {
			end = int(starts[k+1])
		}
		e.scratch[k] = int64(end - int(at) - 1)
	}
	return a.runs.appendStream(dst, e.scratch[:n])
}

// head returns the two bytes of a layered block behind its version.
func (a *attempt) head(mask maskKind) (first, second byte) {
	first = byte(a.mode) | byte(mask)<<maskShift
	if a.nudged {
		first |= layerULP
	}
	if a.nbad > 0 {
		first |= layerPatch
	}
	return first, byte(a.t.family) | a.t.k<<powerShift
}
