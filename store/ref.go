package store

import (
	"math"
	"math/bits"
)

// Ref names a series for the life of the process: its partition in the upper 6
// bits and its slot inside the partition in the lower 26. Ascending order is
// the order in which aggregates are folded.
type Ref uint32

const (
	// NoRef names no series.
	NoRef Ref = math.MaxUint32

	partitions = 64
	slotBits   = 26
	maxSlots   = 1<<slotBits - 1 // the last one would collide with NoRef
	slotMask   = 1<<slotBits - 1
)

func makeRef(partition int, slot uint32) Ref { return Ref(uint32(partition)<<slotBits | slot) }

func (r Ref) partition() int { return int(r >> slotBits) }
func (r Ref) slot() uint32   { return uint32(r) & slotMask }

// The index knows a series by its seat: the slot in the upper bits and the
// partition in the lower. Those that were created together have seats close to
// each other, whatever partitions their tags hash to, and so the sets of a
// sender's tags are a few stretches and not a few series here and there in each
// partition.

func (r Ref) seat() uint32      { return bits.RotateLeft32(uint32(r), 32-slotBits) }
func refOfSeat(seat uint32) Ref { return Ref(bits.RotateLeft32(seat, slotBits)) }
