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
	check(acc, from, to)
	v, same, values, err := read(src, from, to, scratch)
	if same {
		for i, a := range acc {
			if !(a <= v) {
				acc[i] = v
			}
		}
	}
	for i, v := range values {
		if a := acc[i]; v < a || a != a {
			acc[i] = v
		}
	}
	return err
}

// Max raises acc to the values of src.
func Max(acc []float64, src []byte, from, to int, scratch *[Size]float64) error {
	check(acc, from, to)
	v, same, values, err := read(src, from, to, scratch)
	if same {
		for i, a := range acc {
			if !(a >= v) {
				acc[i] = v
			}
		}
	}
	for i, v := range values {
		if a := acc[i]; v > a || a != a {
			acc[i] = v
		}
	}
	return err
}

// read decodes the steps [from, to) of a block of Size values: one value that all of
// them have, or values in scratch, or neither where there is no data.
func read(src []byte, from, to int, scratch *[Size]float64) (v float64, same bool, values []float64, err error) {
	if v, same = small(src); same {
		return v, true, nil, nil
	}
	var b simple
	switch {
	case b.read(src, Size) == 0:
		return readAny(src, from, to, scratch)
	case b.kind == ofOne:
		return b.r.Value(int64(b.ints.Base)), true, nil, nil
	case to == 0:
		return 0, false, nil, nil
	}
	b.decode(scratch[:to])
	return 0, false, scratch[from:to], nil
}

// readAny is read for any block.
func readAny(src []byte, from, to int, scratch *[Size]float64) (v float64, same bool, values []float64, err error) {
	var b view
	_, err = b.parse(src, Size)
	switch {
	case err != nil || b.kind == absent:
		return 0, false, nil, err
	case b.kind == constant && b.mask == maskNone:
		return b.constantValue(), true, nil, nil
	}
	return 0, false, b.window(scratch, from, to), nil
}

// Count adds 1 to acc for each value that src has; a step that no block had a
// value for stays NaN. No value is decoded.
func Count(acc []float64, src []byte, from, to int, scratch *[Size]float64) error {
	check(acc, from, to)
	_, all := small(src)
	if !all {
		var b simple
		all = b.read(src, Size) > 0
	}
	if all {
		countAll(acc)
		return nil
	}
	var b view
	_, err := b.parse(src, Size)
	if err != nil || b.kind == absent {
		return err
	}
	if b.mask == maskNone {
		countAll(acc)
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

// countAll adds 1 to acc.
func countAll(acc []float64) {
	for i, a := range acc {
		if a != a {
			a = 0
		}
		acc[i] = a + 1
	}
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
