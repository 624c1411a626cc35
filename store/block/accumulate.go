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
	addTo(acc, b.window(scratch, from, to))
	return nil
}

// addTo adds values to acc, four at a time as long as all are there.
func addTo(acc, values []float64) {
	values = values[:len(acc)]
	for len(acc) >= 4 {
		a, v := acc[:4:4], values[:4:4]
		s0, s1, s2, s3 := a[0]+v[0], a[1]+v[1], a[2]+v[2], a[3]+v[3]
		if s0 == s0 && s1 == s1 && s2 == s2 && s3 == s3 {
			a[0], a[1], a[2], a[3] = s0, s1, s2, s3
		} else {
			addPlain(a, v)
		}
		acc, values = acc[4:], values[4:]
	}
	addPlain(acc, values)
}

// addPlain is addTo, a value at a time.
func addPlain(acc, values []float64) {
	for i, v := range values[:len(acc)] {
		switch a := acc[i]; {
		case a != a:
			acc[i] = v
		case v == v:
			acc[i] = a + v
		}
	}
}

// Zero reports whether src is the block of zeros that AppendTo writes, which is
// the most common block and changes a sum only where nothing else was added: it
// is enough to add one of them, at any time, for all.
func Zero(src []byte) bool {
	return len(src) == 3 && src[0] == versionPlain && src[1] == byte(constant) && src[2] == 0
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
// value for stays NaN. No value is decoded.
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
	fill(scratch[:b.m], 1) // whatever the values are
	b.spread(scratch[:])
	for i, v := range scratch[from:to] {
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
