package silence

import (
	"slices"
	"strings"

	"pulse/detect/label"
)

// index finds the silences that mean an alert without looking at the others. Each
// is filed under one of its matchers that wants its label to be there: under the
// values it accepts when they can be listed, and otherwise among the patterns of the
// label's key. Of several it is the one that shares its place with the fewest.
//
// Which patterns accept a value is remembered, so a pattern is run once per value and
// not once per alert.
type index struct {
	keys map[string]*place
}

// place is what is filed under the matchers of one key.
type place struct {
	exact    map[string][]*entry
	patterns []*entry
	accepts  map[string][]*entry // value → patterns that accept it
}

// maxRemembered bounds how many values of a key are remembered.
const maxRemembered = 10_000

// add files x, which is not there yet.
func (ix *index) add(x *entry) {
	best, cost := -1, 0
	var values []string
	for i := range x.Matchers {
		m := &x.Matchers[i]
		if m.MatchesValue("") {
			continue
		}
		listed, _ := m.Values()
		n := ix.crowd(m, listed)
		if best < 0 || n < cost {
			best, cost, values = i, n, listed
		}
	}
	if best < 0 { // Check lets none through
		return
	}
	if ix.keys == nil {
		ix.keys = map[string]*place{}
	}
	p := ix.keys[x.Matchers[best].Key]
	if p == nil {
		p = &place{exact: map[string][]*entry{}, accepts: map[string][]*entry{}}
		ix.keys[x.Matchers[best].Key] = p
	}
	x.filed = &x.Matchers[best]
	if values == nil {
		x.prefix = x.filed.Prefix()
		p.patterns = append(p.patterns, x)
		clear(p.accepts)
	}
	for _, value := range values {
		p.exact[value] = append(p.exact[value], x)
	}
}

// crowd is how much it costs to look at those that one shares its place with. A
// pattern whose beginning is known costs next to nothing where that does not fit; one
// that may accept anything costs more than an entry of a list.
func (ix *index) crowd(m *label.Matcher, values []string) int {
	p := ix.keys[m.Key]
	if p == nil {
		p = &place{}
	}
	switch {
	case values == nil && m.Prefix() != "":
		return 1 + len(p.patterns)/16
	case values == nil:
		return 4 * (1 + len(p.patterns))
	}
	n := 0
	for _, value := range values {
		n = max(n, len(p.exact[value]))
	}
	return n
}

// remove takes x out.
func (ix *index) remove(x *entry) {
	if x.filed == nil {
		return
	}
	p, same := ix.keys[x.filed.Key], func(o *entry) bool { return o == x }
	if values, _ := x.filed.Values(); values == nil {
		p.patterns = slices.DeleteFunc(p.patterns, same)
		clear(p.accepts)
	} else {
		for _, value := range values {
			if p.exact[value] = slices.DeleteFunc(p.exact[value], same); len(p.exact[value]) == 0 {
				delete(p.exact, value)
			}
		}
	}
	if x.filed = nil; len(p.exact)+len(p.patterns) == 0 {
		for key, o := range ix.keys {
			if o == p {
				delete(ix.keys, key)
			}
		}
	}
}

// visit calls f with every entry that may mean an alert of the set, each once.
func (ix *index) visit(set label.Set, f func(*entry)) {
	for key, p := range ix.keys {
		value := set[key]
		if value == "" {
			continue
		}
		for _, x := range p.exact[value] {
			f(x)
		}
		for _, x := range p.accepting(value) {
			f(x)
		}
	}
}

func (p *place) accepting(value string) []*entry {
	if len(p.patterns) == 0 {
		return nil
	}
	list, known := p.accepts[value]
	if known {
		return list
	}
	for _, x := range p.patterns {
		if strings.HasPrefix(value, x.prefix) && x.filed.MatchesValue(value) {
			list = append(list, x)
		}
	}
	if len(p.accepts) >= maxRemembered {
		clear(p.accepts)
	}
	p.accepts[value] = list
	return list
}
