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
type Index struct {
	limits Limits

	mu    sync.RWMutex
	keys  map[string]*key
	pairs []*pair // by pair number; append-only, so a copy of the header is a snapshot
	all   *roaring.Bitmap
	texts int64 // bytes of interned text

	liveKeys, livePairs int // with a series
}

// key is one tag key. Its values are append-only.
type key struct {
	name   string
	byText map[string]*pair
	values []*pair // in order of first sight
	live   int     // values with a series
	series *roaring.Bitmap
}

// pair is one key and value. Everything but the postings is immutable.
type pair struct {
	key    *key
	value  string
	number uint32
	series postings
}

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
// the longer slice. Texts seen for the first time are copied. It fails with
// *TooMany before anything is interned.
func (x *Index) Intern(dst []uint32, t tags.Tags) ([]uint32, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.admit(t); err != nil {
		return dst, err
	}
	for _, tag := range t {
		dst = append(dst, x.intern(tag).number)
	}
	return dst, nil
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
		x.texts += int64(len(k.name))
	}
	p := k.byText[tag.Value]
	if p == nil {
		p = &pair{key: k, value: clone(tag.Value), number: uint32(len(x.pairs))}
		k.byText[p.value] = p
		k.values = append(k.values, p)
		x.pairs = append(x.pairs, p)
		x.texts += int64(len(p.value))
	}
	return p
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
		p.series.add(ref)
		p.key.series.Add(ref)
	}
}

// Remove takes series ref out of every answer. Its pairs stay interned, so
// that their numbers remain valid.
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
	Series int // searchable
	Keys   int // distinct tag keys of searchable series
	Pairs  int // distinct tags of searchable series
	Bytes  int64
}

// Stats returns the present figures. Bytes counts interned text and a flat
// estimate per pair, without the postings.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	const pairBytes = 160 // the struct, its map entry and three slice entries
	return Stats{
		Series: int(x.all.GetCardinality()),
		Keys:   x.liveKeys,
		Pairs:  x.livePairs,
		Bytes:  x.texts + int64(len(x.pairs))*pairBytes,
	}
}
