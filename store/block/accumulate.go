package block

import (
	"fmt"
)

// The accumulators fold the steps [from, to) of a block of Size values into
// acc, whose element i belongs to step from+i. NaN in acc means that nothing
// was folded into it yet; no data in the block changes nothing. A constant
// block is folded without being decoded. Nothing is allocated: scratch is
// working memory, and its contents are lost.
//
// 0 <= from <= to <= Size and len(acc) == to-from are for the caller to hold;
// anything else panics. On an error, which wraps ErrCorrupt, acc is unchanged.

// Sum adds the values of src to acc.
func Sum(acc []float64, src []byte, from, to int, scratch *[Size]float64) error {
	var b view
	err := b.open(acc, src, from, to)
	if err != nil || b.kind == absent {
		return err
	}
	if b.kind == constant && b.mask == maskNone {
		v := b.constantValue()
		for i, a := range acc {
			if a != a {
				acc[i] = v
			} else {
				acc[i] = a + v
			}
		}
		return nil
	}
	if b.mask == maskNone && b.t.addable() {
		switch {
		case b.kind == packed:
			b.t.convertAdd(acc, b.src[b.data:], uint(from*b.width), uint(b.width), b.base)
			return nil
		case b.kind == layered && !b.l.nudged && b.l.patched == 0 && to > from:
			b.l.integers(scratch[:to], b.src)
			b.t.addTo(acc, scratch[from:to])
			return nil
		}
	}
	values := b.window(scratch, from, to)[:len(acc)]
	for i, a := range acc {
		v := values[i]
		if s := a + v; s == s {
			acc[i] = s
		} else if a != a {
			acc[i] = v
		} else if v == v {
			acc[i] = s // infinities of both signs
		}
	}
	return nil
}

// Min lowers acc to the values of src.
func Min(acc []float64, src []byte, from, to int, scratch *[Size]float64) error {
	var b view
	err := b.open(acc, src, from, to)
	if err != nil || b.kind == absent {
		return err
	}
	if b.kind == constant && b.mask == maskNone {
		v := b.constantValue()
		for i, a := range acc {
			if !(a <= v) {
				acc[i] = v
			}
		}
		return nil
	}
	values := b.window(scratch, from, to)
	for i, v := range values[:len(acc)] {
		if a := acc[i]; v < a || a != a {
			acc[i] = v
		}
	}
	return nil
}

// Max raises acc to the values of src.
func Max(acc []float64, src []byte, from, to int, scratch *[Size]float64) error {
	var b view
	err := b.open(acc, src, from, to)
	if err != nil || b.kind == absent {
		return err
	}
	if b.kind == constant && b.mask == maskNone {
		v := b.constantValue()
		for i, a := range acc {
			if !(a >= v) {
				acc[i] = v
			}
		}
		return nil
	}
	values := b.window(scratch, from, to)
	for i, v := range values[:len(acc)] {
		if a := acc[i]; v > a || a != a {
			acc[i] = v
		}
	}
	return nil
}

// Count adds 1 to acc for each value that src has; a step that no block had a
// value for stays NaN. A block without a mask is counted without being decoded.
func Count(acc []float64, src []byte, from, to int, scratch *[Size]float64) error {
	var b view
	err := b.open(acc, src, from, to)
	if err != nil || b.kind == absent {
		return err
	}
	if b.mask == maskNone {
		for i, a := range acc {
			if a != a {
				acc[i] = 1
			} else {
				acc[i] = a + 1
			}
		}
		return nil
	}
	values := b.window(scratch, from, to)
	for i, v := range values[:len(acc)] {
		if a := acc[i]; v == v {
			if a != a {
				a = 0
			}
			acc[i] = a + 1
		}
	}
	return nil
}

func (b *view) open(acc []float64, src []byte, from, to int) error {
	if from < 0 || to < from || to > Size || len(acc) != to-from {
		panic(fmt.Sprintf("BUG: steps [%d,%d) of %d into %d values", from, to, Size, len(acc)))
	}
	_, err := b.parse(src, Size)
	return err
}

// window decodes the steps [from, to) into scratch and returns them.
func (b *view) window(scratch *[Size]float64, from, to int) []float64 {
	switch {
	case b.mask != maskNone:
		b.decode(scratch[:])
	case b.kind == layered:
		b.present(scratch[:to], 0) // integers may depend on those before
	default:
		b.present(scratch[from:to], from)
	}
	return scratch[from:to]
}
