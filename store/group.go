package store

import (
	"slices"
	"strings"

	"pulse/store/index"
	"pulse/store/norm"
	"pulse/store/tags"
)

// grouper numbers the distinct combinations of the values of some keys in
// order of appearance. Tag pairs have numbers, so a combination is as many numbers
// as there are keys. Who keeps a grouper keeps the pairs of its groups as a user of
// the index.
type grouper struct {
	by    []string
	at    []int    // where each key was in the pairs of the series before
	pairs []uint32 // of all groups, in the order of by, one group behind the other
	last  int32    // the group that was found before
	count int32
	table []int32 // group numbers and 1, by hash; 0: free. Its length is a power of two

	reserve func(bytes int64) error // see Scan.Reserve; may be nil
	err     error                   // of reserve: no group is found any more
}

func newGrouper(by []string) *grouper {
	return &grouper{by: by, at: make([]int, len(by)), last: -1}
}

// find returns the number of the group that a series with the given pairs
// belongs to, and false when it lacks one of the keys, or there is an error.
func (g *grouper) find(dict index.Dictionary, pairs []uint32) (int32, bool) {
	begin := len(g.pairs)
	for i, key := range g.by {
		pair, at, ok := dict.Find(pairs, key, g.at[i])
		if !ok {
			g.pairs = g.pairs[:begin]
			return 0, false
		}
		g.at[i] = at
		g.pairs = append(g.pairs, pair)
	}
	wanted := g.pairs[begin:]
	g.pairs = g.pairs[:begin]
	if g.last >= 0 && slices.Equal(g.key(g.last), wanted) {
		return g.last, true
	}
	if int(g.count) >= len(g.table)/2 && !g.grow() {
		return 0, false
	}
	place := g.place(wanted)
	if g.table[place] == 0 {
		g.pairs = append(g.pairs, wanted...) // onto itself, but after grow
		g.count++
		g.table[place] = g.count
	}
	g.last = g.table[place] - 1
	return g.last, true
}

// key returns the pair numbers of a group.
func (g *grouper) key(group int32) []uint32 {
	n := len(g.by)
	return g.pairs[int(group)*n : (int(group)+1)*n : (int(group)+1)*n]
}

// place returns where in the table the group with a key is, or would be.
func (g *grouper) place(key []uint32) int {
	h := uint64(0)
	for _, pair := range key {
		h = (h ^ uint64(pair)) * 0x9E3779B97F4A7C15
		h ^= h >> 32
	}
	for i := h; ; i++ {
		i &= uint64(len(g.table) - 1)
		if n := g.table[i]; n == 0 || slices.Equal(g.key(n-1), key) {
			return int(i)
		}
	}
}

// grow makes room for twice as many groups, and reports whether there is.
func (g *grouper) grow() bool {
	size := max(16, 2*len(g.table))
	pairs := (size/2 + 1) * len(g.by)
	if g.reserve != nil && g.err == nil {
		g.err = g.reserve(int64(size+pairs) * 4)
	}
	if g.err != nil {
		return false
	}
	g.table = make([]int32, size)
	g.pairs = append(make([]uint32, 0, pairs), g.pairs...)
	for n := range g.count {
		g.table[g.place(g.key(n))] = n + 1
	}
	return true
}

// groupTags returns the tags that make up a group.
func groupTags(dict index.Dictionary, pairs []uint32) tags.Tags {
	return tags.Normalize(dict.Tags(pairs))
}

// groupText returns `(k1=v1 k2=v2)` in the order in which the keys were
// written: groups are ordered by it.
func groupText(dict index.Dictionary, pairs []uint32) string {
	text := []byte{'('}
	for i, tag := range dict.Tags(pairs) {
		if i > 0 {
			text = append(text, ' ')
		}
		text = append(append(append(text, tag.Key...), '='), tag.Value...)
	}
	return string(append(text, ')'))
}

// compareGroups compares the groupText of two groups.
func compareGroups(dict index.Dictionary, a, b []uint32) int {
	for i, pair := range a {
		if pair == b[i] {
			continue
		}
		x, y := dict.Value(pair), dict.Value(b[i])
		if strings.HasPrefix(x, y) || strings.HasPrefix(y, x) {
			break // what follows decides
		}
		return strings.Compare(x, y)
	}
	return strings.Compare(groupText(dict, a), groupText(dict, b))
}

func isGauge(flags uint8) bool { return kindOf(flags) == norm.Gauge }
