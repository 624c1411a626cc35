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
	store *store.Store
	data  expr.DataExpr // one of those it serves; what they differ in plays no part here
	users int           // guarded by Hub.mu

	mu      sync.Mutex
	watch   *store.Watch
	live    int // groups of the watch when it was made
	groups  []store.WatchGroup
	shape   shape
	byKey   map[string]int // group by key string, built when asked for
	columns [2][]column    // read last, without and with zeros filled in
	keep    int            // how many of each: as many as the longest step of a user has
	reads   uint64         // of columns
	waits   waits
}

// shape is the lines of a source in their order. It is replaced, not changed.
type shape struct {
	gen   uint64
	watch *store.Watch // whose numbers group has
	lines []expr.Line  // without values, of the groups that are not gone
	group []int32      // group of each line
	known int          // groups that the watch has
}

// column is the values of all groups at one step.
type column struct {
	t, version int64
	round      Round
	known      bool
	used       uint64 // the newest of the source's reads
	values     []float64
}

// waits is how the sources stood towards a step in a round.
type waits struct {
	t, now int64
	round  Round
	store.Completeness
}

func newSource(st *store.Store, key string, d expr.DataExpr) *source {
	s := &source{key: key, store: st, data: d.WithOffsetMs(0)}
	s.follow()
	return s
}

// follow makes the watch.
func (s *source) follow() {
	scan := query.ScanOf(s.data)
	s.watch = s.store.Watch(store.WatchSpec{Query: scan.Query, By: scan.By, Agg: scan.Agg})
	s.live = len(s.watch.Groups())
	s.columns = [2][]column{}
}

// members counts its series.
func (s *source) members() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watch.Members()
}

func (s *source) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.Close()
}

// renewAfter is how many groups may come before a source looks whether as many
// have gone.
const renewAfter = 1024

// current returns the shape as of now. A watch keeps a group whose series are
// all gone, so a new one is made each time the groups have doubled.
func (s *source) current() shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watch.Groups()) > 2*s.live+renewAfter {
		old := s.watch
		s.follow()
		old.Close()
	}
	groups := s.watch.Groups()
	if s.shape.watch == s.watch && len(groups) == len(s.groups) && (len(groups) == 0 || &groups[0] == &s.groups[0]) {
		return s.shape
	}
	s.groups, s.byKey = groups, nil
	next := shape{gen: s.shape.gen + 1, watch: s.watch, known: len(groups)}
	keys := make([]string, len(groups))
	for i, g := range groups {
		if !g.Gone {
			next.group = append(next.group, int32(i))
			keys[i] = s.orderKey(g.Tags)
		}
	}
	slices.SortStableFunc(next.group, func(a, b int32) int {
		if keys[a] != keys[b] || keys[a] != "" {
			return strings.Compare(keys[a], keys[b])
		}
		return groups[a].Tags.Compare(groups[b].Tags)
	})
	next.lines = make([]expr.Line, len(next.group))
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
// line of a shape, and reports whether the shape still holds. A column is read
// from the store once in a round, or as long as nothing is written to it.
func (s *source) read(in Round, t int64, zeroFill bool, of *shape, dst []float64, stride int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of.watch != s.watch {
		return false
	}
	c := s.column(t, zeroFill)
	version := s.store.Appended() // before the column, which may then be newer
	current := c.version == version || in != 0 && c.round == in
	if !c.known || c.t != t || !current || len(c.values) < of.known {
		c.values = s.watch.Column(t, zeroFill, c.values)
		c.t, c.version, c.known = t, version, true
	}
	s.reads++
	c.round, c.used = in, s.reads
	for i, n := range of.group {
		dst[i*stride] = c.values[n]
	}
	return true
}

// column returns where the step stamped t is or shall be read: the place of the one that
// was used longest ago when all are taken. The caller holds s.mu.
func (s *source) column(t int64, zeroFill bool) *column {
	list := &s.columns[0]
	if zeroFill {
		list = &s.columns[1]
	}
	first := 0
	for i := range *list {
		if (*list)[i].t == t {
			return &(*list)[i]
		}
		if (*list)[i].used < (*list)[first].used {
			first = i
		}
	}
	if len(*list) < s.keep {
		*list = append(*list, column{})
		first = len(*list) - 1
	}
	return &(*list)[first]
}

// keeps makes room for the columns of a step of m primary ones.
func (s *source) keeps(m int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep = max(s.keep, m)
}

func (s *source) completeness(in Round, t, now int64) store.Completeness {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := &s.waits; in == 0 || w.round != in || w.t != t || w.now != now {
		*w = waits{t, now, in, s.watch.Completeness(t, now)}
	}
	return s.waits.Completeness
}

// interval returns the usual distance between the reports behind a line with
// these tags, and false when there is no such line.
func (s *source) interval(t tags.Tags) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.groupOf(t)
	if !ok || s.shape.watch != s.watch {
		return 0, false
	}
	return s.watch.SourceInterval(n), true
}

// groupOf returns the group that the tags of a result belong to. The caller
// holds s.mu.
func (s *source) groupOf(t tags.Tags) (int, bool) {
	if s.byKey == nil {
		s.byKey = make(map[string]int, len(s.groups))
		for i, g := range s.groups {
			key, _ := expr.KeyString(lineKeys(s.data, g.Tags), g.Tags)
			s.byKey[key] = i
		}
	}
	key, ok := expr.KeyString(lineKeys(s.data, t), t)
	n, found := s.byKey[key]
	return n, ok && found
}

// lineKeys is the keys that tell the line of d with the tags t from others.
func lineKeys(d expr.DataExpr, t tags.Tags) []string {
	if d.Grouped() {
		return d.Keys()
	}
	if _, all := d.(*expr.All); !all {
		return nil
	}
	keys := make([]string, len(t))
	for i := range t {
		keys[i] = t[i].Key
	}
	return keys
}
