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

// Trail is how far a request has come through the series that its sender names
// in the same order every time. The zero Trail is at the beginning.
type Trail struct {
	last uint32 // one more than the place of the series found last; 0: none
	next uint32 // the place expected now
}

// Follow returns the series that raw under common was learnt for, as Find does of
// HashTags, and moves the trail on to it. What followed the series before it last
// time is tried first, and then a few that were learnt after that, since senders
// leave out what did not change. It takes no lock and allocates nothing.
//
// A series that is expected need have the first half of the hash only: it would
// take another name with the same 64 bits in its very place.
func (s *Store) Follow(t *Trail, common Hash, raw []byte) (Ref, bool) {
	l := &s.lookup
	first, names := l.first(common, raw), l.names.Load()
	if t.last != 0 {
		for place := t.next; place < t.next+ahead; place++ {
			n := names.at(place)
			if n == nil {
				break
			}
			if n.first.Load() == first {
				if ref := Ref(n.ref.Load()); ref != NoRef {
					t.reach(n, place)
					return ref, true
				}
			}
		}
	}
	place, ref := names.find(Hash{first, l.second(common, raw)})
	if ref == NoRef {
		return NoRef, false
	}
	if last := names.at(t.last - 1); t.last != 0 && last != nil {
		last.next.Store(place + 1)
	}
	t.reach(names.at(place), place)
	return ref, true
}

// reach moves the trail to name n in the given place.
func (t *Trail) reach(n *name, place uint32) {
	t.last, t.next = place+1, place+1
	if next := n.next.Load(); next != 0 {
		t.next = next - 1
	}
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

// names is every name that was learnt, in this order, so that those of one sender
// are neighbours, and a table over them: open addressing with linear probing over
// a power of two of words, each the upper half of the first hash and, below, one
// more than the place. One goroutine inserts, any number find.
type names struct {
	chunks []*nameChunk // replaced when there is one more
	table  []atomic.Uint64
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

func newNames(table int) *names { return &names{table: make([]atomic.Uint64, table)} }

const leastTable = 1024

func (l *lookup) init() {
	l.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	l.names.Store(newNames(leastTable))
}

// clear forgets everything but the seeds.
func (l *lookup) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names.Store(newNames(leastTable))
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
	if (n.used+1)*10 > len(n.table)*6 {
		n = l.rebuild(n)
		if _, known := n.find(h); known != NoRef {
			return
		}
	}
	if n.used%chunkNames == 0 && n.used/chunkNames == len(n.chunks) {
		more := &names{table: n.table, used: n.used, gone: n.gone}
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
	if n.gone > len(n.table)/4 {
		l.rebuild(n)
	}
}

// spellings is how many names per slot are kept before all but the last one of
// each series are forgotten: a sender may order tags in many ways.
const spellings = 4

// rebuild replaces old by names with room. The caller holds l.mu.
func (l *lookup) rebuild(old *names) *names {
	live := old.used - old.gone
	var kept []uint32 // places, from the last one on
	var seen refSet
	one := live >= spellings*l.slots+leastTable
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
	size := leastTable
	for size*3 < len(kept)*10 {
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

// at returns the name in a place, nil when there is no such place.
func (n *names) at(place uint32) *name {
	if c := int(place / chunkNames); c < len(n.chunks) {
		return &n.chunks[c][place%chunkNames]
	}
	return nil
}

// find returns the place of h and its series, which is NoRef when there is none.
func (n *names) find(h Hash) (place uint32, ref Ref) {
	mask := uint64(len(n.table) - 1)
	for i := h[0] & mask; ; i = (i + 1) & mask {
		word := n.table[i].Load()
		if word == 0 {
			return 0, NoRef
		}
		if word>>32 != h[0]>>32 {
			continue
		}
		place = uint32(word) - 1
		at := n.at(place)
		if at == nil || at.first.Load() != h[0] || at.second.Load() != h[1] {
			continue // forgotten, another name, or learnt since n was taken
		}
		if ref = Ref(at.ref.Load()); ref != NoRef {
			return place, ref
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
	mask := uint64(len(n.table) - 1)
	i := h[0] & mask
	for n.table[i].Load() != 0 {
		i = (i + 1) & mask
	}
	n.table[i].Store(h[0]>>32<<32 | uint64(place+1))
	n.used++
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
