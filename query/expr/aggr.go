package expr

import (
	"math"
	"slices"

	"pulse/store/match"
	"pulse/store/tags"
)

// MathAggregate folds the lines of an expression into one. Applied to nothing
// it is the NO DATA line.
type MathAggregate struct {
	ungrouped
	Agg  Agg
	Expr TimeSeries
}

// NewMathAggregate aggregates t. On a plain aggregate, which is one line
// already, everything but a count leaves it as it is.
func NewMathAggregate(agg Agg, t TimeSeries) TimeSeries {
	if a, ok := t.(*Aggregate); ok && agg != AggCount {
		return a
	}
	return &MathAggregate{Agg: agg, Expr: t}
}

func (a *MathAggregate) String() string       { return operationText(a) }
func (a *MathAggregate) inputs() []TimeSeries { return []TimeSeries{a.Expr} }
func (a *MathAggregate) identity() string     { return ":" + a.Agg.Name() }
func (a *MathAggregate) withInputs(in []TimeSeries) (TimeSeries, error) {
	return &MathAggregate{Agg: a.Agg, Expr: in[0]}, nil
}
func (a *MathAggregate) kernel() kernel { return &aggregateKernel{expr: a} }

// MathGroupBy aggregates the lines of a grouped expression per combination of
// some of its keys.
type MathGroupBy struct {
	Aggregate *MathAggregate
	keys      []string
}

// NewMathGroupBy groups a by keys, which must be among those its input is
// grouped by.
func NewMathGroupBy(a *MathAggregate, keys []string) (TimeSeries, error) {
	if !a.Expr.Grouped() {
		return nil, errRequire("input expression must already be grouped")
	}
	if before := a.Expr.Keys(); !subset(keys, before) {
		return nil, errRequire("%s is not a subset of %s", listText(keys), listText(before))
	}
	return &MathGroupBy{Aggregate: a, keys: slices.Clone(keys)}, nil
}

func (g *MathGroupBy) String() string       { return operationText(g) }
func (g *MathGroupBy) Grouped() bool        { return true }
func (g *MathGroupBy) Keys() []string       { return g.keys }
func (g *MathGroupBy) inputs() []TimeSeries { return []TimeSeries{g.Aggregate.Expr} }
func (g *MathGroupBy) identity() string {
	return ":" + g.Aggregate.Agg.Name() + "," + listText(g.keys) + ",:by"
}
func (g *MathGroupBy) withInputs(in []TimeSeries) (TimeSeries, error) {
	return NewMathGroupBy(&MathAggregate{Agg: g.Aggregate.Agg, Expr: in[0]}, g.keys)
}
func (g *MathGroupBy) kernel() kernel { return &groupKernel{expr: g} }

// exactKeys returns the keys fixed by the query of d.
func exactKeys(d DataExpr) []string {
	var keys []string
	for _, t := range match.ExactTags(d.Query()) {
		keys = append(keys, t.Key)
	}
	return keys
}

// commonExactKeys returns the keys fixed by the queries of all of t's data.
func commonExactKeys(t TimeSeries) []string {
	var keys []string
	for i, d := range DataExprs(t) {
		if i == 0 {
			keys = exactKeys(d)
			continue
		}
		other := exactKeys(d)
		keys = slices.DeleteFunc(keys, func(k string) bool { return !slices.Contains(other, k) })
	}
	return keys
}

type aggregateKernel struct {
	expr    *MathAggregate
	members []int32
}

func (k *aggregateKernel) shape(in []*result, out *result) error {
	lines := in[0].lines
	k.members = k.members[:0]
	for i := range lines {
		k.members = append(k.members, int32(i))
	}
	if len(lines) == 0 {
		out.reset([]Line{{Tags: noDataTags(), Label: noDataLabel, Gauge: true}})
		return nil
	}
	t := lines[0].Tags
	if data := DataExprs(k.expr); len(data) > 0 {
		t = only(t, exactKeys(data[0]))
	}
	label := k.expr.Agg.Name() + "(" + TagsLabel(t) + ")"
	out.reset([]Line{{Tags: t, Label: label, Gauge: lines[0].Gauge}})
	return nil
}

func (k *aggregateKernel) run(_ Window, in []*result, out *result) error {
	foldLines(k.expr.Agg, out.lines[0].Values, in[0].lines, k.members)
	return nil
}

type groupKernel struct {
	expr    *MathGroupBy
	members [][]int32
}

func (k *groupKernel) shape(in []*result, out *result) error {
	order, groups := groupLines(in[0].lines, k.expr.keys)
	keep := mergeKeys(commonExactKeys(k.expr), k.expr.keys)
	k.members = k.members[:0]
	lines := make([]Line, len(order))
	for i, key := range order {
		first := in[0].lines[groups[key][0]]
		k.members = append(k.members, groups[key])
		lines[i] = Line{Tags: only(first.Tags, keep), Label: key, Gauge: first.Gauge}
	}
	out.reset(lines)
	return nil
}

func (k *groupKernel) run(_ Window, in []*result, out *result) error {
	for i, members := range k.members {
		foldLines(k.expr.Aggregate.Agg, out.lines[i].Values, in[0].lines, members)
	}
	return nil
}

// groupLines returns the key strings of the lines that have all the keys, in
// order, and the lines of each.
func groupLines(lines []Line, keys []string) (order []string, members map[string][]int32) {
	members = map[string][]int32{}
	for i, l := range lines {
		key, ok := KeyString(keys, l.Tags)
		if !ok {
			continue
		}
		if _, seen := members[key]; !seen {
			order = append(order, key)
		}
		members[key] = append(members[key], int32(i))
	}
	slices.Sort(order)
	return order, members
}

// foldLines writes the aggregate of the given lines to dst, ignoring NaN. It
// is NaN where no line has a value.
func foldLines(agg Agg, dst []float64, lines []Line, members []int32) {
	fillNaN(dst)
	for _, m := range members {
		foldValues(agg, dst, lines[m].Values)
	}
}

// foldValues folds src into dst, NaN in dst meaning that nothing came yet.
func foldValues(agg Agg, dst, src []float64) {
	switch agg {
	case AggSum:
		for i, v := range src {
			dst[i] = AddNaN(dst[i], v)
		}
	case AggCount:
		for i, v := range src {
			if !math.IsNaN(v) {
				dst[i] = AddNaN(dst[i], 1)
			}
		}
	case AggMin:
		for i, v := range src {
			dst[i] = MinNaN(dst[i], v)
		}
	case AggMax:
		for i, v := range src {
			dst[i] = MaxNaN(dst[i], v)
		}
	}
}

// sharedTags returns the tags that both sets hold alike.
func sharedTags(a, b tags.Tags) tags.Tags {
	out := make(tags.Tags, 0, len(a))
	for _, x := range a {
		if v, ok := b.Get(x.Key); ok && v == x.Value {
			out = append(out, x)
		}
	}
	return out
}
