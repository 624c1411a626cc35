package block_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pulse/bench/gen"
	"pulse/bench/testkit"
	"pulse/store/block"
)

// inline is how many bytes of a block fit its word in a directory.
const inline = 7

// size is what blocks take.
type size struct {
	values int
	bytes  int // of the blocks
	stored int // with their words, in which small ones are
}

func (s *size) add(b []byte, values int) {
	s.values += values
	s.bytes += len(b)
	s.stored += 8
	if len(b) > inline {
		s.stored += len(b)
	}
}

// sizeOf encodes blocks of series of a class.
func sizeOf(c gen.Class, seed uint64, series, blocks int) size {
	var s size
	var buf []byte
	for i := range uint64(series) {
		for v := c.Series(seed+i, blocks*block.Size, 60_000); len(v) > 0; v = v[block.Size:] {
			buf = block.AppendTo(buf[:0], v[:block.Size], 60_000)
			s.add(buf, block.Size)
		}
	}
	return s
}

// TestSizes pins the bytes of fixed series, so that a change of a single one
// shows.
func TestSizes(t *testing.T) {
	testkit.Run(t, "testdata/sizes.txt", func(*testing.T) func(*testkit.Command) string {
		return func(*testkit.Command) (out string) {
			for _, c := range gen.Classes() {
				s := sizeOf(c, 1, 8, 9)
				out += fmt.Sprintf("%-17s %6d bytes of %d values\n", c.Name, s.bytes, s.values)
			}
			return out
		}
	})
}

// TestSizeOfFleet: in the mix of a fleet a value takes little whatever the seed,
// with its share of the directory.
func TestSizeOfFleet(t *testing.T) {
	seed := rand.Uint64() >> 1
	bytes, stored, weight := 0.0, 0.0, 0.0
	for _, c := range gen.Classes() {
		s := sizeOf(c, seed, 400, 1)
		w := float64(c.Weight)
		bytes += w * float64(s.bytes) / float64(s.values)
		stored += w * float64(s.stored) / float64(s.values)
		weight += w
		t.Logf("%-17s weight %2.0f %8.4f", c.Name, w, float64(s.bytes)/float64(s.values))
	}
	bytes, stored = bytes/weight, stored/weight
	t.Logf("seed %d: blocks %.4f bytes per value, with their directory %.4f", seed, bytes, stored)
	if bytes > 1.03 || stored > 1.09 {
		t.Errorf("seed %d: blocks take %.4f bytes per value and %.4f with their directory, want at most 1.03 and 1.09", seed, bytes, stored)
	}
}
