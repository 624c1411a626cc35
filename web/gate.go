package web

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/query"
	"pulse/store/clock"
)

// gate lets a number of queries, or of what takes as long, run at once and a number
// wait a while.
type gate struct {
	what    string // plural, for messages
	slots   chan struct{}
	queue   int64
	waiting atomic.Int64
}

func newGate(what string, atOnce, queue int) *gate {
	return &gate{what: what, slots: make(chan struct{}, atOnce), queue: int64(queue)}
}

// enter takes a slot or fails with 503. The caller leaves with leave.
func (g *gate) enter(ctx context.Context, clk clock.Clock, wait time.Duration) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.queue {
		return &statusError{fasthttp.StatusServiceUnavailable, "too many " + g.what + " are waiting; try again later"}
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-clk.After(wait):
		return &statusError{fasthttp.StatusServiceUnavailable, "too many " + g.what + " are running; this one waited " + wait.String()}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) leave() { <-g.slots }

// without does f, such as writing to a client that may be slow, while somebody else
// may have the caller's slot, and waits for one again. What has a slot ends or
// writes, so one comes free.
func (g *gate) without(f func() error) error {
	g.leave()
	defer func() { g.slots <- struct{}{} }()
	return f()
}

func (g *gate) running() int { return len(g.slots) }

// gated is a handler that runs when there is a slot for a query: looking at an
// expression may be made to cost as much. Its request ends as a query does.
func gated(handle func(*Server, *request)) func(*Server, *request) {
	return func(s *Server, r *request) {
		ctx, leave, err := s.enterQuery(r)
		if err != nil {
			r.fail(err)
			return
		}
		defer leave()
		r.query = ctx
		handle(s, r)
	}
}

// enterQuery waits for a slot and bounds the query's time. The caller calls the
// function that it returns when the query is done.
func (s *Server) enterQuery(r *request) (context.Context, func(), error) {
	ctx, leave, err := s.enterGate(r)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.QueryTimeout, query.Timeout(s.opts.QueryTimeout))
	return ctx, func() { cancel(); leave() }, nil
}

// enterGate is enterQuery for what bounds its time itself. What it returns ends when
// the client goes, as waiting does.
func (s *Server) enterGate(r *request) (context.Context, func(), error) {
	ctx, cancel := context.WithCancelCause(s.stop)
	r.running = s.queries.add(r, ctx, cancel, s.opts.Clock.Now())
	running := r.running
	unwatch := watchClient(r.ctx.Conn(), func() { cancel(nil) })
	done := func() { unwatch(); s.queries.remove(running, s.opts.Clock.Now()); cancel(nil) }
	if err := s.gate.enter(ctx, s.opts.Clock, s.opts.QueryWait); err != nil {
		done()
		return nil, nil, query.InTime(ctx, err)
	}
	running.waiting.Store(false)
	s.stats.queries.Add(1)
	return ctx, func() { done(); s.gate.leave() }, nil
}
