package query

import (
	"context"

	"pulse/query/expr"
	"pulse/store"
	"pulse/store/tags"
)

// FetchRange says what of a data expression is fetched.
type FetchRange struct {
	Start, End    int64                   // (Start, End], multiples of the primary step, as far apart as a multiple of Step
	Step          int64                   // a multiple of the primary step
	ZeroFill      bool                    // see store.Scan
	MaxLines      int64                   // lines read from the store; 0: no limit
	MaxDatapoints int64                   // series × primary steps; 0: no limit
	Reserve       func(bytes int64) error // see store.Scan
}

// Fetch reads the lines of d, one value per Step, in their defined order. Series
// are aggregated at the primary step and consolidated after, except where
// expr.PerSeries says otherwise. An aggregate that nothing matches is its NO
// DATA line. The shift of d is not applied. Limits are *store.LimitError.
func Fetch(ctx context.Context, st *store.Store, d expr.DataExpr, r FetchRange) ([]expr.Line, store.ScanStats, error) {
	scan := ScanOf(d)
	perSeries := r.Step != st.Step() && expr.PerSeries(d)
	if perSeries {
		scan.By, scan.Agg = nil, store.AggAll
	}
	scan.Start, scan.End, scan.ZeroFill = r.Start, r.End, r.ZeroFill
	scan.MaxLines, scan.MaxDatapoints, scan.Reserve = r.MaxLines, r.MaxDatapoints, r.Reserve
	found, stats, err := st.Scan(ctx, scan)
	if err != nil {
		return nil, stats, err
	}
	lines := make([]expr.Line, len(found))
	for i, l := range found {
		values := l.Values
		if m := int(r.Step / st.Step()); m > 1 {
			values = expr.Consolidate(make([]float64, 0, len(values)/m), values, d.CF(), m, l.Gauge)
		}
		if perSeries {
			lines[i] = expr.Line{Tags: l.Tags, Gauge: l.Gauge}
		} else {
			lines[i] = LineOf(d, l.Tags, l.Gauge)
		}
		lines[i].Values = values
	}
	if perSeries {
		lines = expr.FoldSeries(d, lines)
	}
	if _, single := d.(*expr.Aggregate); single && len(lines) == 0 {
		lines = []expr.Line{expr.NoData(d, int((r.End-r.Start)/r.Step))}
	}
	return lines, stats, nil
}

// ScanOf returns the scan that answers d, without a range and limits.
func ScanOf(d expr.DataExpr) store.Scan {
	scan := store.Scan{Query: d.Query()}
	switch x := d.(type) {
	case *expr.All:
		scan.Agg = store.AggAll
	case *expr.Aggregate:
		scan.Agg = storeAgg(x.Agg)
	case *expr.GroupBy:
		scan.Agg, scan.By = storeAgg(x.Aggregate.Agg), x.Keys()
	}
	return scan
}

func storeAgg(a expr.Agg) store.Agg {
	return [...]store.Agg{
		expr.AggSum: store.AggSum, expr.AggCount: store.AggCount,
		expr.AggMin: store.AggMin, expr.AggMax: store.AggMax,
	}[a]
}

// LineOf returns a line of d without values, with the tags and the label a
// store gives it.
func LineOf(d expr.DataExpr, t tags.Tags, gauge bool) expr.Line {
	t = expr.ResultTags(d, t)
	return expr.Line{Tags: t, Label: expr.DefaultLabel(d, t), Gauge: gauge}
}
