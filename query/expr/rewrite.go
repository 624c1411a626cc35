package expr

import (
	"slices"
	"strings"

	"pulse/store/match"
)

// Rewrite is a word that stands for a larger expression, such as `:avg`. It is
// written as the word and evaluated as what it stands for. What changes the
// expression later (a grouping, a shift, another query) is applied to the base
// and the word worked out anew.
type Rewrite struct {
	Name   string
	Params []string // arguments between base and word, as written
	// Base is what the word was applied to: a match.Query or a TimeSeries.
	Base Expr
	// Eval is what the rewrite stands for.
	Eval TimeSeries

	build builder
	after after
}

// builder works out what a rewrite of base stands for.
type builder interface {
	// Build returns the expression for a base.
	Build(base Expr) (TimeSeries, error)
}

// groupBuilder is a builder that knows better than to group every aggregate
// of the expression by all the keys.
type groupBuilder interface {
	builder
	BuildGrouped(base Expr, keys []string) (TimeSeries, error)
}

// builderFunc is a function as a builder.
type builderFunc func(base Expr) (TimeSeries, error)

func (f builderFunc) Build(base Expr) (TimeSeries, error) { return f(base) }

// after is what is applied to a rewrite that cannot go into its base: to one
// over a query everything but another query, to others a grouping of the
// lines it aggregates.
type after struct {
	offset   int64
	grouping []string
}

// newRewrite returns the word name over base.
func newRewrite(name string, params []string, base Expr, b builder) (*Rewrite, error) {
	r := &Rewrite{Name: name, Params: params, Base: base, build: b}
	return r.rebuild(base, after{})
}

// NewNamedRewrite returns a rewrite given as two expressions. Later changes
// are applied to both.
func NewNamedRewrite(name string, base Expr, eval TimeSeries) *Rewrite {
	return &Rewrite{Name: name, Base: base, Eval: eval}
}

// rebuild works the word out for another base and modifiers.
func (r *Rewrite) rebuild(base Expr, m after) (*Rewrite, error) {
	out := &Rewrite{Name: r.Name, Params: r.Params, Base: base, build: r.build, after: m}
	var err error
	grouped, custom := r.build.(groupBuilder)
	if custom && len(m.grouping) > 0 {
		out.Eval, err = grouped.BuildGrouped(base, m.grouping)
	} else if out.Eval, err = r.build.Build(base); err == nil && len(m.grouping) > 0 {
		out.Eval, err = groupWhole(out.Eval, m.grouping)
	}
	if err == nil && m.offset != 0 {
		out.Eval, err = WithOffset(out.Eval, m.offset)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *Rewrite) overQuery() bool {
	_, ok := r.Base.(match.Query)
	return ok
}

// onBase applies f to a base that is a time series and works the rewrite out
// anew. Without a builder the new base takes the place of the old one, or where
// the rewrite does not contain it, f is applied to the rewrite, too.
func (r *Rewrite) onBase(m after, f func(TimeSeries) (TimeSeries, error)) (*Rewrite, error) {
	base, err := f(r.Base.(TimeSeries))
	if err != nil {
		return nil, err
	}
	if r.build != nil {
		return r.rebuild(base, m)
	}
	out := &Rewrite{Name: r.Name, Base: base, after: m}
	if contains(r.Eval, r.Base) {
		out.Eval, err = transform(r.Eval, func(x TimeSeries) (TimeSeries, bool, error) { return base, Expr(x) == r.Base, nil })
	} else {
		out.Eval, err = f(r.Eval)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// contains reports whether part is t or somewhere in t where transform finds it.
func contains(t TimeSeries, part Expr) bool {
	if Expr(t) == part {
		return true
	}
	if r, ok := t.(*Rewrite); ok {
		if base, ok := r.Base.(TimeSeries); ok && contains(base, part) {
			return true
		}
		if r.build != nil {
			return false
		}
	}
	return slices.ContainsFunc(t.inputs(), func(x TimeSeries) bool { return contains(x, part) })
}

// onEval applies f to what a rewrite without a builder stands for, and leaves
// the base.
func (r *Rewrite) onEval(m after, f func(TimeSeries) (TimeSeries, error)) (*Rewrite, error) {
	eval, err := f(r.Eval)
	if err != nil {
		return nil, err
	}
	return &Rewrite{Name: r.Name, Base: r.Base, Eval: eval, after: m}, nil
}

// mapBase applies a transformation of the tree to the base.
func (r *Rewrite) mapBase(f func(TimeSeries) (TimeSeries, error)) (TimeSeries, error) {
	switch {
	case !r.overQuery():
		return r.onBase(r.after, f)
	case r.build == nil:
		return r.onEval(r.after, f)
	}
	return r, nil
}

func (r *Rewrite) withQuery(q match.Query) (TimeSeries, error) {
	return r.mapQuery(
		func(old match.Query) (match.Query, error) { return match.NewAnd(old, q), nil },
		func(t TimeSeries) (TimeSeries, error) { return commonQuery(t, q) })
}

// mapQuery replaces the query the rewrite is written over by query of it, and
// expressions by series of them.
func (r *Rewrite) mapQuery(query func(match.Query) (match.Query, error), series func(TimeSeries) (TimeSeries, error)) (TimeSeries, error) {
	if !r.overQuery() {
		return r.onBase(r.after, series)
	}
	q, err := query(r.Base.(match.Query))
	if err != nil {
		return nil, err
	}
	if r.build != nil {
		return r.rebuild(q, r.after)
	}
	out, err := r.onEval(r.after, series)
	if err != nil {
		return nil, err
	}
	out.Base = q
	return out, nil
}

func (r *Rewrite) withOffset(ms int64) (TimeSeries, error) {
	f := func(t TimeSeries) (TimeSeries, error) { return WithOffset(t, ms) }
	if !r.overQuery() {
		return r.onBase(r.after, f)
	}
	m := r.after
	m.offset = ms
	if r.build == nil {
		return r.onEval(m, f)
	}
	return r.rebuild(r.Base, m)
}

// by groups an ungrouped rewrite.
func (r *Rewrite) by(keys []string) (TimeSeries, error) {
	if base, ok := r.Base.(TimeSeries); ok && !base.Grouped() {
		inner, err := r.onBase(r.after, func(t TimeSeries) (TimeSeries, error) { return groupInside(t, keys) })
		if err != nil || inner.Grouped() {
			return inner, err
		}
	}
	m := r.after
	m.grouping = keys
	if r.build == nil {
		return r.onEval(m, func(t TimeSeries) (TimeSeries, error) { return groupWhole(t, keys) })
	}
	return r.rebuild(r.Base, m)
}

// commonBy adds keys to every grouping.
func (r *Rewrite) commonBy(keys []string) (TimeSeries, error) {
	return r.mapGrouping(
		func(own []string) []string {
			if r.overQuery() || len(own) > 0 {
				return mergeKeys(own, keys)
			}
			return own
		},
		func(t TimeSeries) (TimeSeries, error) { return CommonBy(t, keys) })
}

func (r *Rewrite) mapGroupings(f func([]string) []string) (TimeSeries, error) {
	return r.mapGrouping(f, func(t TimeSeries) (TimeSeries, error) { return mapGroupings(t, f) })
}

// mapGrouping replaces the keys the rewrite is grouped by by own of them, and
// expressions by series of them.
func (r *Rewrite) mapGrouping(own func([]string) []string, series func(TimeSeries) (TimeSeries, error)) (TimeSeries, error) {
	m := r.after
	m.grouping = own(m.grouping)
	switch {
	case r.build == nil && (r.overQuery() || len(m.grouping) > 0):
		out, err := r.onEval(m, series)
		if base, ok := r.Base.(TimeSeries); err == nil && ok {
			out.Base, err = series(base)
		}
		if err != nil {
			return nil, err
		}
		return out, nil
	case r.overQuery():
		return r.rebuild(r.Base, m)
	}
	return r.onBase(m, series)
}

func (r *Rewrite) word() string {
	return strings.Join(append(slices.Clone(r.Params), ":"+r.Name), ",")
}

func (r *Rewrite) String() string { return operationText(r) }

// suffix is what follows the base in the canonical text.
func (r *Rewrite) suffix() string {
	s := shifted(","+r.word(), r.after.offset)
	if len(r.after.grouping) > 0 {
		s += "," + listText(r.after.grouping) + ",:by"
	}
	return s
}

func (r *Rewrite) Grouped() bool        { return r.Eval.Grouped() }
func (r *Rewrite) Keys() []string       { return r.Eval.Keys() }
func (r *Rewrite) inputs() []TimeSeries { return []TimeSeries{r.Eval} }
func (r *Rewrite) identity() string     { return ":named-rewrite" }
func (r *Rewrite) kernel() kernel       { return &asKernel{} }
func (r *Rewrite) withInputs(in []TimeSeries) (TimeSeries, error) {
	return NewNamedRewrite(r.Name, r.Base, in[0]), nil
}
