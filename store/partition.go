package store

import (
	"sync"

	"pulse/store/norm"
)

// partition owns the series whose tags hash to it: everything that is kept per
// series is a slice by slot, without pointers. Slots are numbered in order of
// creation and never used for another series.
type partition struct {
	mu sync.RWMutex // never held across I/O, a callback or another partition's

	flags   []uint8
	slots   []slot
	states  []norm.State
	pairs   []uint32          // tag pair numbers of all slots; append-only
	pairEnd []uint32          // where the pairs of a slot end; append-only
	byTags  map[uint64]uint32 // hash of canonical tags to slot; a collision goes to the next number

	more   map[uint32][]link   // sources beyond the first, by slot
	linked map[uint64]struct{} // slot and source of each in more

	applied uint64 // number of the last record of the log that was taken

	number  int                // of the partition
	open    []*openBlock       // the head, ascending by number
	sealed  [maxTiers][]*arena // by tier, ascending by number; a list is replaced, never changed
	changes int                // of sealed
	pool    *pool              // of the columns' memory

	_ [64]byte // neighbours must not share a cache line
}

// slot is what is known of one series.
type slot struct {
	first  int64    // its earliest step with a value since it became searchable; 0: none yet
	last   int64    // newest step written
	source SourceID // the first to send it
}

// link is a further source of a series, and since which step.
type link struct {
	source SourceID
	since  int64
}

// Flags of a slot.
const (
	flagKind   uint8 = 3      // norm.Kind
	flagAmount uint8 = 1 << 2 // values in the head are amounts, to be divided by the step's seconds
	flagUsed   uint8 = 1 << 3 // flagAmount is settled
	flagDead   uint8 = 1 << 4 // not searchable: nothing is left of it
)

func kindOf(flags uint8) norm.Kind { return norm.Kind(flags & flagKind) }

// Links are bounded, since a sender may call itself by ever new names. Sources
// beyond the bounds are not told apart from those that never sent the series.
const (
	maxLinks     = 4096    // of one series
	linksPerSlot = 4       // of a partition, on average,
	fewestLinks  = 1 << 15 // and however few series it has
)

// add appends a slot for a series, which nobody finds before name. The caller
// holds the lock.
func (p *partition) add(kind norm.Kind, pairs []uint32, now int64) uint32 {
	n := uint32(len(p.slots))
	flags := uint8(kind)
	if kind == norm.Counter {
		flags |= flagAmount | flagUsed
	}
	p.flags = append(p.flags, flags)
	p.slots = append(p.slots, slot{last: now})
	p.states = append(p.states, norm.State{})
	p.pairs = append(p.pairs, pairs...)
	p.pairEnd = append(p.pairEnd, uint32(len(p.pairs)))
	return n
}

// name makes find return slot n for the tags with the given hash. The caller
// holds the lock.
func (p *partition) name(n uint32, hash uint64) {
	for {
		if _, taken := p.byTags[hash]; !taken {
			p.byTags[hash] = n
			return
		}
		hash++
	}
}

// pairsOf returns the tag pairs of a slot. They never change, so the result
// stays valid without the lock.
func (p *partition) pairsOf(slot uint32) []uint32 { return pairsOf(p.pairs, p.pairEnd, slot) }

func pairsOf(pairs, end []uint32, slot uint32) []uint32 {
	from := uint32(0)
	if slot > 0 {
		from = end[slot-1]
	}
	return pairs[from:end[slot]:end[slot]]
}

// link remembers that source sends the slot since the given step, and reports
// whether that was new.
func (p *partition) link(n uint32, source SourceID, since int64) bool {
	s := &p.slots[n]
	if s.source == 0 && s.first == 0 && len(p.more[n]) == 0 {
		s.source = source
		return true
	}
	key := uint64(n)<<32 | uint64(source)
	if _, ok := p.linked[key]; ok || len(p.more[n]) >= maxLinks || len(p.linked) >= fewestLinks+linksPerSlot*len(p.slots) {
		return false
	}
	p.linked[key] = struct{}{}
	p.more[n] = append(p.more[n], link{source, since})
	return true
}

// unlink forgets sources. The caller holds the lock.
func (p *partition) unlink(gone map[SourceID]bool) {
	for i := range p.slots {
		if s := &p.slots[i]; s.source != 0 && gone[s.source] {
			s.source = 0
		}
	}
	for n, links := range p.more {
		kept := links[:0]
		for _, l := range links {
			if gone[l.source] {
				delete(p.linked, uint64(n)<<32|uint64(l.source))
			} else {
				kept = append(kept, l)
			}
		}
		if len(kept) == 0 {
			delete(p.more, n)
		} else {
			p.more[n] = kept
		}
	}
}
