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
// need be, and learns that h names it and that it follows after (NoRef: the
// first of a request). A new series is searchable, and watched, when Resolve
// returns. t is not kept. A refusal is a *LimitError; it is cheap and leaves
// nothing behind.
func (s *Store) Resolve(h Hash, after Ref, t tags.Tags, now int64) (Ref, error) {
	var buf [512]byte
	hash := maphash.Bytes(s.lookup.seeds[0], t.AppendKey(buf[:0]))
	part := int(t.Hash() >> (64 - 6))
	p := &s.parts[part]

	p.mu.RLock()
	slot, ok := p.find(s.index.Dictionary(), hash, t)
	p.mu.RUnlock()
	ref := makeRef(part, slot)
	if !ok {
		var err error
		if ref, err = s.create(part, hash, t, now); err != nil {
			return NoRef, err
		}
	}
	s.lookup.learn(h, ref, after)
	return ref, nil
}

// find returns the slot of the series with tags t. The caller holds the lock
// and took dict under it, so that dict knows the pairs of every slot.
func (p *partition) find(dict index.Dictionary, hash uint64, t tags.Tags) (uint32, bool) {
	for {
		slot, ok := p.byTags[hash]
		if !ok {
			return 0, false
		}
		if dict.Equal(p.pairsOf(slot), t) {
			return slot, true
		}
		hash++
	}
}

// create makes a series searchable that was not found, or finds it after all.
// Others find it by its tags only when it is complete: they do not wait for
// s.changing.
func (s *Store) create(part int, hash uint64, t tags.Tags, now int64) (Ref, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	p := &s.parts[part]
	if slot, ok := p.find(s.index.Dictionary(), hash, t); ok {
		return makeRef(part, slot), nil
	}
	if err := s.admit(p, now); err != nil {
		s.refused.Add(1)
		return NoRef, err
	}
	pairs, err := s.index.Intern(nil, t)
	if err != nil {
		s.refused.Add(1)
		var full *index.TooMany
		if errors.As(err, &full) {
			return NoRef, &LimitError{What: full.What, Max: int64(full.Max)}
		}
		return NoRef, err
	}
	kind, _ := t.Get(dstype)
	p.mu.Lock()
	slot := p.add(norm.KindOf(kind), pairs, s.grid.floor(now))
	p.mu.Unlock()
	ref := makeRef(part, slot)
	s.lookup.grow(ref)
	s.seen++
	s.enter(ref, pairs)
	p.mu.Lock()
	p.name(slot, hash)
	p.mu.Unlock()
	return ref, nil
}

// admit checks the limits on new series. The caller holds s.changing.
func (s *Store) admit(p *partition, now int64) error {
	o := &s.options
	switch {
	case s.searchable >= o.MaxSeries:
		return &LimitError{What: "series", Max: int64(o.MaxSeries)}
	case s.seen >= seenPerSeries*o.MaxSeries || len(p.slots) >= maxSlots:
		return &LimitError{What: "series ever seen", Max: int64(seenPerSeries * o.MaxSeries)}
	case !s.newSeries.take(now):
		return &LimitError{What: "new series per second", Max: int64(o.NewSeriesRate)}
	}
	return nil
}

// enter makes a series searchable and watched. The caller holds s.changing.
func (s *Store) enter(ref Ref, pairs []uint32) {
	s.searchable++
	s.index.Add(uint32(ref), pairs)
	s.watches.enter(s, ref, pairs)
}

// revive makes series searchable again that were written after nothing had
// been left of them.
func (s *Store) revive(refs []Ref) {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, ref := range refs {
		p := &s.parts[ref.partition()]
		p.mu.Lock()
		slot := ref.slot()
		dead := p.flags[slot]&flagDead != 0
		p.flags[slot] &^= flagDead
		p.mu.Unlock()
		if dead {
			s.enter(ref, p.pairsOf(slot))
		}
	}
}
