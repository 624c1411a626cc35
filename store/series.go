package store

import (
	"errors"
	"hash/maphash"

	"pulse/store/index"
	"pulse/store/norm"
	"pulse/store/tags"
)

// dstype is the tag that says how reports become values.
const dstype = "atlas.dstype"

// Resolve returns the series with the canonical tags t, which it creates if
// need be, and learns that h names it. A new series is searchable, and watched,
// when Resolve returns. t is not kept. A refusal is a *LimitError; it is cheap
// and leaves nothing behind.
func (s *Store) Resolve(h Hash, t tags.Tags, now int64) (Ref, error) {
	hold := s.Hold()
	defer hold.Release()
	var buf [512]byte
	hash := maphash.Bytes(s.lookup.seeds[0], t.AppendKey(buf[:0]))
	part := int(t.Hash() >> (64 - 6))
	p := &s.parts[part]

	p.mu.RLock()
	slot, ok := p.find(s.index.Dictionary(), hash, t)
	ok = ok && p.flags[slot]&flagDead == 0
	p.mu.RUnlock()
	ref := makeRef(part, slot)
	if !ok {
		var refused *LimitError
		if ref, refused = s.create(part, hash, t, now); refused != nil {
			s.refusals.count(refused.What, t, s.index.Unknown(t), now)
			return NoRef, refused
		}
	}
	s.lookup.learn(h, ref)
	return ref, nil
}

// find returns the slot of the series with tags t. The caller holds the lock
// and took dict under it, so that dict knows the pairs of every slot.
func (p *partition) find(dict index.Dictionary, hash uint64, t tags.Tags) (uint32, bool) {
	return p.byTags.find(hash, func(slot uint32) bool { return dict.Equal(p.pairsOf(slot), t) })
}

// create makes a series searchable that was not found, or finds it after all.
// Others find it by its tags only when it is complete: they do not wait for
// s.changing.
func (s *Store) create(part int, hash uint64, t tags.Tags, now int64) (Ref, *LimitError) {
	if full := s.full(t); full != nil {
		return NoRef, full
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	p := &s.parts[part]
	slot, back := p.find(s.index.Dictionary(), hash, t)
	if back && !p.buried(slot) {
		return makeRef(part, slot), nil
	}
	if refused := s.admit(p, t, back, now); refused != nil {
		return NoRef, refused
	}
	if back {
		s.comeBack(p, part, slot)
		return makeRef(part, slot), nil
	}
	pairs, err := s.index.Intern(nil, t)
	if err != nil {
		var full *index.TooMany
		if errors.As(err, &full) {
			s.newSeries.giveBack()
			return NoRef, &LimitError{What: full.What, Max: int64(full.Max)}
		}
		panic("BUG: " + err.Error())
	}
	ref := s.settle(part, NoRef, t, pairs, now)
	s.enter(ref, pairs)
	p.mu.Lock()
	p.byTags.add(hash, ref.slot())
	p.mu.Unlock()
	return ref, nil
}

// settle puts a series that was admitted into a slot: that of ref, or any one
// for NoRef, and pays for it, but for what enter pays. The caller holds s.changing.
func (s *Store) settle(part int, ref Ref, t tags.Tags, pairs []uint32, now int64) Ref {
	p := &s.parts[part]
	kind, _ := t.Get(dstype)
	p.mu.Lock()
	had := len(p.slots)
	if ref == NoRef {
		ref = makeRef(part, p.add(norm.KindOf(kind), pairs, s.grid.floor(now)))
	} else {
		p.extend(ref.slot())
		p.fill(ref.slot(), norm.KindOf(kind), pairs, s.grid.floor(now))
	}
	more := len(p.slots) - had
	p.mu.Unlock()
	if more > 0 {
		s.lookup.grow(more)
	}
	s.seen++
	s.memory.Force(int64(more)*slotCost + s.costs.idle(len(pairs)))
	s.wake(1)
	return ref
}

// comeBack makes a buried series searchable again that has its slot still. It
// is written down by its next point only, so nothing else of it changes. The
// caller holds s.changing.
func (s *Store) comeBack(p *partition, part int, slot uint32) {
	p.mu.Lock()
	dead, idle, faded := p.flags[slot]&flagDead != 0, p.flags[slot]&flagIdle != 0, p.flags[slot]&flagFaded != 0
	p.flags[slot] &^= flagDead | flagIdle | flagFaded
	p.mu.Unlock()
	if idle {
		s.wake(1)
	}
	switch ref := makeRef(part, slot); {
	case dead:
		s.enter(ref, p.pairsOf(slot))
	case faded:
		s.watches.enter(s, ref, p.pairsOf(slot))
	}
}

// define makes ref the series with tags t, as a log says that it was: in place
// of the series that has the slot, if it is another or one that was buried: it
// came back after its slot had been given free. No limit is checked, and nobody
// may be using the series that is replaced.
func (s *Store) define(ref Ref, t tags.Tags, now int64) {
	s.changing.Lock()
	defer s.changing.Unlock()
	var buf [512]byte
	hash := maphash.Bytes(s.lookup.seeds[0], t.AppendKey(buf[:0]))
	part := ref.partition()
	p := &s.parts[part]
	slot, known := p.find(s.index.Dictionary(), hash, t)
	if known && slot == ref.slot() && p.flags[slot]&flagDead == 0 {
		return
	}
	if known {
		s.evict(makeRef(part, slot))
	}
	if n := ref.slot(); int(n) < len(p.slots) && p.pairAt[n] != 0 {
		s.evict(ref)
	}
	pairs := s.index.Restore(nil, t)
	for n := uint32(len(p.slots)); n < ref.slot(); n++ { // slots whose definitions are missing
		p.mu.Lock()
		p.extend(n)
		p.flags[n] = flagDead // see bar
		p.mu.Unlock()
		s.lookup.grow(1)
		s.memory.Force(slotCost)
	}
	s.settle(part, ref, t, pairs, now)
	s.enter(ref, pairs)
	p.mu.Lock()
	p.byTags.add(hash, ref.slot())
	p.mu.Unlock()
}

// evict gives the slot of a series free at once. The caller holds s.changing.
func (s *Store) evict(ref Ref) {
	p, n := &s.parts[ref.partition()], ref.slot()
	var gone [partitions][]uint32
	gone[ref.partition()] = []uint32{n}
	if p.flags[n]&flagDead == 0 {
		s.index.Remove(ref.seat(), p.pairsOf(n))
		s.searchable--
		s.watches.leave(&gone)
	}
	s.lookup.forget(&gone)
	s.watches.vacate(&gone)
	s.clear(p, n)
	s.settleIndex()
}

// enter makes a series searchable and watched, and pays for what the index has of it.
// The caller holds s.changing.
func (s *Store) enter(ref Ref, pairs []uint32) {
	s.searchable++
	s.index.Add(ref.seat(), pairs)
	s.watches.enter(s, ref, pairs)
	s.settleIndex()
}

// revive makes series searchable again that were written by requests that
// found them before they were buried.
func (s *Store) revive(refs []Ref) {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, ref := range refs {
		s.comeBack(&s.parts[ref.partition()], ref.partition(), ref.slot())
	}
}
