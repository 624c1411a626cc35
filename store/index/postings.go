package index

import (
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// postings is the set of series of one pair. Most pairs of a fleet belong to
// one series only (a node, a task), which takes no bitmap.
type postings struct {
	one uint32 // the series while set is nil and any is true
	any bool
	set *roaring.Bitmap
}

func (p *postings) add(ref uint32) {
	switch {
	case p.set != nil:
		p.set.Add(ref)
	case !p.any:
		p.one, p.any = ref, true
	case p.one != ref:
		p.set = roaring.BitmapOf(p.one, ref)
	}
}

func (p *postings) remove(ref uint32) {
	switch {
	case p.set != nil:
		p.set.Remove(ref)
	case p.any && p.one == ref:
		p.any = false
	}
}

// bytes returns about how much memory p takes beside its pair and its series.
func (p *postings) bytes() int64 {
	if p.set == nil {
		return 0
	}
	return SetBytes
}

// empty is count() == 0 without the counting.
func (p *postings) empty() bool { return p.set == nil && !p.any || p.set != nil && p.set.IsEmpty() }

func (p *postings) count() int {
	switch {
	case p.set != nil:
		return int(p.set.GetCardinality())
	case p.any:
		return 1
	}
	return 0
}

// bits returns the set as a bitmap that the caller must not change.
func (p *postings) bits() *roaring.Bitmap {
	switch {
	case p.set != nil:
		return p.set
	case p.any:
		return roaring.BitmapOf(p.one)
	}
	return roaring.New()
}

// countIn returns how many of the set are in s as well.
func (p *postings) countIn(s *roaring.Bitmap) int {
	switch {
	case p.set != nil:
		return int(p.set.AndCardinality(s))
	case p.any && s.Contains(p.one):
		return 1
	}
	return 0
}

func clone(s string) string { return strings.Clone(s) }
