package store

import (
	"math/bits"
	"sync/atomic"
)

// names is every name that was learnt, in this order, so that those of one sender
// are neighbours, and a table over them: open addressing with linear probing over
// a power of two of lines. One goroutine inserts, any number find.
type names struct {
	chunks []*nameChunk // replaced when there is one more
	lines  []line
	used   int // places
	gone   int // of those used
}

// name is what is known under one hash. It is written once; later it may be
// forgotten, and another one be learnt to come next.
type name struct {
	first, second atomic.Uint64 // halves of the hash; first is stored last, 0: forgotten or not there yet
	ref           atomic.Uint32 // NoRef: forgotten
	next          atomic.Uint32 // one more than the place that came next; 0: the one behind this
}

const (
	chunkNames = 1024
	ahead      = 4 // places that Follow tries
)

type nameChunk [chunkNames]name

// line is a line of the processor's cache: the places of up to lineNames names
// and a mark of each, ten bits of its first hash that are not 0. It is filled
// from the front, half by half, and a name is in a later line only when all
// lines from its own to that one are full.
type line struct {
	marks  [2]atomic.Uint64 // the mark of a name is stored after its place
	places [lineNames]atomic.Uint32
}

const (
	lineNames  = 12
	lineFull   = 10 // names per line at most, on average
	leastLines = 64

	halfNames = lineNames / 2
	markBits  = 10
	markOnes  = 1 | 1<<10 | 1<<20 | 1<<30 | 1<<40 | 1<<50 // lowest bits of the marks of a half
	markHighs = markOnes << (markBits - 1)
	markLast  = (1<<markBits - 1) << (markBits * (halfNames - 1))
)

// markOf returns the mark of a name. The line comes from the low bits of the hash.
func markOf(first uint64) uint64 {
	if mark := first >> (64 - markBits); mark != 0 {
		return mark
	}
	return 1
}

// matches returns a bit in each mark of a half that equals mark, and perhaps in
// some above one that does.
func matches(half, mark uint64) uint64 {
	x := half ^ mark*markOnes
	return (x - markOnes) &^ x & markHighs
}

// lane returns the number of the lowest mark that has a bit.
func lane(bit uint64) int { return bits.TrailingZeros64(bit) / markBits }

func newNames(lines int) *names { return &names{lines: make([]line, lines)} }

// at returns the name in a place, nil when there is no such place.
func (n *names) at(place uint32) *name {
	if c := int(place / chunkNames); c < len(n.chunks) {
		return &n.chunks[c][place%chunkNames]
	}
	return nil
}

// is returns the series of the name if its hash is h, and NoRef otherwise. A name
// that is nil, forgotten or not there yet is of no series; h is not zero.
func (n *name) is(h Hash) Ref {
	if n == nil || n.first.Load() != h[0] || n.second.Load() != h[1] {
		return NoRef
	}
	return Ref(n.ref.Load())
}

// find returns the place of h and its series, which is NoRef when there is none.
func (n *names) find(h Hash) (place uint32, ref Ref) {
	mask, mark := uint64(len(n.lines)-1), markOf(h[0])
	for i := h[0] & mask; ; i = (i + 1) & mask {
		g := &n.lines[i]
		for k := range g.marks {
			half := g.marks[k].Load()
			for m := matches(half, mark); m != 0; m &= m - 1 {
				place = g.places[k*halfNames+lane(m)].Load()
				if ref = n.at(place).is(h); ref != NoRef {
					return place, ref
				}
			}
			if half&markLast == 0 {
				return 0, NoRef
			}
		}
	}
}

// guess sets places to where the names with the given hashes most likely are: the
// first of the same mark in their lines. It reads all of the lines before it
// reads what they say, and then all of the names, so that the processor waits for
// memory once and not for each. There are no more hashes than places.
func (n *names) guess(hashes []Hash, places *[together]uint32) {
	mask := uint64(len(n.lines) - 1)
	for i := range hashes {
		n.lines[hashes[i][0]&mask].marks[0].Load()
	}
	for i := range hashes {
		g, mark := &n.lines[hashes[i][0]&mask], markOf(hashes[i][0])
		at := 0
		if m := matches(g.marks[0].Load(), mark); m != 0 {
			at = lane(m)
		} else if m := matches(g.marks[1].Load(), mark); m != 0 {
			at = halfNames + lane(m)
		}
		places[i] = g.places[at].Load()
	}
	for i := range hashes {
		if name := n.at(places[i]); name != nil {
			name.first.Load()
			name.next.Load() // which may be in another line of the cache
		}
	}
}

// insert puts a name into the next place, whose chunk is there.
func (n *names) insert(h Hash, ref Ref) {
	place := uint32(n.used)
	at := n.at(place)
	at.ref.Store(uint32(ref))
	at.second.Store(h[1])
	at.first.Store(h[0])
	n.enter(h[0], place)
	n.used++
}

// enter makes find look at a place for a hash.
func (n *names) enter(first uint64, place uint32) {
	mask, mark := uint64(len(n.lines)-1), markOf(first)
	for i := first & mask; ; i = (i + 1) & mask {
		g := &n.lines[i]
		for k := range g.marks {
			half := g.marks[k].Load()
			if half&markLast != 0 {
				continue
			}
			at := (bits.Len64(half) + markBits - 1) / markBits
			g.places[k*halfNames+at].Store(place)
			g.marks[k].Store(half | mark<<(markBits*at))
			return
		}
	}
}
