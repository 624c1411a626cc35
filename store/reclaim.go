package store

import (
	"hash/maphash"
	"sync/atomic"

	"pulse/store/block"
)

// A series that nothing is left of leaves in steps. It is taken out of the
// index, the watches and the lookup at once (bury); its slot lies in a grave
// until no request can know it any more (reclaim), and is then given to the
// next new series. Until then the same tags find it again, and it comes back.

// grave is the series that were buried together.
type grave struct {
	refs  [partitions][]uint32 // slots, ascending
	end   int64                // a series that was written after this step came back
	since int64                // when reclaim saw it first, by the data's time; 0: not yet
	epoch uint64               // of the holds
}

// graveMs is how long slots rest at least, and one block time. It is for
// callers who keep a Ref without a Hold, and covers requests many times over.
const graveMs = 120_000

// holds knows whether somebody still works with what there was at some moment.
// Holders belong to the epoch in which they began. The epoch moves on from e
// when all holders of e-1 are gone, so two counters suffice, and in epoch e+2
// no holder of e is left.
type holds struct {
	epoch  atomic.Uint64
	active [2]struct {
		n atomic.Int64
		_ [56]byte
	}
}

// Hold is the promise of a Store that no Ref found from now on, or found
// before by somebody who holds it too, is given to another series until
// Release.
type Hold struct {
	holds *holds
	epoch uint64
}

// Hold takes a Hold. Requests take one before they look series up and release
// it when their batch is committed. It takes no lock and allocates nothing.
func (s *Store) Hold() Hold {
	h := &s.holds
	for {
		e := h.epoch.Load()
		h.active[e&1].n.Add(1)
		if h.epoch.Load() == e {
			return Hold{h, e}
		}
		h.active[e&1].n.Add(-1)
	}
}

// Release ends the hold. It must be called once.
func (h Hold) Release() { h.holds.active[h.epoch&1].n.Add(-1) }

// pass moves the epoch on if it may.
func (h *holds) pass() {
	e := h.epoch.Load()
	if h.active[(e+1)&1].n.Load() == 0 {
		h.epoch.Store(e + 1)
	}
}

// reclaim gives the slots of graves free that are old enough.
func (s *Store) reclaim(now int64) {
	s.applying.RLock()
	defer s.applying.RUnlock()
	s.changing.Lock()
	defer s.changing.Unlock()
	if len(s.graves) == 0 || s.frozen > 0 {
		return
	}
	s.holds.pass()
	kept := s.graves[:0]
	for i := range s.graves {
		g := &s.graves[i]
		if g.since == 0 || now < g.since { // new, or the clock went back
			g.since = now
		}
		if now-g.since < max(graveMs, block.Size*s.grid.step) || s.holds.epoch.Load() < g.epoch+2 || !s.empty(g) {
			kept = append(kept, *g)
			continue
		}
		s.vacate(g)
	}
	clear(s.graves[len(kept):])
	s.graves = kept
}

// freeze keeps graves closed until thaw: a log that is replayed says itself
// which series has which slot, and a snapshot reads the tags of buried series,
// too. Freezes nest.
func (s *Store) freeze() {
	s.changing.Lock()
	s.frozen++
	s.changing.Unlock()
}

// thaw ends a freeze.
func (s *Store) thaw() {
	s.changing.Lock()
	s.frozen--
	s.changing.Unlock()
}

// lay puts buried series into a grave. The caller holds s.changing and has
// taken them out of the index and the watches.
func (s *Store) lay(dead *[partitions][]uint32, end int64) {
	s.lookup.forget(dead)
	s.graves = append(s.graves, grave{refs: *dead, end: end, epoch: s.holds.epoch.Load()})
}

// empty reports whether the partitions of a grave have no block of any tier
// that its series may have been written into.
func (s *Store) empty(g *grave) bool {
	for i, slots := range g.refs {
		if len(slots) == 0 {
			continue
		}
		p := &s.parts[i]
		p.mu.RLock()
		clear := len(p.open) == 0 || s.grid.stamp(p.open[0].number, 0) > g.end
		for t, list := range p.sealed {
			clear = clear && (len(list) == 0 || s.tiers[t].grid.stamp(list[0].number, 0) > g.end)
		}
		p.mu.RUnlock()
		if !clear {
			return false
		}
	}
	return true
}

// vacate gives the slots of a grave free, without those that came back. The
// caller holds s.changing.
func (s *Store) vacate(g *grave) {
	gone := g.refs
	for i, slots := range gone {
		p := &s.parts[i]
		kept := slots[:0]
		p.mu.RLock()
		for _, n := range slots {
			if p.pairAt[n] != 0 && p.flags[n]&flagDead != 0 && p.slots[n].last <= g.end {
				kept = append(kept, n)
			}
		}
		p.mu.RUnlock()
		gone[i] = kept
	}
	s.lookup.forget(&gone) // again: somebody may have learnt a name when it was buried
	s.watches.vacate(&gone)
	for i, slots := range gone {
		for _, n := range slots {
			s.clear(&s.parts[i], n)
		}
		s.parts[i].tidy()
	}
	s.settleIndex()
}

// clear makes the slot of a series that is neither searchable nor in the
// lookup free. The caller holds s.changing.
func (s *Store) clear(p *partition, n uint32) {
	pairs := p.pairsOf(n)
	t := s.index.Dictionary().Tags(pairs)
	var buf [512]byte
	hash := maphash.Bytes(s.lookup.seeds[0], t.AppendKey(buf[:0]))
	p.mu.Lock()
	p.byTags.remove(hash, n)
	active := p.flags[n]&flagIdle == 0
	p.free = append(p.free, n)
	p.garbage += len(pairs) + 1
	p.pairAt[n] = 0
	p.reset(n)
	p.mu.Unlock()
	s.index.Release(pairs)
	if active {
		s.rest(1)
	}
	s.memory.Give(s.costs.idle(len(pairs)))
	s.seen--
}

// restIdle finds the series that were not written since before the last
// sealed block: they have no place in the columns any more.
func (s *Store) restIdle(now int64) {
	number := s.sealable(now) - 1
	if number == s.rested {
		return
	}
	s.rested = number
	before := s.grid.stamp(number, 0)
	for i := range s.parts {
		p, n := &s.parts[i], 0
		p.mu.Lock()
		for slot := range p.slots {
			if p.slots[slot].last < before && p.flags[slot]&flagIdle == 0 && p.pairAt[slot] != 0 {
				p.flags[slot] |= flagIdle
				n++
			}
		}
		p.mu.Unlock()
		s.rest(n)
	}
}

// rest takes note that n series are not written any more.
func (s *Store) rest(n int) {
	s.active.Add(-int64(n))
	s.memory.Give(int64(n) * s.costs.active)
}

// wake takes note that n series that rested are written again. They are known
// and not refused.
func (s *Store) wake(n int) {
	s.active.Add(int64(n))
	s.memory.Force(int64(n) * s.costs.active)
}
