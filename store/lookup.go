package store

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Hash is 128 bits of the bytes that named a series in a request. The seeds
// are random per process, so a sender cannot choose two names with one hash.
type Hash [2]uint64

// HashTags returns the hash of raw under common, the hash of the tags that all
// series of a request share (the zero Hash when there are none).
func (s *Store) HashTags(common Hash, raw []byte) Hash {
	return Hash{s.lookup.first(common, raw), s.lookup.second(common, raw)}
}

func (l *lookup) first(common Hash, raw []byte) uint64 {
	h := maphash.Bytes(l.seeds[0], raw)*0x9E3779B97F4A7C15 + bits.RotateLeft64(common[0], 23)
	if h == 0 {
		return 1 // 0 marks a place without a name
	}
	return h
}

func (l *lookup) second(common Hash, raw []byte) uint64 {
	return maphash.Bytes(l.seeds[1], raw)*0xC2B2AE3D27D4EB4F + bits.RotateLeft64(common[1], 29)
}

// Find returns the series that h was learnt for. It takes no lock and allocates
// nothing.
func (s *Store) Find(h Hash) (Ref, bool) {
	_, ref := s.lookup.names.Load().find(h)
	return ref, ref != NoRef
}

// lookup is the way from hashes to series. Readers take no lock: what they read
// is atomic, and names are replaced when they have to move.
type lookup struct {
	seeds [2]maphash.Seed
	names atomic.Pointer[names]

	mu    sync.Mutex // held by who changes names
	slots int        // of all partitions
}

func (l *lookup) init() {
	l.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	l.names.Store(newNames(leastLines))
}

// clear forgets everything but the seeds.
func (l *lookup) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names.Store(newNames(leastLines))
	l.slots = 0
}

// grow says that there are more slots.
func (l *lookup) grow(slots int) {
	l.mu.Lock()
	l.slots += slots
	l.mu.Unlock()
}

// learn remembers that h names ref.
func (l *lookup) learn(h Hash, ref Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.names.Load()
	if _, known := n.find(h); known != NoRef {
		return
	}
	if n.used >= len(n.lines)*lineFull {
		n = l.rebuild(n)
		if _, known := n.find(h); known != NoRef {
			return
		}
	}
	if n.used%chunkNames == 0 && n.used/chunkNames == len(n.chunks) {
		more := &names{lines: n.lines, used: n.used, gone: n.gone}
		more.chunks = append(append(more.chunks, n.chunks...), new(nameChunk))
		l.names.Store(more)
		n = more
	}
	n.insert(h, ref)
}

// forget takes series out: nobody finds them from now on. Who is finding one
// at this moment must hold the store.
func (l *lookup) forget(gone *[partitions][]uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var dead refSet
	if dead.add(gone); dead.empty() {
		return
	}
	n := l.names.Load()
	for place := range uint32(n.used) {
		at := n.at(place)
		if ref := Ref(at.ref.Load()); ref != NoRef && dead.has(ref) {
			at.first.Store(0)
			at.ref.Store(uint32(NoRef))
			n.gone++
		}
	}
	if n.gone > len(n.lines)*lineNames/4 {
		l.rebuild(n)
	}
}

// spellings is how many names per slot are kept before all but the last one of
// each series are forgotten: a sender may order tags in many ways.
const spellings = 4

// rebuild replaces old by names with room. The caller holds l.mu.
func (l *lookup) rebuild(old *names) *names {
	live := old.used - old.gone
	one := live >= spellings*l.slots+leastLines*lineNames
	if !one && old.gone == 0 {
		fresh := newNames(2 * len(old.lines))
		fresh.chunks, fresh.used = old.chunks, old.used
		for place := range uint32(old.used) {
			fresh.enter(old.at(place).first.Load(), place)
		}
		l.names.Store(fresh)
		return fresh
	}
	var kept []uint32 // places, from the last one on
	var seen refSet
	for place := old.used - 1; place >= 0; place-- {
		ref := Ref(old.at(uint32(place)).ref.Load())
		if ref == NoRef || one && seen.has(ref) {
			continue
		}
		if one {
			seen.set(ref)
		}
		kept = append(kept, uint32(place))
	}
	size := leastLines
	for size*lineFull < len(kept)*3/2 {
		size *= 2
	}
	fresh := newNames(size)
	for i := len(kept) - 1; i >= 0; i-- {
		n := old.at(kept[i])
		if fresh.used%chunkNames == 0 {
			fresh.chunks = append(fresh.chunks, new(nameChunk))
		}
		fresh.insert(Hash{n.first.Load(), n.second.Load()}, Ref(n.ref.Load()))
	}
	l.names.Store(fresh)
	return fresh
}

// refSet is a set of series, a bit for each.
type refSet [partitions][]uint64

// add puts slots in, which ascend in each partition.
func (s *refSet) add(refs *[partitions][]uint32) {
	for part, slots := range refs {
		for i := len(slots) - 1; i >= 0; i-- { // the largest first: one allocation
			s.set(makeRef(part, slots[i]))
		}
	}
}

func (s *refSet) set(ref Ref) {
	words := &s[ref.partition()]
	for n := int(ref.slot() / 64); len(*words) <= n; {
		*words = append(*words, make([]uint64, n+1-len(*words))...)
	}
	(*words)[ref.slot()/64] |= 1 << (ref.slot() % 64)
}

func (s *refSet) has(ref Ref) bool {
	words, n := s[ref.partition()], int(ref.slot()/64)
	return n < len(words) && words[n]&(1<<(ref.slot()%64)) != 0
}

func (s *refSet) empty() bool {
	for _, words := range s {
		if len(words) > 0 {
			return false
		}
	}
	return true
}
