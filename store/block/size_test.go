package block_test

import (
	"fmt"
	"hash/crc32"
	"math"
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
	sum    uint32
	stored int // with their words, in which small ones are
}

func (s *size) add(b []byte, values int) {
	s.values += values
	s.bytes += len(b)
	s.sum = crc32.Update(s.sum, crc32.IEEETable, b)
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
// shows: how many, and a checksum of them.
func TestSizes(t *testing.T) {
	testkit.Run(t, "testdata/sizes.txt", func(*testing.T) func(*testkit.Command) string {
		return func(*testkit.Command) (out string) {
			var m mix
			for _, c := range gen.Classes() {
				s := sizeOf(c, 1, 8, 9)
				m.add(c, s)
				out += fmt.Sprintf("%-17s %6d bytes of %d values, checksum %08x\n", c.Name, s.bytes, s.values, s.sum)
			}
			return out + fmt.Sprintf("mix: %.6f bytes per value, with the directory %.6f\n", m.bytes/m.weight, m.stored/m.weight)
		}
	})
}

// mix is the bytes per value of classes by their weight in a fleet.
type mix struct{ bytes, stored, weight float64 }

func (m *mix) add(c gen.Class, s size) {
	w := float64(c.Weight)
	m.bytes += w * float64(s.bytes) / float64(s.values)
	m.stored += w * float64(s.stored) / float64(s.values)
	m.weight += w
}

// Bytes per value in the mix of a fleet, the mean over seeds.
const (
	fleetBytes  = 1.0057
	fleetStored = 1.0622
)

// TestSizeOfFleet: in the mix of a fleet values take what they always take,
// whatever the seed, without and with their share of the directory. The standard
// deviation between seeds is 0.25 % for so many series.
func TestSizeOfFleet(t *testing.T) {
	seed := rand.Uint64() >> 1
	var m mix
	for i, c := range gen.Classes() {
		s := sizeOf(c, seed+uint64(1000*i), 400, 1) // classes begin with the same draw
		m.add(c, s)
		t.Logf("%-17s weight %2d %8.4f", c.Name, c.Weight, float64(s.bytes)/float64(s.values))
	}
	bytes, stored := m.bytes/m.weight, m.stored/m.weight
	t.Logf("seed %d: blocks %.4f bytes per value, with their directory %.4f", seed, bytes, stored)
	if math.Abs(bytes/fleetBytes-1) > 0.02 || math.Abs(stored/fleetStored-1) > 0.02 {
		t.Errorf("seed %d: blocks take %.4f bytes per value and %.4f with their directory, want %.4f and %.4f within 2 %%", seed, bytes, stored, fleetBytes, fleetStored)
	}
}
