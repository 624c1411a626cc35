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
	h := Hash{
		maphash.Bytes(s.lookup.seeds[0], raw)*0x9E3779B97F4A7C15 + bits.RotateLeft64(common[0], 23),
		maphash.Bytes(s.lookup.seeds[1], raw)*0xC2B2AE3D27D4EB4F + bits.RotateLeft64(common[1], 29),
	}
	if h[0] == 0 {
		h[0] = 1 // 0 marks an empty place
	}
	return h
}

// Find returns the series that h was learnt for. after is the series before it
// in the same request, or NoRef: senders repeat themselves, so what followed
// it last time is tried first. It takes no lock and allocates nothing.
func (s *Store) Find(h Hash, after Ref) (Ref, bool) {
	l := &s.lookup
	prev := l.entry(after)
	if prev != nil {
		if next := Ref(prev.next.Load() - 1); next != NoRef {
			if e := l.entry(next); e != nil && e.h0.Load() == h[0] && e.h1.Load() == h[1] {
				return next, true
			}
		}
	}
	ref, ok := l.table.Load().find(h)
	if ok && prev != nil {
		prev.next.Store(uint32(ref) + 1)
	}
	return ref, ok
}

// lookup is the way from hashes to series. Readers take no lock: entries are
// atomics, chunks and tables are replaced and never moved. A reader may see
// halves of two hashes of one series; it would then have to ask for exactly
// that mixture, and get the right series.
type lookup struct {
	seeds  [2]maphash.Seed
	chunks [partitions]atomic.Pointer[[]*lookupChunk]
	table  atomic.Pointer[hashTable]

	mu    sync.Mutex // held by learn and grow
	slots int        // entries that exist
}

// lookupEntry is what is known of one series: the last hash it was learnt
// under and one more than the Ref that followed it.
type lookupEntry struct {
	h0, h1 atomic.Uint64
	next   atomic.Uint32
}

const chunkSlots = 256

type lookupChunk [chunkSlots]lookupEntry

func (l *lookup) init() {
	l.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	l.table.Store(newHashTable(1024))
}

// clear forgets everything but the seeds.
func (l *lookup) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.chunks {
		l.chunks[i].Store(nil)
	}
	l.table.Store(newHashTable(1024))
	l.slots = 0
}

// entry returns the entry of ref, nil when there is none.
func (l *lookup) entry(ref Ref) *lookupEntry {
	chunks := l.chunks[ref.partition()].Load()
	if chunks == nil {
		return nil
	}
	slot := ref.slot()
	if c := int(slot / chunkSlots); c < len(*chunks) {
		return &(*chunks)[c][slot%chunkSlots]
	}
	return nil
}

// grow makes sure that ref has an entry.
func (l *lookup) grow(ref Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots++
	if l.entry(ref) != nil {
		return
	}
	at := &l.chunks[ref.partition()]
	var chunks []*lookupChunk
	if old := at.Load(); old != nil {
		chunks = append(chunks, *old...)
	}
	for len(chunks) <= int(ref.slot()/chunkSlots) {
		chunks = append(chunks, new(lookupChunk))
	}
	at.Store(&chunks)
}

// learn remembers that h names ref and that ref follows after.
func (l *lookup) learn(h Hash, ref, after Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entry(ref)
	e.h0.Store(h[0])
	e.h1.Store(h[1])
	if prev := l.entry(after); prev != nil {
		prev.next.Store(uint32(ref) + 1)
	}
	t := l.table.Load()
	if _, ok := t.find(h); ok {
		return
	}
	if (t.used+1)*10 > len(t.places)*6 {
		t = l.rebuild(t)
		if _, ok := t.find(h); ok {
			return
		}
	}
	t.insert(h, ref)
}

// forget takes series out: nobody finds them from now on. Who is finding one
// at this moment must hold the store.
func (l *lookup) forget(gone *[partitions][]uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var dead [partitions][]uint64 // a bit per slot
	any := false
	for part, slots := range gone {
		if len(slots) == 0 {
			continue
		}
		any = true
		dead[part] = make([]uint64, slots[len(slots)-1]/64+1)
		for _, n := range slots {
			dead[part][n/64] |= 1 << (n % 64)
			e := l.entry(makeRef(part, n))
			e.h0.Store(0)
			e.h1.Store(0)
			e.next.Store(0)
		}
	}
	if !any {
		return
	}
	t := l.table.Load()
	for i := range t.places {
		ref := Ref(t.places[i].ref.Load())
		if t.places[i].h0.Load() == 0 || ref == NoRef {
			continue
		}
		bits, n := dead[ref.partition()], ref.slot()
		if int(n/64) < len(bits) && bits[n/64]&(1<<(n%64)) != 0 {
			t.places[i].ref.Store(uint32(NoRef))
			t.gone++
		}
	}
	if t.gone > len(t.places)/4 {
		l.rebuild(t)
	}
}

// spellings is how many hashes per series the table keeps before it starts
// again from the last one of each: a sender may order tags in many ways.
const spellings = 4

// rebuild replaces t by a table with room. The caller holds l.mu.
func (l *lookup) rebuild(t *hashTable) *hashTable {
	if live := t.used - t.gone; live < spellings*l.slots+1024 {
		size := 1024
		for size*3 < live*10 {
			size *= 2
		}
		fresh := newHashTable(size)
		for i := range t.places {
			if p := &t.places[i]; p.h0.Load() != 0 && Ref(p.ref.Load()) != NoRef {
				fresh.insert(Hash{p.h0.Load(), p.h1.Load()}, Ref(p.ref.Load()))
			}
		}
		l.table.Store(fresh)
		return fresh
	}
	size := 1024
	for size < 4*l.slots {
		size *= 2
	}
	fresh := newHashTable(size)
	for part := range l.chunks {
		chunks := l.chunks[part].Load()
		if chunks == nil {
			continue
		}
		for c, chunk := range *chunks {
			for i := range chunk {
				if h := (Hash{chunk[i].h0.Load(), chunk[i].h1.Load()}); h[0] != 0 {
					fresh.insert(h, makeRef(part, uint32(c*chunkSlots+i)))
				}
			}
		}
	}
	l.table.Store(fresh)
	return fresh
}

// hashTable is open addressing with linear probing over a power of two of
// places. Places are filled once; all that changes after is that the series
// may be gone. One goroutine inserts, any number find.
type hashTable struct {
	places []hashPlace
	used   int
	gone   int // of those used
}

type hashPlace struct {
	h0, h1 atomic.Uint64 // h0 is stored last; 0 = empty
	ref    atomic.Uint32 // NoRef: the series is gone
}

func newHashTable(size int) *hashTable { return &hashTable{places: make([]hashPlace, size)} }

func (t *hashTable) find(h Hash) (Ref, bool) {
	mask := uint64(len(t.places) - 1)
	for i := h[0] & mask; ; i = (i + 1) & mask {
		p := &t.places[i]
		switch p.h0.Load() {
		case 0:
			return NoRef, false
		case h[0]:
			if p.h1.Load() == h[1] {
				if ref := Ref(p.ref.Load()); ref != NoRef {
					return ref, true
				}
			}
		}
	}
}

func (t *hashTable) insert(h Hash, ref Ref) {
	mask := uint64(len(t.places) - 1)
	i := h[0] & mask
	for t.places[i].h0.Load() != 0 {
		i = (i + 1) & mask
	}
	p := &t.places[i]
	p.ref.Store(uint32(ref))
	p.h1.Store(h[1])
	p.h0.Store(h[0])
	t.used++
}
