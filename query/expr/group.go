package expr

import (
	"errors"

	"pulse/store/match"
)

// By groups t by keys. A result that is grouped already is aggregated further,
// by a sum unless t is an aggregate of grouped lines; else the grouping goes
// down to every aggregate inside.
func By(t TimeSeries, keys []string) (TimeSeries, error) {
	switch x := t.(type) {
	case *Aggregate:
		return NewGroupBy(x, keys), nil
	case *MathAggregate:
		if x.Expr.Grouped() {
			return NewMathGroupBy(x, keys)
		}
	}
	if t.Grouped() {
		return NewMathGroupBy(&MathAggregate{Agg: AggSum, Expr: t}, keys)
	}
	return groupInside(t, keys)
}

// groupInside groups the aggregates inside an ungrouped expression.
func groupInside(t TimeSeries, keys []string) (TimeSeries, error) {
	return groupAggregates(t, keys, false)
}

// groupWhole is groupInside for what a rewrite stands for: it fails when the
// rewrite aggregates one line, whose groups would be aggregated into it again.
func groupWhole(t TimeSeries, keys []string) (TimeSeries, error) {
	return groupAggregates(t, keys, true)
}

func groupAggregates(t TimeSeries, keys []string, whole bool) (TimeSeries, error) {
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		var out TimeSeries
		var err error
		switch y := x.(type) {
		case *Aggregate:
			out = NewGroupBy(y, keys)
		case *MathAggregate:
			if !whole && !y.Expr.Grouped() {
				return nil, false, nil
			}
			out, err = NewMathGroupBy(y, keys)
		case *Rewrite:
			if y.Grouped() {
				return y, true, nil
			}
			out, err = y.by(keys)
		default:
			return nil, false, nil
		}
		return out, true, err
	})
}

// CommonBy adds keys to every grouping in t: aggregates become grouped, and
// groupings get the keys they lack after their own.
func CommonBy(t TimeSeries, keys []string) (TimeSeries, error) {
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		var out TimeSeries
		var err error
		switch y := x.(type) {
		case *Aggregate:
			out = NewGroupBy(y, keys)
		case *GroupBy:
			out = NewGroupBy(y.Aggregate, mergeKeys(y.keys, keys))
		case *MathAggregate:
			out, err = regroup(y, keys, nil)
		case *MathGroupBy:
			out, err = regroup(y.Aggregate, keys, y.keys)
		case *Rewrite:
			out, err = y.commonBy(keys)
		default:
			return nil, false, nil
		}
		return out, true, err
	})
}

// regroup adds keys inside an aggregate and to the grouping of its result.
func regroup(a *MathAggregate, keys, own []string) (TimeSeries, error) {
	inner, err := CommonBy(a.Expr, keys)
	if err != nil {
		return nil, err
	}
	b := &MathAggregate{Agg: a.Agg, Expr: inner}
	if !inner.Grouped() {
		return b, nil // nothing below has data to group
	}
	return NewMathGroupBy(b, mergeKeys(own, keys))
}

// CommonQuery restricts every data expression of e, which may be a query, a
// time series or a style, to what q selects as well.
func CommonQuery(e Expr, q match.Query) (Expr, error) {
	switch x := e.(type) {
	case match.Query:
		return match.NewAnd(x, q), nil
	case TimeSeries:
		return commonQuery(x, q)
	case *Style:
		t, err := commonQuery(x.Expr, q)
		if err != nil {
			return nil, err
		}
		return x.WithExpr(t), nil
	}
	return e, nil
}

func commonQuery(t TimeSeries, q match.Query) (TimeSeries, error) {
	return mapData(t,
		func(d DataExpr) (TimeSeries, error) { return d.WithQuery(match.NewAnd(d.Query(), q)), nil },
		func(r *Rewrite) (TimeSeries, error) { return r.withQuery(q) })
}

// mapQueries replaces the query of every data expression of t, and the query a
// rewrite is written with, by f of it.
func mapQueries(t TimeSeries, f func(match.Query) (match.Query, error)) (TimeSeries, error) {
	return mapData(t,
		func(d DataExpr) (TimeSeries, error) {
			q, err := f(d.Query())
			if err != nil {
				return nil, err
			}
			return d.WithQuery(q), nil
		},
		func(r *Rewrite) (TimeSeries, error) {
			return r.mapQuery(f, func(t TimeSeries) (TimeSeries, error) { return mapQueries(t, f) })
		})
}

// mapGroupings replaces the keys of every grouping by f of them. An empty
// result makes a data grouping a plain aggregate.
func mapGroupings(t TimeSeries, f func([]string) []string) (TimeSeries, error) {
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		switch y := x.(type) {
		case *Percentiles:
			keys := append([]string{percentileKey}, f(y.userKeys())...)
			return &Percentiles{Data: NewGroupBy(y.Data.Aggregate, keys), Wants: y.Wants}, true, nil
		case *GroupBy:
			if keys := f(y.keys); len(keys) > 0 {
				return NewGroupBy(y.Aggregate, keys), true, nil
			}
			return y.Aggregate, true, nil
		case *MathGroupBy:
			inner, err := mapGroupings(y.Aggregate.Expr, f)
			if err != nil {
				return nil, true, err
			}
			a := &MathAggregate{Agg: y.Aggregate.Agg, Expr: inner}
			keys := f(y.keys)
			if len(keys) == 0 || !inner.Grouped() {
				return NewMathAggregate(a.Agg, inner), true, nil
			}
			out, err := NewMathGroupBy(a, keys)
			return out, true, err
		case *Rewrite:
			out, err := y.mapGroupings(f)
			return out, true, err
		}
		return nil, false, nil
	})
}

// WithOffset shifts the data of t into the past by ms, replacing any shift.
func WithOffset(t TimeSeries, ms int64) (TimeSeries, error) {
	if ms < 0 {
		return nil, errors.New("offset must not be negative: " + FormatDuration(ms))
	}
	return mapData(t,
		func(d DataExpr) (TimeSeries, error) { return d.WithOffsetMs(ms), nil },
		func(r *Rewrite) (TimeSeries, error) { return r.withOffset(ms) })
}

// WithCF sets the consolidation of every aggregate in t. Rewrites become what
// they stand for, since they are not written with a consolidation.
func WithCF(t TimeSeries, f CF) (TimeSeries, error) {
	t, err := unfold(t)
	if err != nil {
		return nil, err
	}
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		switch d := x.(type) {
		case *Aggregate:
			return d.WithCF(f), true, nil
		case *GroupBy:
			return NewGroupBy(d.Aggregate.WithCF(f), d.keys), true, nil
		}
		return nil, false, nil
	})
}

// mapData rebuilds t with other data expressions and rewrites.
func mapData(t TimeSeries, data func(DataExpr) (TimeSeries, error), rewrite func(*Rewrite) (TimeSeries, error)) (TimeSeries, error) {
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		switch y := x.(type) {
		case DataExpr:
			out, err := data(y)
			return out, true, err
		case *Rewrite:
			out, err := rewrite(y)
			return out, true, err
		}
		return nil, false, nil
	})
}
