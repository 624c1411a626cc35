package wal

import (
	"cmp"
	"encoding/binary"
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
	missed int    // bytes that refs took which it lacks
	hits   int    // batches it fitted
	vain   int    // templates before it, one after the other, that fitted hardly any

	step    int64 // ms that counts are divided by; 0 is the usual one
	tunings int   // how often another one was looked for
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
	extra   []uint32         // of a match: the points whose refs it lacks, by partition
	places  map[uint32]int32 // of a merge: the place of each ref
}

const (
	templatePoints = 16 // shorter lists of refs are not worth a template
	anchorEvery    = 64
	anchorTries    = 4 * anchorEvery
	sparsest       = 4 // a batch with fewer than a fourth of a template's refs is none of it
	walkPlaces     = 64
	matchAhead     = 512
	mostExtra      = 32 // refs that a template lacks, and 1 of 32
	extraBytes     = 5  // that such a ref takes
	fewHits        = 4
	mostVain       = 10
)

func newTemplates(limit int) templates {
	return templates{limit: limit, nextID: 1, anchors: map[uint32]*template{}, all: map[*template]struct{}{}, places: map[uint32]int32{}}
}

// bytes is what a template is charged for.
func (t *template) bytes() int { return 13*len(t.refs) + len(t.refs)/2 + 512 }

// find returns the template to write a batch with, nil for none, and whether the
// batch is just its refs; where it is not, ts.where and ts.extra say how it
// differs. The template may be one that the segment does not define yet. now is the
// bytes of payloads so far.
func (ts *templates) find(refs []uint32, now uint64) (t *template, whole bool) {
	if len(refs) < templatePoints {
		return nil, false
	}
	t = ts.anchored(refs)
	if t == nil {
		ts.add(refs, now) // seen once; defined when it comes again
		return nil, false
	}
	if slices.Equal(t.refs, refs) {
		t.prepare(now)
		t.hits++
		return t, true
	}
	cost := 2 * len(refs)
	fits := len(refs) >= len(t.refs)/sparsest && ts.match(t, refs)
	if fits {
		cost = extraBytes * len(ts.extra)
	}
	if t.hints.of != nil || cost == 0 {
		t.prepare(now)
		if t.missed += cost; t.missed < 4*len(t.refs)<<t.vain {
			if !fits {
				return nil, false
			}
			t.hits++
			return t, false
		}
	}
	merged, old := ts.merge(t.refs, refs), t
	ts.drop(t)
	if t = ts.add(merged, now); t == nil || !ts.match(t, refs) {
		return nil, false
	}
	if t.step = old.step; old.id != 0 && old.hits < fewHits {
		t.vain = min(old.vain+1, mostVain)
	}
	t.prepare(now)
	return t, len(t.refs) == len(refs) && len(ts.extra) == 0
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

// match says whether refs are those of t in their order, but for some that are
// missing and a few that are not in t, and sets where and extra.
func (ts *templates) match(t *template, refs []uint32) bool {
	n := uint32(len(refs))
	ts.where = slices.Grow(ts.where[:0], len(t.refs))[:len(t.refs)]
	ts.extra = ts.extra[:0]
	where, next, i := ts.where, 0, 0
	for i < len(refs) && next < len(t.refs) {
		if at, to := ts.walk(t, refs, next, i); to > i {
			next, i = at, to
			continue
		}
		at, end := next, min(next+matchAhead, len(t.refs))
		for at < end && t.refs[at] != refs[i] {
			at++
		}
		if at == end {
			if ts.extra = append(ts.extra, uint32(i)); len(ts.extra) > mostExtra+len(refs)/mostExtra {
				return false
			}
			i++
			continue
		}
		for ; next < at; next++ {
			where[next] = n
		}
	}
	for ; next < len(where); next++ {
		where[next] = n
	}
	if len(ts.extra)+len(refs)-i > mostExtra+len(refs)/mostExtra {
		return false
	}
	for ; i < len(refs); i++ {
		ts.extra = append(ts.extra, uint32(i))
	}
	slices.SortStableFunc(ts.extra, func(a, b uint32) int { return int(refs[a]>>slotBits) - int(refs[b]>>slotBits) })
	return true
}

// walk goes through a few places of t from next on, sets where of those that have
// the points from i on, and returns the place behind the last that has one and the
// next point. Which places are missing cannot be guessed, so it does not branch on it.
func (ts *templates) walk(t *template, refs []uint32, next, i int) (int, int) {
	end := min(next+walkPlaces, len(t.refs))
	places, where := t.refs[next:end], ts.where[next:end]
	last := 0
	for k, ref := range places {
		if i == len(refs) {
			break
		}
		point, behind, step := uint32(len(refs)), last, 0
		if refs[i] == ref {
			point, behind, step = uint32(i), k+1, 1
		}
		where[k], last = point, behind
		i += step
	}
	return next + last, i
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
		return refs // what is left of old would be in the way
	}
	return out
}

// add remembers a template; nil when there is no room.
func (ts *templates) add(refs []uint32, now uint64) *template {
	t := &template{refs: refs, used: now}
	if !ts.makeRoom(t.bytes(), now) {
		return nil
	}
	t.refs = slices.Clone(refs)
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

// makeRoom forgets the templates that were not used for longest. One that was
// used not long ago stays, or a fleet that needs more than there is room for would
// define each of them again and again; a list that came once does not.
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
	slices.SortFunc(old, func(a, b *template) int { return cmp.Compare(a.used, b.used) })
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
		t.tunings = 0
		t.hints.forget(byBits)
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
