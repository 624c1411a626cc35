package route

import (
	"cmp"
	"maps"
	"slices"

	"pulse/detect/label"
)

// Router decides as its Config does, for ten thousand alerts at a time: it looks only at
// routes that may take an alert, by the value of one label that each of them wants, and
// knows of every route what does not depend on the alert. It has one owner at a time.
type Router struct {
	c   *Config
	top *level
	t   int64                // of what is known of mutes
	at  map[string]muteState // mutes that were asked for at t
}

// level is a list of routes. Each index in it stands in one place: under the value of a
// label, or among the rest.
type level struct {
	routes []routed
	rest   []int
	keys   []keyed
}

// keyed is the routes that want certain values of a label, ascending.
type keyed struct {
	key string
	by  map[string][]int
}

// routed is a route with what it inherits.
type routed struct {
	*Route
	options
	path, prefix string // of its group keys
	below        *level // nil: none
}

// Bounds of an index: lists of fewer routes have none, and by so many labels.
const (
	leastIndexed = 8
	maxIndexed   = 6
)

// NewRouter returns a Router of c, which must not be changed while it is in use.
func (c *Config) NewRouter() *Router {
	return &Router{c: c, top: newLevel(c.Routes, nil), at: map[string]muteState{}}
}

func newLevel(routes []Route, above path) *level {
	if len(routes) == 0 {
		return nil
	}
	l := &level{routes: make([]routed, len(routes))}
	for i := range routes {
		here := append(slices.Clone(above), node{i, &routes[i]})
		l.routes[i] = routed{&routes[i], here.options(), here.String(), here.groupPrefix(), newLevel(routes[i].Routes, here)}
	}
	l.index()
	return l
}

// index puts every route in its place: under the label by which the list is best told
// apart of those whose values it lists.
func (l *level) index() {
	values := map[string]map[string]bool{} // by label
	each := func(i int, f func(key string, list []string)) {
		for _, m := range l.routes[i].Matchers {
			if list, ok := m.Values(); ok {
				f(m.Key, list)
			}
		}
	}
	if len(l.routes) >= leastIndexed {
		for i := range l.routes {
			each(i, func(key string, list []string) {
				if values[key] == nil {
					values[key] = map[string]bool{}
				}
				for _, v := range list {
					values[key][v] = true
				}
			})
		}
	}
	best := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(values[b]), len(values[a])), cmp.Compare(a, b))
	})
	best = best[:min(len(best), maxIndexed)]
	for _, key := range best {
		l.keys = append(l.keys, keyed{key, map[string][]int{}})
	}
	for i := range l.routes {
		at := -1
		var under []string
		each(i, func(key string, list []string) {
			if n := slices.Index(best, key); n >= 0 && (at < 0 || n < at) {
				at, under = n, list
			}
		})
		if at < 0 {
			l.rest = append(l.rest, i)
		}
		for _, v := range under {
			by := l.keys[at].by
			by[v] = append(by[v], i)
		}
	}
}

// walk calls take with every route that takes the alert.
func (l *level) walk(set label.Set, take func(*routed)) (taken bool) {
	if l == nil {
		return false
	}
	var lists [maxIndexed + 1][]int
	lists[0] = l.rest
	n := 1
	for i := range l.keys {
		if list := l.keys[i].by[set[l.keys[i].key]]; len(list) > 0 {
			lists[n] = list
			n++
		}
	}
	for {
		first := -1
		for i := range lists[:n] {
			if len(lists[i]) > 0 && (first < 0 || lists[i][0] < lists[first][0]) {
				first = i
			}
		}
		if first < 0 {
			return taken
		}
		r := &l.routes[lists[first][0]]
		lists[first] = lists[first][1:]
		if !r.Matchers.Matches(set) {
			continue
		}
		taken = true
		if !r.below.walk(set, take) {
			take(r)
		}
		if !r.Continue {
			return true
		}
	}
}

// Decide is Config.Decide, except that a leg of an alert that is a group of its own and
// neither waits nor is repeated has no group: nobody goes by it.
func (r *Router) Decide(set label.Set, t int64) (legs []Leg) {
	if t != r.t {
		clear(r.at)
		r.t = t
	}
	r.top.walk(set, func(x *routed) {
		if len(x.receivers) == 0 {
			return
		}
		leg := x.base()
		leg.Path = x.path
		if !leg.Alone || leg.GroupWait > 0 || leg.RepeatInterval > 0 {
			leg.GroupLabels = x.labels(set)
			leg.GroupKey = groupKey(x.prefix, leg.GroupLabels)
		}
		leg.MutedBy, leg.Outside = x.muted(r.mute)
		legs = leg.join(legs, x.receivers)
	})
	return legs
}

// Taken is Config.Taken.
func (r *Router) Taken(set label.Set) (paths []string) {
	r.top.walk(set, func(x *routed) { paths = append(paths, x.path) })
	return paths
}

// mute returns how the mute of a name is at t.
func (r *Router) mute(name string) muteState {
	at, known := r.at[name]
	if !known {
		at = r.c.stateAt(name, r.t)
		r.at[name] = at
	}
	return at
}
