package stream

import (
	"slices"
	"strings"
	"sync"

	"pulse/query"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/tags"
)

// source is the columns of one selection of series, shared by all streams that
// aggregate it alike.
type source struct {
	key   string
	data  expr.DataExpr // one of those it serves; what they differ in plays no part here
	users int           // guarded by Hub.mu
	watch *store.Watch

	mu      sync.Mutex
	groups  []store.WatchGroup
	shape   shape
	byKey   map[string]int // group by key string, built when asked for
	columns [2]column      // without and with zeros filled in
}

// shape is the lines of a source in their order. It is replaced, not changed.
type shape struct {
	gen   uint64
	lines []expr.Line // without values
	group []int32     // group of each line
}

// column is the values of all groups at one step.
type column struct {
	t, version int64
	known      bool
	values     []float64
}

// current returns the shape as of now.
func (s *source) current() shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := s.watch.Groups()
	if s.shape.gen > 0 && len(groups) == len(s.groups) && (len(groups) == 0 || &groups[0] == &s.groups[0]) {
		return s.shape
	}
	s.groups, s.byKey = groups, nil
	next := shape{gen: s.shape.gen + 1, lines: make([]expr.Line, len(groups)), group: make([]int32, len(groups))}
	keys := make([]string, len(groups))
	for i, g := range groups {
		next.group[i] = int32(i)
		keys[i] = s.orderKey(g.Tags)
	}
	slices.SortStableFunc(next.group, func(a, b int32) int {
		if keys[a] != keys[b] || keys[a] != "" {
			return strings.Compare(keys[a], keys[b])
		}
		return groups[a].Tags.Compare(groups[b].Tags)
	})
	for i, n := range next.group {
		next.lines[i] = query.LineOf(s.data, groups[n].Tags, groups[n].Gauge)
	}
	s.shape = next
	return next
}

// orderKey is the text by which grouped lines are ordered, "" otherwise.
func (s *source) orderKey(t tags.Tags) string {
	if !s.data.Grouped() {
		return ""
	}
	key, _ := expr.KeyString(s.data.Keys(), t)
	return key
}

// read writes the values of the step stamped t to dst[i*stride] for the i-th
// line of a shape. A column is read from the store once as long as nothing is
// written to it.
func (s *source) read(st *store.Store, t int64, zeroFill bool, group []int32, dst []float64, stride int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.columns[0]
	if zeroFill {
		c = &s.columns[1]
	}
	version := st.Appended() // before the column, which may then be newer
	if !c.known || c.t != t || c.version != version || len(c.values) < len(group) {
		c.values = s.watch.Column(t, zeroFill, c.values)
		c.t, c.version, c.known = t, version, true
	}
	for i, n := range group {
		dst[i*stride] = c.values[n]
	}
}

// groupOf returns the group that the tags of a result belong to.
func (s *source) groupOf(t tags.Tags) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.data.Grouped() {
		return 0, len(s.groups) > 0
	}
	if s.byKey == nil {
		s.byKey = make(map[string]int, len(s.groups))
		for i, g := range s.groups {
			s.byKey[s.orderKey(g.Tags)] = i
		}
	}
	key, ok := expr.KeyString(s.data.Keys(), t)
	n, found := s.byKey[key]
	return n, ok && found
}
