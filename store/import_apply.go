package store

import (
	"cmp"
	"math"
	"slices"
)

// applyImport puts the values of b where queries look for them, as the record
// of the log with the given number (0: none), of which partitions that took it
// before leave their part. now decides what is closed and what is too old.
//
// Values go to the finest tier that still has their time: into the head, where
// a column is open, and else into patches of sealed blocks. In a tier above the
// primary they give sum, count, min and max of as many primary values as they
// cover; those of a line that fall into one step of the tier replace it
// together. The tiers above are derived again, later.
func (s *Store) applyImport(b *ImportBatch, now int64, lsn uint64) ImportResult {
	im := s.importer()
	defer im.recycle()
	im.now, im.lsn = now, lsn
	s.importing.last.Store(now)
	for _, t := range s.Tiers() {
		im.from = append(im.from, t.From)
	}
	im.after, im.until = math.MaxInt64, dawn
	im.check = s.newImportCheck(now, im.from[len(im.from)-1], &im.result)
	var lines []int // those that have something to take
	for i := range b.Lines {
		if im.count(i, &b.Lines[i]) {
			lines = append(lines, i)
		}
	}
	slices.SortStableFunc(lines, func(i, k int) int { return cmp.Compare(b.Lines[i].Ref, b.Lines[k].Ref) })
	for len(lines) > 0 {
		part, n := b.Lines[lines[0]].Ref.partition(), 1
		for n < len(lines) && b.Lines[lines[n]].Ref.partition() == part {
			n++
		}
		for !im.partition(&s.parts[part], b.Lines, lines[:n]) {
		}
		lines = lines[n:]
	}
	if len(im.revived) > 0 {
		s.revive(im.revived)
	}
	return im.result
}

// importer applies one batch to one partition after the other.
type importer struct {
	store   *Store
	now     int64
	lsn     uint64
	check   importCheck
	from    []int64 // of each tier: what is stamped at or before it is gone
	result  ImportResult
	revived []Ref

	// Of the partition at hand, as it was when the values were put together.
	open    int64 // blocks from this number on are in the head,
	also    []int64
	after   int64 // all values are for steps in (after, until]
	until   int64
	pins    pins
	sealed  [maxTiers][]*arena // pinned
	head    []headValue
	patches map[patchKey]*patcher
	spare   []*patcher
	newest  map[uint32]int64 // last step by slot

	// Of the series at hand.
	slot    uint32
	every   int64 // step of the line at hand
	rows    [maxTiers]importRow
	cell    importCell
	scratch decoded
}

// importer returns one, with memory of those that are done.
func (s *Store) importer() *importer {
	if im, ok := s.importers.Get().(*importer); ok {
		return im
	}
	return &importer{store: s, patches: map[patchKey]*patcher{}, newest: map[uint32]int64{}}
}

func (im *importer) recycle() {
	im.clear()
	if len(im.spare) > maxSpare || cap(im.head) > maxSpare {
		return // an import of years must not pin memory for ever
	}
	*im = importer{store: im.store, patches: im.patches, newest: im.newest, spare: im.spare, head: im.head, from: im.from[:0], also: im.also}
	im.store.importers.Put(im)
}

// maxSpare is how many patchers, and values of the head, are kept.
const maxSpare = 4096

// clear drops what was put together of a partition.
func (im *importer) clear() {
	for _, p := range im.patches {
		p.reset()
		p.slots = p.slots[:0]
		im.spare = append(im.spare, p)
	}
	clear(im.patches)
	im.head, im.rows, im.cell.tier = im.head[:0], [maxTiers]importRow{}, 0
}

// headValue is a value for an open block.
type headValue struct {
	slot  uint32
	step  int64
	value float64
}

type patchKey struct {
	tier   int
	number int64
}

// importRow is a block of the series that is being changed.
type importRow struct {
	used   bool
	skip   bool // the block has the values already
	number int64
	step   int64 // of the line that began to change it, by which its values are probably counted
	cells  cells // of the primary, only the first row: the values
}

// importCell is a step of a tier while values for it are gathered.
type importCell struct {
	tier                  int // 0: none
	stamp                 int64
	sum, count, low, high float64
}

// count decides how many values of line i are taken, and reports whether any.
func (im *importer) count(i int, l *ImportLine) bool {
	every, ok := im.check.line(i, l)
	if !ok {
		return false
	}
	taken, good := 0, int64(0)
	for k, t := range l.Times {
		if v := l.Values[k]; v == v && im.check.time(i, t, every, good) {
			taken++
			good = t
			im.after, im.until = min(im.after, t-every), max(im.until, t)
		}
	}
	im.result.Accepted += taken
	return taken > 0
}

// partition applies the given lines, all of p and ascending by series. It
// returns false when p has changed while they were put together, and nothing
// was applied.
func (im *importer) partition(p *partition, all []ImportLine, lines []int) bool {
	s := im.store
	p.mu.RLock()
	if im.lsn != 0 && im.lsn <= p.applied {
		p.mu.RUnlock()
		return true
	}
	im.look(p)
	p.mu.RUnlock()
	defer im.pins.drop()
	if im.pins.read(func() error { return im.build(all, lines) }) != nil {
		return false // something is unreadable, and absent from now on
	}
	p.mu.Lock()
	if !im.current(p) {
		p.mu.Unlock()
		return false
	}
	for _, v := range im.head {
		number, _ := s.grid.place(v.step)
		if b := p.openBlock(number); b != nil && b.sealing {
			p.mu.Unlock()
			s.encoding.Lock()
			//lint:ignore SA2001 it waits until the block is sealed
			s.encoding.Unlock()
			return false
		}
	}
	im.apply(p)
	p.mu.Unlock()
	return true
}

// look takes down what p is like. The caller holds the lock.
func (im *importer) look(p *partition) {
	s := im.store
	im.open, im.also = s.sealable(im.now), im.also[:0]
	for _, b := range p.open {
		im.also = append(im.also, b.number)
	}
	var ends [maxTiers]int
	for k, t := range s.tiers {
		im.pins.take(p, k, t.grid, im.after, im.until+t.grid.step)
		ends[k] = len(im.pins.arenas)
	}
	for k, from := 0, 0; k < len(s.tiers); k++ {
		im.sealed[k] = im.pins.arenas[from:ends[k]]
		from = ends[k]
	}
	clear(im.newest)
}

// current reports whether p is still what it was when it was looked at, as far
// as the values are concerned. The caller holds the lock.
func (im *importer) current(p *partition) bool {
	if !slices.EqualFunc(p.open, im.also, func(b *openBlock, number int64) bool { return b.number == number }) {
		return false
	}
	for key := range im.patches {
		var then *arena
		if i, found := searchArena(im.sealed[key.tier], key.number); found {
			then = im.sealed[key.tier][i]
		}
		now := p.arenaOf(key.tier, key.number)
		if now != nil && now.lost() {
			now = nil // as for pins
		}
		if now != then {
			return false
		}
	}
	return true
}

// apply makes what was put together readable. The caller holds the lock of p.
func (im *importer) apply(p *partition) {
	s := im.store
	for _, v := range im.head {
		number, pos := s.grid.place(v.step)
		b := p.openBlock(number)
		if b == nil {
			if im.lsn != 0 && p.covers(number, im.lsn) {
				continue // it was sealed with the values, after this record
			}
			b = s.open(p, number, im.now)
		}
		value := v.value
		if p.flags[v.slot]&flagAmount != 0 {
			value = amount(value, s.grid.secs)
		}
		p.touch(s.grid, b, pos)
		*p.cell(b, pos, v.slot) = value
	}
	if im.lsn != 0 {
		p.applied = im.lsn // not before: what was sealed to open others takes the rest
	}
	for tier := range s.tiers {
		patches := map[int64]*patch{}
		for key, pt := range im.patches {
			if key.tier == tier {
				patches[key.number] = pt.patch(blocksPer(tier))
				s.changed(p, tier, key.number, patches[key.number].slots, im.now)
			}
		}
		if len(patches) > 0 {
			p.putPatches(tier, patches, im.lsn)
			s.importing.first.CompareAndSwap(0, im.now)
		}
	}
	for n, last := range im.newest {
		p.slots[n].last = max(p.slots[n].last, last)
		if f := p.flags[n]; f&flagDead != 0 || f&flagFaded != 0 && last > im.from[primary] {
			im.revived = append(im.revived, makeRef(p.number, n))
		}
	}
}
