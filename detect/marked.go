package detect

import (
	"math"
	"slices"

	"pulse/store/tags"
)

// agree reports whether a and b may be about the same thing: no key has one value
// in a and another in b. A rule that is not grouped agrees with every incident.
func agree(a, b tags.Tags) bool {
	for _, tag := range a {
		if v, ok := b.Get(tag.Key); ok && v != tag.Value {
			return false
		}
	}
	return true
}

// touches reports whether the page was on at some time in (start, end].
func (p *Page) touches(start, end int64) bool {
	return p.StartsAt <= end && (p.EndsAt == 0 || p.EndsAt > start)
}

// meet finds the pages of each incident, and those of none. A page belongs to an
// incident when it was on during it and their tags agree.
func (o *Outcome) meet(incidents []Marked) {
	met := make([]bool, len(o.Pages))
	for _, m := range incidents {
		d := Delay{Marked: m}
		for i := range o.Pages {
			p := &o.Pages[i]
			if !p.touches(m.Start, m.End) || !agree(p.Tags, m.Tags) {
				continue
			}
			met[i] = true
			if d.Pages++; d.First == nil {
				d.First, d.Ms = p, max(0, p.StartsAt-m.Start)
			}
		}
		o.Delays = append(o.Delays, d)
	}
	for i := range met {
		if len(incidents) > 0 && !met[i] {
			o.Needless++
		}
	}
}

// Diff is how a rule differs from another version of it.
type Diff struct {
	Added   []Page // pages of the rule that the other has nothing like
	Removed []Page // the reverse
	Moved   []Move // pages of both that begin or end at other steps
	Same    int    // pages of both, equal in time
	Pages   int    // how many more the rule has; negative: fewer
	Firing  int64  // ms that its alerts were on longer; negative: shorter
}

// Move is a page that both versions have, at other times.
type Move struct {
	Page       // of the rule
	Other Page // of the other version
}

// difference compares what two versions would have done. Pages are the same
// page when they are about the same group and their times overlap; with another
// grouping, when their tags agree.
func difference(a, b *Outcome) *Diff {
	d := &Diff{Pages: a.PageCount - b.PageCount, Firing: a.Firing - b.Firing, Added: []Page{}, Removed: []Page{}, Moved: []Move{}}
	key := func(p *Page) string { return string(p.Tags.AppendKey(nil)) }
	if len(a.Pages) > 0 && len(b.Pages) > 0 && !sameKeys(a.Pages[0].Tags, b.Pages[0].Tags) {
		key = func(*Page) string { return "" }
	}
	byKey := map[string][]int{} // pages of b that are not taken, in order
	for i := range b.Pages {
		k := key(&b.Pages[i])
		byKey[k] = append(byKey[k], i)
	}
	for i := range a.Pages {
		p := &a.Pages[i]
		k := key(p)
		at := slices.IndexFunc(byKey[k], func(i int) bool { return p.same(&b.Pages[i]) })
		if at < 0 {
			d.Added = append(d.Added, *p)
			continue
		}
		q := &b.Pages[byKey[k][at]]
		byKey[k] = slices.Delete(byKey[k], at, at+1)
		if p.StartsAt == q.StartsAt && p.EndsAt == q.EndsAt {
			d.Same++
		} else {
			d.Moved = append(d.Moved, Move{*p, *q})
		}
	}
	left := make([]bool, len(b.Pages))
	for _, list := range byKey {
		for _, i := range list {
			left[i] = true
		}
	}
	for i := range b.Pages {
		if left[i] {
			d.Removed = append(d.Removed, b.Pages[i])
		}
	}
	return d
}

// same reports whether p and q may be one page.
func (p *Page) same(q *Page) bool {
	return p.NoData == q.NoData && p.StartsAt <= q.last() && q.StartsAt <= p.last() && agree(p.Tags, q.Tags)
}

// last is the last step at which the page may have been on.
func (p *Page) last() int64 {
	if p.EndsAt == 0 {
		return math.MaxInt64
	}
	return p.EndsAt
}

func sameKeys(a, b tags.Tags) bool {
	return slices.EqualFunc(a, b, func(x, y tags.Tag) bool { return x.Key == y.Key })
}
