package store

import "math"

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
