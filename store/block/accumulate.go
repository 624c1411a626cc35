package block

import (
	"fmt"

	"pulse/store/block/lanes"
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
	return SumOf(acc, src, Size, from, to, scratch)
}

// SumOf is Sum for a block of n values, n being Size or less.
func SumOf(acc []float64, src []byte, n, from, to int, scratch *[Size]float64) error {
	if check(acc, from, to); to > n {
		panic(fmt.Sprintf("BUG: steps [%d,%d) of a block of %d", from, to, n))
	}
	if v, ok := small(src); ok {
		tier.AddSame(acc, v)
		return nil
	}
	var b simple
	if b.read(src, n) > 0 {
		b.addTo(acc, from, scratch)
		return nil
	}
	return sum(acc, src, n, from, to, scratch)
}

// sum is SumOf for any block.
func sum(acc []float64, src []byte, n, from, to int, scratch *[Size]float64) error {
	var b view
	_, err := b.parse(src, n)
	if err != nil || b.kind == absent {
		return err
	}
	var r lanes.Ratio
	if b.adds() && b.t.ratio(&r) && to > from {
		b.l.integers(scratch[:to], b.src)
		tier.AddValuesOf(acc, scratch[from:to], &r)
		return nil
	}
	tier.Add(acc, b.window(scratch, from, to))
	return nil
}

// adds reports whether integers that are quick to unpack are all that a block is
// made of.
func (b *view) adds() bool {
	return b.kind == layered && b.mask == maskNone && b.l.mode == direct && !b.l.nudged && b.l.patched == 0
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
	tier.Fill(scratch[:b.m], 1) // whatever the values are
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
	check(acc, from, to)
	_, err := b.parse(src, Size)
	return err
}

// check panics unless acc is the steps [from, to) of a block.
func check(acc []float64, from, to int) {
	if from < 0 || to < from || to > Size || len(acc) != to-from {
		panic(fmt.Sprintf("BUG: steps [%d,%d) of %d into %d values", from, to, Size, len(acc)))
	}
}

// window decodes the steps [from, to) into scratch and returns them.
func (b *view) window(scratch *[Size]float64, from, to int) []float64 {
	switch {
	case b.mask != maskNone:
		b.decode(scratch[:b.n])
	case b.kind == layered:
		b.present(scratch[:to], 0) // integers may depend on those before
	default:
		b.present(scratch[from:to], from)
	}
	return scratch[from:to]
}
