package store

import (
	"math"
	"slices"

	"pulse/store/block"
)

// openBlock holds the values of one block's steps that can still change: a
// column per step, indexed by slot, NaN where there is no data. A column is
// nil until something is written, and shorter than the partition when series
// came after it.
type openBlock struct {
	number  int64
	sealing bool // columns are being read without the lock and must not change
	columns [block.Size][]float64
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

// removeOpen takes b out and keeps its columns for new steps.
func (p *partition) removeOpen(b *openBlock) {
	p.open = slices.DeleteFunc(p.open, func(o *openBlock) bool { return o == b })
	for _, c := range b.columns {
		if c != nil && len(p.spare) < block.Size {
			p.spare = append(p.spare, c)
		}
	}
}

// column returns the column at pos of b, long enough for slot n.
func (p *partition) column(b *openBlock, pos int, n uint32) []float64 {
	c := b.columns[pos]
	if int(n) < len(c) {
		return c
	}
	fresh := p.newColumn()
	copy(fresh, c)
	b.columns[pos] = fresh
	return fresh
}

// newColumn returns a column of NaN that has room for every slot and some to
// come.
func (p *partition) newColumn() []float64 {
	for len(p.spare) > 0 {
		c := p.spare[len(p.spare)-1]
		p.spare = p.spare[:len(p.spare)-1]
		if len(c) >= len(p.slots) {
			fillNaN(c)
			return c
		}
	}
	n := len(p.slots)
	c := make([]float64, (n+n/8+8)&^7)
	fillNaN(c)
	return c
}

func fillNaN(values []float64) {
	nan := math.NaN()
	for i := range values {
		values[i] = nan
	}
}

// headBytes returns the memory of the columns.
func (p *partition) headBytes() int64 {
	n := int64(0)
	for _, b := range p.open {
		for _, c := range b.columns {
			n += int64(len(c)) * 8
		}
	}
	for _, c := range p.spare {
		n += int64(len(c)) * 8
	}
	return n
}
