package store

import (
	"slices"

	"pulse/store/index"
	"pulse/store/match"
	"pulse/store/tags"
)

// watches is all watches, each under one of the tags that every series of its query
// has, so that a new series is tried on few of very many. Those whose query
// asks for no tag are under the empty one. Store.changing guards it.
type watches struct {
	byTag map[tags.Tag][]*Watch
}

func (ws *watches) init() { ws.byTag = map[tags.Tag][]*Watch{} }

// add puts w under the tag of its query that fewest others are under.
func (ws *watches) add(w *Watch) {
	for i, t := range match.ExactTags(w.spec.Query) {
		if i == 0 || len(ws.byTag[t]) < len(ws.byTag[w.under]) {
			w.under = t
		}
	}
	ws.byTag[w.under] = append(ws.byTag[w.under], w)
}

func (ws *watches) remove(w *Watch) {
	list := slices.DeleteFunc(ws.byTag[w.under], func(o *Watch) bool { return o == w })
	if len(list) == 0 {
		delete(ws.byTag, w.under)
	} else {
		ws.byTag[w.under] = list
	}
}

func (ws *watches) count() int {
	n := 0
	for _, list := range ws.byTag {
		n += len(list)
	}
	return n
}

// each calls f for every watch.
func (ws *watches) each(f func(*Watch)) {
	for _, list := range ws.byTag {
		for _, w := range list {
			f(w)
		}
	}
}

// mayHave calls f for the watches that a series with the given pairs may belong
// to.
func (ws *watches) mayHave(dict index.Dictionary, pairs []uint32, f func(*Watch)) {
	for _, w := range ws.byTag[tags.Tag{}] {
		f(w)
	}
	for _, pair := range pairs {
		for _, w := range ws.byTag[dict.Tag(pair)] {
			f(w)
		}
	}
}

// enter adds a series that became searchable to the watches that select it.
func (ws *watches) enter(s *Store, ref Ref, pairs []uint32) {
	if len(ws.byTag) == 0 {
		return
	}
	dict := s.index.Dictionary()
	t := dict.Tags(pairs)
	ws.mayHave(dict, pairs, func(w *Watch) {
		if !match.MatchesTags(w.spec.Query, t) {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.add(ref, dict, pairs)
		w.link(ref, s.parts[ref.partition()].sourcesOf(ref.slot()))
	})
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
	if len(s.watches.byTag) == 0 {
		return
	}
	dict := s.index.Dictionary()
	for _, ref := range refs {
		s.watches.mayHave(dict, s.parts[ref.partition()].pairsOf(ref.slot()), func(w *Watch) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.link(ref, []SourceID{source})
		})
	}
}
