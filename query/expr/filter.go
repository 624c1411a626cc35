package expr

import (
	"fmt"
	"slices"
	"strings"

	"pulse/store/match"
)

// Stat is a constant line for every line: a statistic over the whole window.
type Stat struct {
	Expr TimeSeries
	Stat string
	// Short says that it is in the condition of a filter of Expr and written as
	// the StatRef that it was, without Expr.
	Short bool
}

func (s *Stat) word() string { return match.Escape(s.Stat) + ",:stat" }

func (s *Stat) String() string {
	if s.Short {
		return (&StatRef{Stat: s.Stat}).String()
	}
	return operationText(s)
}
func (s *Stat) Grouped() bool        { return s.Expr.Grouped() }
func (s *Stat) Keys() []string       { return s.Expr.Keys() }
func (s *Stat) inputs() []TimeSeries { return []TimeSeries{s.Expr} }
func (s *Stat) identity() string     { return s.word() }
func (s *Stat) withInputs(in []TimeSeries) (TimeSeries, error) {
	return &Stat{Expr: in[0], Stat: s.Stat, Short: s.Short}, nil
}
func (s *Stat) kernel() kernel { return &statKernel{stat: s.Stat} }

type statKernel struct{ stat string }

func (k *statKernel) shape(in []*result, out *result) error {
	lines := make([]Line, len(in[0].lines))
	for i, l := range in[0].lines {
		lines[i] = Line{Tags: l.Tags, Label: "stat-" + k.stat + "(" + l.Label + ")", Gauge: true}
	}
	out.reset(lines)
	return nil
}

func (k *statKernel) run(_ Window, in []*result, out *result) error {
	for i := range out.lines {
		v, ok := SummaryStats(in[0].lines[i].Values).Get(k.stat)
		if !ok {
			return errUnknownStat(k.stat)
		}
		dst := out.lines[i].Values
		for j := range dst {
			dst[j] = v
		}
	}
	return nil
}

func errUnknownStat(name string) error { return fmt.Errorf("unknown statistic: %s", name) }

// StatRef stands for a statistic of the filtered expression inside the
// condition of a filter. Elsewhere it has no lines.
type StatRef struct {
	noInputs
	ungrouped
	Stat string
}

func (s *StatRef) String() string                              { return ":stat-" + s.Stat }
func (s *StatRef) withInputs([]TimeSeries) (TimeSeries, error) { return s, nil }
func (s *StatRef) identity() string                            { return s.String() }
func (s *StatRef) kernel() kernel                              { return nothing{} }

// nothing has no lines.
type nothing struct{}

func (nothing) shape(_ []*result, out *result) error { out.reset(nil); return nil }
func (nothing) run(Window, []*result, *result) error { return nil }

// Filter keeps the lines of Expr whose line in Cond is true at any time.
type Filter struct {
	Expr, Cond TimeSeries
}

// NewFilter filters t by cond, in which every StatRef comes to mean t.
func NewFilter(t, cond TimeSeries) (*Filter, error) {
	cond, err := transform(cond, func(x TimeSeries) (TimeSeries, bool, error) {
		if s, ok := x.(*StatRef); ok {
			return &Stat{Expr: t, Stat: s.Stat, Short: true}, true, nil
		}
		return nil, false, nil
	})
	if err != nil {
		return nil, err
	}
	return filterBy(t, cond)
}

// filterBy is NewFilter for a condition whose references mean something already.
func filterBy(t, cond TimeSeries) (*Filter, error) {
	if !t.Grouped() && cond.Grouped() {
		return nil, errRequire("filter grouping must match expr grouping")
	}
	return &Filter{Expr: t, Cond: cond}, nil
}

func (f *Filter) String() string       { return operationText(f) }
func (f *Filter) Grouped() bool        { return f.Expr.Grouped() }
func (f *Filter) Keys() []string       { return f.Expr.Keys() }
func (f *Filter) inputs() []TimeSeries { return []TimeSeries{f.Expr, f.Cond} }
func (f *Filter) identity() string     { return ":filter" }
func (f *Filter) withInputs(in []TimeSeries) (TimeSeries, error) {
	return filterBy(in[0], in[1])
}
func (f *Filter) kernel() kernel { return &filterKernel{expr: f} }

type filterKernel struct {
	expr   *Filter
	notice string
}

func (k *filterKernel) shape([]*result, *result) error { return nil }

func (k *filterKernel) run(_ Window, in []*result, out *result) error {
	keep, err := k.keep(in[0].lines, in[1].lines)
	if err != nil {
		return err
	}
	k.notice = fmt.Sprintf("%d of %d lines matched filter", len(keep), len(in[0].lines))
	selectLines(keep, in[0].lines, out)
	return nil
}

// keep returns the indexes of the lines whose condition holds.
func (k *filterKernel) keep(lines, conds []Line) ([]int, error) {
	var out []int
	if !k.expr.Cond.Grouped() {
		if len(conds) != 1 {
			return nil, errRequire("empty result for filter expression")
		}
		if anyTrue(conds[0].Values) {
			for i := range lines {
				out = append(out, i)
			}
		}
		return out, nil
	}
	for i, j := range partners(lines, conds, k.expr.Expr.Keys()) {
		if j >= 0 && anyTrue(conds[j].Values) {
			out = append(out, i)
		}
	}
	return out, nil
}

func anyTrue(values []float64) bool { return slices.ContainsFunc(values, Truth) }

// selectLines makes out the chosen lines of src, whose values they share.
func selectLines(chosen []int, src []Line, out *result) {
	lines := make([]Line, len(chosen))
	for i, j := range chosen {
		lines[i] = src[j]
	}
	out.reset(lines)
}

// Consolidated recomputes lines at a coarser step within the window: every
// value of a coarse step becomes that step's consolidated value. The step is
// rounded up to a multiple of the evaluation's.
type Consolidated struct {
	Expr   TimeSeries
	CF     CF
	StepMs int64
}

// NewConsolidated returns t consolidated by f to a step in ms.
func NewConsolidated(t TimeSeries, f CF, stepMs int64) (*Consolidated, error) {
	if stepMs <= 0 {
		return nil, errRequire("consolidation step must be positive: %s", FormatDuration(stepMs))
	}
	return &Consolidated{Expr: t, CF: f, StepMs: stepMs}, nil
}

func (c *Consolidated) word() string {
	return strings.Join([]string{c.CF.Name(), FormatDuration(c.StepMs), ":consolidate"}, ",")
}

func (c *Consolidated) String() string       { return operationText(c) }
func (c *Consolidated) Grouped() bool        { return c.Expr.Grouped() }
func (c *Consolidated) Keys() []string       { return c.Expr.Keys() }
func (c *Consolidated) inputs() []TimeSeries { return []TimeSeries{c.Expr} }
func (c *Consolidated) identity() string     { return c.word() }
func (c *Consolidated) withInputs(in []TimeSeries) (TimeSeries, error) {
	return &Consolidated{Expr: in[0], CF: c.CF, StepMs: c.StepMs}, nil
}
func (c *Consolidated) kernel() kernel { return &consolidateKernel{expr: c} }

type consolidateKernel struct{ expr *Consolidated }

func (k *consolidateKernel) shape(in []*result, out *result) error {
	lines := slices.Clone(in[0].lines)
	for i := range lines {
		lines[i].Values = nil
	}
	out.reset(lines)
	return nil
}

func (k *consolidateKernel) run(w Window, in []*result, out *result) error {
	m := int((k.expr.StepMs + w.Step - 1) / w.Step)
	coarse := int64(m) * w.Step
	for i := range out.lines {
		src, dst := in[0].lines[i].Values, out.lines[i].Values
		for at := 0; at < len(src); {
			t := w.Start + int64(at)*w.Step
			n := min(coarseLeft(t, w.Step, coarse), len(src)-at)
			v := k.expr.CF.of(src[at:at+n], in[0].lines[i].Gauge, m)
			for j := range n {
				dst[at+j] = v
			}
			at += n
		}
	}
	return nil
}

// coarseLeft returns how many values from the one stamped t on lie in the same
// coarse step, whose end is a multiple of coarse.
func coarseLeft(t, stepMs, coarse int64) int {
	end := -floorDiv(-t, coarse) * coarse
	return int((end-t)/stepMs) + 1
}
