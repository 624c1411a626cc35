package query

import (
	"context"
	"slices"

	"pulse/query/expr"
)

// Plan is a program that was read for EvalChunks.
type Plan struct {
	engine  *Engine
	request Request
	styles  []*expr.Style
	whole   bool // the range is evaluated at once
}

// Plan reads r's program. The error is that of Eval for a program that does not
// run, or for a range that Eval would refuse, however long.
func (e *Engine) Plan(r Request) (*Plan, error) {
	if err := e.checkRange(r); err != nil {
		return nil, err
	}
	styles, err := e.parse(r)
	if err != nil {
		return nil, err
	}
	p := &Plan{engine: e, request: r, styles: styles}
	p.whole = slices.ContainsFunc(styles, func(s *expr.Style) bool { return expr.NeedsWhole(s.Expr) })
	if n := (r.End - r.Start) / r.Step; p.whole && n > int64(e.options.Limits.DatapointsPerLine) {
		return nil, &LimitError{What: "datapoints per line for words that look at the whole range", Got: n, Most: int64(e.options.Limits.DatapointsPerLine)}
	}
	return p, nil
}

// Styles returns what the program puts on the stack, in its order.
func (p *Plan) Styles() []*expr.Style { return p.styles }

// Run evaluates the range in pieces of at most so many steps and hands each
// result to yield, in order of time; lines and values are valid until yield
// returns. Stateful words go on from piece to piece, and words that look at the
// whole range get it: the values are those of one evaluation. Limits hold
// for all pieces together, but for the lines and the bytes of a piece; the time
// is that of evaluating, without yield's. Explain is that of what was evaluated
// at once. The errors are those of Eval, and yield's.
func (p *Plan) Run(ctx context.Context, steps int, yield func(*Result) error) error {
	r := p.request
	lease := &Lease{budget: p.engine.plans}
	defer lease.Release()
	x := &execution{engine: p.engine, request: r, styles: p.styles, left: p.engine.options.Limits.Time}
	ev, err := x.evaluator(lease)
	if err != nil {
		return err
	}
	length := int64(steps) * r.Step
	r.Progress.holds(lease)
	if p.whole {
		x.request.Lease = lease
		return x.pieces(ctx, ev, length, yield)
	}
	piece := &Lease{budget: p.engine.plans}
	defer piece.Release()
	r.Progress.holds(lease, piece)
	for start := r.Start; start < r.End; start = x.request.End {
		x.request.Start, x.request.End = start, min(start+length, r.End)
		x.request.Lease, x.held = piece, 0
		if err := x.pieces(ctx, ev, length, yield); err != nil {
			return err
		}
		piece.Release()
	}
	return nil
}

// pieces evaluates the request's range and yields it in pieces.
func (x *execution) pieces(ctx context.Context, ev *expr.Evaluator, length int64, yield func(*Result) error) error {
	result, err := x.inTime(ctx, ev)
	if err != nil {
		return err
	}
	x.notices = nil
	for start := result.Start; start < result.End; start += length {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(result.cut(start, min(start+length, result.End))); err != nil {
			return err
		}
	}
	return nil
}

// cut returns the part (start, end] of a result, which shares its values.
func (r *Result) cut(start, end int64) *Result {
	if start == r.Start && end == r.End {
		return r
	}
	part := *r
	part.Start, part.End = start, end
	part.Lines = slices.Clone(r.Lines)
	from, to := (start-r.Start)/r.Step, (end-r.Start)/r.Step
	for i := range part.Lines {
		part.Lines[i].Values = part.Lines[i].Values[from:to]
	}
	return &part
}
