// Package expr is the expression tree of a query: what the words of the stack
// language build, how it is written back as text, and how it is evaluated.
//
// A tree is immutable. Its leaves are data expressions, which name what must
// be fetched, and generated lines such as constants. Evaluator computes a tree
// over windows of time; a graph is one window of many steps, a live stream is
// many windows of one step, and both run the same code.
//
// Times are int64 Unix milliseconds, durations and steps are milliseconds, and
// NaN means no data.
package expr

import (
	"fmt"
	"slices"
	"strings"

	"pulse/store/match"
	"pulse/store/tags"
)

// Expr is anything an expression can stand for: a match.Query, a TimeSeries or
// a *Style. String returns the canonical text, which gives an equal expression
// when it is interpreted again.
type Expr interface{ String() string }

// TimeSeries is an expression whose result is a set of lines. Implementations
// are immutable and all live in this package.
type TimeSeries interface {
	Expr
	// Grouped reports whether the result has one line per combination of Keys.
	Grouped() bool
	// Keys returns the keys of the final grouping in the order written, nil
	// when ungrouped. The caller must not change it.
	Keys() []string

	// inputs returns the expressions this one is computed from.
	inputs() []TimeSeries
	// withInputs returns a copy with other inputs, as many as inputs returned.
	// It fails when the groupings no longer fit together.
	withInputs(in []TimeSeries) (TimeSeries, error)
	// identity names the operation and its arguments without the inputs, mostly
	// as they are written: two nodes with equal identity and equal inputs have
	// equal results.
	identity() string
	// kernel returns what evaluates this node; it holds the node's state.
	kernel() kernel
}

// Line is one line of a result.
type Line struct {
	// Tags are the tags of the line. They must not be changed.
	Tags tags.Tags
	// Label is the default text of the line's legend.
	Label string
	// Values has one value per step of the evaluated window, oldest first; NaN
	// is no data.
	Values []float64
	// Gauge says how an average over time treats gaps: left out for a gauge,
	// zero for a rate.
	Gauge bool
	// Place orders the lines of one data expression as a store folds them, which is
	// not the order in which they stand; all 0 where that is not known.
	Place int32
}

// DataExprs returns the data expressions t needs, in the order they occur,
// repetitions included.
func DataExprs(t TimeSeries) []DataExpr {
	var out []DataExpr
	walk(t, func(x TimeSeries) {
		if d, ok := x.(DataExpr); ok {
			out = append(out, d)
		}
	})
	return out
}

// Queries returns the distinct queries of t's data expressions in the order
// they occur.
func Queries(t TimeSeries) []match.Query {
	var out []match.Query
	seen := map[string]bool{}
	for _, d := range DataExprs(t) {
		if s := d.Query().String(); !seen[s] {
			seen[s] = true
			out = append(out, d.Query())
		}
	}
	return out
}

// walk calls f for t and everything below it, parents first.
func walk(t TimeSeries, f func(TimeSeries)) {
	f(t)
	for _, x := range t.inputs() {
		walk(x, f)
	}
}

// transform rebuilds t from the top: where f answers true its result replaces
// the node and is not descended into.
func transform(t TimeSeries, f func(TimeSeries) (TimeSeries, bool, error)) (TimeSeries, error) {
	if r, ok, err := f(t); err != nil || ok {
		return r, err
	}
	if r, ok := t.(*Rewrite); ok {
		return r.mapBase(func(x TimeSeries) (TimeSeries, error) { return transform(x, f) })
	}
	in := t.inputs()
	if len(in) == 0 {
		return t, nil
	}
	out := make([]TimeSeries, len(in))
	changed := false
	for i, x := range in {
		y, err := transform(x, f)
		if err != nil {
			return nil, err
		}
		out[i] = y
		changed = changed || y != x
	}
	if !changed {
		return t, nil
	}
	return t.withInputs(out)
}

// unfold returns t with every named rewrite replaced by what it stands for.
func unfold(t TimeSeries) (TimeSeries, error) {
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		if r, ok := x.(*Rewrite); ok {
			e, err := unfold(r.Eval)
			return e, true, err
		}
		return nil, false, nil
	})
}

// Expand returns t as it is evaluated: every named rewrite replaced by what it
// stands for, and the data of estimates by what they are made from.
func Expand(t TimeSeries) (TimeSeries, error) {
	t, err := unfold(t)
	if err != nil {
		return nil, err
	}
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		a, ok := x.(*ApproxDistinct)
		if !ok {
			return nil, false, nil
		}
		in, err := perRegister(a.Expr)
		return &ApproxDistinct{Expr: in}, true, err
	})
}

// Equal reports whether a and b are the same expression: they are written the
// same and, named rewrites replaced, compute the same.
func Equal(a, b Expr) bool {
	if a.String() != b.String() {
		return false
	}
	x, y := underlying(a), underlying(b)
	if x == nil || y == nil {
		return x == nil && y == nil
	}
	return EqualExpanded(x, y)
}

// EqualExpanded reports whether a and b compute the same once named rewrites
// are replaced by what they stand for.
func EqualExpanded(a, b TimeSeries) bool {
	x, err := Expand(a)
	if err != nil {
		return false
	}
	y, err := Expand(b)
	return err == nil && x.String() == y.String()
}

func underlying(e Expr) TimeSeries {
	switch x := e.(type) {
	case *Style:
		return x.Expr
	case TimeSeries:
		return x
	}
	return nil
}

// KeyString returns `(k1=v1 k2=v2)` for the keys in the order given, the label
// and the sort key of a grouped line. It answers false when t lacks a key.
func KeyString(keys []string, t tags.Tags) (string, bool) {
	var b strings.Builder
	b.WriteByte('(')
	for i, k := range keys {
		v, ok := t.Get(k)
		if !ok {
			return "", false
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(k)
		b.WriteByte('=')
		b.WriteString(v)
	}
	b.WriteByte(')')
	return b.String(), true
}

// TagsLabel returns `k=v, k2=v2`, or NO TAGS for an empty set.
func TagsLabel(t tags.Tags) string {
	if len(t) == 0 {
		return "NO TAGS"
	}
	var b strings.Builder
	for i, x := range t {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(x.Key)
		b.WriteByte('=')
		b.WriteString(x.Value)
	}
	return b.String()
}

// only returns the tags whose key is in keys.
func only(t tags.Tags, keys []string) tags.Tags {
	out := make(tags.Tags, 0, len(keys))
	for _, x := range t {
		if slices.Contains(keys, x.Key) {
			out = append(out, x)
		}
	}
	return out
}

func subset(a, b []string) bool {
	for _, k := range a {
		if !slices.Contains(b, k) {
			return false
		}
	}
	return true
}

// mergeKeys returns a followed by the keys of b that a lacks.
func mergeKeys(a, b []string) []string {
	out := slices.Clone(a)
	for _, k := range b {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// noInputs is embedded by the leaves of the tree.
type noInputs struct{}

func (noInputs) inputs() []TimeSeries { return nil }

// ungrouped is embedded by expressions that are never grouped.
type ungrouped struct{}

func (ungrouped) Grouped() bool  { return false }
func (ungrouped) Keys() []string { return nil }

// errRequire is the refusal of an argument, begun as Atlas begins it.
func errRequire(format string, args ...any) error {
	return fmt.Errorf("requirement failed: "+format, args...)
}
