package store

import (
	"slices"

	"pulse/store/index"
	"pulse/store/match"
)

// watches is all watches by the name that their query asks for, so that a new
// series is tried on few. Store.changing guards it.
type watches struct {
	byName map[string][]*Watch
}

func (ws *watches) init() { ws.byName = map[string][]*Watch{} }

func (ws *watches) add(w *Watch) { ws.byName[w.name] = append(ws.byName[w.name], w) }

func (ws *watches) remove(w *Watch) {
	list := slices.DeleteFunc(ws.byName[w.name], func(o *Watch) bool { return o == w })
	if len(list) == 0 {
		delete(ws.byName, w.name)
	} else {
		ws.byName[w.name] = list
	}
}

func (ws *watches) count() int {
	n := 0
	for _, list := range ws.byName {
		n += len(list)
	}
	return n
}

// each calls f for every watch.
func (ws *watches) each(f func(*Watch)) {
	for _, list := range ws.byName {
		for _, w := range list {
			f(w)
		}
	}
}

// enter adds a series that became searchable to the watches that select it.
func (ws *watches) enter(s *Store, ref Ref, pairs []uint32) {
	if len(ws.byName) == 0 {
		return
	}
	dict := s.index.Dictionary()
	t := dict.Tags(pairs)
	for _, list := range ws.lists(s.nameOf(dict, ref)) {
		for _, w := range list {
			if !match.MatchesTags(w.spec.Query, t) {
				continue
			}
			w.mu.Lock()
			w.add(ref, dict, pairs)
			w.link(ref, s.parts[ref.partition()].sourcesOf(ref.slot()))
			w.mu.Unlock()
		}
	}
}

// lists returns the watches that a series with the given name may belong to.
func (ws *watches) lists(name string) [2][]*Watch {
	if name == "" {
		return [2][]*Watch{ws.byName[""]}
	}
	return [2][]*Watch{ws.byName[""], ws.byName[name]}
}

// leave takes series out that are no longer searchable: slots of each
// partition, ascending.
func (ws *watches) leave(dead *[partitions][]uint32) {
	ws.each(func(w *Watch) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.drop(dead) {
			w.findSources()
		}
	})
}

// vacate forgets the groups of former members whose slots are given up, so
// that the next series in there has a group of its own.
func (ws *watches) vacate(gone *[partitions][]uint32) {
	ws.each(func(w *Watch) {
		if w.spec.Agg != AggAll {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.gone) == 0 {
			return
		}
		for part, slots := range gone {
			for _, slot := range slots {
				delete(w.gone, makeRef(part, slot))
			}
		}
	})
}

// forget takes sources out of every watch.
func (ws *watches) forget(gone map[SourceID]bool) {
	isGone := func(id SourceID) bool { return gone[id] }
	ws.each(func(w *Watch) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sources = slices.DeleteFunc(w.sources, isGone)
		for i := range w.groups {
			w.groups[i].sources = slices.DeleteFunc(w.groups[i].sources, isGone)
		}
	})
}

// linkWatches adds a source to the watches of the series that it was seen to
// send for the first time.
func (s *Store) linkWatches(source SourceID, refs []Ref) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if len(s.watches.byName) == 0 {
		return
	}
	dict := s.index.Dictionary()
	for _, ref := range refs {
		for _, list := range s.watches.lists(s.nameOf(dict, ref)) {
			for _, w := range list {
				w.mu.Lock()
				w.link(ref, []SourceID{source})
				w.mu.Unlock()
			}
		}
	}
}

// nameOf returns the value of a series' tag `name`.
func (s *Store) nameOf(dict index.Dictionary, ref Ref) string {
	pair, ok := dict.Find(s.parts[ref.partition()].pairsOf(ref.slot()), "name")
	if !ok {
		return ""
	}
	return dict.Value(pair)
}
