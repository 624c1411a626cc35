// Package index finds series by their tags.
//
// A series is a uint32 reference that its owner chose. Every distinct pair of
// key and value is interned once, has a number, and holds a roaring bitmap of
// the series that carry it. A query becomes set operations on those bitmaps;
// predicates other than equality are tried on the distinct values of their
// key. A series is searchable as soon as Add returns.
package index

import (
	"fmt"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"pulse/store/tags"
)

// Index maps tag pairs to series. It is safe for concurrent use: one writer
// and any number of readers hold its lock only for the set operations, never
// while they try a predicate on text.
//
// A pair stays interned while it has users: series that carry it, searchable or
// not, and whoever else keeps its number. Without any it is forgotten, and its
// number is given to another pair.
type Index struct {
	limits Limits

	mu    sync.RWMutex
	keys  map[string]*key
	pairs []*pair  // by pair number; see Dictionary
	free  []uint32 // numbers without a pair
	all   *roaring.Bitmap
	bytes int64 // see KeyBytes and PairBytes

	liveKeys, livePairs int // with a series
}

// key is one tag key.
type key struct {
	name   string
	byText map[string]*pair
	values []*pair // in order of first sight, those forgotten among them; replaced, or longer, never changed
	gone   int     // values that were forgotten
	live   int     // values with a series
	series *roaring.Bitmap
}

// pair is one key and value. Everything but users and postings is immutable.
type pair struct {
	key    *key
	value  string
	number uint32
	users  int32
	series postings
}

// PairBytes is about the memory of a pair without its text: the struct, its
// map entry and the entries of three slices, each with room to grow. SetBytes is that
// of the set that a pair of more than one series has, and KeyBytes that of a key.
const (
	PairBytes = 200
	SetBytes  = 150
	KeyBytes  = 700
)

// Limits is what the searchable series may have in all.
type Limits struct {
	Keys   int // distinct keys
	Values int // distinct values of one key
	Pairs  int // distinct pairs
}

// New returns an empty index.
func New(l Limits) *Index {
	return &Index{limits: l, keys: map[string]*key{}, all: roaring.New()}
}

// TooMany says that a series would exceed one of the Limits.
type TooMany struct {
	What string // "tag keys", "tag pairs" or "values for tag key node"
	Max  int
}

func (e *TooMany) Error() string { return fmt.Sprintf("too many %s: the limit is %d", e.What, e.Max) }

// Intern appends the pair numbers of t to dst, in the order of t, and returns
// the longer slice. Each pair has one user more, which Release takes away.
// Texts seen for the first time are copied. It fails with *TooMany before
// anything is interned.
func (x *Index) Intern(dst []uint32, t tags.Tags) ([]uint32, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.admit(t); err != nil {
		return dst, err
	}
	for _, tag := range t {
		p := x.intern(tag)
		p.users++
		dst = append(dst, p.number)
	}
	return dst, nil
}

// Restore is Intern for a series that was admitted before: there is no limit.
func (x *Index) Restore(dst []uint32, t tags.Tags) []uint32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, tag := range t {
		p := x.intern(tag)
		p.users++
		dst = append(dst, p.number)
	}
	return dst
}

// Clear takes everything out.
func (x *Index) Clear() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.keys, x.pairs, x.free, x.all, x.bytes = map[string]*key{}, nil, nil, roaring.New(), 0
	x.liveKeys, x.livePairs = 0, 0
}

// Retain adds a user to each of the pairs, which have one already.
func (x *Index) Retain(pairs []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range pairs {
		x.pairs[n].users++
	}
}

// Release takes a user of each of the pairs away. A pair without users must
// have no series; it is forgotten at once, so nobody may use its number.
func (x *Index) Release(pairs []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range pairs {
		if p := x.pairs[n]; p.users > 1 {
			p.users--
		} else {
			x.forget(p)
		}
	}
}

func (x *Index) forget(p *pair) {
	if !p.series.empty() {
		panic("BUG: the tag " + p.key.name + "=" + p.value + " has series and no users")
	}
	k := p.key
	x.pairs[p.number] = nil
	x.free = append(x.free, p.number)
	x.bytes -= PairBytes + int64(len(p.value)) + p.series.bytes()
	delete(k.byText, p.value)
	if len(k.byText) == 0 {
		delete(x.keys, k.name)
		x.bytes -= KeyBytes + int64(len(k.name))
		return
	}
	p.users = 0
	if k.gone++; k.gone > len(k.values)/2 {
		left := make([]*pair, 0, len(k.byText)+len(k.byText)/4)
		for _, v := range k.values {
			if v.users > 0 {
				left = append(left, v)
			}
		}
		k.values, k.gone = left, 0
	}
}

// Cost returns the most bytes that Intern of t, and Add of its series, may add to
// Bytes.
func Cost(t tags.Tags) int64 {
	n := int64(0)
	for _, tag := range t {
		n += KeyBytes + PairBytes + SetBytes + int64(len(tag.Key)+len(tag.Value))
	}
	return n
}

// Bytes returns about how much memory keys and pairs take.
func (x *Index) Bytes() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.bytes
}

// Unknown returns a bit for each of the first 64 tags of t that is not
// interned.
func (x *Index) Unknown(t tags.Tags) (strange uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for i := range t[:min(len(t), 64)] {
		if k := x.keys[t[i].Key]; k == nil || k.byText[t[i].Value] == nil {
			strange |= 1 << i
		}
	}
	return strange
}

// admit checks the limits for a series with tags t. The caller holds the lock.
func (x *Index) admit(t tags.Tags) error {
	keys, pairs := x.liveKeys, x.livePairs
	for _, tag := range t {
		k := x.keys[tag.Key]
		if k != nil {
			if p := k.byText[tag.Value]; p != nil && !p.series.empty() {
				continue
			}
		}
		switch {
		case k == nil || k.live == 0:
			keys++
		case k.live >= x.limits.Values:
			return &TooMany{"values for tag key " + k.name, x.limits.Values}
		}
		pairs++
	}
	switch {
	case keys > x.limits.Keys:
		return &TooMany{"tag keys", x.limits.Keys}
	case pairs > x.limits.Pairs:
		return &TooMany{"tag pairs", x.limits.Pairs}
	}
	return nil
}

// intern returns the pair of tag, which it creates on first sight. The caller
// holds the lock.
func (x *Index) intern(tag tags.Tag) *pair {
	k := x.keys[tag.Key]
	if k == nil {
		k = &key{name: clone(tag.Key), byText: map[string]*pair{}, series: roaring.New()}
		x.keys[k.name] = k
		x.bytes += KeyBytes + int64(len(k.name))
	}
	p := k.byText[tag.Value]
	if p == nil {
		p = &pair{key: k, value: clone(tag.Value), number: x.number()}
		k.byText[p.value] = p
		k.values = append(k.values, p)
		x.pairs[p.number] = p
		x.bytes += PairBytes + int64(len(p.value))
	}
	return p
}

// number returns a pair number that nobody has.
func (x *Index) number() uint32 {
	if last := len(x.free) - 1; last >= 0 {
		n := x.free[last]
		x.free = x.free[:last]
		return n
	}
	x.pairs = append(x.pairs, nil)
	return uint32(len(x.pairs) - 1)
}

// Add makes series ref, which carries the pairs that Intern numbered,
// searchable. Adding it again changes nothing.
func (x *Index) Add(ref uint32, pairs []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.all.CheckedAdd(ref) {
		return
	}
	for _, n := range pairs {
		p := x.pairs[n]
		if p.series.empty() {
			x.count(p.key, 1)
		}
		before := p.series.bytes()
		p.series.add(ref)
		x.bytes += p.series.bytes() - before
		p.key.series.Add(ref)
	}
}

// Remove takes series ref out of every answer. Its pairs stay interned until
// Release.
func (x *Index) Remove(ref uint32, pairs []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.all.CheckedRemove(ref) {
		return
	}
	for _, n := range pairs {
		p := x.pairs[n]
		p.series.remove(ref)
		if p.series.empty() {
			x.count(p.key, -1)
		}
		p.key.series.Remove(ref)
	}
}

// count notes that a pair of k got its first series (1) or lost its last (-1).
func (x *Index) count(k *key, d int) {
	was := k.live
	k.live += d
	x.livePairs += d
	if was == 0 || k.live == 0 {
		x.liveKeys += d
	}
}

// Stats describes an index.
type Stats struct {
	Series int   // searchable
	Keys   int   // distinct tag keys of searchable series
	Pairs  int   // distinct tags of searchable series
	Values int   // distinct values of the key that has most
	Bytes  int64 // see Bytes
}

// Stats returns the present figures.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	most := 0
	for _, k := range x.keys {
		most = max(most, k.live)
	}
	return Stats{Series: int(x.all.GetCardinality()), Keys: x.liveKeys, Pairs: x.livePairs, Values: most, Bytes: x.bytes}
}
