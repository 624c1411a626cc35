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
	maxValues int

	mu    sync.RWMutex
	keys  map[string]*key
	pairs []*pair // by pair number; append-only, so a copy of the header is a snapshot
	all   *roaring.Bitmap
	texts int64 // bytes of interned text
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

// New returns an empty index in which a key may have at most maxValues
// distinct values among the searchable series.
func New(maxValues int) *Index {
	return &Index{maxValues: maxValues, keys: map[string]*key{}, all: roaring.New()}
}

// TooManyValues says that a key has as many distinct values as it may.
type TooManyValues struct {
	Key string
	Max int
}

func (e *TooManyValues) Error() string {
	return fmt.Sprintf("too many values for tag key %q: the limit is %d", e.Key, e.Max)
}

// Intern appends the pair numbers of t to dst, in the order of t, and returns
// the longer slice. Texts seen for the first time are copied. It fails with
// *TooManyValues before anything is interned.
func (x *Index) Intern(dst []uint32, t tags.Tags) ([]uint32, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, tag := range t {
		k := x.keys[tag.Key]
		if k == nil || k.live < x.maxValues {
			continue
		}
		if p := k.byText[tag.Value]; p == nil || p.series.empty() {
			return dst, &TooManyValues{k.name, x.maxValues}
		}
	}
	for _, tag := range t {
		dst = append(dst, x.intern(tag).number)
	}
	return dst, nil
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
			p.key.live++
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
			p.key.live--
		}
		p.key.series.Remove(ref)
	}
}

// Stats describes an index.
type Stats struct {
	Series int // searchable
	Keys   int // distinct, ever seen
	Pairs  int // distinct, ever seen
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
		Keys:   len(x.keys),
		Pairs:  len(x.pairs),
		Bytes:  x.texts + int64(len(x.pairs))*pairBytes,
	}
}
