package store

import (
	"math"
	"slices"

	"pulse/store/block"
)

// openBlock holds the values of one block's steps that can still change: a
// column per step, or a mini-block of several that are too old to be written.
type openBlock struct {
	number  int64
	sealing bool // it is being read without the lock and must not change
	head
	writes [block.Size]uint32 // how often somebody began to write a column
}

// head is the values of an open block. A step has a column, in the unit that its
// series are kept in, or is in the mini-block of its half.
type head struct {
	columns [block.Size]column
	minis   [2]mini
}

// run returns the longest run of steps from pos on, and before to, that are in one
// mini-block, or of which none is in one, and where it ends.
func (h *head) run(pos, to int) (m mini, end int) {
	for _, m := range h.minis {
		switch {
		case m.to <= pos:
		case m.from <= pos:
			return m, min(to, m.to)
		default:
			return mini{}, min(to, m.from)
		}
	}
	return mini{}, to
}

// written returns [from, to) without the steps at both ends that have no column.
func (h *head) written(from, to int) (int, int) {
	for from < to && len(h.columns[from]) == 0 {
		from++
	}
	for from < to && len(h.columns[to-1]) == 0 {
		to--
	}
	return from, to
}

// writesTo returns how often somebody began to write one of the steps [from, to).
func (b *openBlock) writesTo(from, to int) (n uint32) {
	for _, w := range b.writes[from:to] {
		n += w
	}
	return n
}

// openBlock returns the open block with the given number, nil when there is
// none.
func (p *partition) openBlock(number int64) *openBlock {
	for i := len(p.open) - 1; i >= 0; i-- {
		if p.open[i].number == number {
			return p.open[i]
		}
	}
	return nil
}

// insertOpen adds b in order of its number.
func (p *partition) insertOpen(b *openBlock) {
	i := len(p.open)
	for i > 0 && p.open[i-1].number > b.number {
		i--
	}
	p.open = slices.Insert(p.open, i, b)
}

// removeOpen takes b out and gives its columns back.
func (p *partition) removeOpen(b *openBlock) {
	p.open = slices.DeleteFunc(p.open, func(o *openBlock) bool { return o == b })
	p.pool.put(b.columns[:])
	for _, m := range b.minis {
		p.pool.release(m)
	}
	b.head = head{}
}

// cell returns where the value of slot n at pos of b is kept.
func (p *partition) cell(b *openBlock, pos int, n uint32) *float64 {
	i := int(n / pieceSlots)
	c := b.columns[pos]
	if i >= len(c) {
		c = append(c, make(column, i+1-len(c))...)
		b.columns[pos] = c
	}
	if c[i].values == nil {
		c[i] = p.pool.get()
	}
	return &c[i].values[n%pieceSlots]
}

func fillNaN(values []float64) {
	nan := math.NaN()
	for i := range values {
		values[i] = nan
	}
}
