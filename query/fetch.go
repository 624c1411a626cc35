package query

import (
	"context"
	"errors"
	"slices"

	"pulse/query/expr"
	"pulse/store"
	"pulse/store/step"
	"pulse/store/tags"
)

// FetchRange says what of a data expression is fetched.
type FetchRange struct {
	Start, End    int64                   // (Start, End], multiples of the primary step, as far apart as a multiple of Step
	Step          int64                   // a multiple of the primary step
	ZeroFill      bool                    // see store.Scan
	MaxLines      int64                   // lines read from the store; 0: no limit
	MaxDatapoints int64                   // series × steps read, of all tiers; 0: no limit
	Reserve       func(bytes int64) error // see store.Scan
	Begin         func(series int, datapoints int64)
	// Choose, if set, is the only use of the lines: if few are chosen of many, only
	// those are returned, as it returns them.
	Choose *expr.TopK
}

// Fetched is the lines of a data expression.
type Fetched struct {
	Lines   []expr.Line
	Chosen  bool // they are what FetchRange.Choose leaves of them
	Stats   store.ScanStats
	Notices []string // what is to be known about values from coarser tiers
}

// Fetch reads the lines of d, one value per Step, in their defined order. Series
// are aggregated at the primary step and consolidated after, except where
// expr.PerSeries says otherwise. What the primary tier does not have any more
// comes from coarser ones; docs/semantics.md says what is computed then. An
// aggregate that nothing matches is its NO DATA line. The shift of d is not
// applied. Limits are *store.LimitError.
func Fetch(ctx context.Context, st *store.Store, d expr.DataExpr, r FetchRange) (Fetched, error) {
	if len(st.Options().Tiers) == 1 {
		return fetchPrimary(ctx, st, d, r)
	}
	for {
		parts := plan(st.Tiers(), r.Start, r.End, r.Step)
		f, err := Fetched{}, error(nil)
		if len(parts) == 1 && parts[0].tier == 0 {
			f, err = fetchPrimary(ctx, st, d, r)
		} else {
			f, err = fetchParts(ctx, st, d, r, parts)
		}
		if err != nil || whole(st.Tiers(), parts) {
			return f, err
		}
	}
}

// whole reports whether the tiers still have what was read from them.
func whole(tiers []store.TierRange, parts []segment) bool {
	for _, p := range parts {
		if p.tier+1 < len(tiers) && tiers[p.tier].From > p.start {
			return false
		}
	}
	return true
}

// fetchParts is Fetch from more than the primary tier.
func fetchParts(ctx context.Context, st *store.Store, d expr.DataExpr, r FetchRange, parts []segment) (Fetched, error) {
	var f Fetched
	how := newReading(d)
	g := newGather(how, r.Start, r.End, r.Step, st.Step())
	gauges := false
	for i, p := range parts {
		scan := how.scan
		if p.tier > 0 {
			scan = how.values()
		}
		lines, err := f.scan(ctx, st, scan, p, r)
		if err != nil {
			return f, err
		}
		fresh := g.fresh(lines)
		if n := int64(len(g.lines)) + fresh; r.MaxLines > 0 && n > r.MaxLines {
			return f, &store.LimitError{What: "lines", Got: n, Max: r.MaxLines}
		}
		if r.Reserve != nil {
			if err := r.Reserve(fresh * int64(g.steps) * 16); err != nil {
				return f, err
			}
		}
		if p.tier == 0 {
			g.addPrimary(p, lines, i == 0)
			continue
		}
		var counts []store.Line
		if slices.ContainsFunc(lines, func(l store.Line) bool { return l.Gauge }) {
			gauges = true
			if how.averaged(!p.divides(r.Start, r.Step)) {
				if counts, err = f.scan(ctx, st, how.counts(), p, r); err != nil {
					return f, err
				}
			}
		}
		g.addTier(p, lines, counts, i == 0)
	}
	f.Lines = g.finish()
	f.Notices = how.notices(parts, r.Start, r.Step, gauges)
	f.orNoData(d, r)
	return f, nil
}

// scan reads one part, with what previous ones left of the limit.
func (f *Fetched) scan(ctx context.Context, st *store.Store, scan store.Scan, p segment, r FetchRange) ([]store.Line, error) {
	scan.Tier, scan.Start, scan.End = p.tier, step.Floor(p.start, p.step), step.Ceil(p.end, p.step)
	scan.ZeroFill, scan.MaxLines, scan.Reserve, scan.Begin = r.ZeroFill, r.MaxLines, r.Reserve, r.Begin
	if r.MaxDatapoints > 0 {
		scan.MaxDatapoints = max(r.MaxDatapoints-f.Stats.Datapoints, 1)
	}
	lines, stats, err := st.Scan(ctx, scan)
	var limit *store.LimitError
	if errors.As(err, &limit) && limit.What == "datapoints" && limit.Got > 0 {
		err = &store.LimitError{What: limit.What, Got: limit.Got + f.Stats.Datapoints, Max: r.MaxDatapoints}
	}
	f.Stats.Series = max(f.Stats.Series, stats.Series)
	f.Stats.Datapoints += stats.Datapoints
	f.Stats.Blocks += stats.Blocks
	f.Stats.Cached += stats.Cached
	return lines, err
}

// orNoData makes an aggregate that nothing matches its NO DATA line.
func (f *Fetched) orNoData(d expr.DataExpr, r FetchRange) {
	if _, single := d.(*expr.Aggregate); single && len(f.Lines) == 0 {
		f.Lines = []expr.Line{expr.NoData(d, int((r.End-r.Start)/r.Step))}
	}
}

// fetchPrimary is Fetch from the primary tier alone.
func fetchPrimary(ctx context.Context, st *store.Store, d expr.DataExpr, r FetchRange) (Fetched, error) {
	scan := ScanOf(d)
	perSeries := r.Step != st.Step() && expr.PerSeries(d)
	if perSeries {
		scan.By, scan.Agg = nil, store.AggAll
	}
	scan.Start, scan.End, scan.ZeroFill = r.Start, r.End, r.ZeroFill
	scan.MaxLines, scan.MaxDatapoints, scan.Reserve, scan.Begin = r.MaxLines, r.MaxDatapoints, r.Reserve, r.Begin
	f := Fetched{}
	rows, err := st.Rows(ctx, scan)
	if err != nil {
		return f, err
	}
	defer rows.Close()
	if r.chooses(d, rows.Len()) && !perSeries {
		return f, f.choose(rows, d, r, int(r.Step/st.Step()))
	}
	found, err := rows.All()
	f.Stats = rows.Stats()
	if err != nil {
		return f, err
	}
	f.Lines = make([]expr.Line, len(found))
	for i, l := range found {
		values := l.Values
		if m := int(r.Step / st.Step()); m > 1 {
			values = expr.Consolidate(make([]float64, 0, len(values)/m), values, d.CF(), m, l.Gauge)
		}
		if perSeries {
			f.Lines[i] = expr.Line{Tags: l.Tags, Gauge: l.Gauge}
		} else {
			f.Lines[i] = LineOf(d, l.Tags, l.Gauge)
			f.Lines[i].Place = l.Place
		}
		f.Lines[i].Values = values
	}
	if perSeries {
		f.Lines = expr.FoldSeries(d, f.Lines)
	}
	f.orNoData(d, r)
	return f, nil
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
