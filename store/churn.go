package store

import (
	"cmp"
	"context"
	"slices"

	"pulse/store/index"
	"pulse/store/match"
)

// Churn is how the series that a query selects have changed lately.
//
//	Series  all that are searchable
//	New     those whose first value is after the beginning of the window; one that
//	        came back after the primary tier had forgotten it is new, too
//	Gone    those whose last value is in the window, and not near its end
//	Names   the names of most of them
//	Keys    the keys of which New have most distinct values
type Churn struct {
	Series, New, Gone int
	Names             []NameChurn
	Keys              []ValueCount
}

// NameChurn is how many series of a name are new and gone.
type NameChurn struct {
	Name      string
	New, Gone int
}

// ChurnBytes is about the memory that Churn takes for each series that is selected.
const ChurnBytes = 24

// Churn compares the series that q selects with those of since, Unix ms. One that had no
// value after silent is gone. At most limit names and keys are listed. It ends with
// ctx.Err() soon after ctx ends.
func (s *Store) Churn(ctx context.Context, q match.Query, since, silent int64, limit int) (Churn, error) {
	defer s.Hold().Release()
	found, err := s.index.SelectUntil(q, ctx.Err)
	if err != nil {
		return Churn{}, err
	}
	r := run{store: s}
	r.split(found.ToArray())
	c := churning{since: since, silent: silent, names: map[uint32]*NameChurn{}, values: map[string]int{}}
	for part := range r.parts {
		if err := ctx.Err(); err != nil {
			return Churn{}, err
		}
		c.add(s, part, r.parts[part].slots)
	}
	return c.result(limit), nil
}

// churning counts the churn of one partition after the other.
type churning struct {
	since, silent int64
	out           Churn
	names         map[uint32]*NameChurn // by the number of the name's pair
	values        map[string]int        // distinct values of new series, by key
	seen          []uint64              // bits of the pairs that are counted in values
}

// changed is a series that is new or gone.
type changed struct {
	pairs     []uint32
	new, gone bool
}

func (c *churning) add(s *Store, part int, slots []uint32) {
	p := &s.parts[part]
	var list []changed
	p.mu.RLock()
	for _, n := range slots {
		if p.pairAt[n] == 0 || p.flags[n]&flagDead != 0 {
			continue // it left meanwhile
		}
		c.out.Series++
		x := &p.slots[n]
		first := cmp.Or(x.first, x.last) // until there is a value it is when the series was thought of
		ch := changed{new: first > c.since && p.flags[n]&flagFaded == 0, gone: x.last > c.since && x.last <= c.silent}
		if ch.new || ch.gone {
			ch.pairs = p.pairsOf(n)
			list = append(list, ch)
		}
	}
	dict := s.index.Dictionary()
	p.mu.RUnlock()
	for i := range list {
		c.count(dict, &list[i])
	}
}

func (c *churning) count(dict index.Dictionary, x *changed) {
	var name *NameChurn
	for _, pair := range x.pairs {
		key := dict.Tag(pair).Key
		if key == "name" {
			if name = c.names[pair]; name == nil {
				name = &NameChurn{Name: dict.Value(pair)}
				c.names[pair] = name
			}
		}
		if x.new && c.first(pair) {
			c.values[key]++
		}
	}
	if name == nil {
		name = &NameChurn{} // no rule demands a name when tags are relaxed
	}
	if x.new {
		c.out.New++
		name.New++
	}
	if x.gone {
		c.out.Gone++
		name.Gone++
	}
}

// first reports whether it is asked for a pair for the first time.
func (c *churning) first(pair uint32) bool {
	word, bit := int(pair/64), uint64(1)<<(pair%64)
	if word >= len(c.seen) {
		c.seen = append(c.seen, make([]uint64, word+1-len(c.seen))...)
	}
	was := c.seen[word]
	c.seen[word] |= bit
	return was&bit == 0
}

func (c *churning) result(limit int) Churn {
	for _, n := range c.names {
		c.out.Names = append(c.out.Names, *n)
	}
	slices.SortFunc(c.out.Names, func(a, b NameChurn) int {
		return cmp.Or(cmp.Compare(b.New+b.Gone, a.New+a.Gone), cmp.Compare(a.Name, b.Name))
	})
	for key, n := range c.values {
		c.out.Keys = append(c.out.Keys, ValueCount{Value: key, Count: n})
	}
	slices.SortFunc(c.out.Keys, func(a, b ValueCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	c.out.Names = c.out.Names[:min(len(c.out.Names), limit)]
	c.out.Keys = c.out.Keys[:min(len(c.out.Keys), limit)]
	return c.out
}
