package expr

import (
	"fmt"
	"slices"
	"strings"

	"pulse/store/match"
	"pulse/store/tags"
)

// DataExpr is an expression answered by a store: which series, how they are
// aggregated, and from which time.
type DataExpr interface {
	TimeSeries
	// Query selects the series.
	Query() match.Query
	// CF consolidates the aggregate to a step longer than the stored one.
	CF() CF
	// OffsetMs says how far in the past the data lies, in ms; 0 is no shift.
	OffsetMs() int64
	// WithOffsetMs returns the expression with another shift.
	WithOffsetMs(ms int64) DataExpr
	// WithQuery returns the expression over another selection.
	WithQuery(q match.Query) DataExpr
}

// Agg is an aggregate function over lines.
type Agg uint8

const (
	AggSum Agg = iota
	AggCount
	AggMin
	AggMax
)

// Name returns sum, count, min or max.
func (a Agg) Name() string { return [...]string{"sum", "count", "min", "max"}[a] }

// defaultCF returns the consolidation an aggregate has unless told otherwise.
func (a Agg) defaultCF() CF {
	switch a {
	case AggMin:
		return CFMin
	case AggMax:
		return CFMax
	}
	return CFAvg
}

// Aggregate folds all series of a query into one line.
type Aggregate struct {
	noInputs
	ungrouped
	Agg    Agg
	query  match.Query
	cf     CF
	offset int64
}

// NewAggregate returns the aggregate of q with its default consolidation.
func NewAggregate(agg Agg, q match.Query) *Aggregate {
	return &Aggregate{Agg: agg, query: q, cf: agg.defaultCF()}
}

func (a *Aggregate) Query() match.Query { return a.query }
func (a *Aggregate) CF() CF             { return a.cf }
func (a *Aggregate) OffsetMs() int64    { return a.offset }

// WithCF returns the aggregate with another consolidation.
func (a *Aggregate) WithCF(f CF) *Aggregate {
	b := *a
	b.cf = f
	return &b
}

func (a *Aggregate) WithOffsetMs(ms int64) DataExpr {
	b := *a
	b.offset = ms
	return &b
}

func (a *Aggregate) WithQuery(q match.Query) DataExpr {
	b := *a
	b.query = q
	return &b
}

// text is the canonical text without the shift.
func (a *Aggregate) text() string {
	return a.query.String() + ",:" + a.Agg.Name() + a.cfText()
}

// cfText is the word for the consolidation, "" for the default.
func (a *Aggregate) cfText() string {
	if a.cf == a.Agg.defaultCF() {
		return ""
	}
	return ",:cf-" + a.cf.Name()
}

func (a *Aggregate) String() string { return shifted(a.text(), a.offset) }

// All is every series of a query, untouched.
type All struct {
	noInputs
	ungrouped
	query  match.Query
	offset int64
}

// NewAll returns all series of q.
func NewAll(q match.Query) *All { return &All{query: q} }

func (a *All) Query() match.Query             { return a.query }
func (a *All) CF() CF                         { return CFSum }
func (a *All) OffsetMs() int64                { return a.offset }
func (a *All) WithOffsetMs(ms int64) DataExpr { return &All{query: a.query, offset: ms} }
func (a *All) WithQuery(q match.Query) DataExpr {
	return &All{query: q, offset: a.offset}
}
func (a *All) String() string { return shifted(a.query.String()+",:all", a.offset) }

// GroupBy is an aggregate per distinct combination of the keys' values. A
// series that lacks one of the keys belongs to no group.
type GroupBy struct {
	noInputs
	Aggregate *Aggregate
	keys      []string
}

// NewGroupBy groups a by keys, which are kept in the order given.
func NewGroupBy(a *Aggregate, keys []string) *GroupBy {
	return &GroupBy{Aggregate: a, keys: slices.Clone(keys)}
}

func (g *GroupBy) Grouped() bool      { return true }
func (g *GroupBy) Keys() []string     { return g.keys }
func (g *GroupBy) Query() match.Query { return g.Aggregate.query }
func (g *GroupBy) CF() CF             { return g.Aggregate.cf }
func (g *GroupBy) OffsetMs() int64    { return g.Aggregate.offset }

func (g *GroupBy) WithOffsetMs(ms int64) DataExpr {
	return &GroupBy{Aggregate: g.Aggregate.WithOffsetMs(ms).(*Aggregate), keys: g.keys}
}

func (g *GroupBy) WithQuery(q match.Query) DataExpr {
	return &GroupBy{Aggregate: g.Aggregate.WithQuery(q).(*Aggregate), keys: g.keys}
}

func (g *GroupBy) String() string {
	return shifted(g.Aggregate.text()+","+listText(g.keys)+",:by", g.Aggregate.offset)
}

func (a *Aggregate) withInputs([]TimeSeries) (TimeSeries, error) { return a, nil }
func (a *All) withInputs([]TimeSeries) (TimeSeries, error)       { return a, nil }
func (g *GroupBy) withInputs([]TimeSeries) (TimeSeries, error)   { return g, nil }
func (a *Aggregate) identity() string                            { return a.String() }
func (a *All) identity() string                                  { return a.String() }
func (g *GroupBy) identity() string                              { return g.String() }
func (a *Aggregate) kernel() kernel                              { return supplied{} }
func (a *All) kernel() kernel                                    { return supplied{} }
func (g *GroupBy) kernel() kernel                                { return supplied{} }

// shifted adds a shift to a canonical text.
func shifted(text string, offsetMs int64) string {
	if offsetMs == 0 {
		return text
	}
	return text + "," + FormatDuration(offsetMs) + ",:offset"
}

// ResultTags returns the tags of a line of d: the pairs its query fixes and,
// for a grouped or untouched line, the tags that tell the line from others.
// An aggregate whose query fixes nothing is `name=unknown`.
func ResultTags(d DataExpr, line tags.Tags) tags.Tags {
	if _, ok := d.(*All); ok {
		return line
	}
	exact := match.ExactTags(d.Query())
	if g, ok := d.(*GroupBy); ok {
		return tags.Normalize(slices.Concat(exact, only(line, g.keys)))
	}
	if len(exact) == 0 {
		return tags.Of("name", "unknown")
	}
	return exact
}

// DefaultLabel returns the label a store gives to a line of d with these
// result tags: `sum(name=sps)`, `(k=v)` or `k=v, k2=v2`, and the shift.
func DefaultLabel(d DataExpr, t tags.Tags) string {
	label := TagsLabel(t)
	switch x := d.(type) {
	case *Aggregate:
		label = x.Agg.Name() + "(" + x.query.Label() + ")"
	case *GroupBy:
		if s, ok := KeyString(x.keys, t); ok {
			label = s
		}
	}
	return offsetLabel(label, d.OffsetMs())
}

// offsetLabel appends ` (offset=1d)` to a label unless the shift is zero.
func offsetLabel(label string, offsetMs int64) string {
	if offsetMs == 0 {
		return label
	}
	return fmt.Sprintf("%s (offset=%s)", label, FormatDuration(offsetMs))
}

// NoData returns the line that stands for an aggregate nothing matches. Its
// values are NaN and its tags those the query fixes, or name=NO_DATA.
func NoData(d DataExpr, n int) Line {
	t := match.ExactTags(d.Query())
	if len(t) == 0 {
		t = noDataTags()
	}
	return Line{Tags: t, Label: noDataLabel, Values: appendNaN(nil, n), Gauge: true}
}

const noDataLabel = "NO DATA"

func noDataTags() tags.Tags { return tags.Of("name", "NO_DATA") }

// sortLines puts the lines of d into their defined order: groups by key
// string, untouched series by tags. Lines of one aggregate keep their order.
func sortLines(d DataExpr, lines []Line) {
	switch x := d.(type) {
	case *GroupBy:
		type keyed struct {
			key  string
			line Line
		}
		ks := make([]keyed, len(lines))
		for i, l := range lines {
			k, _ := KeyString(x.keys, l.Tags)
			ks[i] = keyed{k, l}
		}
		slices.SortStableFunc(ks, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
		for i := range ks {
			lines[i] = ks[i].line
		}
	case *All:
		slices.SortStableFunc(lines, func(a, b Line) int { return a.Tags.Compare(b.Tags) })
	}
}
