package block

import "math"

// Unit is the arithmetic that made the values of a block from integers. Sums
// of such values are exact when the integers are added, and are blocks as small
// as those they came from.
type Unit struct {
	t transform
}

// noUnit is the unit of values that are no integers of a known kind.
var noUnit = Unit{transform{family: ieee}}

// Known reports whether the values were made from integers at all.
func (u Unit) Known() bool { return u.t.family != ieee }

// Integer returns the integer that v, a value of the block, was made from. It
// is exact for integers below 2^50.
func (u Unit) Integer(v float64) float64 {
	if u.t.family == whole {
		return v
	}
	return math.RoundToEven(v * u.t.scale())
}

// Value returns the value of an integer, whose magnitude must be below 2^53.
func (u Unit) Value(i float64) float64 { return u.t.value(int64(i)) }

// DecodeUnit is Decode, and returns the unit of the values.
func DecodeUnit(dst []float64, src []byte) (unit Unit, rest []byte, err error) {
	var b view
	rest, err = b.parse(src, len(dst))
	if err != nil {
		tier.Fill(dst, math.NaN())
		return noUnit, nil, err
	}
	b.decode(dst)
	if b.kind == absent || b.kind == raw || b.l.nudged || b.l.patched > 0 {
		return noUnit, rest, nil
	}
	return Unit{b.t}, rest, nil
}

// Length returns how many bytes of src the block of n values at its front has.
func Length(src []byte, n int) (int, error) {
	var b view
	rest, err := b.parse(src, n)
	if err != nil {
		return 0, err
	}
	return len(src) - len(rest), nil
}
