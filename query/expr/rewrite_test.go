package expr_test

import (
	"testing"

	"pulse/query/expr"
	"pulse/store/match"
)

// What is done with named rewrites inside each other takes twice as much for one
// more, which has twice the nodes.
func TestChangesOfNestedRewrites(t *testing.T) {
	nested := func(n int) (out expr.TimeSeries) {
		out = expr.NewAggregate(expr.AggSum, &match.Equal{Key: "name", Value: "a"})
		for range n {
			abs, err := expr.NewUnary("abs", out)
			if err != nil {
				t.Fatal(err)
			}
			neg, err := expr.NewUnary("neg", out)
			if err != nil {
				t.Fatal(err)
			}
			out = expr.NewNamedRewrite("foo", abs, neg)
		}
		return out
	}
	for name, change := range map[string]func(expr.TimeSeries) (expr.TimeSeries, error){
		"offset": func(x expr.TimeSeries) (expr.TimeSeries, error) { return expr.WithOffset(x, 60_000) },
		"by":     func(x expr.TimeSeries) (expr.TimeSeries, error) { return expr.By(x, []string{"k"}) },
		"cg":     func(x expr.TimeSeries) (expr.TimeSeries, error) { return expr.CommonBy(x, []string{"k"}) },
	} {
		cost := func(n int) float64 {
			x := nested(n)
			return testing.AllocsPerRun(1, func() {
				if _, err := change(x); err != nil {
					t.Fatal(err)
				}
			})
		}
		if six, eight := cost(6), cost(8); eight > 5*six {
			t.Errorf("%s: %v allocations for six, %v for eight", name, six, eight)
		}
	}
}
