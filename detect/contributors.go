package detect

import (
	"cmp"
	"context"
	"math"
	"slices"

	"pulse/detect/notify"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/match"
	"pulse/store/step"
)

// Bounds of what explaining one alert may read and say.
const (
	maxContributed     = 16 // alerts explained per step of all rules
	contributorKeys    = 16
	contributorValues  = 50
	contributorSteps   = 30 // primary steps of the recent past that a value is compared with
	contributorTop     = 5
	contributorPoints  = 5_000_000  // datapoints of one scan
	contributorBudget  = 50_000_000 // datapoints of all scans per step of all rules
	contributorMinimum = 0.1        // share of the whole change that is worth naming
)

// contributors says which tag values carry the change of a group that fires at
// step t: for every other tag key with few values, each value's own sum now is
// compared with its mean over the recent past, and the largest changes in the
// direction of the whole are named. It is a best effort over the first summed or
// counted data expression of the rule and answers nothing where there is none.
func (e *Engine) contributors(r *running, i int, t int64) []notify.Contributor {
	query, agg, taken, ok := subject(r.c.expr)
	if !ok {
		return nil
	}
	group := r.judge.groups[i].tags
	for _, tag := range group {
		if slices.Contains(taken, tag.Key) {
			query = match.NewAnd(query, &match.Equal{Key: tag.Key, Value: tag.Value})
		}
	}
	fixed := match.ExactTags(query)
	scan := store.Scan{
		Query: query, Agg: agg, ZeroFill: r.c.zeroFill,
		End: t, Start: step.Floor(r.before(i, t), e.step) - contributorSteps*e.step,
		MaxLines: contributorValues, MaxDatapoints: contributorPoints,
	}
	whole, ok := e.changes(scan, nil, r, i, t)
	if !ok || len(whole) != 1 || whole[0].Delta == 0 {
		return nil
	}
	var out []notify.Contributor
	keys := e.o.Store.Keys(query, "", 4*contributorKeys)
	read := 0
	for _, key := range keys {
		if _, isFixed := fixed.Get(key); isFixed || key == "name" || key == "atlas.dstype" || read >= contributorKeys {
			continue
		}
		read++
		parts, ok := e.changes(scan, []string{key}, r, i, t)
		if !ok || len(parts) < 2 { // one value says nothing
			continue
		}
		for _, p := range parts {
			p.Share = p.Delta / whole[0].Delta
			if p.Share >= contributorMinimum {
				out = append(out, p)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b notify.Contributor) int { return cmp.Compare(b.Share, a.Share) })
	return out[:min(len(out), contributorTop)]
}

// subject returns the query and aggregate of the first data expression of x
// whose parts add up, and the keys it is grouped by.
func subject(x expr.TimeSeries) (q match.Query, agg store.Agg, keys []string, ok bool) {
	expanded, err := expr.Expand(x)
	if err != nil {
		return nil, 0, nil, false
	}
	for _, d := range expr.DataExprs(expanded) {
		a, isAggregate := d.(*expr.Aggregate)
		if g, grouped := d.(*expr.GroupBy); grouped {
			a, isAggregate, keys = g.Aggregate, true, g.Keys()
		}
		if !isAggregate || d.OffsetMs() != 0 {
			continue
		}
		switch a.Agg {
		case expr.AggSum:
			return a.Query(), store.AggSum, keys, true
		case expr.AggCount:
			return a.Query(), store.AggCount, keys, true
		}
	}
	return nil, 0, nil, false
}

// before is the last step before the episode of group i that fires at t.
func (r *running) before(i int, t int64) int64 {
	if since := r.alerts[i].state.PendingSince; since != 0 {
		return since - r.c.step
	}
	return t - r.c.step
}

// changes returns, per line of the scan grouped by keys, the value over the
// rule's step that ends at t minus the mean of the steps before the episode.
func (e *Engine) changes(scan store.Scan, by []string, r *running, i int, t int64) ([]notify.Contributor, bool) {
	scan.By = by
	if scan.MaxDatapoints = min(scan.MaxDatapoints, contributorBudget-e.scanned); scan.MaxDatapoints <= 0 {
		return nil, false
	}
	lines, read, err := e.o.Store.Scan(context.Background(), scan)
	e.scanned += read.Datapoints
	if err != nil {
		return nil, false // too many values, or too much to read
	}
	past := int((r.before(i, t) - scan.Start) / e.step)
	out := make([]notify.Contributor, 0, len(lines))
	for _, line := range lines {
		past := min(past, len(line.Values))
		recent := min(int(r.c.step/e.step), len(line.Values))
		delta := mean(line.Values[len(line.Values)-recent:]) - mean(line.Values[:past])
		out = append(out, notify.Contributor{Tags: line.Tags.Map(), Delta: delta})
	}
	return out, true
}

// mean is the sum over all steps ÷ their number; no data counts as nothing.
func mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
		}
	}
	return sum / float64(len(values))
}
