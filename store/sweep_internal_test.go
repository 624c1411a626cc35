package store

import (
	"math"
	"testing"

	"pulse/store/archive"
	"pulse/store/block"
)

// The word of a block of zeros is the one that encoding them gives, and no other
// block has it.
func TestZeroWord(t *testing.T) {
	minus, nan := math.Copysign(0, -1), math.NaN()
	for _, n := range []int{miniSteps, block.Size} {
		for _, c := range []struct{ first, rest float64 }{{0, 0}, {minus, minus}, {minus, 0}, {0, minus}, {0, nan}, {nan, 0}, {nan, nan}, {0, 1}, {1, 1}} {
			values := make([]float64, n)
			for i := range values {
				values[i] = c.rest
			}
			values[0] = c.first
			words, _ := archive.AppendWord(nil, block.AppendTo(nil, values, 10_000), 0)
			zeros := math.Float64bits(c.first) == 0 && math.Float64bits(c.rest) == 0
			if (words[0] == zeroWord) != zeros {
				t.Errorf("%v and then %d of %v: word %#x, that of zeros is %#x", c.first, n-1, c.rest, words[0], uint64(zeroWord))
			}
		}
	}
}
