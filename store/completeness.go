package store

import (
	"slices"

	"pulse/store/match"
)

// Completeness is how many of the sources that a step waits for have reported
// it.
type Completeness struct {
	Reported, Expected int
	LastReport         int64    // arrival of the newest batch of any source, ms; 0: none
	Silent             []string // keys of expected sources that have not reported, at most 16
}

// Complete reports whether nobody is waited for.
func (c Completeness) Complete() bool { return c.Reported >= c.Expected }

const maxSilent = 16

// Completeness returns how the sources of the watched series stand towards
// step t. It allocates only to name silent sources.
func (w *Watch) Completeness(t, now int64) Completeness {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var c Completeness
	for _, id := range w.sources {
		src := w.store.sources.get(id)
		if src == nil {
			continue
		}
		st := src.at(w.store.grid, t)
		c.LastReport = max(c.LastReport, st.arrival)
		if !st.expected {
			continue
		}
		c.Expected++
		if st.reported {
			c.Reported++
		} else if len(c.Silent) < maxSilent {
			c.Silent = append(c.Silent, src.key)
		}
	}
	return c
}

// SourceLastTime returns the newest time that any source of a group sent,
// whatever series it was for; 0 when the group has no source.
func (w *Watch) SourceLastTime(group int) int64 { t, _ := w.freshest(group); return t }

// SourceInterval returns the usual distance of the reports of the source that
// SourceLastTime is of; one step when the group has no source.
func (w *Watch) SourceInterval(group int) int64 { _, d := w.freshest(group); return d }

func (w *Watch) freshest(group int) (lastTime, interval int64) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.store.freshest(w.groups[group].sources)
}

// freshest returns the newest time that any of the sources sent, and the usual
// distance of the reports of the one that did.
func (s *Store) freshest(sources []SourceID) (lastTime, interval int64) {
	interval = s.grid.step
	for _, id := range sources {
		if src := s.sources.get(id); src != nil {
			src.mu.Lock()
			if src.lastTime > lastTime {
				lastTime, interval = src.lastTime, src.interval
			}
			src.mu.Unlock()
		}
	}
	return lastTime, interval
}

// SourceInterval returns what Watch.SourceInterval does for a group of the series
// that q selects now, without following them, and false when there are none.
func (s *Store) SourceInterval(q match.Query) (interval int64, found bool) {
	var sources []SourceID
	for it := s.index.Select(q).Iterator(); it.HasNext(); {
		ref := refOfSeat(it.Next())
		p := &s.parts[ref.partition()]
		if p.faded(ref.slot()) {
			continue
		}
		found = true
		for _, id := range p.sourcesOf(ref.slot()) {
			sources = insertSource(sources, id)
		}
	}
	_, interval = s.freshest(sources)
	return interval, found
}

// link adds sources to the watch and to the group of a member. The caller
// holds w.mu and Store.changing.
func (w *Watch) link(ref Ref, sources []SourceID) {
	m := &w.members[ref.partition()]
	i, found := slices.BinarySearch(m.slots, ref.slot())
	if !found {
		return
	}
	group := &w.groups[m.groups[i]]
	for _, id := range sources {
		group.sources = insertSource(group.sources, id)
		w.sources = insertSource(w.sources, id)
	}
}

// insertSource adds id to an ascending list that does not have it yet.
func insertSource(list []SourceID, id SourceID) []SourceID {
	i, found := slices.BinarySearch(list, id)
	if found {
		return list
	}
	return slices.Insert(list, i, id)
}

// findSources finds the sources of all members anew. The caller holds w.mu and
// Store.changing.
func (w *Watch) findSources() {
	w.sources = w.sources[:0]
	for i := range w.groups {
		w.groups[i].sources = w.groups[i].sources[:0]
	}
	for part := range w.members {
		for _, slot := range w.members[part].slots {
			w.link(makeRef(part, slot), w.store.parts[part].sourcesOf(slot))
		}
	}
}

// sourcesOf returns the sources of a slot.
func (p *partition) sourcesOf(n uint32) []SourceID {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var out []SourceID
	if s := p.slots[n].source; s != 0 {
		out = append(out, s)
	}
	for _, l := range p.more[n] {
		out = append(out, l.source)
	}
	return out
}
