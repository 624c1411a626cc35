package conformance

import (
	"encoding/json"
	"fmt"
	"slices"

	"pulse/query/expr"
	"pulse/store/tags"
)

// evaluation is what the cases that evaluate an expression have in common.
// Start is the stamp of the first value and End comes after the last.
type evaluation struct {
	language
	Start, Step int64
	End         *int64
	Dstype      string
	Series      []givenSeries
	// Tags and Values are a shorthand for one series.
	Tags   map[string]string
	Values []number
}

type givenSeries struct {
	Tags     map[string]string
	Dstype   string
	Values   []number
	Constant *number
}

// lines is what an evaluation is expected to give.
type lines struct {
	failure
	tolerance
	Series      []wantedLine
	SeriesCount *int
	ValueByTag  *struct {
		Tag    string
		Values map[string]number
	}
	Values []number // of the only line
	// NodesUnordered are the values of the tag node on the lines besides First.
	NodesUnordered []string
	First          *wantedLine
}

type wantedLine struct {
	Tags   map[string]string
	Label  *string
	Values []number
}

// all returns the given series, whichever way they are written.
func (e *evaluation) all() []givenSeries {
	if e.Series == nil && e.Values != nil {
		return []givenSeries{{Tags: e.Tags, Values: e.Values}}
	}
	return e.Series
}

// end returns the stamp behind the last value, which without End is where the
// longest series ends.
func (e *evaluation) end() int64 {
	if e.End != nil && *e.End > e.Start {
		return *e.End
	}
	n := 1
	for _, s := range e.all() {
		n = max(n, len(s.Values))
	}
	return e.Start + int64(n)*e.Step
}

func (e *evaluation) window() expr.Window {
	return expr.Window{Start: e.Start, End: e.end(), Step: e.Step, Now: e.end()}
}

// values returns the values of s at the steps of the window.
func (e *evaluation) values(s givenSeries) []float64 {
	if s.Constant != nil {
		return slices.Repeat([]float64{float64(*s.Constant)}, e.window().Len())
	}
	return floats(s.Values)
}

func (e *evaluation) dstype(s givenSeries) string {
	if s.Dstype != "" {
		return s.Dstype
	}
	return e.Dstype
}

// raw returns the given series for the evaluator.
func (e *evaluation) raw() []expr.RawSeries {
	var out []expr.RawSeries
	for _, s := range e.all() {
		out = append(out, expr.RawSeries{
			Tags:  tags.FromMap(s.Tags),
			Gauge: e.dstype(s) == "gauge",
			Start: e.Start, Step: e.Step,
			Values: e.values(s),
		})
	}
	return out
}

// lines evaluates a program and returns the lines of all its expressions.
func (e *evaluation) lines(program string) ([]expr.Line, error) {
	styles, err := e.styles(program)
	if err != nil {
		return nil, err
	}
	var out []expr.Line
	for _, s := range styles {
		l, err := expr.EvalRaw(s.Expr, e.raw(), e.window())
		if err != nil {
			return nil, err
		}
		out = append(out, l...)
	}
	return out, nil
}

func evalSeries(c *testCase) error {
	var given evaluation
	var expect lines
	if err := c.read(nil, &given, &expect); err != nil {
		return err
	}
	if c.Kind == "error" && given.Step == 0 {
		given.Step, given.Series = 60_000, nil
	}
	got, err := given.lines(c.Expr)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return expect.compare(got)
}

// compare checks lines against everything that is expected of them.
func (w *lines) compare(got []expr.Line) error {
	if w.Series == nil && w.SeriesCount == nil && w.Values == nil && w.ValueByTag == nil && w.NodesUnordered == nil {
		return fmt.Errorf("harness: nothing expected of the lines")
	}
	var errs []error
	if w.Series != nil {
		errs = append(errs, w.set(got, w.Series))
	}
	if w.SeriesCount != nil && len(got) != *w.SeriesCount {
		errs = append(errs, fmt.Errorf("  got   %s\n  want  %d lines", show(got), *w.SeriesCount))
	}
	if w.Values != nil {
		errs = append(errs, w.set(got, []wantedLine{{Values: w.Values}}))
	}
	if by := w.ValueByTag; by != nil {
		for value, want := range by.Values {
			at := slices.IndexFunc(got, func(l expr.Line) bool { v, _ := l.Tags.Get(by.Tag); return v == value })
			if at < 0 {
				errs = append(errs, fmt.Errorf("  got   %s\n  want  a line with %s=%s", show(got), by.Tag, value))
				continue
			}
			errs = append(errs, w.values(got[at].Values, slices.Repeat([]float64{float64(want)}, len(got[at].Values))))
		}
	}
	if w.NodesUnordered != nil {
		errs = append(errs, w.nodes(got))
	}
	return all(errs...)
}

// set compares lines as a set. A wanted line names its tags, its label, or
// nothing when it is the only one.
func (w *lines) set(got []expr.Line, want []wantedLine) error {
	rest := slices.Clone(got)
	var errs []error
	for _, l := range want {
		at := slices.IndexFunc(rest, func(g expr.Line) bool {
			return (l.Tags == nil || g.Tags.Equal(tags.FromMap(l.Tags))) && (l.Label == nil || g.Label == *l.Label)
		})
		if at < 0 {
			text, _ := json.Marshal(l.Tags)
			errs = append(errs, fmt.Errorf("  got   %s\n  want  a line with tags %s label %s", show(got), text, deref(l.Label)))
			continue
		}
		errs = append(errs, w.values(rest[at].Values, floats(l.Values)))
		rest = slices.Delete(rest, at, at+1)
	}
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("  got   %s\n  want  no other lines", show(rest)))
	}
	return all(errs...)
}

// nodes compares which lines survived. Where a first line is wanted it is the
// aggregate of those that did not.
func (w *lines) nodes(got []expr.Line) error {
	var errs []error
	if w.First != nil {
		if len(got) == 0 {
			return fmt.Errorf("  got   no lines\n  want  one with tags %v first", w.First.Tags)
		}
		errs = append(errs, w.set(got[:1], []wantedLine{*w.First}))
		got = got[1:]
	}
	var nodes []string
	for _, l := range got {
		node, _ := l.Tags.Get("node")
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	return all(append(errs, same(nodes, slices.Sorted(slices.Values(w.NodesUnordered))))...)
}

func show(got []expr.Line) string {
	text := fmt.Sprintf("%d lines:", len(got))
	for _, l := range got {
		text += fmt.Sprintf(" {%s %q %v}", l.Tags, l.Label, l.Values)
	}
	return text
}

func deref(s *string) string {
	if s == nil {
		return "any"
	}
	return *s
}

// evalAt evaluates at single instants.
func evalAt(c *testCase) error {
	var given struct {
		language
		Timestamps []int64
	}
	var expect struct {
		tolerance
		Values []number
	}
	if err := c.read(nil, &given, &expect); err != nil {
		return err
	}
	s, err := given.style(c.Expr)
	if err != nil {
		return err
	}
	var got []float64
	for _, t := range given.Timestamps {
		l, err := expr.EvalRaw(s.Expr, nil, expr.Window{Start: t, End: t + 1, Step: 1})
		if err != nil {
			return err
		}
		got = append(got, l[0].Values...)
	}
	return expect.values(got, floats(expect.Values))
}

// evalPercentiles looks at the line of each percentile; all its values are
// wanted to be the same.
func evalPercentiles(c *testCase) error {
	var given evaluation
	var expect struct {
		failure
		tolerance
		Lines []struct {
			PercentileTag string
			Label         *string
			ApproxValue   number
		}
	}
	if err := c.read(nil, &given, &expect); err != nil {
		return err
	}
	got, err := given.lines(c.Expr)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	if len(got) != len(expect.Lines) {
		return fmt.Errorf("  got   %s\n  want  %d lines", show(got), len(expect.Lines))
	}
	var errs []error
	for i, want := range expect.Lines {
		tag, _ := got[i].Tags.Get("percentile")
		errs = append(errs, equal(tag, want.PercentileTag))
		if want.Label != nil {
			errs = append(errs, equal(got[i].Label, *want.Label))
		}
		if len(got[i].Values) == 0 {
			errs = append(errs, fmt.Errorf("line %s has no values", tag))
		}
		for _, v := range got[i].Values {
			errs = append(errs, expect.value(v, float64(want.ApproxValue)))
		}
	}
	return all(errs...)
}
