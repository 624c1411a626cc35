package match

import (
	"fmt"
	"slices"
	"strings"
)

// The keys that come first and last in the clauses of a normalized query.
func rank(key string) int {
	switch key {
	case "name":
		return 0
	case "nf.app":
		return 1
	case "nf.stack":
		return 2
	case "nf.cluster":
		return 3
	case "nf.asg":
		return 4
	case "nf.region":
		return 5
	case "nf.zone":
		return 6
	case "nf.node":
		return 7
	case "statistic":
		return 9
	}
	return 8
}

// clause is one conjunct with its text, by which clauses are compared.
type clause struct {
	q    Query
	text string
	rank int
}

// newClause sorts the values of an *In; under a *Not they stay as written, as in
// Atlas.
func newClause(q Query) clause {
	if in, ok := q.(*In); ok {
		values := slices.Clone(in.Values)
		slices.Sort(values)
		q = NewIn(in.Key, slices.Compact(values))
	}
	c := clause{q, q.String(), rank("")}
	if not, ok := q.(*Not); ok {
		q = not.Q
	}
	if leaf, ok := q.(Leaf); ok {
		c.rank = rank(leaf.TagKey())
	}
	return c
}

func compareClauses(a, b clause) int {
	if a.rank != b.rank {
		return a.rank - b.rank
	}
	return strings.Compare(a.text, b.text)
}

// maxNormal bounds a normalized query, in nodes as Size counts them: 50,000
// are some three megabytes of text.
const maxNormal = 50_000

// Normalize returns the form of q in which queries that differ only in order,
// repetition and constants have one text: an or of conjunctions, each sorted
// and without repetition; a conjunction that has all clauses of every other one
// is left out. Fails with ErrClauses.
func Normalize(q Query) (Query, error) {
	conjunctions, err := DNF(Simplify(q, false))
	if err != nil {
		return nil, err
	}
	size := 0
	for _, c := range conjunctions {
		if size += Size(c, maxNormal-size); size > maxNormal {
			return nil, fmt.Errorf("%w: its normal form has more than %d nodes", ErrClauses, maxNormal)
		}
	}
	var lists [][]clause
	seen := make(map[string]bool)
	for _, c := range conjunctions {
		clauses, err := CNF(c)
		if err != nil {
			return nil, err
		}
		list := make([]clause, len(clauses))
		for i, x := range clauses {
			list[i] = newClause(x)
		}
		slices.SortFunc(list, compareClauses)
		list = slices.CompactFunc(list, func(a, b clause) bool { return a.text == b.text })
		if text := joined(list).String(); !seen[text] {
			seen[text] = true
			lists = append(lists, list)
		}
	}
	lists = dropImplied(lists)
	out := make([]Query, len(lists))
	for i, list := range lists {
		out[i] = joined(list)
	}
	slices.SortFunc(out, func(a, b Query) int { return strings.Compare(a.String(), b.String()) })
	return JoinOr(out), nil
}

func joined(list []clause) Query {
	qs := make([]Query, len(list))
	for i, c := range list {
		qs[i] = c.q
	}
	return JoinAnd(qs)
}

// dropImplied removes the one list, if there is one, that holds the clauses of
// all others.
func dropImplied(lists [][]clause) [][]clause {
	if len(lists) < 2 {
		return lists
	}
	longest := 0
	for i, list := range lists {
		if len(list) > len(lists[longest]) {
			longest = i
		}
	}
	has := make(map[string]bool)
	for _, c := range lists[longest] {
		has[c.text] = true
	}
	for _, list := range lists {
		for _, c := range list {
			if !has[c.text] {
				return lists
			}
		}
	}
	return slices.Delete(lists, longest, longest+1)
}
