package store

import (
	"sync"
	"sync/atomic"

	"pulse/store/norm"
)

// partition owns the series whose tags hash to it: everything that is kept per
// series is a slice by slot, without pointers. Slots are numbered in order of
// creation, and used again when nothing is left of their series.
type partition struct {
	mu sync.RWMutex // never held across I/O, a callback or another partition's

	flags   []uint8
	slots   []slot
	states  []norm.State // of the rates and counters, see slot.state; the first is nobody's
	unused  []uint32     // places in states that nobody has
	pairs   []uint32     // per series the number of its tags and their pair numbers; append-only, or replaced
	pairAt  []uint32     // where those of a slot begin in pairs; 0: the slot is free
	garbage int          // entries of pairs that no slot has any more
	free    []uint32     // slots without a series; one that has got one meanwhile is skipped
	byTags  byTags       // the slots that are not free

	more   map[uint32][]link   // sources beyond the first, by slot
	linked map[uint64]struct{} // slot and source of each in more

	applied uint64 // number of the last record of the log that was taken

	number  int                       // of the partition
	open    []*openBlock              // the head, ascending by number
	sealed  [maxTiers][]*arena        // by tier, ascending by number; a list is replaced, never changed
	changes int                       // of sealed
	gaps    []int64                   // primary blocks of which something was lost, ascending
	stale   [maxTiers]map[int64]stale // blocks of derived tiers, by number, that have to be derived
	pool    *pool                     // of the columns' memory
	patches *atomic.Int64             // bytes of the patches of all partitions
	epochs  *atomic.Uint64            // the last that an arena of the store was given

	_ [64]byte // neighbours must not share a cache line
}

// slot is what is known of one series.
type slot struct {
	first  int64    // its earliest step with a value since it became searchable; 0: none yet
	last   int64    // newest step written
	source SourceID // the first to send it
	state  uint32   // where its norm.State is, if it is a rate or a counter; 0: it has none
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
	flagIdle   uint8 = 1 << 6 // not written lately: its place in the columns is not paid for
	flagLogged uint8 = 1 << 5 // the log says, or a snapshot, which series it is
	flagFaded  uint8 = 1 << 7 // not watched: only coarser tiers have something of it
)

func kindOf(flags uint8) norm.Kind { return norm.Kind(flags & flagKind) }

// Links are bounded, since a sender may call itself by ever new names. Sources
// beyond the bounds are not told apart from those that never sent the series.
const (
	maxLinks     = 4096    // of one series
	linksPerSlot = 4       // of a partition, on average,
	fewestLinks  = 1 << 15 // and however few series it has
)

// add makes a slot for a series, which nobody finds before it is in byTags: a free one, or
// else a new one. The caller holds the lock.
func (p *partition) add(kind norm.Kind, pairs []uint32, now int64) uint32 {
	for len(p.free) > 0 {
		n := p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
		if p.pairAt[n] == 0 {
			p.fill(n, kind, pairs, now)
			return n
		}
	}
	n := uint32(len(p.slots))
	p.extend(n)
	p.fill(n, kind, pairs, now)
	return n
}

// extend makes slots exist up to n. The caller holds the lock.
func (p *partition) extend(n uint32) {
	for uint32(len(p.slots)) <= n {
		p.flags = append(p.flags, 0)
		p.slots = append(p.slots, slot{})
		p.pairAt = append(p.pairAt, 0)
	}
}

// fill puts a series into a free slot. The caller holds the lock.
func (p *partition) fill(n uint32, kind norm.Kind, pairs []uint32, now int64) {
	p.reset(n)
	p.flags[n] = uint8(kind)
	if kind == norm.Counter {
		p.flags[n] |= flagAmount | flagUsed
	}
	p.slots[n].last = now
	if normalizes(kind) {
		p.slots[n].state = p.newState()
	}
	if len(p.pairs) == 0 {
		p.pairs = append(p.pairs, 0)
	}
	p.pairAt[n] = uint32(len(p.pairs))
	p.pairs = append(append(p.pairs, uint32(len(pairs))), pairs...)
}

// normalizes reports whether series of a kind carry a norm.State from report to
// report.
func normalizes(kind norm.Kind) bool { return kind == norm.Rate || kind == norm.Counter }

// newState returns the place of a state that has seen nothing. The caller holds the
// lock.
func (p *partition) newState() uint32 {
	if last := len(p.unused) - 1; last >= 0 {
		at := p.unused[last]
		p.unused = p.unused[:last]
		return at
	}
	if len(p.states) == 0 {
		p.states = append(p.states, norm.State{})
	}
	p.states = append(p.states, norm.State{})
	return uint32(len(p.states) - 1)
}

// reset forgets all that is known of slot n but its tags. The caller holds the
// lock.
func (p *partition) reset(n uint32) {
	if at := p.slots[n].state; at != 0 {
		p.states[at] = norm.State{}
		p.unused = append(p.unused, at)
	}
	p.flags[n], p.slots[n] = 0, slot{}
	for _, l := range p.more[n] {
		delete(p.linked, uint64(n)<<32|uint64(l.source))
	}
	delete(p.more, n)
}

// tidy drops the tags of series that are gone when they are more than those
// that are there. Who reads the old list may go on.
func (p *partition) tidy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.garbage <= len(p.pairs)/2 {
		return
	}
	fresh := make([]uint32, 1, (len(p.pairs)-p.garbage)*5/4+1)
	for n, at := range p.pairAt {
		if at != 0 {
			p.pairAt[n] = uint32(len(fresh))
			fresh = append(fresh, p.pairs[at:at+1+p.pairs[at]]...)
		}
	}
	p.pairs, p.garbage = fresh, 0
}

// pairsOf returns the tag pairs of a slot that is not free. The caller holds
// the lock or s.changing; the result stays as it is.
func (p *partition) pairsOf(slot uint32) []uint32 { return pairsOf(p.pairs, p.pairAt[slot]) }

// pairsOf returns the pairs that begin at the given place of a partition's.
func pairsOf(pairs []uint32, at uint32) []uint32 {
	end := at + 1 + pairs[at]
	return pairs[at+1 : end : end]
}

// faded reports whether only coarser tiers have something of slot n.
func (p *partition) faded(n uint32) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.flags[n]&flagFaded != 0
}

// buried reports whether slot n is not searchable.
func (p *partition) buried(n uint32) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.flags[n]&flagDead != 0
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
