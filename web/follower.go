package web

import (
	"bufio"
	"context"
	"strconv"
	"time"

	"pulse/query"
	"pulse/query/stream"
	"pulse/store"
	"pulse/web/render"
)

// follower writes the events of one client.
type follower struct {
	s       *Server
	list    []*followed
	several bool // events say which expression they are of
	to      listener
	buf     []byte
}

// followed is an expression that a client follows.
type followed struct {
	n       int
	program string
	stream  *stream.Stream // nil while refused is not, and once it has failed
	refused error
	step    int64
	from    int64 // the last step that was sent
}

// nothing returns why the first is refused, if all are.
func (f *follower) nothing() error {
	for _, e := range f.list {
		if e.refused == nil {
			return nil
		}
	}
	return f.list[0].refused
}

func (f *follower) close() {
	for _, e := range f.list {
		if e.stream != nil {
			e.stream.Close()
		}
	}
}

// run sends what lies behind, then each step as it closes, until the client or
// the server goes away, or nothing is left to follow.
func (f *follower) run(w *bufio.Writer) {
	if f.s.writeEvents(w, f.to, []byte("retry: 1000\n\n")) != nil {
		return
	}
	for _, e := range f.list {
		if e.refused != nil && f.end(w, e, e.refused) != nil {
			return
		}
	}
	for _, e := range f.list {
		behind := f.s.nowMs()/e.step*e.step - e.step
		if e.refused == nil && e.from < behind && f.history(w, e, behind) != nil {
			return
		}
	}
	clk := f.s.opts.Clock
	for quiet := clk.Now(); f.nothing() == nil; {
		now := clk.Now()
		wait, sent, err := f.due(w, now)
		if err != nil {
			return
		}
		if sent {
			quiet = now
			continue
		}
		if now.Sub(quiet) >= keepalive {
			if f.s.writeEvents(w, f.to, []byte(": alive\n\n")) != nil {
				return
			}
			quiet = now
		}
		select {
		case <-clk.After(min(wait, keepalive)):
		case <-f.s.stop.Done():
			return
		}
	}
}

// due sends the next step of each expression if it has closed, and returns whether
// there was one, and how long there is none otherwise.
func (f *follower) due(w *bufio.Writer, now time.Time) (wait time.Duration, sent bool, err error) {
	wait = keepalive
	grace := max(f.s.opts.Store.Step(), streamGrace.Milliseconds())
	for _, e := range f.list {
		if e.refused != nil {
			continue
		}
		next := e.from + e.step
		left := time.UnixMilli(next).Sub(now)
		if left > 0 {
			wait = min(wait, left)
			continue
		}
		done := e.stream.Completeness(next, now.UnixMilli())
		if !(done.Expected > 0 && done.Reported >= done.Expected || now.UnixMilli() >= next+grace) {
			wait = min(wait, recheck)
			continue
		}
		sent = true
		lines, failed := e.stream.Step(next)
		if failed != nil {
			err = f.end(w, e, failed)
		} else {
			err = f.send(w, e, next, ratio(done), lines)
		}
		if err != nil {
			return 0, sent, err
		}
	}
	return wait, sent, nil
}

// history sends the steps of (e.from, end] from what is stored.
func (f *follower) history(w *bufio.Writer, e *followed, end int64) error {
	ctx, cancel := context.WithTimeoutCause(f.s.stop, f.s.opts.QueryTimeout, query.Timeout(f.s.opts.QueryTimeout))
	defer cancel()
	var broken error // the client's side
	err := e.stream.History(ctx, e.from, end, func(t int64, lines []stream.Line) error {
		broken = f.send(w, e, t, 1, lines)
		return broken
	})
	e.from = end
	if err == nil || broken != nil || f.s.stop.Err() != nil {
		return err
	}
	return f.end(w, e, query.InTime(ctx, err))
}

// end says why an expression is not followed, or not any more. A client that follows
// nothing else is not told, but cut: it learns why when it asks again.
func (f *follower) end(w *bufio.Writer, e *followed, why error) error {
	e.refused = why
	if e.stream != nil {
		e.stream.Close()
		e.stream = nil
	}
	if !f.several {
		return why
	}
	f.buf = append(f.buf[:0], `data: {"q":`...)
	f.buf = strconv.AppendInt(f.buf, int64(e.n), 10)
	f.buf = append(f.buf, `,"type":"error","message":`...)
	f.buf = render.AppendString(f.buf, why.Error())
	f.buf = append(f.buf, "}\n\n"...)
	return f.s.writeEvents(w, f.to, f.buf)
}

func (f *follower) send(w *bufio.Writer, e *followed, t int64, completeness float64, lines []stream.Line) error {
	e.from = t
	f.buf = append(f.buf[:0], "id: "...)
	for i, x := range f.list {
		if i > 0 {
			f.buf = append(f.buf, ',')
		}
		if x.refused != nil {
			f.buf = append(f.buf, '0')
			continue
		}
		f.buf = strconv.AppendInt(f.buf, x.from, 10)
	}
	f.buf = append(f.buf, "\ndata: "...)
	f.buf = render.AppendStep(f.buf, t, e.step, completeness, lines)
	if f.several {
		f.buf = append(f.buf[:len(f.buf)-1], `,"q":`...)
		f.buf = append(strconv.AppendInt(f.buf, int64(e.n), 10), '}')
	}
	f.buf = append(f.buf, "\n\n"...)
	return f.s.writeEvents(w, f.to, f.buf)
}

// ratio is the completeness as a part of 1; a step that nobody is expected for
// is complete.
func ratio(c store.Completeness) float64 {
	if c.Expected == 0 {
		return 1
	}
	return min(1, float64(c.Reported)/float64(c.Expected))
}
