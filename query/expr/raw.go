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
// are not applied and not in the labels, which come from the tags of the
// result: series stand for what was fetched.
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
	lines := make([]Line, len(chosen))
	for i, s := range chosen {
		lines[i] = Line{Tags: s.Tags, Gauge: s.Gauge, Values: s.primary(w, primary)}
	}
	m := int(w.Step / primary)
	consolidate := func(lines []Line) {
		for i := range lines {
			if m > 1 {
				lines[i].Values = Consolidate(nil, lines[i].Values, d.CF(), m, lines[i].Gauge)
			}
		}
	}
	if PerSeries(d) {
		consolidate(lines)
		lines = FoldSeries(d, lines)
	} else {
		lines = FoldSeries(d, lines)
		consolidate(lines)
	}
	if _, single := d.(*Aggregate); single && len(lines) == 0 {
		return []Line{NoData(d, w.Len())}, nil
	}
	for i, l := range lines {
		lines[i].Label = TagsLabel(l.Tags)
		if d.Grouped() {
			lines[i].Label, _ = KeyString(d.Keys(), l.Tags)
		}
	}
	return lines, nil
}

// primary returns the values at the series' step that w covers.
func (s RawSeries) primary(w Window, stepMs int64) []float64 {
	first := w.Start - w.Step + stepMs
	out := appendNaN(nil, int((w.End-w.Start)/stepMs))
	for i, v := range s.Values {
		at := step.Ceil(s.Start+int64(i)*stepMs, stepMs) - first
		if at >= 0 && at/stepMs < int64(len(out)) {
			out[at/stepMs] = v
		}
	}
	return out
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
