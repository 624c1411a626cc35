package store

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"pulse/store/block"
)

// miniSteps is how many steps are packed at once. A column takes 8 bytes a series,
// a step in a mini-block less than two; the fewer are packed at once, the fewer
// columns are there, and the more often is a mini-block made anew.
//
// halfSteps is the most that a mini-block has. A longer one would save little, and
// all of it is decoded each time that it grows.
const (
	miniSteps = 12
	halfSteps = block.Size / 2
)

// mini is the values of the steps [from, to) of an open block that nobody is likely
// to write any more: an arena whose blocks have as many values, those of a query. It
// lies in one half of the block and grows until it has all of that. When one of its
// steps is written after all, the columns come back.
type mini struct {
	*arena
	from, to int
}

// miniLoad is memory to decode mini-blocks into.
type miniLoad struct {
	row    [halfSteps]float64
	inline [8]byte
}

// load puts the values of slot n into d.row, and reports whether there is one.
func (m mini) load(d *miniLoad, n uint32) bool {
	word := m.word(n)
	if word == 0 {
		return false
	}
	if _, err := block.Decode(d.row[:m.to-m.from], m.block(word, &d.inline)); err != nil {
		panic(fmt.Sprintf("BUG: mini-block of slot %d: %v", n, err))
	}
	return true
}

// column is arena.column, for a step of the open block.
func (m mini) column(slots []uint32, pos int) []float64 {
	c := make([]float64, m.end())
	var d miniLoad
	for _, n := range slots {
		if int(n) < len(c) {
			c[n] = math.NaN()
			if m.load(&d, n) {
				c[n] = d.row[pos-m.from]
			}
		}
	}
	return c
}

// touch says that values at pos of b are about to be written, and sees to it that
// there is a column for them. The caller holds the lock.
func (p *partition) touch(g grid, b *openBlock, pos int) {
	b.writes[pos]++
	m := b.minis[pos/halfSteps]
	if pos < m.from || pos >= m.to {
		return
	}
	b.minis[pos/halfSteps] = mini{}
	var d miniLoad
	for n := range uint32(len(m.dir)) {
		if m.load(&d, n) {
			p.unpack(g, b, m.from, d.row[:m.to-m.from], n)
		}
	}
	p.pool.release(m)
}

// unpack puts values of a query of slot n into the columns from pos on.
func (p *partition) unpack(g grid, b *openBlock, pos int, values []float64, n uint32) {
	for i, v := range values {
		if v != v {
			continue
		}
		if p.flags[n]&flagAmount != 0 {
			v = amount(v, g.secs)
		}
		*p.cell(b, pos+i, n) = v
	}
}

const (
	packAtOnce = 8    // mini-blocks of partitions that one Advance makes, when not behind
	packSlots  = 1024 // slots encoded while the lock is held
)

// packer makes mini-blocks. Its buffers are used again.
type packer struct {
	sealer
	due []unpacked
}

// unpacked is the steps [from, to) of which a mini-block can be made: columns, and
// the mini-block that they were packed in so far.
type unpacked struct {
	p        *partition
	b        *openBlock
	from, to int
}

// packDue makes mini-blocks of steps that are too old to be written, of some
// partitions, unless values are being imported: those may be for any step.
func (s *Store) packDue(now int64) {
	if !s.importing.rests(now) {
		return
	}
	e := &s.packer
	e.due = e.due[:0]
	limit, sealable := s.packLimit(now), s.sealable(now)
	for i := range s.parts {
		e.due = s.parts[i].packable(e.due, s.grid, limit, sealable)
	}
	slices.SortStableFunc(e.due, func(a, b unpacked) int {
		return cmp.Or(cmp.Compare(a.b.number, b.b.number), a.to-b.to)
	})
	for _, u := range e.due[:min(len(e.due), max(packAtOnce, len(e.due)/8))] {
		e.pack(u)
	}
	clear(e.due)
}

// packLimit returns the first step that is kept in a column at now, with the
// reserve that sealable has.
func (s *Store) packLimit(now int64) int64 {
	return s.grid.floor(now-s.options.MaxPast) - s.grid.step
}

// packOld makes all the mini-blocks that there can be when the newest step of p
// ends now, so that a snapshot that was loaded does not take the memory of
// columns. Nobody else knows the partition yet.
func (p *partition) packOld(s *Store) {
	newest := int64(math.MinInt64)
	for _, b := range p.open {
		for pos, c := range b.columns {
			if len(c) > 0 {
				newest = max(newest, s.grid.stamp(b.number, pos))
			}
		}
	}
	if newest == math.MinInt64 {
		return
	}
	e := packer{sealer: sealer{grid: s.grid}}
	for _, u := range p.packable(nil, s.grid, s.packLimit(newest), math.MinInt64) {
		e.pack(u)
	}
}

// packable appends what can be packed: the steps that are stamped before limit,
// in blocks from the given number on: others are soon sealed.
func (p *partition) packable(due []unpacked, g grid, limit, from int64) []unpacked {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, b := range p.open {
		if b.number < from {
			continue
		}
		_, old := g.overlap(b.number, math.MinInt64, limit-g.step)
		old -= old % miniSteps
		for half, m := range b.minis {
			first, end := half*halfSteps, min(old, (half+1)*halfSteps)
			from, to := b.written(first, end)
			if from >= to {
				continue
			}
			if m.arena != nil {
				from, to = min(from, m.from), max(to, m.to)
			}
			due = append(due, unpacked{p, b, from, to})
		}
	}
	return due
}

// pack makes a mini-block, unless its steps are written meanwhile: the lock is held
// for a few slots at a time only.
func (e *packer) pack(u unpacked) {
	p, b := u.p, u.b
	e.reset()
	writes, slots := uint32(0), 1
	for from := 0; from < slots; from += packSlots {
		p.mu.RLock()
		if from == 0 {
			writes = b.writesTo(u.from, u.to)
		}
		if !u.unchanged(writes) {
			p.mu.RUnlock()
			return
		}
		slots = len(p.flags)
		e.encodeSteps(&b.head, u.from, u.to, p.flags, from, min(from+packSlots, slots))
		p.mu.RUnlock()
	}
	m := mini{e.build(primary, b.number, 1), u.from, u.to}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !u.unchanged(writes) {
		if m.blocks > 0 {
			m.hold.Release()
		}
		return
	}
	p.replace(b, m)
}

// unchanged reports whether the steps were written as often as then, and can still be
// packed. The caller holds the lock.
func (u *unpacked) unchanged(writes uint32) bool {
	return !u.b.sealing && u.b.writesTo(u.from, u.to) == writes && u.p.openBlock(u.b.number) == u.b
}

// replace puts m in place of the columns and the mini-block that have its steps. The
// caller holds the lock.
func (p *partition) replace(b *openBlock, m mini) {
	columns := b.columns[m.from:m.to]
	p.pool.put(columns)
	clear(columns)
	old := &b.minis[m.from/halfSteps]
	p.pool.release(*old)
	*old = mini{}
	if m.blocks > 0 {
		*old = m
		p.pool.packed.Add(m.bytes())
	}
}
