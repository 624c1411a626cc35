package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"pulse/query"
	"pulse/web/render"
	"pulse/web/token"
)

const (
	fetchSteps    = 60      // steps of a range that are sent at once
	maxFetchSteps = 100_000 // steps of a range
)

// fetch sends the lines of an expression as server-sent events, piece by piece,
// at the step that is asked for.
func (s *Server) fetch(r *request) {
	lease := s.opts.Query.Lease()
	plan, picture, err := s.planFetch(r, lease)
	if err != nil {
		r.fail(err)
		return
	}
	r.ctx.SetContentType("text/event-stream")
	if r.ctx.IsHead() {
		return
	}
	ctx, leave, err := s.enterQuery(r)
	if err != nil {
		r.fail(err)
		return
	}
	f := &fetcher{s: s, plan: plan, picture: picture, ctx: ctx, token: r.token, conn: r.ctx.Conn()}
	r.ctx.Response.Header.Set("Cache-Control", "no-store")
	r.ctx.Response.Header.Set("X-Accel-Buffering", "no")
	s.streams.Add(1)
	r.ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer s.streams.Done()
		defer leave()
		defer lease.Release()
		defer func() {
			if p := recover(); p != nil {
				s.stats.panics.Add(1)
				s.opts.Log.Error().Interface("panic", p).Msg("fetch failed")
			}
		}()
		f.run(w)
	})
}

// planFetch reads the parameters. The plan takes its memory from lease when it
// runs; till then nothing is held. The picture is nil unless its data is wanted.
func (s *Server) planFetch(r *request, lease *query.Lease) (*query.Plan, *render.Picture, error) {
	if r.param("q") == "" {
		return nil, nil, badRequest("missing required parameter 'q'")
	}
	request, err := s.graphRequest(r, 0, math.MaxInt)
	if err != nil {
		return nil, nil, err
	}
	if n := (request.End - request.Start) / request.Step; n > maxFetchSteps {
		return nil, nil, badRequest(fmt.Sprintf("too many steps: %d > %d; ask for a longer step or a shorter range", n, maxFetchSteps))
	}
	request.Lease = lease
	plan, err := s.opts.Query.Plan(request)
	if err != nil || !hasHint(r, "presentation-metadata") {
		return plan, nil, err
	}
	empty := &query.Result{Start: request.Start, End: request.End, Step: request.Step}
	drawn, err := s.layOut(r, empty)
	if err != nil {
		return nil, nil, err
	}
	return plan, s.picture(r, empty, drawn), nil
}

// fetcher writes the events of one fetch.
type fetcher struct {
	s       *Server
	plan    *query.Plan
	picture *render.Picture
	ctx     context.Context
	conn    interface{ SetWriteDeadline(time.Time) error }
	token   token.Token
	buf     []byte
	told    []string  // notices that were sent
	beat    time.Time // of the last heartbeat
}

// run sends all there is to send, or as much as the client takes.
func (f *fetcher) run(w *bufio.Writer) {
	if f.heartbeat(w) != nil {
		return
	}
	gone := false
	first := true
	err := f.plan.Run(f.ctx, fetchSteps, func(g *query.Result) error {
		err := f.piece(w, g, first)
		first, gone = false, err != nil
		return err
	})
	switch {
	case gone:
	case errors.Is(err, context.Canceled):
		_ = f.message(w, "error", "the server is shutting down")
	case err != nil:
		_ = f.message(w, "error", err.Error())
	default:
		_ = f.message(w, "close", "operation complete")
	}
}

// piece sends the lines of a part of the range that have a value in it.
func (f *fetcher) piece(w *bufio.Writer, g *query.Result, first bool) error {
	f.buf = f.buf[:0]
	if first && f.picture != nil {
		f.buf = append(render.AppendGraphMetadata(append(f.buf, "data: "...), g, f.picture), "\n\n"...)
	}
	for _, n := range g.Notices {
		if !slices.Contains(f.told, n) {
			f.told = append(f.told, n)
			f.buf = appendMessage(f.buf, "info", n)
		}
	}
	for i := range g.Lines {
		if !render.HasValue(g.Lines[i].Values) {
			continue
		}
		f.buf = append(render.AppendTimeSeries(append(f.buf, "data: "...), g, &g.Lines[i]), "\n\n"...)
		if len(f.buf) > smallAnswer {
			if err := f.flush(w); err != nil {
				return err
			}
		}
	}
	if f.s.opts.Clock.Now().Sub(f.beat) >= keepalive {
		return f.heartbeat(w)
	}
	return f.flush(w)
}

func (f *fetcher) heartbeat(w *bufio.Writer) error {
	f.beat = f.s.opts.Clock.Now()
	f.buf = appendMessage(f.buf, "info", "heartbeat")
	return f.flush(w)
}

func (f *fetcher) message(w *bufio.Writer, kind, text string) error {
	f.buf = appendMessage(f.buf[:0], kind, text)
	return f.flush(w)
}

// appendMessage appends an event that is not about data.
func appendMessage(dst []byte, kind, text string) []byte {
	dst = append(append(append(dst, `data: {"type":"`...), kind...), `","message":`...)
	return append(render.AppendString(dst, text), "}\n\n"...)
}

// flush writes what was gathered within the write deadline. A client that does
// not read is cut, and so is one whose token was revoked. Till it has taken all,
// another query may run instead.
func (f *fetcher) flush(w *bufio.Writer) error {
	if !f.s.stillAllowed(f.token, token.Query) {
		return errUnknownToken
	}
	if err := f.conn.SetWriteDeadline(time.Now().Add(f.s.opts.WriteTimeout)); err != nil {
		return err
	}
	err := f.s.gate.without(func() error {
		if _, err := w.Write(f.buf); err != nil {
			return err
		}
		return w.Flush()
	})
	f.buf = f.buf[:0]
	return err
}
