package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pulse/query/expr"
	"pulse/store"
	"pulse/store/step"
	"pulse/store/tags"
)

// execution is one query under way.
type execution struct {
	engine  *Engine
	request Request
	ctx     context.Context
	styles  []*expr.Style
	left    time.Duration // of the time that it may take
	explain Explain
	notices []string
	read    int64 // datapoints read so far
	held    int64 // bytes of lines fetched so far
}

// evaluator makes what computes the styles. Its memory is taken from lease.
func (x *execution) evaluator(lease *Lease) (*expr.Evaluator, error) {
	roots := make([]expr.TimeSeries, len(x.styles))
	for i, s := range x.styles {
		roots[i] = s.Expr
	}
	ev, err := expr.NewEvaluator(roots...)
	if err != nil {
		return nil, err
	}
	evaluated := int64(0)
	ev.Reserve = func(total int64) error {
		err := lease.Take(total - evaluated)
		evaluated = max(evaluated, total)
		return err
	}
	ev.Own() // what fetch returns is nobody else's
	ev.Interrupt = func() error { return x.ctx.Err() }
	return ev, nil
}

// inTime is window within the time that is left.
func (x *execution) inTime(ctx context.Context, ev *expr.Evaluator) (*Result, error) {
	limited, cancel := context.WithTimeoutCause(ctx, x.left, Timeout(x.engine.options.Limits.Time))
	defer cancel()
	x.ctx = politely(limited, x.engine.options.Clock)
	begun := x.now()
	result, err := x.window(ev)
	x.left -= x.now().Sub(begun)
	return result, InTime(x.ctx, err)
}

// window fetches and evaluates the request's range, which follows the ones before.
func (x *execution) window(ev *expr.Evaluator) (*Result, error) {
	r := x.request
	x.explain = Explain{}
	begun := x.now()
	for i, d := range ev.Data() {
		f, err := x.fetch(d, ev.Chooser(i))
		if err != nil {
			return nil, err
		}
		if f.Chosen {
			ev.SetChosen(i, f.Lines)
		} else {
			ev.SetData(i, f.Lines, true)
		}
	}
	x.explain.DataFetchMs = x.now().Sub(begun).Milliseconds()
	ev.Budget = max(x.engine.options.Limits.MemoryBytes-x.held, 1)
	w := expr.Window{Start: r.Start + r.Step, End: r.End + r.Step, Step: r.Step, Now: r.Now}
	if err := ev.Eval(w); err != nil {
		var budget *expr.BudgetError
		if errors.As(err, &budget) {
			return nil, x.engine.options.Limits.tooLarge(budget.Need + x.held)
		}
		return nil, err
	}
	x.notices = append(x.notices, ev.Notices()...)
	return x.shape(ev)
}

// now is the time by the engine's clock, always the same without one.
func (x *execution) now() time.Time {
	if x.engine.options.Clock == nil {
		return time.Time{}
	}
	return x.engine.options.Clock.Now()
}

// fetch reads the lines of one data expression at the query's step, or those that
// top, if there is one, leaves of them.
func (x *execution) fetch(d expr.DataExpr, top *expr.TopK) (f Fetched, err error) {
	r, limits := x.request, x.engine.options.Limits
	primary := x.engine.store.Step()
	offset := step.Floor(d.OffsetMs(), primary)
	if offset != d.OffsetMs() {
		x.notices = append(x.notices, fmt.Sprintf("offset %s rounded down to %s", expr.FormatDuration(d.OffsetMs()), expr.FormatDuration(offset)))
	}
	start, end := r.Start-offset, r.End-offset
	perLine := expr.LineBytes + StepsRead(x.engine.store, start, end, r.Step)*8 // while it is read
	most := (limits.MemoryBytes - x.held) / perLine
	if most < 1 {
		return f, limits.tooLarge(x.held + perLine)
	}
	f, err = Fetch(x.ctx, x.engine.store, d, FetchRange{
		Start: start, End: end, Step: r.Step,
		MaxDatapoints: max(limits.DatapointsRead-x.read, 1), MaxLines: most, Reserve: r.Lease.Take,
		Begin: r.Progress.add, Choose: top,
	})
	if err != nil {
		return f, x.scanError(err, perLine)
	}
	lines, stats := f.Lines, f.Stats
	x.notices = addNotices(x.notices, f.Notices...)
	x.read += stats.Datapoints
	n := (r.End - r.Start) / r.Step
	x.held += int64(len(lines)) * (expr.LineBytes + n*8)
	x.explain.InputLines += int64(stats.Series)
	x.explain.InputDatapoints += stats.Datapoints
	if stats.Series > 0 { // else a line says that there is no data
		x.explain.IntermediateLines += int64(len(lines))
		x.explain.IntermediateDatapoints += int64(len(lines)) * n
	}
	return f, nil
}

// scanError says a limit of the store in terms of the query.
func (x *execution) scanError(err error, perLine int64) error {
	limits := x.engine.options.Limits
	var limit *store.LimitError
	if !errors.As(err, &limit) {
		return err
	}
	switch limit.What {
	case "lines":
		need := int64(0)
		if limit.Got > 0 {
			need = x.held + limit.Got*perLine
		}
		return limits.tooLarge(need)
	case "datapoints":
		need := int64(0)
		if limit.Got > 0 {
			need = x.read + limit.Got
		}
		return &LimitError{What: "datapoints", Got: need, Most: limits.DatapointsRead}
	}
	return err
}

// shape makes the result: legends, order and number of lines.
func (x *execution) shape(ev *expr.Evaluator) (*Result, error) {
	r := x.request
	result := &Result{Start: r.Start, End: r.End, Step: r.Step}
	styles := x.styles
	if x.engine.options.SimpleLegends {
		styles = slices.Clone(styles)
		for i, legend := range expr.SimpleLegends(styles) {
			if _, set := styles[i].Settings["legend"]; !set && legend != "" {
				styles[i] = styles[i].With("legend", legend)
			}
		}
	}
	for i, s := range styles {
		lines, err := x.styleLines(s, ev.Lines(i))
		if err != nil {
			return nil, err
		}
		for j := range lines {
			lines[j].Expr = i
		}
		result.Lines = append(result.Lines, lines...)
	}
	if n, most := len(result.Lines), x.engine.options.Limits.Lines; n > most {
		return nil, &LimitError{What: "lines", Got: int64(n), Most: int64(most)}
	}
	x.explain.GraphLines = int64(len(result.Lines))
	x.explain.GraphDatapoints = x.explain.GraphLines * ((r.End - r.Start) / r.Step)
	result.Explain, result.Notices = x.explain, x.notices
	return result, nil
}

// styleLines are the lines of one style in its order.
func (x *execution) styleLines(s *expr.Style, lines []expr.Line) ([]ResultLine, error) {
	most := x.engine.options.Limits.Lines
	limit, limited := s.Limit()
	if !limited && len(lines) > most {
		return nil, &LimitError{What: "lines", Got: int64(len(lines)), Most: int64(most)}
	}
	offset := expr.FormatDuration(s.OffsetMs())
	legends := s.Legends()
	axis, err := s.Axis()
	binary := err == nil && slices.Contains(x.request.Binary, axis)
	out := make([]ResultLine, len(lines))
	for i, l := range lines {
		if err := x.ctx.Err(); err != nil {
			return nil, err
		}
		t := l.Tags.With("atlas.offset", offset)
		out[i] = ResultLine{Style: s, Label: l.Label, Tags: t, Values: l.Values}
		out[i].Legend = legends.Of(l.Label, legendVars(t, l.Values, binary))
	}
	slices.SortStableFunc(out, func(a, b ResultLine) int { return strings.Compare(a.Legend, b.Legend) })
	for i := range out {
		out[i].Nth, out[i].Of = i, len(out)
	}
	x.notices = sortLines(x.notices, out, s.Settings["sort"], s.Settings["order"])
	if limited && limit < len(out) {
		out = out[:limit]
	}
	return out, nil
}

// legendVars returns what a legend may refer to: the tags of a result line and
// the statistics of its values as atlas.avg and so on.
func legendVars(t tags.Tags, values []float64, binary bool) tags.Tags {
	stats := expr.SummaryStats(values)
	vars := slices.Clone(t)
	for _, name := range []string{"avg", "last", "max", "min", "total"} {
		v, _ := stats.Get(name)
		vars = append(vars, tags.Tag{Key: "atlas." + name, Value: formatValue(v, binary)})
	}
	return tags.Normalize(vars)
}
