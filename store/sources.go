package store

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"pulse/store/norm"
)

// sources is the table of senders. Lookups by number take no lock.
type sources struct {
	grid  grid
	steps int64         // that presence remembers
	floor *atomic.Int64 // values at or before it are gone
	gaps  atomic.Bool   // sealed blocks were lost: see partition.gap

	applied uint64 // number of the last record of the log that a snapshot has
	table   []atomic.Pointer[source]

	mu      sync.RWMutex
	byKey   map[string]SourceID
	free    []SourceID // numbers to use again
	next    SourceID   // the first number never used
	refused uint64
}

const maxSourceKey = 512 // bytes; what is longer is cut

func newSources(o Options) *sources {
	return &sources{
		grid:  newGrid(o.Step),
		steps: o.Retention / o.Step,
		table: make([]atomic.Pointer[source], o.MaxSources+1),
		byKey: map[string]SourceID{},
		next:  1,
	}
}

// Source returns the number of the sender that key describes, for instance
// "10.0.0.1 app=www node=i-1". It returns 0 when the table is full. Numbers of
// senders that were silent for the whole retention are used again, so a number
// should be asked for with every request and not be kept.
func (s *Store) Source(key string, now int64) SourceID { return s.sources.lookup(key, now) }

func (t *sources) lookup(key string, now int64) SourceID {
	if len(key) > maxSourceKey {
		key = key[:maxSourceKey]
	}
	t.mu.RLock()
	id := t.byKey[key]
	if id != 0 {
		t.get(id).touch(now)
	}
	t.mu.RUnlock()
	if id != 0 {
		return id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if id := t.byKey[key]; id != 0 {
		t.get(id).touch(now)
		return id
	}
	switch {
	case len(t.free) > 0:
		id = t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
	case int(t.next) < len(t.table):
		id = t.next
		t.next++
	default:
		t.refused++
		return 0
	}
	src := t.fresh(key, now)
	t.byKey[src.key] = id
	t.table[id].Store(src)
	return id
}

// fresh returns a sender that has sent nothing yet.
func (t *sources) fresh(key string, now int64) *source {
	src := &source{key: strings.Clone(key), seen: now, interval: t.grid.step}
	src.within, src.behind = newPresence(t.steps), newPresence(t.steps)
	return src
}

func (s *source) touch(now int64) {
	s.mu.Lock()
	s.seen = now
	s.mu.Unlock()
}

// get returns the sender with the given number, nil for 0 and for one that is
// gone.
func (t *sources) get(id SourceID) *source { return t.table[id].Load() }

// present reports whether the sender reported the step stamped at, so that a
// series of the given kind would have had a value.
func (t *sources) present(id SourceID, kind norm.Kind, at int64) bool {
	src := t.get(id)
	if src == nil {
		return false
	}
	if kind == norm.Sum {
		return src.within.has(at / t.grid.step)
	}
	return src.behind.has(at / t.grid.step)
}

const evictableMs = 10 * 60_000 // a full table may give up senders that were silent this long

// stale returns the senders to be forgotten at now: those not heard of within
// the retention, and when the table is full also the sixteenth of it that has
// been silent longest.
func (t *sources) stale(now, retention int64) []SourceID {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []SourceID
	type idle struct {
		id   SourceID
		seen int64
	}
	var idlers []idle
	for _, id := range t.byKey {
		src := t.get(id)
		src.mu.Lock()
		seen := src.seen
		src.mu.Unlock()
		switch {
		case seen < now-retention:
			out = append(out, id)
		case seen < now-evictableMs:
			idlers = append(idlers, idle{id, seen})
		}
	}
	if len(out) == 0 && len(t.free) == 0 && int(t.next) == len(t.table) {
		slices.SortFunc(idlers, func(a, b idle) int { return int(max(-1, min(1, a.seen-b.seen))) })
		for _, x := range idlers[:min(len(idlers), 1+len(t.table)/16)] {
			out = append(out, x.id)
		}
	}
	return out
}

// remove takes a sender out of the table unless it was heard of at or after
// the given time. recycle makes its number free once nothing refers to it.
func (t *sources) remove(id SourceID, silentSince int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	src := t.get(id)
	src.mu.Lock()
	defer src.mu.Unlock()
	if src.seen >= silentSince {
		return false
	}
	delete(t.byKey, src.key)
	t.table[id].Store(nil)
	return true
}

// recycle frees the numbers of senders that are gone, or go now.
func (t *sources) recycle(ids []SourceID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		if src := t.find(id); src != nil {
			delete(t.byKey, src.key)
			t.table[id].Store(nil)
		}
	}
	t.free = append(t.free, ids...)
}

// SourceStat describes one sender.
type SourceStat struct {
	Key         string
	Interval    int64 // ms, usual distance of its reports
	LastTime    int64 // newest time it sent
	LastArrival int64 // when its newest batch arrived
	Total       Result
}

// SourceStats returns all senders, ordered by key.
func (s *Store) SourceStats() []SourceStat {
	t := s.sources
	t.mu.RLock()
	out := make([]SourceStat, 0, len(t.byKey))
	for _, id := range t.byKey {
		src := t.get(id)
		src.mu.Lock()
		out = append(out, SourceStat{src.key, src.interval, src.lastTime, src.arrival, src.total})
		src.mu.Unlock()
	}
	t.mu.RUnlock()
	slices.SortFunc(out, func(a, b SourceStat) int { return strings.Compare(a.Key, b.Key) })
	return out
}
