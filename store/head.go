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
	writes [minis]uint32 // how often somebody began to write the columns of a mini-block
}

// head is the values of an open block. A step has a column, in the unit that its
// series are kept in, or is in a mini-block.
type head struct {
	columns [block.Size]column
	minis   [minis]mini
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
