package store

import (
	"fmt"
	"hash/maphash"
	"slices"

	"pulse/store/archive"
	"pulse/store/field"
	"pulse/store/tags"
)

// loading reads the section of one partition.
type loading struct {
	store   *Store
	version uint64 // of the snapshot
	part    int
	p       *partition
	in      field.Reader
	texts   []tags.Tag // the dictionary of pairs
	pairs   []uint32   // per slot the number of its pairs, and the pairs as numbers of texts
	numbers []uint32   // of texts, in the index
	kept    []*arena   // sealed blocks
	builder builder    // its data is that of the file
	d       decoded
}

// loadSeries reads the section of partition i up to its blocks. The series are not
// searchable yet, see enterAll.
func (s *Store) loadSeries(version uint64, i int, src []byte) (*loading, error) {
	l := &loading{store: s, version: version, part: i, p: &s.parts[i], in: field.Reader{Rest: src}}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.p.applied = l.in.Uvarint()
	n := l.in.Count(1)
	if n > maxSlots {
		return nil, errDamaged("slots of partition", i)
	}
	flags := l.in.Bytes(n)
	if err := l.tags(len(flags)); err != nil {
		return nil, err
	}
	if err := l.series(flags); err != nil {
		return nil, err
	}
	for range l.in.Count(3) {
		n, source, since := l.in.Uvarint(), l.in.Uvarint(), l.in.Varint()
		if n >= uint64(len(flags)) || l.p.pairAt[n] == 0 {
			return nil, errDamaged("link of slot", int(n))
		}
		key := n<<32 | source
		l.p.linked[key] = struct{}{}
		l.p.more[uint32(n)] = append(l.p.more[uint32(n)], link{SourceID(source), since * s.grid.step})
	}
	return l, nil
}

// tags reads the tags of all slots, and interns them.
func (l *loading) tags(slots int) error {
	keys := make([]string, l.in.Count(1))
	for i := range keys {
		keys[i] = string(l.in.Text())
	}
	l.texts = make([]tags.Tag, l.in.Count(2))
	for i := range l.texts {
		k := l.in.Uvarint()
		if k >= uint64(len(keys)) {
			return errDamaged("key of pair", i)
		}
		l.texts[i] = tags.Tag{Key: keys[k], Value: string(l.in.Text())}
	}
	users := make([]int32, len(l.texts))
	l.pairs = make([]uint32, 0, 8*slots)
	for range slots {
		n := l.in.Count(1)
		l.pairs = append(l.pairs, uint32(n))
		for range n {
			k := l.in.Uvarint()
			if k >= uint64(len(l.texts)) {
				return errDamaged("pair", int(k))
			}
			users[k]++
			l.pairs = append(l.pairs, uint32(k))
		}
	}
	l.numbers = l.store.index.RestoreMany(l.texts, users)
	return nil
}

// series reads what is known of each slot. The caller holds the partition's lock.
func (l *loading) series(flags []byte) error {
	s, p := l.store, l.p
	p.flags, p.slots = slices.Grow(p.flags, len(flags)), slices.Grow(p.slots, len(flags))
	p.pairAt = slices.Grow(p.pairAt, len(flags))
	states := 1
	for _, f := range flags {
		if normalizes(kindOf(f)) {
			states++
		}
	}
	p.states = slices.Grow(p.states, states)
	p.pairs = slices.Grow(p.pairs, len(l.pairs)+1)
	series, idle, cost := 0, 0, int64(0)
	var set tags.Tags
	for at, n := 0, uint32(0); at < len(l.pairs); n++ {
		own := l.pairs[at+1 : at+1+int(l.pairs[at])]
		at += 1 + len(own)
		p.extend(n)
		if len(own) == 0 {
			l.free(n, flags[n])
			continue
		}
		set = set[:0]
		for i, k := range own {
			set, own[i] = append(set, l.texts[k]), l.numbers[k]
		}
		if err := l.slot(n, flags[n], set, own); err != nil {
			return err
		}
		series++
		cost += s.costs.idle(len(own))
		if flags[n]&flagIdle != 0 {
			idle++
		}
	}
	s.lookup.grow(len(flags))
	s.memory.Force(int64(len(flags))*slotCost + cost)
	s.wake(series - idle)
	return nil
}

// slot reads what is known of slot n, whose series has the given tags, which
// have the given numbers.
func (l *loading) slot(n uint32, flags uint8, set tags.Tags, pairs []uint32) error {
	s, p := l.store, l.p
	for i := 1; i < len(set); i++ {
		if set[i-1].Key >= set[i].Key {
			return errDamaged("tags of slot", int(n))
		}
	}
	if int(set.Hash()>>(64-6)) != l.part {
		return errDamaged("partition of slot", int(n))
	}
	p.fill(n, kindOf(flags), pairs, 0)
	step := s.grid.step
	slot := slot{last: l.in.Varint() * step, first: l.in.Varint() * step, source: SourceID(l.in.Uvarint()), state: p.slots[n].state}
	if l.in.Bad {
		return errDamaged("slot", int(n))
	}
	if slot.state != 0 {
		rest, err := p.states[slot.state].Restore(l.in.Rest, slot.last, step)
		if err != nil {
			return fmt.Errorf("%w: %w", archive.ErrCorrupt, err)
		}
		l.in.Rest = rest
	}
	p.slots[n], p.flags[n] = slot, flags
	var buf [512]byte
	p.byTags.add(maphash.Bytes(s.lookup.seeds[0], set.AppendKey(buf[:0])), n)
	return nil
}

// free leaves slot n without a series, with the flags that it had: see bar.
func (l *loading) free(n uint32, flags uint8) {
	if flags&flagDead != 0 {
		l.p.flags[n] = flagDead
	} else {
		l.p.free = append(l.p.free, n)
	}
}

// enterAll makes all series that were loaded searchable and watched, those that
// were created together one after the other.
func (s *Store) enterAll() {
	s.changing.Lock()
	defer s.changing.Unlock()
	most := 0
	for i := range s.parts {
		most = max(most, len(s.parts[i].slots))
	}
	watched := s.watches.count() > 0
	s.index.AddMany(func(yield func(uint32, []uint32) bool) {
		for n := range uint32(most) {
			for i := range s.parts {
				p := &s.parts[i]
				if int(n) >= len(p.slots) || p.pairAt[n] == 0 {
					continue
				}
				s.seen++
				if p.flags[n]&flagDead != 0 {
					continue
				}
				s.searchable++
				yield(makeRef(i, n).seat(), p.pairsOf(n))
			}
		}
	})
	for i := range s.parts {
		for n := range uint32(len(s.parts[i].slots)) {
			if p := &s.parts[i]; watched && p.pairAt[n] != 0 && p.flags[n]&flagDead == 0 {
				s.watches.enter(s, makeRef(i, n), p.pairsOf(n))
			}
		}
	}
	s.settleIndex()
}
