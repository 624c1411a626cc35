package expr

import (
	"errors"
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
	cf       *CF
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
		out.Eval, err = groupInside(out.Eval, m.grouping)
	}
	if err == nil && m.cf != nil {
		out.Eval, err = withCF(out.Eval, *m.cf)
	}
	if err == nil && m.offset != 0 {
		out.Eval, err = WithOffset(out.Eval, m.offset)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// both applies f to the two expressions of a rewrite without a builder.
func (r *Rewrite) both(f func(TimeSeries) (TimeSeries, error)) (TimeSeries, error) {
	eval, err := f(r.Eval)
	if err != nil {
		return nil, err
	}
	base := r.Base
	if t, ok := base.(TimeSeries); ok {
		if base, err = f(t); err != nil {
			return nil, err
		}
	}
	return NewNamedRewrite(r.Name, base, eval), nil
}

func (r *Rewrite) overQuery() bool {
	_, ok := r.Base.(match.Query)
	return ok
}

// onBase applies f to a base that is a time series and rebuilds.
func (r *Rewrite) onBase(m after, f func(TimeSeries) (TimeSeries, error)) (TimeSeries, error) {
	base, err := f(r.Base.(TimeSeries))
	if err != nil {
		return nil, err
	}
	return r.rebuild(base, m)
}

func (r *Rewrite) withQuery(q match.Query) (TimeSeries, error) {
	if r.build == nil {
		out, err := r.both(func(t TimeSeries) (TimeSeries, error) { return commonQuery(t, q) })
		if err == nil && r.overQuery() {
			out.(*Rewrite).Base = match.NewAnd(r.Base.(match.Query), q)
		}
		return out, err
	}
	if r.overQuery() {
		return r.rebuild(match.NewAnd(r.Base.(match.Query), q), r.after)
	}
	return r.onBase(r.after, func(t TimeSeries) (TimeSeries, error) { return commonQuery(t, q) })
}

func (r *Rewrite) withOffset(ms int64) (TimeSeries, error) {
	if r.build != nil && r.overQuery() {
		m := r.after
		m.offset = ms
		return r.rebuild(r.Base, m)
	}
	f := func(t TimeSeries) (TimeSeries, error) { return WithOffset(t, ms) }
	if r.build == nil {
		return r.both(f)
	}
	return r.onBase(r.after, f)
}

func (r *Rewrite) withCF(f CF) (TimeSeries, error) {
	if r.build == nil || !r.overQuery() {
		return nil, errors.New(":cf-" + f.Name() + " needs an aggregate, not :" + r.Name + " of an expression")
	}
	m := r.after
	m.cf = &f
	return r.rebuild(r.Base, m)
}

// by groups an ungrouped rewrite.
func (r *Rewrite) by(keys []string) (TimeSeries, error) {
	if r.build == nil {
		return r.both(func(t TimeSeries) (TimeSeries, error) { return groupInside(t, keys) })
	}
	m := r.after
	m.grouping = keys
	base, ok := r.Base.(TimeSeries)
	if !ok || base.Grouped() {
		return r.rebuild(r.Base, m)
	}
	inner, err := r.onBase(r.after, func(t TimeSeries) (TimeSeries, error) { return groupInside(t, keys) })
	if err != nil || inner.Grouped() {
		return inner, err
	}
	return r.rebuild(r.Base, m)
}

// commonBy adds keys to every grouping.
func (r *Rewrite) commonBy(keys []string) (TimeSeries, error) {
	f := func(t TimeSeries) (TimeSeries, error) { return CommonBy(t, keys) }
	if r.build == nil {
		return r.both(f)
	}
	m := r.after
	if r.overQuery() || len(m.grouping) > 0 {
		m.grouping = mergeKeys(m.grouping, keys)
	}
	if r.overQuery() {
		return r.rebuild(r.Base, m)
	}
	return r.onBase(m, f)
}

// mapBase applies a transformation of the tree to the base.
func (r *Rewrite) mapBase(f func(TimeSeries) (TimeSeries, error)) (TimeSeries, error) {
	if r.build == nil {
		return r.both(f)
	}
	if r.overQuery() {
		return r, nil
	}
	return r.onBase(r.after, f)
}

func (r *Rewrite) word() string {
	return strings.Join(append(slices.Clone(r.Params), ":"+r.Name), ",")
}

func (r *Rewrite) String() string { return operationText(r) }

// suffix is what follows the base in the canonical text.
func (r *Rewrite) suffix() string {
	s := "," + r.word()
	if r.after.cf != nil {
		s += ",:cf-" + r.after.cf.Name()
	}
	s = shifted(s, r.after.offset)
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
