package expr

import (
	"errors"
	"math"
	"slices"

	"pulse/store/match"
)

// asTimeSeries reads a base: a query is its sum.
func asTimeSeries(base Expr) TimeSeries {
	if q, ok := base.(match.Query); ok {
		return NewAggregate(AggSum, q)
	}
	return base.(TimeSeries)
}

// aggregateOf is an aggregate word applied to a base: over a query it fetches,
// over anything else it folds lines.
func aggregateOf(agg Agg, base Expr) TimeSeries {
	if q, ok := base.(match.Query); ok {
		return NewAggregate(agg, q)
	}
	return NewMathAggregate(agg, base.(TimeSeries))
}

// combine chains binary operations and keeps the first error.
type combine struct{ err error }

func (c *combine) op(name string, l, r TimeSeries) TimeSeries {
	if c.err != nil {
		return nil
	}
	t, err := NewBinary(name, l, r)
	c.err = err
	return t
}

func (c *combine) unary(name string, t TimeSeries) TimeSeries {
	if c.err != nil {
		return nil
	}
	t, c.err = NewUnary(name, t)
	return t
}

// NewAvg is the sum divided by the count.
func NewAvg(base Expr) (*Rewrite, error) {
	return newRewrite("avg", nil, base, builderFunc(func(base Expr) (TimeSeries, error) {
		return NewBinary("div", aggregateOf(AggSum, base), aggregateOf(AggCount, base))
	}))
}

// NewPct is each line's share of the sum in percent.
func NewPct(base Expr) (*Rewrite, error) {
	return newRewrite("pct", nil, base, builderFunc(func(base Expr) (TimeSeries, error) {
		var c combine
		share := c.op("div", asTimeSeries(base), aggregateOf(AggSum, base))
		return c.op("mul", share, &Const{Value: 100}), c.err
	}))
}

// NewStddev is the standard deviation over the lines, by the population
// formula.
func NewStddev(base Expr) (*Rewrite, error) {
	return newRewrite("stddev", nil, base, builderFunc(func(base Expr) (TimeSeries, error) {
		var c combine
		x := c.op("fadd", asTimeSeries(base), &Const{})
		if c.err != nil {
			return nil, c.err
		}
		n := NewMathAggregate(AggCount, x)
		squares := NewMathAggregate(AggSum, c.op("mul", x, x))
		return deviation(&c, n, squares, NewMathAggregate(AggSum, x))
	}))
}

// deviation is sqrt((n*squares - sum^2) / n^2).
func deviation(c *combine, n, squares, sum TimeSeries) (TimeSeries, error) {
	v := c.op("sub", c.op("mul", n, squares), c.op("mul", sum, sum))
	out := c.unary("sqrt", c.op("div", v, c.op("mul", n, n)))
	return out, c.err
}

// statistic is an aggregate over the series of q that carry one of the given
// statistics of a timer or distribution summary.
func statistic(agg Agg, q match.Query, names ...string) TimeSeries {
	s := match.NewIn("statistic", names)
	return NewAggregate(agg, match.NewAnd(s, q))
}

// queryBuilder is a builder for words that take a query only.
func queryBuilder(f func(q match.Query) (TimeSeries, error)) builder {
	return builderFunc(func(base Expr) (TimeSeries, error) {
		q, ok := base.(match.Query)
		if !ok {
			return nil, errors.New("the base must be a query")
		}
		return f(q)
	})
}

// NewDistAvg is the average of what a timer or distribution summary recorded.
func NewDistAvg(q match.Query) (*Rewrite, error) {
	return newRewrite("dist-avg", nil, q, queryBuilder(func(q match.Query) (TimeSeries, error) {
		return NewBinary("div", statistic(AggSum, q, "totalTime", "totalAmount"), statistic(AggSum, q, "count"))
	}))
}

// NewDistMax is the largest value a timer or distribution summary recorded.
func NewDistMax(q match.Query) (*Rewrite, error) {
	return newRewrite("dist-max", nil, q, queryBuilder(func(q match.Query) (TimeSeries, error) {
		return statistic(AggMax, q, "max"), nil
	}))
}

// NewDistStddev is the standard deviation of what was recorded.
func NewDistStddev(q match.Query) (*Rewrite, error) {
	return newRewrite("dist-stddev", nil, q, queryBuilder(func(q match.Query) (TimeSeries, error) {
		return deviation(&combine{}, statistic(AggSum, q, "count"),
			statistic(AggSum, q, "totalOfSquares"), statistic(AggSum, q, "totalAmount", "totalTime"))
	}))
}

// NewSampleCount is the rate of values recorded between least and most, by the
// percentile buckets they fell into. Without bounds it counts all; most is
// then +Inf. The bounds are in seconds for timers.
func NewSampleCount(q match.Query, least, most float64, bounds bool) (*Rewrite, error) {
	if !(least < most) {
		return nil, errRequire("min >= max (min=%s, max=%s)", FormatDouble(least), FormatDouble(most))
	}
	if least < 0 {
		return nil, errRequire("min < 0 (min=%s)", FormatDouble(least))
	}
	var params []string
	if bounds {
		params = doubleList([]float64{least, most})
	}
	return newRewrite("sample-count", params, q, queryBuilder(func(q match.Query) (TimeSeries, error) {
		buckets := match.NewOr(bucketRange(least, most, false), bucketRange(least*1e9, most*1e9, true))
		return NewAggregate(AggSum, match.NewAnd(q, buckets)), nil
	}))
}

// bucketRange selects the buckets from that of least to that of most.
func bucketRange(least, most float64, timer bool) match.Query {
	tag := func(v float64) string { return BucketTag(BucketIndex(clampInt(v)), timer) }
	return match.NewAnd(
		&match.Compare{Key: percentileKey, Op: match.GreaterEq, Value: tag(least)},
		&match.Compare{Key: percentileKey, Op: match.LessEq, Value: tag(most)})
}

func clampInt(v float64) int64 {
	if v >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(v)
}

// NewSmoothing is a preset of :des or :sdes: op with its arguments, written as
// name.
func NewSmoothing(name, op string, base Expr, training, alpha, beta float64) (*Rewrite, error) {
	return newRewrite(name, nil, base, builderFunc(func(base Expr) (TimeSeries, error) {
		return NewStateful(op, asTimeSeries(base), training, alpha, beta)
	}))
}

// NewApproxDistinctCumulative estimates the distinct values since the start of
// the evaluation, over what NewApproxDistinct takes.
func NewApproxDistinctCumulative(base Expr) (*Rewrite, error) {
	return newRewrite("approx-distinct-cumulative", nil, base, builderFunc(func(base Expr) (TimeSeries, error) {
		top, err := NewStateful("cumulative-max", asTimeSeries(base))
		if err != nil {
			return nil, err
		}
		return NewApproxDistinct(top)
	}))
}

// CustomAverage is a configured average: a sum divided by the sum of a base
// query, such as the number of servers that are up.
type CustomAverage struct {
	Name string
	// Base selects the series of the denominator.
	Base match.Query
	// Keys are the tags those series have: conditions on other keys do not
	// apply to the denominator, and it is not grouped by other keys.
	Keys []string
}

// New applies the average to q.
func (a *CustomAverage) New(q match.Query) (*Rewrite, error) {
	return newRewrite(a.Name, nil, q, a)
}

// Build divides the sum of base by the sum of the denominator.
func (a *CustomAverage) Build(base Expr) (TimeSeries, error) { return a.BuildGrouped(base, nil) }

// BuildGrouped groups the numerator by all keys and the denominator by those
// it has.
func (a *CustomAverage) BuildGrouped(base Expr, keys []string) (TimeSeries, error) {
	q, ok := base.(match.Query)
	if !ok {
		return nil, errors.New("the base must be a query")
	}
	shared := match.WithoutKeys(q, func(k string) bool { return !slices.Contains(a.Keys, k) })
	var numerator TimeSeries = NewAggregate(AggSum, q)
	var denominator TimeSeries = NewAggregate(AggSum, match.NewAnd(a.Base, shared))
	if len(keys) > 0 {
		numerator = NewGroupBy(numerator.(*Aggregate), keys)
	}
	var own []string
	for _, k := range keys {
		if slices.Contains(a.Keys, k) {
			own = append(own, k)
		}
	}
	if len(own) > 0 {
		denominator = NewGroupBy(denominator.(*Aggregate), own)
	}
	return NewBinary("div", numerator, denominator)
}
