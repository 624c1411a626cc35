// Package match decides which tag sets a query selects. A Query is a tree of
// predicates over tags; the index walks it, the language builds it.
//
// Every node is immutable once built and safe for concurrent use. Nodes are
// pointers, so a tree may share parts of itself.
package match

import (
	"slices"
	"strings"

	"pulse/store/tags"
)

// Query is a predicate over tag sets. The implementations are Const, *Has,
// *Equal, *In, *Compare, *Regex, *And, *Or and *Not, and no others.
//
// A leaf is false for a tag set that lacks its key; *Not of it is then true.
type Query interface {
	// Matches reports whether the tags behind get are selected. get returns the
	// value of a key and whether it is present.
	Matches(get func(key string) (string, bool)) bool
	// MatchesAny is Matches for keys with several values: a leaf holds when any
	// value of its key does. get returns nil for an absent key.
	MatchesAny(get func(key string) []string) bool
	// CouldMatch reports whether tags of which only a part is known might be
	// selected: a leaf whose key is absent counts as true. *Not is the plain
	// negation of Matches, as in Atlas.
	CouldMatch(get func(key string) (string, bool)) bool
	// AppendText appends the canonical text, which parses to an equal query.
	AppendText(dst []byte) []byte
	// String returns the canonical text.
	String() string
	// Label returns a text for people, such as `(name=sps) and (has(zone))`.
	Label() string
}

// Leaf is a Query over the value of one key: *Has, *Equal, *In, *Compare and
// *Regex. A tag set is selected if it has the key and Check holds for the value.
type Leaf interface {
	Query
	TagKey() string
	Check(value string) bool
}

// Const selects everything or nothing.
type Const bool

const (
	True  Const = true
	False Const = false
)

// Has selects tag sets that have the key.
type Has struct{ Key string }

// Equal selects tag sets in which Key has Value.
type Equal struct{ Key, Value string }

// In selects tag sets in which Key has one of Values, which keep the order in
// which they were written. Build it with NewIn: it is slow without its set.
type In struct {
	Key    string
	Values []string
	set    map[string]struct{} // nil for short lists
}

// Op is an order between two texts.
type Op uint8

const (
	Less Op = iota
	LessEq
	Greater
	GreaterEq
)

// Compare selects tag sets in which the value of Key stands in relation Op to
// Value. Texts are compared byte by byte, not as numbers.
type Compare struct {
	Key   string
	Op    Op
	Value string
}

// And selects what both L and R select.
type And struct{ L, R Query }

// Or selects what L or R selects.
type Or struct{ L, R Query }

// Not selects what Q does not select.
type Not struct{ Q Query }

// NewIn returns a query for any of values: False for none, *Equal for one.
func NewIn(key string, values []string) Query {
	switch len(values) {
	case 0:
		return False
	case 1:
		return &Equal{key, values[0]}
	}
	q := &In{Key: key, Values: slices.Clone(values)}
	if len(values) > 8 {
		q.set = make(map[string]struct{}, len(values))
		for _, v := range values {
			q.set[v] = struct{}{}
		}
	}
	return q
}

// NewAnd returns l and r, without constants where they decide nothing.
func NewAnd(l, r Query) Query {
	switch {
	case l == True:
		return r
	case r == True:
		return l
	case l == False || r == False:
		return False
	}
	return &And{l, r}
}

// NewOr returns l or r, without constants where they decide nothing.
func NewOr(l, r Query) Query {
	switch {
	case l == False:
		return r
	case r == False:
		return l
	case l == True || r == True:
		return True
	}
	return &Or{l, r}
}

// NewNot returns the negation of q; that of a constant is a constant.
func NewNot(q Query) Query {
	if c, ok := q.(Const); ok {
		return !c
	}
	return &Not{q}
}

// MatchesTags reports whether q selects t.
func MatchesTags(q Query, t tags.Tags) bool { return q.Matches(t.Get) }

// TagKey returns the key whose value decides.
func (q *Has) TagKey() string     { return q.Key }
func (q *Equal) TagKey() string   { return q.Key }
func (q *In) TagKey() string      { return q.Key }
func (q *Compare) TagKey() string { return q.Key }

// Check reports whether value satisfies the leaf.
func (q *Has) Check(string) bool         { return true }
func (q *Equal) Check(value string) bool { return value == q.Value }

func (q *In) Check(value string) bool {
	if q.set == nil {
		return slices.Contains(q.Values, value)
	}
	_, ok := q.set[value]
	return ok
}

func (q *Compare) Check(value string) bool {
	c := strings.Compare(value, q.Value)
	switch q.Op {
	case Less:
		return c < 0
	case LessEq:
		return c <= 0
	case Greater:
		return c > 0
	default:
		return c >= 0
	}
}

func (q Const) Matches(func(string) (string, bool)) bool        { return bool(q) }
func (q *Has) Matches(get func(string) (string, bool)) bool     { return leafMatches(q, get) }
func (q *Equal) Matches(get func(string) (string, bool)) bool   { return leafMatches(q, get) }
func (q *In) Matches(get func(string) (string, bool)) bool      { return leafMatches(q, get) }
func (q *Compare) Matches(get func(string) (string, bool)) bool { return leafMatches(q, get) }
func (q *And) Matches(get func(string) (string, bool)) bool {
	return q.L.Matches(get) && q.R.Matches(get)
}
func (q *Or) Matches(get func(string) (string, bool)) bool {
	return q.L.Matches(get) || q.R.Matches(get)
}
func (q *Not) Matches(get func(string) (string, bool)) bool { return !q.Q.Matches(get) }

func leafMatches(q Leaf, get func(string) (string, bool)) bool {
	v, ok := get(q.TagKey())
	return ok && q.Check(v)
}

func (q Const) MatchesAny(func(string) []string) bool        { return bool(q) }
func (q *Has) MatchesAny(get func(string) []string) bool     { return leafMatchesAny(q, get) }
func (q *Equal) MatchesAny(get func(string) []string) bool   { return leafMatchesAny(q, get) }
func (q *In) MatchesAny(get func(string) []string) bool      { return leafMatchesAny(q, get) }
func (q *Compare) MatchesAny(get func(string) []string) bool { return leafMatchesAny(q, get) }
func (q *And) MatchesAny(get func(string) []string) bool {
	return q.L.MatchesAny(get) && q.R.MatchesAny(get)
}
func (q *Or) MatchesAny(get func(string) []string) bool {
	return q.L.MatchesAny(get) || q.R.MatchesAny(get)
}
func (q *Not) MatchesAny(get func(string) []string) bool { return !q.Q.MatchesAny(get) }

func leafMatchesAny(q Leaf, get func(string) []string) bool {
	return slices.ContainsFunc(get(q.TagKey()), q.Check)
}

func (q Const) CouldMatch(func(string) (string, bool)) bool        { return bool(q) }
func (q *Has) CouldMatch(func(string) (string, bool)) bool         { return true }
func (q *Equal) CouldMatch(get func(string) (string, bool)) bool   { return leafCouldMatch(q, get) }
func (q *In) CouldMatch(get func(string) (string, bool)) bool      { return leafCouldMatch(q, get) }
func (q *Compare) CouldMatch(get func(string) (string, bool)) bool { return leafCouldMatch(q, get) }
func (q *And) CouldMatch(get func(string) (string, bool)) bool {
	return q.L.CouldMatch(get) && q.R.CouldMatch(get)
}
func (q *Or) CouldMatch(get func(string) (string, bool)) bool {
	return q.L.CouldMatch(get) || q.R.CouldMatch(get)
}
func (q *Not) CouldMatch(get func(string) (string, bool)) bool { return !q.Q.Matches(get) }

func leafCouldMatch(q Leaf, get func(string) (string, bool)) bool {
	v, ok := get(q.TagKey())
	return !ok || q.Check(v)
}
