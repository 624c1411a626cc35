package store

import (
	"slices"

	"pulse/store/block"
)

const sealAtOnce = 4 // partitions sealed by one Advance, when not behind

// Advance does what the passing of time asks for: it seals blocks that can no
// longer change, a few partitions at a time, drops blocks older than the
// retention, takes series that nothing is left of out of the index and forgets
// sources that are silent for as long. It wants to be called about once a
// step; calling it more or less often changes only when memory is freed.
func (s *Store) Advance(now int64) {
	s.advancing.Lock()
	defer s.advancing.Unlock()
	s.changing.Lock()
	s.newSeries.refill(now)
	s.changing.Unlock()
	settled := s.settledTime(now) // what grows old does so by this
	s.sealDue(now)
	s.packDue(now)
	s.rollDue(settled)
	s.flatten(now)
	s.expire(settled)
	s.reclaim(settled)
	s.restIdle(now)
	s.trim()
	s.settleActual()
	s.forgetSources(settled)
	s.archives.advance(settled)
	s.snapshotDue()
}

// sealable returns the first block number that must stay open at now. One step
// of reserve covers a batch that took its time a little earlier.
func (s *Store) sealable(now int64) int64 {
	number, _ := s.grid.place(s.packLimit(now))
	return number
}

// sealDue seals the oldest due block of some partitions, more when behind by
// more than one block.
func (s *Store) sealDue(now int64) {
	before, due := s.sealable(now), 0
	for i := range s.parts {
		due += s.parts[i].due(before)
	}
	left := max(sealAtOnce, due/16)
	for range partitions {
		if left == 0 || due == 0 {
			return
		}
		if s.seal(&s.parts[s.cursor], before) {
			left--
			due--
		}
		s.cursor = (s.cursor + 1) % partitions
	}
}

// due returns how many open blocks have a number below the given one.
func (p *partition) due(before int64) int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	n := 0
	for _, b := range p.open {
		if b.number < before {
			n++
		}
	}
	return n
}

// seal seals the oldest open block if its number is below the given one, and
// reports whether there was one. The lock is not held while values are
// encoded; until then readers see the columns.
func (s *Store) seal(p *partition, before int64) bool {
	s.encoding.Lock()
	defer s.encoding.Unlock()
	p.mu.Lock()
	if len(p.open) == 0 || p.open[0].number >= before {
		p.mu.Unlock()
		return false
	}
	b := p.open[0]
	b.sealing = true
	flags, applied := slices.Clone(p.flags), p.applied
	p.mu.Unlock()

	a := s.sealer.encode(b.number, &b.head, flags)
	a.applied = applied

	p.mu.Lock()
	p.insertSealed(a)
	p.removeOpen(b)
	s.changed(p, primary, a.number, nil, 0)
	p.mu.Unlock()
	return true
}

// open returns a block that can be written: a new one, or a sealed one that is
// opened again. When the partition has more open blocks than the age limits
// can reach, since nobody called Advance or the clock was changed, those out
// of reach are sealed first; not while a log is replayed, whose limits were
// perhaps wider, or the rest of a record would find them sealed with the record
// in them. The caller holds the lock of p.
func (s *Store) open(p *partition, number, now int64) *openBlock {
	if len(p.open) >= s.maxOpen && s.live() {
		s.sealOutOfReach(p, number, now)
	}
	if i, found := p.search(primary, number); found {
		return p.reopen(s.grid, i)
	}
	b := &openBlock{number: number}
	p.insertOpen(b)
	return b
}

func (s *Store) sealOutOfReach(p *partition, number, now int64) {
	newest, _ := s.grid.place(s.grid.ceil(now + s.options.MaxFuture))
	oldest := s.sealable(now)
	own := sealer{grid: s.grid}
	for _, b := range slices.Clone(p.open) {
		if !b.sealing && b.number != number && (b.number < oldest || b.number > newest) {
			a := own.encode(b.number, &b.head, p.flags)
			a.applied = p.applied
			p.insertSealed(a)
			p.removeOpen(b)
			s.changed(p, primary, a.number, nil, 0)
		}
	}
}

// expire drops sealed blocks that are older than their tier's retention, and
// series whose newest value was in the longest of them.
func (s *Store) expire(now int64) {
	s.moveFloors(now)
	for i := range s.parts {
		s.parts[i].expire(s.tiers)
	}
	e := burial{s.tiers[len(s.tiers)-1].floor.Load(), s.tiers[primary].floor.Load(), s.grid.ceil(now + s.options.MaxFuture)}
	if e.end != s.buried || e.recent != s.faded { // a block time is gone, or the clock went back
		if s.decide(e) {
			s.buried, s.faded = e.end, e.recent
		}
	}
}

// bury makes a burial happen.
func (s *Store) bury(e burial, lsn uint64) {
	s.changing.Lock()
	defer s.changing.Unlock()
	var dead, faded [partitions][]uint32 // slots, ascending
	gone, left := 0, 0
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.Lock()
		if !p.takes(lsn) {
			p.mu.Unlock()
			continue
		}
		for n := range p.slots {
			slot := &p.slots[n]
			slot.last = min(slot.last, e.newest)
			switch {
			case slot.last > e.recent || p.flags[n]&flagDead != 0 || p.pairAt[n] == 0:
			case slot.last <= e.end:
				p.flags[n] |= flagDead
				slot.first = 0
				dead[i] = append(dead[i], uint32(n))
			case p.flags[n]&flagFaded == 0:
				p.flags[n] |= flagFaded
				slot.first = 0
				faded[i] = append(faded[i], uint32(n))
				left++
			}
		}
		p.mu.Unlock()
	}
	for i, slots := range dead {
		gone += len(slots)
		for _, slot := range slots {
			s.index.Remove(makeRef(i, slot).seat(), s.parts[i].pairsOf(slot))
		}
	}
	s.searchable -= gone
	if left > 0 {
		s.watches.leave(&faded)
	}
	if gone > 0 {
		s.watches.leave(&dead)
		s.lay(&dead, e.end)
	}
}

// forgetSources removes sources that were not heard of for the retention, and
// every reference to them before their numbers are used again.
func (s *Store) forgetSources(now int64) {
	if !s.live() || now >= s.swept && now < s.swept+block.Size*s.grid.step {
		return
	}
	s.swept = now
	for _, id := range s.sources.stale(now, s.options.Retention) {
		if s.sources.remove(id, now-min(evictableMs, s.options.Retention)) {
			s.leaving = append(s.leaving, id)
		}
	}
	if len(s.leaving) > 0 && s.decide(s.leaving) {
		s.leaving = nil
	}
}

// part makes a leave happen. Sources that are still there were heard of before
// the leave, by a replay.
func (s *Store) part(e leave, lsn uint64) {
	gone := map[SourceID]bool{}
	for _, id := range e {
		gone[id] = true
	}
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.Lock()
		if p.takes(lsn) {
			p.unlink(gone)
		}
		p.mu.Unlock()
	}
	s.changing.Lock()
	s.watches.forget(gone)
	s.changing.Unlock()
	if lsn == 0 || lsn > s.sources.applied {
		s.sources.recycle(e)
	}
}
