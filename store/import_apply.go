package store

import (
	"cmp"
	"math"
	"slices"
	"sync"
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
	im := importers.Get().(*importer)
	defer im.recycle()
	im.store, im.now, im.lsn = s, now, lsn
	for _, t := range s.Tiers() {
		im.from = append(im.from, t.From)
	}
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
	pins    pins
	sealed  [maxTiers][]*arena // pinned
	head    []headValue
	patches map[patchKey]*patcher
	spare   []*patcher
	newest  map[uint32]int64 // last step by slot

	// Of the series at hand.
	slot    uint32
	rows    [maxTiers]importRow
	cell    importCell
	scratch decoded
}

// importers keeps the memory of importers that are done.
var importers = sync.Pool{New: func() any { return &importer{patches: map[patchKey]*patcher{}, newest: map[uint32]int64{}} }}

func (im *importer) recycle() {
	im.clear()
	if len(im.spare) > maxSpare || cap(im.head) > maxSpare {
		return // an import of years must not pin memory for ever
	}
	*im = importer{patches: im.patches, newest: im.newest, spare: im.spare, head: im.head, from: im.from[:0], also: im.also}
	importers.Put(im)
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
	taken := 0
	for k, t := range l.Times {
		if v := l.Values[k]; v == v && im.check.time(i, t, every) {
			taken++
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
	changes := p.changes
	im.look(p)
	p.mu.RUnlock()
	defer im.pins.drop()
	if im.pins.read(func() error { return im.build(all, lines) }) != nil {
		return false // something is unreadable, and absent from now on
	}
	p.mu.Lock()
	if p.changes != changes {
		p.mu.Unlock()
		return false
	}
	for _, v := range im.head {
		number, _ := s.grid.place(v.step)
		if b := p.openBlock(number); b != nil && b.sealing {
			p.mu.Unlock()
			s.encoding.Lock() // until it is sealed
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
		im.pins.take(p, k, t.grid, dawn, math.MaxInt64/4)
		ends[k] = len(im.pins.arenas)
	}
	for k, from := 0, 0; k < len(s.tiers); k++ {
		im.sealed[k] = im.pins.arenas[from:ends[k]]
		from = ends[k]
	}
	clear(im.newest)
}

// build puts the lines together as head values and patches.
func (im *importer) build(all []ImportLine, lines []int) error {
	im.clear()
	for i, n := range lines {
		l := &all[n]
		if i > 0 && all[lines[i-1]].Ref != l.Ref {
			if err := im.flush(); err != nil {
				return err
			}
		}
		im.slot = l.Ref.slot()
		if err := im.line(l); err != nil {
			return err
		}
	}
	return im.flush()
}

// line takes up the values of one line, in the order of time. Of several for
// one time the last holds.
func (im *importer) line(l *ImportLine) error {
	every := or(l.Step, im.check.primary)
	times, values := l.Times, l.Values
	if !slices.IsSorted(times) {
		order := make([]int, len(times))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(times[a], times[b]) })
		times, values = make([]int64, len(order)), make([]float64, len(order))
		for i, n := range order {
			times[i], values[i] = l.Times[n], l.Values[n]
		}
	}
	last := int64(dawn)
	for i, t := range times {
		v := values[i]
		if v != v || t <= im.check.oldest || t > im.check.newest || t%every != 0 {
			continue
		}
		if i+1 < len(times) && times[i+1] == t && values[i+1] == values[i+1] {
			continue
		}
		last = t
		if err := im.value(t-every, t, v); err != nil {
			return err
		}
	}
	im.newest[im.slot] = max(im.newest[im.slot], last)
	return im.endCell()
}

// value takes up v for all steps in (start, end], from the finest tier that has
// them down.
func (im *importer) value(start, end int64, v float64) error {
	for k, from := range im.from {
		at := max(start, from)
		if at >= end {
			continue
		}
		var err error
		if k == primary {
			err = im.steps(at, end, v)
		} else {
			err = im.cells(k, at, end, v)
		}
		if err != nil || at == start {
			return err
		}
		end = at
	}
	return nil
}

// steps sets the primary steps in (start, end] to v.
func (im *importer) steps(start, end int64, v float64) error {
	g := im.store.grid
	for t := start + g.step; t <= end; t += g.step {
		number, pos := g.place(t)
		if number >= im.open || slices.Contains(im.also, number) {
			im.head = append(im.head, headValue{im.slot, t, v})
			continue
		}
		row, err := im.row(primary, number)
		if err != nil {
			return err
		}
		row.cells.rows[0][pos] = v
	}
	return nil
}

// cells gathers v, for the primary steps in (start, end], in the steps of a
// coarser tier.
func (im *importer) cells(tier int, start, end int64, v float64) error {
	g := im.store.tiers[tier].grid
	for at := start; at < end; {
		stamp := g.floor(at) + g.step
		to := min(stamp, end)
		c := &im.cell
		if c.tier != tier || c.stamp != stamp {
			if err := im.endCell(); err != nil {
				return err
			}
			*c = importCell{tier: tier, stamp: stamp, low: v, high: v}
		}
		n := float64((to - at) / im.store.grid.step)
		c.sum += v * n
		c.count += n
		c.low, c.high = min(c.low, v), max(c.high, v)
		at = to
	}
	return nil
}

// endCell puts what was gathered for a step into its block.
func (im *importer) endCell() error {
	c := im.cell
	if c.tier == 0 {
		return nil
	}
	im.cell.tier = 0
	number, pos := im.store.tiers[c.tier].grid.place(c.stamp)
	row, err := im.row(c.tier, number)
	if err == nil {
		row.cells.set(pos, c.sum, c.count, c.low, c.high)
	}
	return err
}

// row returns the block of the series that has the given number, to be
// changed.
func (im *importer) row(tier int, number int64) (*importRow, error) {
	r := &im.rows[tier]
	if r.used && r.number == number {
		return r, nil
	}
	if err := im.end(tier); err != nil {
		return nil, err
	}
	r.used, r.skip, r.number = true, false, number
	n := blocksPer(tier)
	if p := im.patches[patchKey{tier, number}]; p != nil {
		if i := len(p.slots) - 1; p.slots[i] == im.slot { // an earlier line came by
			a := arena{tier: tier, number: number, fields: n, dir: p.words[i*n:], data: p.data}
			return r, im.load(r, &a, 0)
		}
	}
	list := im.sealed[tier]
	i, found := searchArena(list, number)
	if !found {
		r.cells.clear()
		return r, nil
	}
	im.pins.at = list[i]
	r.skip = im.lsn != 0 && list[i].applied >= im.lsn
	return r, im.load(r, list[i], im.slot)
}

// load sets the cells of r to what slot n has in a.
func (im *importer) load(r *importRow, a *arena, n uint32) error {
	for f := range a.fields {
		if _, err := a.loadField(&im.scratch, n, f); err != nil {
			return err
		}
		r.cells.rows[f] = im.scratch.row
	}
	return nil
}

// end puts the block of the series in a tier, if one is being changed, into its
// patch.
func (im *importer) end(tier int) error {
	r := &im.rows[tier]
	if !r.used {
		return nil
	}
	r.used = false
	if r.skip {
		return nil
	}
	key := patchKey{tier, r.number}
	p := im.patches[key]
	if p == nil {
		if k := len(im.spare) - 1; k >= 0 {
			p, im.spare = im.spare[k], im.spare[:k]
		} else {
			p = &patcher{}
		}
		im.patches[key] = p
	}
	n := blocksPer(tier)
	if i := len(p.slots) - 1; i >= 0 && p.slots[i] == im.slot {
		p.slots, p.words = p.slots[:i], p.words[:i*n]
	}
	p.slots = append(p.slots, im.slot)
	if tier == primary {
		p.value(&r.cells.rows[0], im.store.grid.step)
	} else {
		p.cells(&r.cells, im.store.grid.step)
	}
	return nil
}

// flush ends what there is of the series at hand.
func (im *importer) flush() error {
	err := im.endCell()
	for tier := range im.store.tiers {
		if err == nil {
			err = im.end(tier)
		}
	}
	return err
}

// apply makes what was put together readable. The caller holds the lock of p.
func (im *importer) apply(p *partition) {
	s := im.store
	if im.lsn != 0 {
		p.applied = im.lsn
	}
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
		*p.cell(b, pos, v.slot) = value
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
			s.importing.Add(int64(len(patches)))
			p.putPatches(tier, patches, im.lsn)
		}
	}
	for n, last := range im.newest {
		p.slots[n].last = max(p.slots[n].last, last)
		if f := p.flags[n]; f&flagDead != 0 || f&flagFaded != 0 && last > im.from[primary] {
			im.revived = append(im.revived, makeRef(p.number, n))
		}
	}
}
