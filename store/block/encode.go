package block

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Encoder encodes blocks one after the other in the same working memory. The
// zero value is ready to use, by one goroutine at a time.
type Encoder struct {
	n       int                // values in all
	m       int                // present values
	same    bool               // the present values are equal, bit for bit
	runs    int                // runs of absent values
	values  [MaxValues]float64 // present values
	present [MaxValues / 8]byte
	runAt   [MaxValues]uint8 // where each run begins and ends, inclusive
	runEnd  [MaxValues]uint8
	scratch [MaxValues]int64

	step   int64
	ladder [4 + maxDecimal + 2*maxFine]transform // to try for blocks of step, by scale
	rungs  int                                   // of the ladder

	attempts [2]attempt
	best     int  // attempt, or -1: the doubles as they are
	patched  bool // an attempt with patches was made
}

// AppendTo is the function AppendTo.
func (e *Encoder) AppendTo(dst []byte, values []float64, step int64) []byte {
	if len(values) < 1 || len(values) > MaxValues {
		panic(fmt.Sprintf("BUG: block of %d values, want 1 to %d", len(values), MaxValues))
	}
	if !e.loadConstant(values) {
		e.load(values)
	}
	return e.appendTo(dst, step)
}

// loadConstant takes values if all of them are present and equal, bit for bit,
// which is the most common case.
func (e *Encoder) loadConstant(values []float64) bool {
	first := math.Float64bits(values[0])
	for _, v := range values {
		if math.Float64bits(v) != first {
			return false
		}
	}
	if values[0] != values[0] {
		return false
	}
	e.n, e.m, e.same = len(values), len(values), true
	e.values[0] = values[0] // the others are not read
	return true
}

// load splits values into mask and present values.
func (e *Encoder) load(values []float64) {
	e.n, e.m, e.runs, e.same = len(values), len(values), 0, false
	for _, v := range values {
		if v != v {
			e.loadGaps(values)
			return
		}
	}
	copy(e.values[:], values)
}

// loadGaps is load where some are absent.
func (e *Encoder) loadGaps(values []float64) {
	e.m, e.same = 0, true
	e.present = [MaxValues / 8]byte{}
	inRun := false
	for i, v := range values {
		if v != v {
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

func (e *Encoder) appendTo(dst []byte, step int64) []byte {
	if e.m == 0 {
		return append(dst, versionPlain, byte(absent))
	}
	mask := e.maskKind()
	e.choose(step)
	if e.best < 0 {
		dst = append(dst, versionPlain, byte(raw)|byte(mask)<<2)
		dst = e.appendMask(dst, mask)
		for _, v := range e.values[:e.m] {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		}
		return dst
	}
	a := &e.attempts[e.best]
	if a.plain {
		f := form{t: a.t, base: uint64(a.main.base), width: a.main.width}
		dst = append(dst, versionPlain, byte(f.kind())|byte(mask)<<2|byte(f.t.family)<<4)
		dst = f.appendTransform(e.appendMask(dst, mask))
		if f.width > 0 {
			dst = append(dst, byte(f.width))
			dst = packAbove(dst, a.ints[:e.m], a.main.base, f.width)
		}
		return dst
	}
	first, second := a.head(mask)
	dst = append(dst, versionLayers, first, second)
	return e.appendLayers(e.appendMask(dst, mask), a)
}

func (e *Encoder) maskKind() maskKind {
	switch {
	case e.m == e.n:
		return maskNone
	case 1+2*e.runs < (e.n+7)/8:
		return maskRuns
	}
	return maskBitmap
}

func (e *Encoder) appendMask(dst []byte, mask maskKind) []byte {
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
