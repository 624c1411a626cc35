package store

import (
	"math"

	"pulse/store/block"
)

// sealer turns open blocks into arenas. Its buffers are used again.
type sealer struct {
	grid grid
	builder
	rows [tile][block.Size]float64
	none [tile]float64 // NaN
}

// tile is how many neighbouring slots are transposed at once: one cache line
// of a column.
const tile = 8

// encode returns the arena of a block's columns. flags are the slots' at the
// time the block was closed.
func (s *sealer) encode(number int64, columns *[block.Size]column, flags []uint8) *arena {
	s.reset()
	fillNaN(s.none[:])
	for base := 0; base < len(flags); base += tile {
		count := min(tile, len(flags)-base)
		used := s.transpose(columns, base, count)
		for k := range count {
			if used&(1<<k) == 0 {
				s.absent()
				continue
			}
			if flags[base+k]&flagAmount != 0 {
				s.divide(k)
			}
			s.append(&s.rows[k], s.grid.step)
		}
	}
	return s.build(primary, number, 1)
}

// transpose fills rows with the slots from base on and returns a bit for each
// that has data.
func (s *sealer) transpose(columns *[block.Size]column, base, count int) (used uint) {
	for pos, c := range columns {
		values := s.none[:]
		if i := base / pieceSlots; i < len(c) && c[i].values != nil {
			values = c[i].values[base%pieceSlots:][:tile]
		}
		for k, v := range values[:count] {
			s.rows[k][pos] = v
			if v == v {
				used |= 1 << k
			}
		}
	}
	return used
}

// divide turns the amounts of row k into values per second.
func (s *sealer) divide(k int) {
	for i, v := range s.rows[k] {
		s.rows[k][i] = v / s.grid.secs
	}
}

// reopen turns the sealed primary block at place i into an open one, so that
// its steps can be written again; only a clock that went back asks for it, so
// that it may read a file under the caller's lock.
func (p *partition) reopen(g grid, i int) *openBlock {
	a := p.sealed[primary][i]
	b := &openBlock{number: a.number}
	if !a.read(func() error { return p.unseal(g, a, b) }) {
		p.addGap(a.number)
		p.pool.put(b.columns[:])
		b = &openBlock{number: a.number}
	}
	p.removeSealed(primary, i)
	p.insertOpen(b)
	return b
}

// unseal puts the values of a into the columns of b.
func (p *partition) unseal(g grid, a *arena, b *openBlock) error {
	var d decoded
	for n := range uint32(min(a.end(), len(p.flags))) {
		if err := a.load(&d, n); err != nil {
			return err
		}
		for pos, v := range d.row {
			if v != v {
				continue
			}
			if p.flags[n]&flagAmount != 0 {
				v = amount(v, g.secs)
			}
			*p.cell(b, pos, n) = v
		}
	}
	return nil
}

// amount returns the amount that v per second is over a step, and the whole
// number that v came from when there is one.
func amount(v, secs float64) float64 {
	x := v * secs
	if r := math.Round(x); r/secs == v {
		return r
	}
	return x
}
