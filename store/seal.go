package store

import (
	"math"

	"pulse/store/block"
)

// sealer turns open blocks into arenas. Its buffers are used again.
type sealer struct {
	grid grid
	builder
	rows    [tile][block.Size]float64
	decoded miniLoad
}

// tile is how many neighbouring slots are transposed at once: one cache line
// of a column.
const tile = 8

// encode returns the arena of an open block's values. flags are the slots' at
// the time the block was closed.
func (s *sealer) encode(number int64, h *head, flags []uint8) *arena {
	s.reset()
	s.encodeSteps(h, 0, block.Size, flags, 0, len(flags))
	return s.build(primary, number, 1)
}

// encodeSteps appends the steps [first, end) of the slots [from, to), with the values
// that a query has.
func (s *sealer) encodeSteps(h *head, first, end int, flags []uint8, from, to int) {
	for base := from; base < to; base += tile {
		tileFlags, used := flags[base:min(base+tile, to)], uint(0)
		for pos := first; pos < end; {
			m, next := h.run(pos, end)
			if m.arena != nil {
				used |= s.decode(m, base, pos, next, pos-first, tileFlags)
			} else {
				used |= s.transpose(h.columns[pos:next], base, pos-first, tileFlags, true)
			}
			pos = next
		}
		s.appendTile(len(tileFlags), used, end-first)
	}
}

// encodeColumns appends all slots of columns, with the values of the head.
func (s *sealer) encodeColumns(columns []column, flags []uint8) {
	for base := 0; base < len(flags); base += tile {
		tileFlags := flags[base:min(base+tile, len(flags))]
		s.appendTile(len(tileFlags), s.transpose(columns, base, 0, tileFlags, false), len(columns))
	}
}

// appendTile appends the first steps of so many rows, those with data as used
// says.
func (s *sealer) appendTile(rows int, used uint, steps int) {
	for k := range rows {
		if used&(1<<k) == 0 {
			s.absent()
		} else {
			s.append(s.rows[k][:steps], s.grid.step)
		}
	}
}

// transpose fills rows, from step at on, with the slots from base on, as many as
// flags, and returns a bit for each that has data. Amounts are divided by the
// step's seconds if asked for.
func (s *sealer) transpose(columns []column, base, at int, flags []uint8, divide bool) (used uint) {
	for i, c := range columns {
		pos := at + i
		piece := base / pieceSlots
		if piece >= len(c) || c[piece].values == nil {
			for k := range flags {
				s.rows[k][pos] = math.NaN()
			}
			continue
		}
		values := c[piece].values[base%pieceSlots:][:tile]
		for k, v := range values[:len(flags)] {
			s.rows[k][pos] = v
			if v == v {
				used |= 1 << k
			}
		}
	}
	if !divide {
		return used
	}
	for k, f := range flags {
		if f&flagAmount != 0 && used&(1<<k) != 0 {
			row := s.rows[k][at : at+len(columns)]
			for i, v := range row {
				row[i] = v / s.grid.secs
			}
		}
	}
	return used
}

// decode is transpose from the steps [from, to) of a mini-block.
func (s *sealer) decode(m mini, base, from, to, at int, flags []uint8) (used uint) {
	d := &s.decoded
	for k := range flags {
		row := s.rows[k][at : at+to-from]
		if !m.load(d, uint32(base+k)) {
			fillNaN(row)
			continue
		}
		used |= 1 << k
		copy(row, d.row[from-m.from:])
	}
	return used
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
		p.unpack(g, b, 0, d.row[:], n)
	}
	return nil
}

// amount returns an amount that is v per second over a step, and the whole
// number that v came from when there is one.
func amount(v, secs float64) float64 {
	x := v * secs
	if r := math.Round(x); r/secs == v {
		return r
	}
	for _, near := range [...]float64{x, math.Nextafter(x, math.Inf(1)), math.Nextafter(x, math.Inf(-1))} {
		if near/secs == v {
			return near
		}
	}
	return x
}
