package index

import (
	"iter"

	"github.com/RoaringBitmap/roaring/v2"

	"pulse/store/tags"
)

// RestoreMany is Restore of each tag as often as users says, and returns their
// numbers; a tag without users is not interned and has no number that means
// anything.
func (x *Index) RestoreMany(list []tags.Tag, users []int32) []uint32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	numbers := make([]uint32, len(list))
	for i, tag := range list {
		if users[i] > 0 {
			p := x.intern(tag)
			p.users += users[i]
			numbers[i] = p.number
		}
	}
	return numbers
}

// AddMany is Add of series that are not searchable yet and come in ascending
// order. The slices of pairs must stay as they are until it returns.
func (x *Index) AddMany(series iter.Seq2[uint32, []uint32]) {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := bulk{index: x, ends: make([]uint32, len(x.pairs))}
	for ref, pairs := range series {
		b.refs, b.pairs = append(b.refs, ref), append(b.pairs, pairs)
		if len(b.refs) == bulkSeries {
			b.add()
		}
	}
	b.add()
}

// bulkSeries is how many series are gathered before they are added: about what
// shares a container of a bitmap.
const bulkSeries = 1 << 16

// bulk is series that are about to be added, and memory to sort them by pair.
type bulk struct {
	index *Index
	refs  []uint32
	pairs [][]uint32

	ends   []uint32 // by pair: how many series it has, then where those end in sorted; 0 in between
	found  []uint32 // pairs that have series
	sorted []uint32 // series by pair, in the order of found
}

// add adds what was gathered, the series of one pair after those of another.
func (b *bulk) add() {
	x := b.index
	b.found = b.found[:0]
	for _, pairs := range b.pairs {
		for _, n := range pairs {
			if b.ends[n]++; b.ends[n] == 1 {
				b.found = append(b.found, n)
			}
		}
	}
	total := uint32(0)
	for _, n := range b.found {
		total, b.ends[n] = total+b.ends[n], total
	}
	if int(total) > cap(b.sorted) {
		b.sorted = make([]uint32, total)
	}
	b.sorted = b.sorted[:total]
	for i, pairs := range b.pairs {
		for _, n := range pairs {
			b.sorted[b.ends[n]] = b.refs[i]
			b.ends[n]++
		}
	}
	x.all.AddMany(b.refs)
	from := uint32(0)
	for _, n := range b.found {
		p, refs := x.pairs[n], b.sorted[from:b.ends[n]]
		from, b.ends[n] = b.ends[n], 0
		if p.series.empty() {
			x.count(p.key, 1)
		}
		before := p.series.bytes()
		p.series.addMany(refs)
		x.bytes += p.series.bytes() - before
		p.key.series.AddMany(refs)
	}
	b.refs, b.pairs = b.refs[:0], b.pairs[:0]
}

// addMany is add of several series, which ascend.
func (p *postings) addMany(refs []uint32) {
	if len(refs) == 1 {
		p.add(refs[0])
		return
	}
	if p.set == nil {
		p.set = roaring.New()
		if p.any {
			p.set.Add(p.one)
		}
	}
	p.set.AddMany(refs)
}
