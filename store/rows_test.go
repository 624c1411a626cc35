package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"pulse/store"
	"pulse/store/match"
)

// Lines that are read some at a time are those that are read at once, in the order
// of their first series.
func TestRows(t *testing.T) {
	const n, steps = 1500, 2*120 + 70
	f := fillWith(t, store.Options{NewSeriesRate: -1}, n, steps)
	for range 64 {
		f.s.Advance(f.now)
	}
	span := func(steps int64) store.Scan {
		return store.Scan{Query: match.True, Start: f.now - steps*10_000, End: f.now}
	}
	all, single, few, grouped, most := span(1000), span(1000), span(50), span(1000), span(1000)
	all.Agg = store.AggAll
	few.Agg, few.ZeroFill = store.AggAll, true
	single.By = []string{"id", "region"}
	grouped.By = []string{"cell"}
	most.By, most.Agg = []string{"id"}, store.AggMax
	for name, q := range map[string]store.Scan{"all": all, "single": single, "zero fill": few, "grouped": grouped, "max": most, "one": span(300)} {
		want := scan(t, f.s, q)
		rows, err := f.s.Rows(context.Background(), q)
		if err != nil {
			t.Fatal(name, err)
		}
		for pass := range 2 {
			var got []store.Line
			var order []int
			err := rows.Each(func(i int, values []float64) error {
				if i != len(got) {
					t.Fatalf("%s: line %d, want %d", name, i, len(got))
				}
				l := rows.Line(i)
				l.Values = slices.Clone(values)
				got, order = append(got, l), append(order, i)
				return nil
			})
			if err != nil || len(got) != len(want) || rows.Len() != len(want) {
				t.Fatalf("%s, pass %d: %v, %d lines, want %d", name, pass, err, len(got), len(want))
			}
			slices.SortFunc(order, rows.Compare)
			for i, at := range order {
				l := got[at]
				if !l.Tags.Equal(want[i].Tags) || l.Gauge != want[i].Gauge || l.Gauge != rows.Gauge(at) || !same(l.Values, want[i].Values) {
					t.Fatalf("%s: line %d is %v %v, want %v %v", name, i, l.Tags, l.Values[:3], want[i].Tags, want[i].Values[:3])
				}
			}
		}
		rows.Close()
	}
}

// Reading all lines at once goes before and after reading them some at a time.
func TestRowsInAnyOrder(t *testing.T) {
	f := fillWith(t, store.Options{NewSeriesRate: -1}, 1500, 130)
	for _, by := range []string{"", "id", "cell"} {
		q := store.Scan{Query: match.True, Agg: store.AggAll, Start: f.now - 100*10_000, End: f.now}
		if by != "" {
			q.By, q.Agg = []string{by}, store.AggSum
		}
		want := scan(t, f.s, q)
		rows, err := f.s.Rows(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for turn := range 4 {
			if turn%2 == 0 {
				got, err := rows.All()
				if err != nil || len(got) != len(want) {
					t.Fatalf("by %q, turn %d: %v, %d lines, want %d", by, turn, err, len(got), len(want))
				}
				for i, l := range got {
					if !l.Tags.Equal(want[i].Tags) || !same(l.Values, want[i].Values) {
						t.Fatalf("by %q, turn %d: line %d is %v %v, want %v %v", by, turn, i, l.Tags, l.Values[:3], want[i].Tags, want[i].Values[:3])
					}
				}
				continue
			}
			seen := 0
			err := rows.Each(func(i int, values []float64) error {
				if l := rows.Line(i); values[99] == values[99] && l.Place == int32(i) {
					seen++
				}
				return nil
			})
			if err != nil || seen != len(want) {
				t.Fatalf("by %q, turn %d: %v, %d lines with values, want %d", by, turn, err, seen, len(want))
			}
		}
		rows.Close()
	}
}

// Reading ends with the context, and with an error of whoever reads.
func TestRowsEnd(t *testing.T) {
	f := fillWith(t, store.Options{NewSeriesRate: -1}, 2000, 10)
	ctx, cancel := context.WithCancel(context.Background())
	rows, err := f.s.Rows(ctx, store.Scan{Query: match.True, Agg: store.AggAll, Start: f.now - 1000*10_000, End: f.now})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen, stop := 0, errors.New("enough")
	visit := func(err error) error {
		seen = 0
		return rows.Each(func(int, []float64) error {
			if seen++; seen == 300 {
				cancel()
				return err
			}
			return nil
		})
	}
	if err := visit(stop); err != stop || seen != 300 {
		t.Errorf("%v after %d lines, want %v", err, seen, stop)
	}
	if err := visit(nil); !errors.Is(err, context.Canceled) || seen != 0 {
		t.Errorf("%v after %d lines of a canceled context", err, seen)
	}
}

// Lines that are read together are no more than MaxLines, and their memory is asked
// for once, however often they are read. What is asked for beside it is less than a line.
func TestRowsMemory(t *testing.T) {
	const n, steps = 100, 8000
	f := fillWith(t, store.Options{NewSeriesRate: -1}, n, 10)
	for _, most := range []int64{1, 2, 7, 60, 0} {
		asked := int64(0)
		rows, err := f.s.Rows(context.Background(), store.Scan{
			Query: match.True, Agg: store.AggAll, Start: f.now - steps*10_000, End: f.now, MaxLines: most,
			Reserve: func(bytes int64) error { asked += bytes; return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			seen := 0
			err := rows.Each(func(int, []float64) error { seen++; return nil })
			if err != nil || seen != n {
				t.Fatalf("%d lines, %v", seen, err)
			}
			if lines := asked / (8 * steps); most > 0 && lines > most || most == 0 && lines == 0 {
				t.Errorf("memory of %d lines at once, want at most %d", lines, most)
			}
		}
		rows.Close()
	}
}
