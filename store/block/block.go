// Package block keeps the values of one series over consecutive steps in few
// bytes, lossless and bit-exact.
//
// AppendTo chooses the smallest of a few forms, all built on one idea: a value
// is an integer divided by a known constant. Decode, and the accumulators Sum,
// Min, Max and Count, read a block; they never read outside src and never
// panic on corrupt bytes. FORMAT.md draws the bytes.
//
// Functions are safe for concurrent use as long as nobody writes to their
// arguments; none keeps a reference to them.
package block

import (
	"errors"
	"fmt"
	"math"

	"pulse/store/block/lanes"
)

const (
	// Size is the number of steps in a block of the store.
	Size = 120
	// MaxValues is the largest number of values that a block can hold.
	MaxValues = 256

	versionPlain  = 1 // integers above a base, or the doubles as they are
	versionLayers = 2 // with layers that take more bytes to tell of than they save for small or simple blocks
)

// ErrCorrupt is wrapped by every error about bytes that are no block.
var ErrCorrupt = errors.New("corrupt block")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// kind is how the present values are kept, the header's bits 0 and 1.
type kind uint8

const (
	absent kind = iota
	constant
	packed
	raw
	layered // version 2
)

// maskKind is how the absent positions are kept, the header's bits 2 and 3.
type maskKind uint8

const (
	maskNone maskKind = iota
	maskRuns
	maskBitmap
)

const maxWidth = lanes.MaxWidth

// AppendTo appends values encoded as one block to dst and returns the longer
// slice. NaN, whatever its bits, means no data. The step in milliseconds is a
// hint for compression: any number gives a correct block.
//
// len(values) must be 1 to MaxValues; anything else is a mistake of the caller
// and panics.
func AppendTo(dst []byte, values []float64, step int64) []byte {
	var e Encoder
	return e.AppendTo(dst, values, step)
}

// Decode reads one block of len(dst) values from the front of src into dst and
// returns what follows it. len(dst) must be what AppendTo was given: a block
// does not know its own length. On an error, which wraps ErrCorrupt, dst holds
// NaN only.
func Decode(dst []float64, src []byte) (rest []byte, err error) {
	if len(dst) > 0 && len(dst) <= MaxValues {
		if v, ok := small(src); ok {
			tier.Fill(dst, v)
			return src[smallBytes:], nil
		}
		var b simple
		if size := b.read(src, len(dst)); size > 0 {
			b.decode(dst)
			return src[size:], nil
		}
	}
	return decode(dst, src)
}

// decode is Decode for any block.
func decode(dst []float64, src []byte) (rest []byte, err error) {
	var b view
	rest, err = b.parse(src, len(dst))
	if err != nil {
		tier.Fill(dst, math.NaN())
		return nil, err
	}
	b.decode(dst)
	return rest, nil
}
