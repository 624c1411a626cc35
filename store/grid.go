package store

import (
	"pulse/store/block"
	"pulse/store/step"
)

// grid is the arithmetic of steps and blocks. Blocks of 120 steps start at
// multiples of their length; since a step is stamped with its end, the first
// stamp of a block is its start plus one step and the last is its end.
type grid struct {
	step int64
	secs float64 // step in seconds
}

func newGrid(step int64) grid { return grid{step, float64(step) / 1000} }

// place returns the block of the step stamped t and its position in there.
func (g grid) place(t int64) (number int64, pos int) {
	i := t/g.step - 1
	number = i / block.Size
	if i%block.Size < 0 {
		number--
	}
	return number, int(i - number*block.Size)
}

// stamp returns the step at pos of a block.
func (g grid) stamp(number int64, pos int) int64 {
	return (number*block.Size + int64(pos) + 1) * g.step
}

// end returns the last stamp of a block.
func (g grid) end(number int64) int64 { return g.stamp(number, block.Size-1) }

// overlap returns the positions [from, to) of a block whose stamps are in
// (start, end].
func (g grid) overlap(number, start, end int64) (from, to int) {
	first := g.stamp(number, 0)
	if start >= first {
		from = int(min(block.Size, (start-first)/g.step+1))
	}
	to = int(min(block.Size, (end-first)/g.step+1))
	if end < first {
		to = 0
	}
	return from, max(from, to)
}

func (g grid) floor(t int64) int64 { return step.Floor(t, g.step) }
func (g grid) ceil(t int64) int64  { return step.Ceil(t, g.step) }
