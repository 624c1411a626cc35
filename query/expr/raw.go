package expr

import (
	"fmt"
	"slices"

	"pulse/store/match"
	"pulse/store/step"
	"pulse/store/tags"
)

// RawSeries is a series given as it is, for evaluation without a store.
type RawSeries struct {
	Tags  tags.Tags
	Gauge bool
	// Start is the stamp of the first value and Step the distance to the next.
	Start, Step int64
	Values      []float64 // NaN is no data; there is none outside either
}

// Collect answers a data expression from series, as a store does, for a
// window: select, aggregate at the series' step, consolidate to the window's.
// The series' step must be the same for all and divide the window's. Shifts
// are not applied: series stand for what was fetched. Labels come from the
// tags of the result.
func Collect(series []RawSeries, d DataExpr, w Window) ([]Line, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	var chosen []RawSeries
	primary := w.Step
	for _, s := range series {
		if !match.MatchesTags(d.Query(), s.Tags) {
			continue
		}
		if len(chosen) > 0 && s.Step != primary || s.Step <= 0 || w.Step%s.Step != 0 {
			return nil, fmt.Errorf("series %s has step %d, which does not fit step %d", s.Tags, s.Step, w.Step)
		}
		primary = s.Step
		chosen = append(chosen, s)
	}
	var lines []Line
	switch x := d.(type) {
	case *All:
		for _, s := range chosen {
			lines = append(lines, collected(x, s.Tags, AggSum, []RawSeries{s}, w, primary))
		}
	case *Aggregate:
		if len(chosen) == 0 {
			return []Line{NoData(d, w.Len())}, nil
		}
		lines = append(lines, collected(x, nil, x.Agg, chosen, w, primary))
	case *GroupBy:
		groups := map[string][]RawSeries{}
		for _, s := range chosen {
			if key, ok := KeyString(x.keys, s.Tags); ok {
				groups[key] = append(groups[key], s)
			}
		}
		for _, members := range groups {
			lines = append(lines, collected(x, members[0].Tags, x.Aggregate.Agg, members, w, primary))
		}
	}
	SortLines(d, lines)
	return lines, nil
}

// collected is one line of d: members aggregated and consolidated.
func collected(d DataExpr, line tags.Tags, agg Agg, members []RawSeries, w Window, primary int64) Line {
	m := w.Step / primary
	first := w.Start - w.Step + primary // stamp of the first primary value
	acc := appendNaN(nil, w.Len()*int(m))
	gauge := true
	for _, s := range members {
		gauge = gauge && s.Gauge
		window := appendNaN(nil, len(acc))
		for i, v := range s.Values {
			at := (step.Ceil(s.Start, primary) + int64(i)*primary - first) / primary
			if at >= 0 && at < int64(len(window)) && s.Start+int64(i)*primary >= first {
				window[at] = v
			}
		}
		foldValues(agg, acc, window)
	}
	values := acc
	if m > 1 {
		values = Consolidate(nil, acc, d.CF(), int(m), gauge)
	}
	t := ResultTags(d, line)
	label := TagsLabel(t)
	if g, ok := d.(*GroupBy); ok {
		label, _ = KeyString(g.keys, t)
	}
	return Line{Tags: t, Label: label, Values: values, Gauge: gauge}
}

// EvalRaw evaluates t over series given as they are.
func EvalRaw(t TimeSeries, series []RawSeries, w Window) ([]Line, error) {
	e, err := NewEvaluator(t)
	if err != nil {
		return nil, err
	}
	for i, d := range e.Data() {
		lines, err := Collect(series, d, w)
		if err != nil {
			return nil, err
		}
		e.SetData(i, lines, true)
	}
	if err := e.Eval(w); err != nil {
		return nil, err
	}
	return slices.Clone(e.Lines(0)), nil
}
