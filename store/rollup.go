package store

import (
	"math"
	"slices"

	"pulse/store/block"
)

// A coarser tier is derived from the one before it, a block time at a time,
// when all steps of that time are sealed there. What has to be derived, again
// when something below has changed, is noted in the partition with the change
// (partition.changed) and done by Advance in small portions.

// stale says that a coarse block is not what the tier before it gives.
type stale struct {
	slots []uint32 // those that are not, ascending; nil: all
	since int64    // time of the first import that was the reason; 0: there is another one, too
}

const (
	rollSlots  = 1 << 11 // slots that one Advance derives at least, when there is something to do
	rollBlocks = 1 << 16 // finer blocks that it reads for them, about
)

// changed notes that the blocks of the next tier have to be derived from the
// given block of p: for some slots, or for all (nil). now is the time of an
// import, 0 for anything else. The caller holds the lock of p.
func (s *Store) changed(p *partition, tier int, number int64, slots []uint32, now int64) {
	if tier+1 >= len(s.tiers) {
		return
	}
	t := s.tiers[tier+1]
	first, _ := t.grid.place(t.grid.ceil(s.tiers[tier].grid.stamp(number, 0)))
	last, _ := t.grid.place(t.grid.ceil(s.tiers[tier].grid.end(number)))
	for n := first; n <= last; n++ {
		s.spoil(p, tier+1, n, slots, now)
	}
}

// spoil notes that a block of a tier has to be derived. The caller holds the
// lock of p.
func (s *Store) spoil(p *partition, tier int, number int64, slots []uint32, now int64) {
	if p.stale[tier] == nil {
		p.stale[tier] = map[int64]stale{}
	}
	old, found := p.stale[tier][number]
	switch {
	case !found:
		old = stale{slots, now}
	case old.slots == nil || slots == nil:
		old.slots = nil
	default:
		old.slots = union(old.slots, slots)
	}
	if now == 0 {
		old.since = 0
	}
	p.stale[tier][number] = old
}

// union returns the slots that are in a or b, which are ascending; a itself when
// it has all of them.
func union(a, b []uint32) []uint32 {
	all := true
	for _, n := range b {
		if _, found := slices.BinarySearch(a, n); !found {
			all = false
			break
		}
	}
	if all {
		return a
	}
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// rollup is a coarse block of one partition that is being derived.
type rollup struct {
	store  *Store
	tier   int // 0: none under way
	p      *partition
	number int64
	slots  []uint32 // nil: all up to end
	end    int
	next   int // index of slots, or a slot
	failed bool

	applied uint64 // the last record that may be in what is derived

	pins    pins     // of the tier before, and of what is there now
	fine    []*arena // the first of them
	before  *arena   // the last of them, nil: nothing is there now
	patcher patcher
	cells   cells
	part    cells
	old     cells
	scratch decoded
}

// begin takes up the derivation of a block that is noted as stale.
func (u *rollup) begin(s *Store, t task) {
	p := &s.parts[t.part]
	u.store, u.tier, u.p, u.number = s, t.tier, p, t.number
	u.next, u.failed = 0, false
	u.patcher.reset()
	u.patcher.also = s.tiers[t.tier-1].grid.step
	u.patcher.slots = u.patcher.slots[:0]
	g := s.tiers[t.tier].grid
	end := g.end(t.number)
	start := end - block.Size*g.step
	p.mu.Lock()
	defer p.mu.Unlock()
	u.applied = p.applied
	u.slots = p.stale[t.tier][t.number].slots
	delete(p.stale[t.tier], t.number)
	u.pins.take(p, t.tier-1, s.tiers[t.tier-1].grid, start, end)
	u.fine, u.before, u.end = u.pins.arenas, nil, 0
	u.pins.take(p, t.tier, g, start, end)
	for i, a := range u.pins.arenas {
		u.end = max(u.end, a.end())
		if i == len(u.fine) {
			u.before = a
		}
	}
	u.fine = u.pins.arenas[:len(u.fine)]
	if u.slots != nil {
		u.end = len(u.slots)
	}
}

// portion derives up to the given number of slots and returns how many it did.
func (u *rollup) portion(slots int) int {
	from, to := u.next, min(u.end, u.next+slots)
	err := u.pins.read(func() error { return u.derive(to) })
	u.failed = err != nil // something is unreadable, and absent from now on
	return u.next - from
}

// derive puts together the slots up to the given one.
func (u *rollup) derive(to int) error {
	for ; u.next < to; u.next++ {
		n := uint32(u.next)
		if u.slots != nil {
			n = u.slots[u.next]
		}
		if err := u.slot(n); err != nil {
			return err
		}
	}
	return nil
}

// slot puts together the cells of slot n.
func (u *rollup) slot(n uint32) error {
	t, fine := u.store.tiers[u.tier], u.store.tiers[u.tier-1]
	first := t.grid.stamp(u.number, 0) - t.grid.step + fine.grid.step // the first finer step
	u.cells.clear()
	for _, a := range u.fine {
		u.pins.at = a
		from := int((fine.grid.stamp(a.number, 0) - first) / fine.grid.step)
		if err := u.add(a, n, from, int(t.each)); err != nil {
			return err
		}
	}
	if u.before != nil {
		u.pins.at = u.before
		if err := loadCells(&u.old, u.before, &u.scratch, n); err != nil {
			return err
		}
		u.cells.keep(&u.old)
	}
	if u.cells.empty() && u.slots == nil {
		for range fields {
			u.patcher.absent()
		}
		return nil
	}
	u.patcher.slots = append(u.patcher.slots, n)
	u.patcher.cells(&u.cells, u.store.grid.step)
	return nil
}

// add folds the values that slot n has in the finer block a.
func (u *rollup) add(a *arena, n uint32, from, each int) error {
	if u.tier == primary+1 {
		unit, err := a.loadField(&u.scratch, n, 0)
		if err == nil {
			u.cells.addValues(&u.scratch.row, unit, from, each)
		}
		return err
	}
	unit, err := a.loadField(&u.scratch, n, int(FieldSum))
	if err != nil {
		return err
	}
	u.part.rows[FieldSum] = u.scratch.row
	for f := FieldCount; f < fields; f++ {
		if _, err := a.loadField(&u.scratch, n, int(f)); err != nil {
			return err
		}
		u.part.rows[f] = u.scratch.row
	}
	u.cells.addCells(&u.part, unit, from, each)
	return nil
}

// loadCells sets c to the cells of slot n in a block of a coarser tier.
func loadCells(c *cells, a *arena, d *decoded, n uint32) error {
	for f := range fields {
		if _, err := a.loadField(d, n, int(f)); err != nil {
			return err
		}
		c.rows[f] = d.row
	}
	return nil
}

// finish makes what was derived readable, unless the block that it replaces has
// changed meanwhile: it is then noted as stale again, as it is by the change
// itself when that was below.
func (u *rollup) finish() {
	s, p := u.store, u.p
	p.mu.Lock()
	i, found := p.search(u.tier, u.number)
	same := !found && u.before == nil || found && p.sealed[u.tier][i] == u.before
	switch {
	case u.failed || !same:
		s.spoil(p, u.tier, u.number, u.slots, 0)
	case u.slots != nil:
		if len(u.patcher.slots) > 0 {
			p.putPatches(u.tier, map[int64]*patch{u.number: u.patcher.patch(int(fields))}, 0)
			s.changed(p, u.tier, u.number, u.slots, 0)
		}
	default:
		a := u.patcher.build(u.tier, u.number, int(fields))
		a.applied = u.applied
		if u.before != nil {
			a.applied = max(a.applied, u.before.applied)
		}
		p.insertSealed(a)
		s.changed(p, u.tier, u.number, nil, 0)
	}
	p.mu.Unlock()
	u.pins.drop()
	u.fine, u.before, u.tier = nil, nil, 0
}

// task is a stale block that can be derived.
type task struct {
	tier   int
	number int64
	part   int
}

// rollDue derives some of the stale blocks whose time is sealed below, and
// moves the ends of the tiers. It is called by Advance only.
func (s *Store) rollDue(now int64) {
	if len(s.tiers) == 1 {
		return
	}
	s.deriving.Lock()
	defer s.deriving.Unlock()
	tasks := s.rollTasks(now)
	u := &s.rolling
	left := rollSlots * max(1, len(tasks)/partitions) // more when behind by more than a block time
	for left > 0 && (u.tier != 0 || len(tasks) > 0) {
		if u.tier == 0 {
			u.begin(s, tasks[0])
			tasks = tasks[1:]
		}
		most := max(16, rollBlocks/int(s.tiers[u.tier].each))
		left -= max(rollSlots/partitions, u.portion(min(left, most)))
		if u.failed || u.next == u.end {
			u.finish()
		}
	}
}

// sealedTo returns the step up to which everything is sealed in the primary
// tier.
func (s *Store) sealedTo(now int64) int64 {
	lowest := s.sealable(now)
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		if len(p.open) > 0 {
			lowest = min(lowest, p.open[0].number)
		}
		p.mu.RUnlock()
	}
	return s.grid.end(lowest - 1)
}

// rollTasks moves the ends of the tiers to what has been derived, and returns
// the stale blocks that can be derived now, in the order to do it in.
func (s *Store) rollTasks(now int64) []task {
	var tasks []task
	rest := s.importing.rests(now)
	limit := s.sealedTo(now)
	for k := 1; k < len(s.tiers); k++ {
		t := s.tiers[k]
		number, pos := t.grid.place(t.grid.floor(limit))
		if pos < block.Size-1 {
			number--
		}
		end, was := t.grid.end(number), t.built.Load()
		for i := range s.parts {
			p := &s.parts[i]
			p.mu.RLock()
			for n, st := range p.stale[k] {
				if n > number {
					continue
				}
				if stop := t.grid.end(n); stop > was {
					end = min(end, stop-block.Size*t.grid.step)
				}
				if rest || overdue(st.since, now) {
					tasks = append(tasks, task{k, n, i})
				}
			}
			p.mu.RUnlock()
		}
		if u := &s.rolling; u.tier == k && t.grid.end(u.number) > was {
			end = min(end, t.grid.end(u.number)-block.Size*t.grid.step)
		}
		t.built.Store(max(was, end))
		limit = t.built.Load()
	}
	slices.SortFunc(tasks, func(a, b task) int {
		switch {
		case a.tier != b.tier:
			return a.tier - b.tier
		case a.number < b.number:
			return -1
		case a.number > b.number:
			return 1
		}
		return a.part - b.part
	})
	return tasks
}

// underived returns the first step of a tier that the next one still has to be
// derived from, math.MaxInt64 for none.
func (s *Store) underived(tier int) int64 {
	if tier+1 >= len(s.tiers) {
		return math.MaxInt64
	}
	t := s.tiers[tier+1]
	first := t.built.Load()
	begin := func(number int64) int64 { return t.grid.end(number) - block.Size*t.grid.step }
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		for n := range p.stale[tier+1] {
			first = min(first, begin(n))
		}
		p.mu.RUnlock()
	}
	if s.rolling.tier == tier+1 {
		first = min(first, begin(s.rolling.number))
	}
	return first
}

// moveFloors gives up values that are older than their tier keeps them, as far
// as the next tier has them, in a file where there are files.
func (s *Store) moveFloors(now int64) {
	for k, t := range s.tiers {
		latest := t.grid.before(now - s.options.MaxPast) // the clock may have been ahead
		for {
			old := t.floor.Load()
			floor := t.grid.before(min(now-t.retention, s.underived(k)))
			if floor > old {
				floor = t.grid.before(min(floor, s.unwritten(k+1, floor)))
			}
			floor = min(max(old, floor), latest)
			if floor == old || t.floor.CompareAndSwap(old, floor) {
				break
			}
		}
	}
}

// unwritten returns the first step before end of which a derived tier's blocks
// are not in a file, and end when they all are or there are no files.
func (s *Store) unwritten(tier int, end int64) int64 {
	if tier >= len(s.tiers) || s.archives.fs == nil {
		return end
	}
	g := s.tiers[tier].grid
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		for _, a := range p.sealed[tier] {
			begin := g.end(a.number) - block.Size*g.step
			if begin >= end {
				break
			}
			if !a.archived() {
				end = begin
				break
			}
		}
		p.mu.RUnlock()
	}
	return end
}

// before returns the end of the last block that ends at or before t.
func (g grid) before(t int64) int64 {
	number, _ := g.place(g.floor(t) + g.step)
	return g.end(number - 1)
}

// expire drops the blocks of p that are below their tier's floor.
func (p *partition) expire(tiers []*tier) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, t := range tiers {
		floor := t.floor.Load()
		for len(p.sealed[k]) > 0 && t.grid.end(p.sealed[k][0].number) <= floor {
			p.removeSealed(k, 0)
		}
		for n := range p.stale[k] {
			if t.grid.end(n) <= floor {
				delete(p.stale[k], n)
			}
		}
	}
}
