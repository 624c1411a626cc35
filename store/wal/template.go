package wal

import (
	"encoding/binary"
	"math"
	"slices"
)

// template is an ordered list of refs that a client sends again and again, each
// time all of them or most. A segment defines it once, with a number, and
// batches name the number.
type template struct {
	refs   []uint32 // as they arrive
	layout layout
	check  uint32
	hints  hints  // per place in layout
	id     uint64 // in this segment; 0 = not defined
	used   uint64 // bytes of payloads before its last use
	missed int    // bytes that batches cost which it should have fitted
}

// templates are those of an encoder. A template is found by some of its refs, so
// that a batch without some of the series, because their client leaves out
// zeros, finds it too.
type templates struct {
	limit   int // of memory in bytes
	size    int
	nextID  uint64
	anchors map[uint32]*template // every anchorEvery-th ref of a template
	all     map[*template]struct{}
	fullAt  uint64           // bytes of payloads when no room could be made
	where   []uint32         // of a match: for each ref of the template its point, or the number of points
	places  map[uint32]int32 // of a merge: the place of each ref
}

const (
	templatePoints = 16 // shorter lists of refs are not worth a template
	anchorEvery    = 64
	anchorTries    = 4 * anchorEvery
	sparsest       = 4 // a batch with fewer than a fourth of a template's refs is none of it
)

func newTemplates(limit int) templates {
	return templates{limit: limit, nextID: 1, anchors: map[uint32]*template{}, all: map[*template]struct{}{}, places: map[uint32]int32{}}
}

// bytes is what a template is charged for.
func (t *template) bytes() int { return 13*len(t.refs) + len(t.refs)/2 + 512 }

// find returns the template to write a batch with, nil for none, and whether it
// has every ref of it; where it has not, ts.where says which. The template may be
// one that the segment does not define yet. now is the bytes of payloads so far.
func (ts *templates) find(refs []uint32, now uint64) (t *template, whole bool) {
	if len(refs) < templatePoints {
		return nil, false
	}
	t = ts.anchored(refs)
	if t == nil {
		ts.add(slices.Clone(refs), now) // seen once; defined when it comes again
		return nil, false
	}
	if slices.Equal(t.refs, refs) {
		t.prepare(now)
		return t, true
	}
	if len(refs) >= len(t.refs)/sparsest && ts.match(t, refs) {
		t.prepare(now)
		return t, false
	}
	if t.id != 0 {
		t.used = now
		if t.missed += 2 * len(refs); t.missed < 6*len(t.refs) {
			return nil, false
		}
	}
	merged := ts.merge(t.refs, refs)
	ts.drop(t)
	t = ts.add(merged, now)
	if t == nil || !ts.match(t, refs) {
		return nil, false
	}
	t.prepare(now)
	return t, len(t.refs) == len(refs)
}

// prepare makes a template that was only remembered usable.
func (t *template) prepare(now uint64) {
	t.used = now
	if t.hints.of == nil {
		t.layout.set(t.refs)
		t.check = checkRefs(t.refs, t.layout.order)
		t.hints = newHints(len(t.refs))
	}
}

// anchored returns a template that has one of the first refs.
func (ts *templates) anchored(refs []uint32) *template {
	for _, ref := range refs[:min(len(refs), anchorTries)] {
		if t := ts.anchors[ref]; t != nil {
			return t
		}
	}
	return nil
}

// match says whether refs are in t in their order, and sets where.
func (ts *templates) match(t *template, refs []uint32) bool {
	ts.where = slices.Grow(ts.where[:0], len(t.refs))[:len(t.refs)]
	where, i := ts.where, 0
	for k, ref := range t.refs {
		if i < len(refs) && refs[i] == ref {
			where[k] = uint32(i)
			i++
		} else {
			where[k] = uint32(len(refs))
		}
	}
	return i == len(refs)
}

// merge returns a list that has refs in order and, where they fit, those of old.
func (ts *templates) merge(old, refs []uint32) []uint32 {
	clear(ts.places)
	for i := len(old) - 1; i >= 0; i-- {
		ts.places[old[i]] = int32(i)
	}
	out := make([]uint32, 0, len(refs)+len(refs)/4)
	next := 0
	for _, ref := range refs {
		if at, ok := ts.places[ref]; ok && int(at) >= next {
			out = append(out, old[next:at]...)
			next = int(at) + 1
		}
		out = append(out, ref)
	}
	out = append(out, old[next:]...)
	if len(out) > len(refs)*2 {
		return slices.Clone(refs) // what is left of old would be in the way
	}
	return out
}

// add remembers a template; nil when there is no room. refs is kept.
func (ts *templates) add(refs []uint32, now uint64) *template {
	t := &template{refs: refs, used: now}
	if !ts.makeRoom(t.bytes(), now) {
		return nil
	}
	ts.size += t.bytes()
	ts.all[t] = struct{}{}
	for i := 0; i < len(refs); i += anchorEvery {
		ts.anchors[refs[i]] = t
	}
	return t
}

func (ts *templates) drop(t *template) {
	delete(ts.all, t)
	ts.size -= t.bytes()
	for i := 0; i < len(t.refs); i += anchorEvery {
		if ts.anchors[t.refs[i]] == t {
			delete(ts.anchors, t.refs[i])
		}
	}
}

// makeRoom forgets the templates that were not used for longest, those first
// that nobody used. One that was used not long ago stays, or a fleet that needs
// more than there is room for would define each of them again and again.
func (ts *templates) makeRoom(n int, now uint64) bool {
	if ts.size+n <= ts.limit {
		return true
	}
	if n > ts.limit/4 || ts.fullAt > 0 && now-ts.fullAt < uint64(ts.limit)/16 {
		return false
	}
	old := make([]*template, 0, len(ts.all))
	for t := range ts.all {
		if t.hints.of == nil || now-t.used > uint64(ts.limit)/4 {
			old = append(old, t)
		}
	}
	slices.SortFunc(old, func(a, b *template) int {
		if (a.hints.of == nil) != (b.hints.of == nil) {
			if a.hints.of == nil {
				return -1
			}
			return 1
		}
		return int(min(max(int64(a.used-b.used), math.MinInt32), math.MaxInt32))
	})
	for _, t := range old {
		if ts.size+n <= ts.limit*3/4 {
			break
		}
		ts.drop(t)
	}
	ts.fullAt = now
	return ts.size+n <= ts.limit
}

// newSegment makes all templates undefined; those that the last segment did
// without are forgotten.
func (ts *templates) newSegment() {
	for t := range ts.all {
		if t.id == 0 {
			ts.drop(t)
		}
		t.id, t.missed = 0, 0
		t.hints.forget()
	}
	ts.fullAt = 0
}

// appendTo appends the content of a template's block: number, sections, slots.
func (t *template) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, t.id)
	dst = t.layout.appendSections(dst)
	from := uint32(0)
	for _, s := range t.layout.parts {
		dst = appendSlots(dst, t.refs, t.layout.order[from:s.end])
		from = s.end
	}
	return dst
}
