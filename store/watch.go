package store

import (
	"math"
	"slices"
	"sync"

	"pulse/store/index"
	"pulse/store/match"
	"pulse/store/tags"
)

// WatchSpec says which series a Watch follows and how they become columns. The
// fields are those of Scan.
type WatchSpec struct {
	Query match.Query
	By    []string
	Agg   Agg
}

// WatchGroup describes one group of a Watch.
type WatchGroup struct {
	Tags  tags.Tags // as Line.Tags
	Gauge bool      // every member so far is a gauge
	Gone  bool      // no member is left
}

// Watch follows the series of a query so that the column of any recent step is
// one pass over the head. A series belongs to it from the moment it is created.
// Groups are numbered in order of appearance and keep their number.
type Watch struct {
	store *Store
	spec  WatchSpec
	under tags.Tag // see watches

	mu      sync.RWMutex // taken before a partition's lock
	members [partitions]members
	grouper *grouper
	groups  []watchGroup
	public  []WatchGroup  // of groups; replaced, never changed; nil when out of date
	sources []SourceID    // of all members, each once
	gone    map[Ref]int32 // AggAll: the groups of former members
}

// members is the series of one partition, ascending by slot.
type members struct {
	slots  []uint32
	groups []int32
}

type watchGroup struct {
	tags    tags.Tags
	gauge   bool
	members int
	sources []SourceID // each once
}

// Watch begins to follow the series that spec selects now and later, until
// Close.
func (s *Store) Watch(spec WatchSpec) *Watch {
	w := &Watch{store: s, spec: spec, grouper: newGrouper(spec.By), gone: map[Ref]int32{}}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.watches.add(w)
	dict := s.index.Dictionary()
	w.mu.Lock()
	defer w.mu.Unlock()
	for it := s.index.Select(spec.Query).Iterator(); it.HasNext(); {
		ref := refOfSeat(it.Next())
		if p := &s.parts[ref.partition()]; !p.faded(ref.slot()) {
			w.add(ref, dict, p.pairsOf(ref.slot()))
		}
	}
	w.findSources()
	return w
}

// Close ends the watch. Using it further is a mistake.
func (w *Watch) Close() {
	w.store.changing.Lock()
	defer w.store.changing.Unlock()
	w.store.watches.remove(w)
	w.store.index.Release(w.grouper.pairs)
	w.store.settleIndex()
}

// add makes a series a member of its group. The caller holds w.mu and
// s.changing.
func (w *Watch) add(ref Ref, dict index.Dictionary, pairs []uint32) {
	m := &w.members[ref.partition()]
	i, found := slices.BinarySearch(m.slots, ref.slot())
	if found {
		return
	}
	n, ok := w.gone[ref]
	if ok {
		delete(w.gone, ref)
	} else if n, ok = w.groupOf(dict, pairs); !ok {
		return
	}
	p := &w.store.parts[ref.partition()]
	p.mu.RLock()
	gauge := isGauge(p.flags[ref.slot()])
	p.mu.RUnlock()
	if !gauge && w.groups[n].gauge {
		w.groups[n].gauge = false
		w.public = nil
	}
	w.count(n, 1)
	m.slots = slices.Insert(m.slots, i, ref.slot())
	m.groups = slices.Insert(m.groups, i, n)
}

// count counts members of group n that come or go. The caller holds w.mu.
func (w *Watch) count(n int32, members int) {
	g := &w.groups[n]
	if gone := g.members == 0; gone != (g.members+members == 0) {
		w.public = nil
	}
	g.members += members
}

// drop takes the members out that are among the given slots of each partition,
// and reports whether there was one. The caller holds w.mu.
func (w *Watch) drop(dead *[partitions][]uint32) (found bool) {
	for part := range w.members {
		m, kept := &w.members[part], 0
		if len(dead[part]) == 0 {
			continue
		}
		for i, slot := range m.slots {
			if _, gone := slices.BinarySearch(dead[part], slot); !gone {
				m.slots[kept], m.groups[kept] = slot, m.groups[i]
				kept++
				continue
			}
			if w.count(m.groups[i], -1); w.spec.Agg == AggAll {
				w.gone[makeRef(part, slot)] = m.groups[i]
			}
		}
		found = found || kept < len(m.slots)
		m.slots, m.groups = m.slots[:kept], m.groups[:kept]
	}
	return found
}

// groupOf returns the group of a series with the given pairs, which it creates
// if need be, and false when the series lacks a key.
func (w *Watch) groupOf(dict index.Dictionary, pairs []uint32) (int32, bool) {
	var t tags.Tags
	n := int32(len(w.groups))
	switch {
	case w.spec.Agg == AggAll:
		t = dict.Tags(pairs)
	default:
		var ok bool
		if n, ok = w.grouper.find(dict, pairs); !ok {
			return 0, false
		}
		if int(n) == len(w.groups) {
			w.store.index.Retain(w.grouper.key(n))
			if len(w.spec.By) > 0 {
				t = groupTags(dict, w.grouper.key(n))
			}
		}
	}
	if int(n) == len(w.groups) {
		w.groups = append(w.groups, watchGroup{tags: t, gauge: true})
		w.public = nil
	}
	return n, true
}

// Members counts the series that belong to it now.
func (w *Watch) Members() (n int) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for i := range w.members {
		n += len(w.members[i].slots)
	}
	return n
}

// Groups returns the groups seen so far; the index is the group's number. The
// result must not be changed.
func (w *Watch) Groups() []WatchGroup {
	w.mu.RLock()
	public := w.public
	w.mu.RUnlock()
	if public != nil {
		return public
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.public = make([]WatchGroup, len(w.groups))
	for i, g := range w.groups {
		w.public[i] = WatchGroup{g.tags, g.gauge, g.members == 0}
	}
	return w.public
}

// Column returns one value per group for the step stamped t, a multiple of the
// step, in dst, whose memory it uses again. The values are those that a Scan
// of the step gives: zeroFill is Scan.ZeroFill. It allocates only when dst is
// too short, or for a step that is packed or sealed.
func (w *Watch) Column(t int64, zeroFill bool, dst []float64) []float64 {
	w.mu.RLock()
	defer w.mu.RUnlock()
	n := len(w.groups)
	dst = slices.Grow(dst[:0], n)[:n]
	fillNaN(dst)
	for part := range w.members {
		if m := &w.members[part]; len(m.slots) > 0 {
			w.foldPartition(&w.store.parts[part], m, t, zeroFill, dst)
		}
	}
	return dst
}

// foldPartition folds the values that the members in p have at t into acc.
func (w *Watch) foldPartition(p *partition, m *members, t int64, zeroFill bool, acc []float64) {
	agg := w.spec.Agg
	number, pos := w.store.grid.place(t)
	p.mu.RLock()
	defer p.mu.RUnlock()
	var column []float64
	if b := p.openBlock(number); b != nil {
		mini, _ := b.run(pos, pos+1)
		if mini.arena == nil {
			w.foldOpen(p, m, b.columns[pos], t, zeroFill, acc)
			return
		}
		column = mini.column(m.slots, pos)
	} else if a := p.arena(number); a != nil {
		column = p.sealedColumn(a, m.slots, pos)
	}
	for i, n := range m.slots {
		v := math.NaN()
		if int(n) < len(column) {
			v = column[n]
		}
		if v != v {
			if !zeroFill || !p.reported(w.store.sources, n, t) {
				continue
			}
			v = 0
		}
		a := &acc[m.groups[i]]
		*a = agg.fold(*a, v)
	}
}

// foldOpen is foldPartition for a column of an open block.
func (w *Watch) foldOpen(p *partition, m *members, c column, t int64, zeroFill bool, acc []float64) {
	agg, secs, flags := w.spec.Agg, w.store.grid.secs, p.flags
	slots, groups := m.slots, m.groups[:len(m.slots)]
	for i := 0; i < len(slots); {
		number := slots[i] / pieceSlots
		values := c.piece(number, p.pool.none)
		for ; i < len(slots) && slots[i]/pieceSlots == number; i++ {
			n := slots[i]
			v := values[n%pieceSlots]
			if v != v {
				if !zeroFill || !p.reported(w.store.sources, n, t) {
					continue
				}
				v = 0
			} else if flags[n]&flagAmount != 0 {
				v /= secs
			}
			a := &acc[groups[i]]
			*a = agg.fold(*a, v)
		}
	}
}

// sealedColumn is a.column with the lock of p, which the caller holds for
// reading, let go meanwhile: a file may be slow.
func (p *partition) sealedColumn(a *arena, slots []uint32, pos int) []float64 {
	a.hold.Retain()
	p.mu.RUnlock()
	defer p.mu.RLock()
	defer a.hold.Release()
	return a.column(slots, pos)
}
