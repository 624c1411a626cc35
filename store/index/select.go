package index

import (
	"github.com/RoaringBitmap/roaring/v2"

	"pulse/store/match"
)

// Select returns the series that q selects, as a bitmap that belongs to the
// caller. Its ascending order is the order of the references.
func (x *Index) Select(q match.Query) *roaring.Bitmap {
	found, _ := x.SelectUntil(q, nil) // nothing stops it
	return found
}

// SelectUntil is Select that asks stop now and then, while predicates are tried,
// and ends with its error. Patterns on many values can take seconds.
func (x *Index) SelectUntil(q match.Query, stop func() error) (*roaring.Bitmap, error) {
	p, err := x.plan(q, stop)
	if err != nil {
		return nil, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	return p.run(x).own(), nil
}

// plan is a query whose predicates have been tried on the distinct values of
// their keys, so that only set operations are left.
type plan struct {
	op   op
	l, r *plan
	key  *key    // has
	any  []*pair // union: all that satisfy a predicate
	yes  bool    // constant
}

type op uint8

const (
	constant op = iota
	has
	union
	and
	or
	not
)

// plan tries the predicates of q. It takes the lock for moments only; values
// that appear meanwhile belong to series that this query need not see. Its error is
// that of stop, which may be nil.
func (x *Index) plan(q match.Query, stop func() error) (*plan, error) {
	pl := planner{index: x, stop: stop}
	p := pl.plan(q)
	return p, pl.err
}

// planner makes a plan until it is told to stop.
type planner struct {
	index *Index
	stop  func() error
	tried int
	err   error // stop's; the plan is then worth nothing
}

func (pl *planner) plan(q match.Query) *plan {
	switch q := q.(type) {
	case match.Const:
		return &plan{op: constant, yes: bool(q)}
	case *match.And:
		return &plan{op: and, l: pl.plan(q.L), r: pl.plan(q.R)}
	case *match.Or:
		return &plan{op: or, l: pl.plan(q.L), r: pl.plan(q.R)}
	case *match.Not:
		return &plan{op: not, l: pl.plan(q.Q)}
	case match.Leaf:
		return pl.leaf(q)
	}
	panic("BUG: unknown query node " + q.String())
}

func (pl *planner) leaf(q match.Leaf) *plan {
	x := pl.index
	x.mu.RLock()
	k := x.keys[q.TagKey()]
	if k == nil {
		x.mu.RUnlock()
		return &plan{op: constant}
	}
	var found []*pair
	switch q := q.(type) {
	case *match.Has:
		x.mu.RUnlock()
		return &plan{op: has, key: k}
	case *match.Equal:
		found = k.appendPair(found, q.Value)
		x.mu.RUnlock()
		return &plan{op: union, any: found}
	case *match.In:
		for _, v := range q.Values {
			found = k.appendPair(found, v)
		}
		x.mu.RUnlock()
		return &plan{op: union, any: found}
	}
	values := k.values
	x.mu.RUnlock()
	for _, p := range values {
		if pl.stopped() {
			break
		}
		if q.Check(p.value) {
			found = append(found, p)
		}
	}
	return &plan{op: union, any: found}
}

// stopped reports whether to give up. It asks before every 64th value.
func (pl *planner) stopped() bool {
	if pl.err == nil && pl.stop != nil && pl.tried%64 == 0 {
		pl.err = pl.stop()
	}
	pl.tried++
	return pl.err != nil
}

func (k *key) appendPair(dst []*pair, value string) []*pair {
	if p := k.byText[value]; p != nil {
		return append(dst, p)
	}
	return dst
}

// set is a bitmap and whether it may be changed.
type set struct {
	bits  *roaring.Bitmap
	owned bool
}

func (s set) own() *roaring.Bitmap {
	if s.owned {
		return s.bits
	}
	return s.bits.Clone()
}

// run does the set operations. The caller holds the lock of x.
func (p *plan) run(x *Index) set {
	switch p.op {
	case constant:
		if p.yes {
			return set{bits: x.all}
		}
		return set{roaring.New(), true}
	case has:
		return set{bits: p.key.series}
	case union:
		return p.runUnion()
	case and:
		return p.runAnd(x)
	case or:
		l, r := p.l.run(x), p.r.run(x)
		if !l.owned {
			l, r = r, l
		}
		bits := l.own()
		bits.Or(r.bits)
		return set{bits, true}
	default: // not
		return set{roaring.AndNot(x.all, p.l.run(x).bits), true}
	}
}

func (p *plan) runUnion() set {
	if len(p.any) == 1 {
		return set{bits: p.any[0].series.bits()}
	}
	var many []*roaring.Bitmap
	var ones []uint32
	for _, pr := range p.any {
		switch s := &pr.series; {
		case s.set != nil:
			many = append(many, s.set)
		case s.any:
			ones = append(ones, s.one)
		}
	}
	if len(ones) > 0 {
		many = append(many, roaring.BitmapOf(ones...))
	}
	return set{roaring.FastOr(many...), true}
}

// runAnd intersects. A negated side is subtracted instead of being built.
func (p *plan) runAnd(x *Index) set {
	l, r := p.l, p.r
	if l.op == not && r.op != not {
		l, r = r, l
	}
	ls := l.run(x)
	if r.op == not {
		rs := r.l.run(x)
		if ls.owned {
			ls.bits.AndNot(rs.bits)
			return ls
		}
		return set{roaring.AndNot(ls.bits, rs.bits), true}
	}
	rs := r.run(x)
	if rs.owned {
		ls, rs = rs, ls
	}
	if ls.owned {
		ls.bits.And(rs.bits)
		return ls
	}
	return set{roaring.And(ls.bits, rs.bits), true}
}
