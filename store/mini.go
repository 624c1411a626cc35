package store

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"pulse/store/block"
)

// miniSteps is how many neighbouring steps make a mini-block. A column takes 8
// bytes a series, a step in a mini-block less than two; the shorter mini-blocks
// are, the fewer columns are there, and the more bytes and time a step takes in
// a mini-block.
const (
	miniSteps = 15
	minis     = block.Size / miniSteps // in a block
)

// mini is the values of some steps of an open block that nobody is likely to
// write any more: an arena whose blocks have miniSteps values, those of a query.
// When a step is written after all, the columns come back.
type mini struct{ *arena }

// load puts the values of slot n into row, and reports whether there is one.
func (m mini) load(row *[miniSteps]float64, inline *[8]byte, n uint32) bool {
	word := m.word(n)
	if word == 0 {
		return false
	}
	if _, err := block.Decode(row[:], m.block(word, inline)); err != nil {
		panic(fmt.Sprintf("BUG: mini-block of slot %d: %v", n, err))
	}
	return true
}

// column is arena.column.
func (m mini) column(slots []uint32, pos int) []float64 {
	c := make([]float64, m.end())
	var d miniLoad
	for _, n := range slots {
		if int(n) < len(c) {
			c[n] = math.NaN()
			if m.load(&d.row, &d.inline, n) {
				c[n] = d.row[pos]
			}
		}
	}
	return c
}

// miniLoad is memory to decode mini-blocks into.
type miniLoad struct {
	row    [miniSteps]float64
	inline [8]byte
}

// touch says that values at pos of b are about to be written, and sees to it that
// there is a column for them. The caller holds the lock.
func (p *partition) touch(g grid, b *openBlock, pos int) {
	k := pos / miniSteps
	b.writes[k]++
	m := b.minis[k]
	if m.arena == nil {
		return
	}
	b.minis[k] = mini{}
	var d miniLoad
	for n := range uint32(len(m.dir)) {
		if !m.load(&d.row, &d.inline, n) {
			continue
		}
		for i, v := range d.row {
			if v != v {
				continue
			}
			if p.flags[n]&flagAmount != 0 {
				v = amount(v, g.secs)
			}
			*p.cell(b, k*miniSteps+i, n) = v
		}
	}
	p.pool.release(m)
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

// unpacked is the columns of a mini-block that can be made.
type unpacked struct {
	p *partition
	b *openBlock
	k int
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
		return cmp.Or(cmp.Compare(a.b.number, b.b.number), a.k-b.k)
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
		for k := range minis {
			if b.number >= from && g.stamp(b.number, (k+1)*miniSteps-1) < limit && written(b.columns[k*miniSteps:(k+1)*miniSteps]) {
				due = append(due, unpacked{p, b, k})
			}
		}
	}
	return due
}

// written reports whether any of the columns has values.
func written(columns []column) bool {
	for _, c := range columns {
		if len(c) > 0 {
			return true
		}
	}
	return false
}

// pack turns columns into a mini-block, unless they are written meanwhile: the
// lock is held for a few slots at a time only.
func (e *packer) pack(u unpacked) {
	p, b, k := u.p, u.b, u.k
	columns := b.columns[k*miniSteps : (k+1)*miniSteps]
	e.reset()
	writes, slots := uint32(0), 1
	for from := 0; from < slots; from += packSlots {
		p.mu.RLock()
		if from == 0 {
			writes = b.writes[k]
		}
		if b.sealing || b.writes[k] != writes || p.openBlock(b.number) != b {
			p.mu.RUnlock()
			return
		}
		slots = len(p.flags)
		e.encodeColumns(columns, p.flags, from, min(from+packSlots, slots), true)
		p.mu.RUnlock()
	}
	m := mini{e.build(primary, b.number, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.sealing || b.writes[k] != writes || p.openBlock(b.number) != b {
		if m.blocks > 0 {
			m.hold.Release()
		}
		return
	}
	p.pool.put(columns)
	clear(columns)
	if m.blocks > 0 {
		b.minis[k] = m
		p.pool.packed.Add(m.bytes())
	}
}
