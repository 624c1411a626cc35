package match

import (
	"errors"
	"fmt"

	"pulse/store/tags"
)

// MaxClauses bounds the clauses of a normal form.
const MaxClauses = 1000

// ErrClauses says that a normal form would have more than MaxClauses clauses.
var ErrClauses = errors.New("query is too complex")

// checkClauses fails with ErrClauses for more than MaxClauses.
func checkClauses(n int) error {
	if n > MaxClauses {
		return fmt.Errorf("%w: its normal form has %d clauses or more, the limit is %d", ErrClauses, n, MaxClauses)
	}
	return nil
}

// Simplify removes the constants that decide nothing. With ignore a constant
// stands for a part that is to be left out: the negation of True is then True,
// so that what was left out restricts nothing.
func Simplify(q Query, ignore bool) Query {
	switch q := q.(type) {
	case *And:
		l, r := Simplify(q.L, ignore), Simplify(q.R, ignore)
		if l == q.L && r == q.R && !constant(l) && !constant(r) {
			return q
		}
		return NewAnd(l, r)
	case *Or:
		l, r := Simplify(q.L, ignore), Simplify(q.R, ignore)
		if l == q.L && r == q.R && !constant(l) && !constant(r) {
			return q
		}
		return NewOr(l, r)
	case *Not:
		sub := Simplify(q.Q, ignore)
		switch {
		case ignore && sub == True:
			return True
		case sub == q.Q && !constant(sub):
			return q
		}
		return NewNot(sub)
	}
	return q
}

func constant(q Query) bool {
	_, ok := q.(Const)
	return ok
}

// CNF returns clauses that, joined with and, select what q does. Each clause is
// an or of leaves and negated leaves. Fails with ErrClauses.
func CNF(q Query) ([]Query, error) {
	return normalForm(q, false, false)
}

// DNF returns clauses that, joined with or, select what q does. Each clause is
// an and of leaves and negated leaves. Fails with ErrClauses.
func DNF(q Query) ([]Query, error) {
	return normalForm(q, false, true)
}

// normalForm returns the clauses of q, or of its negation, that are joined with
// or if dnf, else with and.
func normalForm(q Query, negate, dnf bool) ([]Query, error) {
	var l, r Query
	or := negate // what a negated and becomes
	switch q := q.(type) {
	case *Not:
		return normalForm(q.Q, !negate, dnf)
	case *And:
		l, r = q.L, q.R
	case *Or:
		l, r, or = q.L, q.R, !negate
	default:
		if negate {
			return []Query{&Not{q}}, nil
		}
		return []Query{q}, nil
	}
	ls, err := normalForm(l, negate, dnf)
	if err != nil {
		return nil, err
	}
	rs, err := normalForm(r, negate, dnf)
	if err != nil {
		return nil, err
	}
	if or == dnf {
		if err := checkClauses(len(ls) + len(rs)); err != nil {
			return nil, err
		}
		return append(ls, rs...), nil
	}
	if err := checkClauses(len(ls) * len(rs)); err != nil {
		return nil, err
	}
	out := make([]Query, 0, len(ls)*len(rs))
	for _, a := range ls {
		for _, b := range rs {
			if dnf {
				out = append(out, &And{a, b})
			} else {
				out = append(out, &Or{a, b})
			}
		}
	}
	return out, nil
}

// JoinAnd returns the and of qs from left to right, True for none.
func JoinAnd(qs []Query) Query {
	if len(qs) == 0 {
		return True
	}
	out := qs[0]
	for _, q := range qs[1:] {
		out = &And{out, q}
	}
	return out
}

// JoinOr returns the or of qs from left to right, False for none.
func JoinOr(qs []Query) Query {
	if len(qs) == 0 {
		return False
	}
	out := qs[0]
	for _, q := range qs[1:] {
		out = &Or{out, q}
	}
	return out
}

// ExpandIn splits a conjunction into conjunctions without *In, whose or selects
// the same. Lists of more than limit values stay. Fails with ErrClauses.
func ExpandIn(q Query, limit int) ([]Query, error) {
	switch q := q.(type) {
	case *And:
		ls, err := ExpandIn(q.L, limit)
		if err != nil {
			return nil, err
		}
		rs, err := ExpandIn(q.R, limit)
		if err != nil {
			return nil, err
		}
		if err := checkClauses(len(ls) * len(rs)); err != nil {
			return nil, err
		}
		out := make([]Query, 0, len(ls)*len(rs))
		for _, a := range ls {
			for _, b := range rs {
				out = append(out, &And{a, b})
			}
		}
		return out, nil
	case *In:
		if len(q.Values) > min(limit, MaxClauses) {
			break
		}
		out := make([]Query, len(q.Values))
		for i, v := range q.Values {
			out[i] = &Equal{q.Key, v}
		}
		return out, nil
	}
	return []Query{q}, nil
}

// ExactTags returns the pairs of the *Equal leaves that are reached through
// *And only; of two with one key the right one counts.
func ExactTags(q Query) tags.Tags { return tags.Normalize(appendExact(nil, q)) }

func appendExact(t tags.Tags, q Query) tags.Tags {
	switch q := q.(type) {
	case *And:
		return appendExact(appendExact(t, q.L), q.R)
	case *Equal:
		return append(t, tags.Tag{Key: q.Key, Value: q.Value})
	}
	return t
}

// Walk calls visit for every leaf and constant of q from left to right.
func Walk(q Query, visit func(leaf Query)) {
	switch q := q.(type) {
	case *And:
		Walk(q.L, visit)
		Walk(q.R, visit)
	case *Or:
		Walk(q.L, visit)
		Walk(q.R, visit)
	case *Not:
		Walk(q.Q, visit)
	default:
		visit(q)
	}
}

// Replace returns q with every leaf and constant replaced by what f makes of
// it; nothing is simplified.
func Replace(q Query, f func(leaf Query) Query) Query {
	switch q := q.(type) {
	case *And:
		return &And{Replace(q.L, f), Replace(q.R, f)}
	case *Or:
		return &Or{Replace(q.L, f), Replace(q.R, f)}
	case *Not:
		return &Not{Replace(q.Q, f)}
	}
	return f(q)
}

// WithoutKeys returns q without the leaves for which drop holds; what is left
// out restricts nothing.
func WithoutKeys(q Query, drop func(key string) bool) Query {
	return Simplify(Replace(q, func(leaf Query) Query {
		if l, ok := leaf.(Leaf); ok && drop(l.TagKey()) {
			return True
		}
		return leaf
	}), true)
}

// Size returns the number of nodes of q, shared parts counted every time they
// occur, where 64 bytes of text or 4 instructions of a regular expression count
// as one node more. It stops counting soon after limit.
func Size(q Query, limit int) int {
	if limit < 0 {
		return 1
	}
	switch q := q.(type) {
	case *And:
		n := 1 + Size(q.L, limit-1)
		return n + Size(q.R, limit-n)
	case *Or:
		n := 1 + Size(q.L, limit-1)
		return n + Size(q.R, limit-n)
	case *Not:
		return 1 + Size(q.Q, limit-1)
	case *Has:
		return 1 + len(q.Key)/64
	case *Equal:
		return 1 + (len(q.Key)+len(q.Value))/64
	case *Compare:
		return 1 + (len(q.Key)+len(q.Value))/64
	case *Regex:
		return 1 + (len(q.Key)+len(q.Pattern))/64 + q.cost/4
	case *In:
		n := 1 + len(q.Key)/64
		for _, v := range q.Values {
			n += 1 + len(v)/64
		}
		return n
	}
	return 1
}
