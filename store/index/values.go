package index

import (
	"slices"
	"strings"

	"pulse/store/match"
	"pulse/store/tags"
)

// ValueCount is a value of a key and the number of series that carry it.
type ValueCount struct {
	Value string
	Count int
}

// Keys returns the keys of the series that q selects, ascending, after the key
// `after` (exclusive; "" for all), at most limit of them (0 or less: all).
func (x *Index) Keys(q match.Query, after string, limit int) []string {
	out, _ := x.KeysUntil(q, after, limit, nil) // nothing stops it
	return out
}

// KeysUntil is Keys that ends with the error of stop, as SelectUntil does.
func (x *Index) KeysUntil(q match.Query, after string, limit int, stop func() error) ([]string, error) {
	p, err := x.plan(q, stop)
	if err != nil {
		return nil, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	selected := p.run(x).bits
	var out []string
	for name, k := range x.keys {
		if name > after && k.series.Intersects(selected) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return first(out, limit), nil
}

// Values returns the values of key among the series that q selects, ascending,
// after the value `after` (exclusive; "" for all), at most limit of them (0 or
// less: all).
func (x *Index) Values(name string, q match.Query, after string, limit int) []ValueCount {
	out, _ := x.ValuesUntil(name, q, after, limit, nil) // nothing stops it
	return out
}

// ValuesUntil is Values that ends with the error of stop, as SelectUntil does.
func (x *Index) ValuesUntil(name string, q match.Query, after string, limit int, stop func() error) ([]ValueCount, error) {
	p, err := x.plan(q, stop)
	if err != nil {
		return nil, err
	}
	x.mu.RLock()
	k := x.keys[name]
	if k == nil {
		x.mu.RUnlock()
		return nil, nil
	}
	selected := p.run(x).bits
	all := selected == x.all
	var out []ValueCount
	for _, v := range k.values {
		if v.value <= after {
			continue
		}
		n := 0
		if all {
			n = v.series.count()
		} else {
			n = v.series.countIn(selected)
		}
		if n > 0 {
			out = append(out, ValueCount{v.value, n})
		}
	}
	x.mu.RUnlock()
	slices.SortFunc(out, func(a, b ValueCount) int { return strings.Compare(a.Value, b.Value) })
	return first(out, limit), nil
}

func first[T any](list []T, limit int) []T {
	if limit > 0 && len(list) > limit {
		return list[:limit]
	}
	return list
}

// Dictionary is a snapshot of the interned pairs. It is safe for concurrent
// use and knows every pair number that Intern returned before it was taken, as
// long as the pair has users.
type Dictionary struct {
	pairs []*pair
}

// Dictionary returns the pairs interned so far.
func (x *Index) Dictionary() Dictionary {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return Dictionary{x.pairs}
}

// Tags returns the tags that pairs name, in their order.
func (d Dictionary) Tags(pairs []uint32) tags.Tags {
	t := make(tags.Tags, len(pairs))
	for i, n := range pairs {
		t[i] = tags.Tag{Key: d.pairs[n].key.name, Value: d.pairs[n].value}
	}
	return t
}

// Equal reports whether pairs name exactly t.
func (d Dictionary) Equal(pairs []uint32, t tags.Tags) bool {
	if len(pairs) != len(t) {
		return false
	}
	for i, n := range pairs {
		if p := d.pairs[n]; p.value != t[i].Value || p.key.name != t[i].Key {
			return false
		}
	}
	return true
}

// Find returns the pair number whose key is name and where in pairs it is, and false
// when pairs have no such key. It looks at the given place first: series that are
// alike have a key at the same one.
func (d Dictionary) Find(pairs []uint32, name string, place int) (pair uint32, at int, ok bool) {
	if place < len(pairs) && d.pairs[pairs[place]].key.name == name {
		return pairs[place], place, true
	}
	for i, n := range pairs {
		if d.pairs[n].key.name == name {
			return n, i, true
		}
	}
	return 0, place, false
}

// Tag returns what a pair number stands for.
func (d Dictionary) Tag(number uint32) tags.Tag {
	p := d.pairs[number]
	return tags.Tag{Key: p.key.name, Value: p.value}
}

// Value returns the value of a pair number.
func (d Dictionary) Value(number uint32) string { return d.pairs[number].value }
