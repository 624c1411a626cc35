package store

import (
	"pulse/store/index"
	"pulse/store/norm"
	"pulse/store/tags"
)

// grouper numbers the distinct combinations of the values of some keys in
// order of appearance. Tag pairs have numbers, so a combination is a path
// through them: a node per prefix. Who keeps a grouper keeps the pairs of its
// groups as a user of the index.
type grouper struct {
	by    []string
	nodes map[uint64]int32 // node of the prefix and pair number; the root is 0
	last  int32            // newest node
	group map[int32]int32  // group of a node that is a whole combination
	keys  [][]uint32       // pair numbers of each group, in the order of by
}

func newGrouper(by []string) *grouper {
	return &grouper{by: by, nodes: map[uint64]int32{}, group: map[int32]int32{}}
}

// find returns the number of the group that a series with the given pairs
// belongs to, and false when it lacks one of the keys.
func (g *grouper) find(dict index.Dictionary, pairs []uint32) (int32, bool) {
	for _, key := range g.by {
		if _, ok := dict.Find(pairs, key); !ok {
			return 0, false
		}
	}
	node := int32(0)
	for _, key := range g.by {
		pair, _ := dict.Find(pairs, key)
		step := uint64(node)<<32 | uint64(pair)
		next, ok := g.nodes[step]
		if !ok {
			g.last++
			next = g.last
			g.nodes[step] = next
		}
		node = next
	}
	n, ok := g.group[node]
	if !ok {
		n = int32(len(g.keys))
		g.group[node] = n
		key := make([]uint32, 0, len(g.by))
		for _, k := range g.by {
			pair, _ := dict.Find(pairs, k)
			key = append(key, pair)
		}
		g.keys = append(g.keys, key)
	}
	return n, true
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

func isGauge(flags uint8) bool { return kindOf(flags) == norm.Gauge }
