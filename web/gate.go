package web

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

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

// enterGate waits for a slot for a query that bounds its time itself, and ends it
// when its client goes. The caller calls the function that it returns when the
// query is done.
func (s *Server) enterGate(r *request) (context.Context, func(), error) {
	if err := s.gate.enter(s.stop, s.opts.Clock, s.opts.QueryWait); err != nil {
		return nil, nil, err
	}
	s.stats.queries.Add(1)
	ctx, cancel := context.WithCancel(s.stop)
	unwatch := watchClient(r.ctx.Conn(), cancel)
	return ctx, func() { unwatch(); cancel(); s.gate.leave() }, nil
}
