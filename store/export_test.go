package store

import (
	"fmt"
	"hash/maphash"

	"pulse/store/norm"
	"pulse/store/tags"
)

// Present reports whether a source counts as having reported a step, for
// series of the given kind.
func (s *Store) Present(id SourceID, kind norm.Kind, t int64) bool {
	return s.sources.present(id, kind, t)
}

// TableSize returns the number of places in the table of hashes.
func (s *Store) TableSize() int { return len(s.lookup.names.Load().lines) * lineNames }

// Links returns how many sources of series are kept, without the first of each.
func (s *Store) Links() int {
	n := 0
	for i := range s.parts {
		n += len(s.parts[i].linked)
	}
	return n
}

// Known returns the series with tags t, searchable or not, and false when
// there is none.
func (s *Store) Known(t tags.Tags) (Ref, bool) {
	hash := maphash.Bytes(s.lookup.seeds[0], t.AppendKey(nil))
	part := int(t.Hash() >> (64 - 6))
	p := &s.parts[part]
	p.mu.RLock()
	defer p.mu.RUnlock()
	slot, ok := p.find(s.index.Dictionary(), hash, t)
	return makeRef(part, slot), ok
}

// CheckMemory reports whether what is charged for series is what those that
// are there cost.
func (s *Store) CheckMemory() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.memory == nil {
		return nil
	}
	want, active, seen, live := s.index.Bytes()+s.overrun+s.costs.slack+max(s.options.Cache, 0), int64(0), 0, 0
	for i := range s.parts {
		p := &s.parts[i]
		want += int64(len(p.slots)) * slotCost
		for n, at := range p.pairAt {
			if at == 0 {
				continue
			}
			seen++
			want += s.costs.idle(len(p.pairsOf(uint32(n))))
			if p.flags[n]&flagIdle == 0 {
				active++
			}
			if p.flags[n]&flagDead == 0 {
				live++
			}
		}
		if p.byTags.used != len(p.slots)-len(p.free) {
			return fmt.Errorf("partition %d: %d names of %d series", i, p.byTags.used, len(p.slots)-len(p.free))
		}
	}
	want += active * s.costs.active
	if n := s.index.Stats().Series; n != live || s.searchable != live {
		return fmt.Errorf("%d series are in the index, %d counted, %d there", n, s.searchable, live)
	}
	if got := s.memory.Used(); got != want || active != s.active.Load() || seen != s.seen {
		return fmt.Errorf("%d bytes are charged, want %d; %d active, want %d; %d series, want %d", got, want, s.active.Load(), active, s.seen, seen)
	}
	return nil
}

// ActiveCost returns what is charged for the columns and blocks of a series.
func (s *Store) ActiveCost() int64 { return s.costs.active }

// Slack returns what is charged for places in columns that nobody has.
func (s *Store) Slack() int64 { return s.costs.slack }

// Between runs f while no operation is applied.
func (s *Store) Between(f func()) {
	s.applying.Lock()
	defer s.applying.Unlock()
	f()
}

// CacheAll makes scans of few series worth keeping.
func (s *Store) CacheAll() {
	if s.cache != nil {
		s.cache.series, s.cache.members = 0, 0
	}
}

// States returns how many places for states of rates and counters there are.
func (s *Store) States() int {
	n := 0
	for i := range s.parts {
		n += len(s.parts[i].states)
	}
	return n
}
