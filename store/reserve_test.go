package store_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/match"
)

// What is asked for before series are selected, and before they are sorted to be read
// some at a time, is no less than what that takes, with all that grows on the way.
func TestSelectionIsPaidFor(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector takes memory of its own")
	}
	for _, n := range []int{300, 2100, 20_000} {
		f := fillWith(t, store.Options{NewSeriesRate: -1}, n, 2)
		for name, q := range map[string]store.Scan{
			"all":              {Agg: store.AggAll},
			"one":              {},
			"each":             {By: []string{"id"}},
			"each by two":      {By: []string{"id", "name"}},
			"each by two keys": {By: []string{"id", "cell"}},
			"by cell":          {By: []string{"cell"}},
		} {
			q.Query, q.Start, q.End = match.True, f.now-20_000, f.now
			asked := int64(0)
			q.Reserve = func(bytes int64) error { asked += bytes; return nil }
			taken := func(f func()) int64 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				f()
				runtime.ReadMemStats(&after)
				return int64(after.TotalAlloc - before.TotalAlloc)
			}
			var rows *store.Rows
			what := fmt.Sprintf("%d series, %s", n, name)
			took := taken(func() {
				var err error
				if rows, err = f.s.Rows(context.Background(), q); err != nil {
					t.Fatal(err)
				}
			})
			paidFor(t, what+", selecting", asked, took)
			asked = 0
			took = taken(func() {
				if err := rows.Each(func(int, []float64) error { return nil }); err != nil {
					t.Fatal(err)
				}
			})
			paidFor(t, what+", reading", asked, took)
			rows.Close()
		}
	}
}

// paidFor compares bytes asked for with those taken, which the allocator rounds up.
func paidFor(t *testing.T, what string, asked, took int64) {
	t.Helper()
	if took > asked+asked/16+8<<10 || asked > 3*took+8<<10 {
		t.Errorf("%s: %d bytes were asked for and %d taken", what, asked, took)
	}
}
