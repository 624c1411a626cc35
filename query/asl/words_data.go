package asl

import (
	"pulse/query/expr"
	"pulse/store/match"
)

// DataWords returns the words that say what is fetched from the store.
func DataWords() Vocabulary {
	v := Vocabulary{
		queryWord("all", "Every series that matches the query, untouched. Meant for debugging; use `:by` otherwise.",
			func(q match.Query) expr.TimeSeries { return expr.NewAll(q) }),
		queryWord("sum", "Sum of the series that match the query. It is what a query alone stands for.", aggregateOf(expr.AggSum)),
		queryWord("count", "Number of the series that match the query and have a value.", aggregateOf(expr.AggCount)),
		queryWord("min", "Smallest value among the series that match the query.", aggregateOf(expr.AggMin)),
		queryWord("max", "Largest value among the series that match the query.", aggregateOf(expr.AggMax)),
		{
			Name:      "by",
			Signature: "Aggregate keys:List -- TimeSeries",
			Doc: "One line for each combination of the values that the keys have. Series that lack one of the keys " +
				"are left out: `name,sps,:eq,:sum,(,nf.cluster,),:by`.",
			Examples: []string{"name,sps,:eq,(,name,)", "name,sps,:eq,:max,(,nf.cluster,)", "name,sps,:eq,(,nf.asg,nf.zone,)"},
			Match:    Args(IsAggregate, IsStringList),
			Run: func(c *Context) error {
				keys := listArg(c.Pop())
				c.Push(expr.NewGroupBy(c.PopAggregate(), keys))
				return nil
			},
		},
		mapWord("offset", "TimeSeries Duration -- TimeSeries",
			"Fetches all data from further in the past, to compare with an earlier time: `1w,:offset`.",
			[]string{"name,sps,:eq,(,name,),:by,1w", "name,sps,:eq,:max,PT1H", "name,sps,:eq,:avg,1h", "42,1h"},
			[]func(any) bool{IsDuration},
			func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
				return expr.WithOffset(o.t, durationArg(args[0]))
			}),
	}
	for _, f := range []expr.CF{expr.CFAvg, expr.CFSum, expr.CFMin, expr.CFMax} {
		v = append(v, consolidationWord(f))
	}
	return v
}

func aggregateOf(agg expr.Agg) func(q match.Query) expr.TimeSeries {
	return func(q match.Query) expr.TimeSeries { return expr.NewAggregate(agg, q) }
}

func queryWord(name, doc string, build func(q match.Query) expr.TimeSeries) Word {
	return Word{
		Name: name, Signature: "Query -- TimeSeries", Doc: doc,
		Examples: []string{"name,sps,:eq", "ERROR:"},
		Match:    Args(IsQuery),
		Run: func(c *Context) error {
			c.Push(build(c.PopQuery()))
			return nil
		},
	}
}

func consolidationWord(f expr.CF) Word {
	what := map[expr.CF]string{
		expr.CFAvg: "average", expr.CFSum: "sum", expr.CFMin: "smallest value", expr.CFMax: "largest value",
	}[f]
	return mapWord("cf-"+f.Name(), "TimeSeries -- TimeSeries",
		"Takes the "+what+" of the stored values when a step of the graph covers several of them, in every aggregate of the expression.",
		[]string{"name,sps,:eq", "name,sps,:eq,:min", "name,sps,:eq,:avg", "name,sps,:eq,(,a,),:by,:abs", "1"}, nil,
		func(_ *Context, o operand, _ []any) (expr.TimeSeries, error) { return expr.WithCF(o.t, f) })
}
