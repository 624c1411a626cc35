package web

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"pulse/query"
	"pulse/query/expr"
	"pulse/web/chart"
	"pulse/web/render"
)

const (
	fetchSteps    = 60      // steps of a range that are sent at once
	maxFetchSteps = 100_000 // steps of a range
)

// fetch sends the lines of an expression as server-sent events, piece by piece,
// at the step that is asked for.
func (s *Server) fetch(r *request) {
	ctx, leave, err := s.enterGate(r)
	if err != nil {
		r.fail(err)
		return
	}
	f, err := s.planFetch(r)
	if err == nil && !r.ctx.IsHead() {
		err = s.enterStream(1)
	}
	if err != nil || r.ctx.IsHead() {
		leave()
		if r.ctx.SetContentType("text/event-stream"); err != nil {
			r.fail(err)
		}
		return
	}
	s.sendEvents(r, "fetch", 1, func(w *bufio.Writer) {
		defer leave()
		f.run(ctx, w)
	})
}

// planFetch reads what is asked for.
func (s *Server) planFetch(r *request) (*fetcher, error) {
	request, err := s.readFetch(r)
	if err != nil {
		return nil, err
	}
	r.running.follows(&request)
	plan, err := s.opts.Query.Plan(request)
	if err != nil {
		return nil, err
	}
	f := &fetcher{s: s, plan: plan, to: listener{r.ctx.Conn(), r.token}}
	if hasHint(r, "presentation-metadata") {
		err = f.present(r, request)
	}
	return f, err
}

// readFetch reads the parameters that choose the data.
func (s *Server) readFetch(r *request) (query.Request, error) {
	if r.param("q") == "" {
		return query.Request{}, badRequest("missing required parameter 'q'")
	}
	request, err := s.graphRequest(r, 0, math.MaxInt)
	if err != nil {
		return query.Request{}, err
	}
	if n := (request.End - request.Start) / request.Step; n > maxFetchSteps {
		return query.Request{}, badRequest(fmt.Sprintf("too many steps: %d > %d; ask for a longer step or a shorter range", n, maxFetchSteps))
	}
	return request, nil
}

// fetcher writes the events of one fetch.
type fetcher struct {
	s    *Server
	plan *query.Plan
	to   listener

	opening []byte               // metadata, sent first
	looks   map[*expr.Style]look // nil unless metadata is sent
	told    []string             // notices that were sent
	buf     []byte               // of the piece that is being sent

	mu sync.Mutex // held by whoever writes, a piece or a heartbeat
	w  *bufio.Writer
}

// look is how the lines of an expression are drawn; the colour may be the label's.
type look struct {
	render.Look
	palette *chart.Palette // nil: they all have the colour of Look
}

// present reads how the lines are to be drawn, for the hint presentation-metadata.
func (f *fetcher) present(r *request, request query.Request) error {
	step := &query.Result{Start: request.End - request.Step, End: request.End, Step: request.Step}
	for i, style := range f.plan.Styles() {
		step.Lines = append(step.Lines, query.ResultLine{Style: style, Values: []float64{math.NaN()}, Expr: i, Of: 1})
	}
	drawn, err := f.s.layOut(r, step)
	if err != nil {
		return err
	}
	p := f.s.picture(r, step, drawn)
	whole := &query.Result{Start: request.Start, End: request.End, Step: request.Step}
	f.opening = append(render.AppendGraphMetadata([]byte("data: "), whole, p), "\n\n"...)
	axes := drawn.Spec().Axes
	for i := range p.Plots {
		p.Plots[i].ID = axes[i].Number // lines that come later have no place among axes
		f.opening = append(render.AppendPlotMetadata(append(f.opening, "data: "...), &p.Plots[i]), "\n\n"...)
	}
	f.looks = map[*expr.Style]look{}
	for i, l := range step.Lines {
		own := look{Look: p.Lines[i]}
		own.Plot = p.Plots[own.Plot].ID
		if l.Style.Settings["color"] == "" {
			if own.palette, err = linePalette(r, l.Style, own.Plot); err != nil {
				return err
			}
		}
		f.looks[l.Style] = own
	}
	return nil
}

// linePalette is the palette of an expression's lines: its own, that of its axis,
// or that of the theme.
func linePalette(r *request, style *expr.Style, axis int) (*chart.Palette, error) {
	text := style.Settings["palette"]
	if text == "" {
		text = r.param(axisParam(r, "palette", axis))
	}
	p, err := chart.ParsePalette(text, theme(r))
	if err != nil {
		return nil, badRequest(clip(err.Error(), 300))
	}
	return &p, nil
}

// run sends all there is to send, or as much as the client takes.
func (f *fetcher) run(ctx context.Context, w *bufio.Writer) {
	f.w = w
	if f.write(appendMessage(f.opening, "info", "heartbeat")) != nil {
		return
	}
	var end []byte
	switch lost, err := f.send(ctx); {
	case lost:
		return
	case f.s.stop.Err() != nil:
		end = appendMessage(end, "error", "the server is shutting down")
	case err != nil:
		end = appendMessage(end, "error", query.InTime(ctx, err).Error())
	}
	_ = f.write(appendMessage(end, "close", "operation complete")) // there is nobody else to tell
}

// send sends the pieces, with heartbeats between them and while they are computed.
// lost is whether the client does not take them any more.
func (f *fetcher) send(ctx context.Context) (lost bool, err error) {
	ctx, gone := context.WithCancel(ctx)
	var beats sync.WaitGroup
	defer beats.Wait()
	defer gone()
	beats.Go(func() {
		if f.beat(ctx) != nil {
			gone()
		}
	})
	err = f.plan.Run(ctx, fetchSteps, func(g *query.Result) error {
		err := f.piece(g)
		lost = err != nil
		return err
	})
	return lost, err
}

// beat sends heartbeats until ctx ends; the error is that of a client that does
// not take them.
func (f *fetcher) beat(ctx context.Context) error {
	beat := appendMessage(nil, "info", "heartbeat")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.s.opts.Clock.After(keepalive):
			if err := f.write(beat); err != nil {
				return err
			}
		}
	}
}

// piece sends the lines of a part of the range that have a value in it.
func (f *fetcher) piece(g *query.Result) error {
	f.buf = f.buf[:0]
	for _, n := range g.Notices {
		if !slices.Contains(f.told, n) {
			f.told = append(f.told, n)
			f.buf = appendMessage(f.buf, "info", n)
		}
	}
	for i := range g.Lines {
		l := &g.Lines[i]
		if !render.HasValue(l.Values) {
			continue
		}
		f.buf = append(render.AppendTimeSeries(append(f.buf, "data: "...), g, l, f.lookOf(l)), "\n\n"...)
		if len(f.buf) > smallAnswer {
			if err := f.flush(); err != nil {
				return err
			}
		}
	}
	return f.flush()
}

// lookOf returns how a line is drawn, nil when nobody asked.
func (f *fetcher) lookOf(l *query.ResultLine) *render.Look {
	if f.looks == nil {
		return nil
	}
	own := f.looks[l.Style]
	if own.palette != nil {
		own.Color = colorText(own.palette.ColorOf(l.Legend))
	}
	return &own.Look
}

// flush sends what was gathered. Till the client has taken all, another query may
// run instead.
func (f *fetcher) flush() error {
	err := f.s.gate.without(func() error { return f.write(f.buf) })
	f.buf = f.buf[:0]
	return err
}

// write is writeEvents for pieces and heartbeats alike.
func (f *fetcher) write(b []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.s.writeEvents(f.w, f.to, b)
}

// appendMessage appends an event that is not about data.
func appendMessage(dst []byte, kind, text string) []byte {
	dst = append(append(append(dst, `data: {"type":"`...), kind...), `","message":`...)
	return append(render.AppendString(dst, text), "}\n\n"...)
}
