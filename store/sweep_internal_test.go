package store

import (
	"testing"

	"pulse/store/archive"
	"pulse/store/block"
)

// The word of a block of zeros is the one that encoding them gives.
func TestZeroWord(t *testing.T) {
	for _, n := range []int{miniSteps, block.Size} {
		data := block.AppendTo(nil, make([]float64, n), 10_000)
		if !block.Zero(data) {
			t.Fatalf("% x is no block of zeros", data)
		}
		if words, _ := archive.AppendWord(nil, data, 0); words[0] != zeroWord {
			t.Errorf("%d zeros: word %#x, want %#x", n, words[0], uint64(zeroWord))
		}
	}
}
