package web

import (
	"bufio"
	"context"
	"strconv"
	"time"

	"pulse/query"
	"pulse/query/stream"
	"pulse/query/when"
	"pulse/store"
	"pulse/web/render"
)

const (
	maxBacklog  = 10_000                // steps sent before the live ones
	recheck     = 50 * time.Millisecond // between looks at whether a step is complete
	streamGrace = time.Second           // a step is sent after this at the latest, or after one primary step if that is longer
)

// stream sends one event per closed step of an expression. A step closes when
// every expected source has reported it, or when its grace is over.
func (s *Server) stream(r *request) {
	step, err := s.streamStep(r)
	if err != nil {
		r.fail(err)
		return
	}
	from, err := s.streamFrom(r, step)
	if err != nil {
		r.fail(err)
		return
	}
	if r.param("q") == "" {
		r.fail(badRequest("missing required parameter 'q'"))
		return
	}
	if err := s.tryStream(r); err != nil {
		r.fail(err)
		return
	}
	if r.ctx.IsHead() {
		r.ctx.SetContentType("text/event-stream")
		return
	}
	if err := s.enterStream(); err != nil {
		r.fail(err)
		return
	}
	follow, err := s.opts.Hub.OpenProgram(r.param("q"), step, stream.Options{})
	if err != nil {
		s.open.Add(-1)
		r.fail(err)
		return
	}
	f := &follower{s: s, stream: follow, step: step, from: from, to: listener{r.ctx.Conn(), r.token}}
	s.sendEvents(r, "event stream", func(w *bufio.Writer) {
		defer follow.Close()
		f.run(w)
	})
}

// streamTry is how long finding the series of a stream may take.
const streamTry = time.Second

// tryStream refuses an expression that would hold up others when it is followed.
func (s *Server) tryStream(r *request) error {
	ctx, leave, err := s.enterQuery(r)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, streamTry, query.Timeout(streamTry))
	defer cancel()
	return query.InTime(ctx, s.opts.Hub.Try(ctx, r.param("q")))
}

// streamStep reads the step, a multiple of the primary one, which is the default.
func (s *Server) streamStep(r *request) (int64, error) {
	primary := s.opts.Store.Step()
	if r.param("step") == "" {
		return primary, nil
	}
	d, err := when.ParseDuration(r.param("step"))
	if err != nil {
		return 0, badRequest("parameter step: " + err.Error())
	}
	ms := d.Milliseconds()
	if ms < primary || ms%primary != 0 || ms > time.Hour.Milliseconds() {
		return 0, badRequest("parameter step is " + clip(r.param("step"), 40) + ", must be a multiple of the primary step " + strconv.FormatInt(primary, 10) + " ms and at most an hour")
	}
	return ms, nil
}

// streamFrom returns the time after which steps are sent: that of the last
// event the client saw, or the backlog it asks for, or now.
func (s *Server) streamFrom(r *request, step int64) (int64, error) {
	now := s.nowMs() / step * step
	backlog, err := r.number("backlog", 0, 0, maxBacklog)
	if err != nil {
		return 0, err
	}
	from := now - (backlog+1)*step
	if backlog == 0 {
		from = now - step
	}
	if id := string(r.ctx.Request.Header.Peek("Last-Event-ID")); id != "" {
		last, err := strconv.ParseInt(id, 10, 64)
		if err != nil || last%step != 0 || last > now+step {
			return 0, badRequest("Last-Event-ID is " + clip(id, 40) + ", must be the id of an event of this stream")
		}
		from = max(last, now-maxBacklog*step)
	}
	return from, nil
}

// follower writes the events of one client.
type follower struct {
	s      *Server
	stream *stream.Stream
	step   int64
	from   int64 // the last step that was sent
	to     listener
	buf    []byte
}

// run sends what lies behind, then each step as it closes, until the client or
// the server goes away.
func (f *follower) run(w *bufio.Writer) {
	if f.s.writeEvents(w, f.to, []byte("retry: 1000\n\n")) != nil {
		return
	}
	clk := f.s.opts.Clock
	behind := f.s.nowMs()/f.step*f.step - f.step
	if f.from < behind {
		if err := f.history(w, behind); err != nil {
			return
		}
	}
	grace := max(f.s.opts.Store.Step(), streamGrace.Milliseconds())
	quiet := clk.Now()
	for next := f.from + f.step; ; {
		now := clk.Now()
		wait := time.UnixMilli(next).Sub(now)
		if wait <= 0 {
			done := f.stream.Completeness(next, now.UnixMilli())
			if done.Expected > 0 && done.Reported >= done.Expected || now.UnixMilli() >= next+grace {
				lines, err := f.stream.Step(next)
				if err != nil || f.send(w, next, ratio(done), lines) != nil {
					return
				}
				quiet = now
				next += f.step
				continue
			}
			wait = recheck
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

// history sends the steps of (f.from, end] from what is stored.
func (f *follower) history(w *bufio.Writer, end int64) error {
	ctx, cancel := context.WithTimeout(f.s.stop, f.s.opts.QueryTimeout)
	defer cancel()
	err := f.stream.History(ctx, f.from, end, func(t int64, lines []stream.Line) error {
		return f.send(w, t, 1, lines)
	})
	f.from = end
	return err
}

func (f *follower) send(w *bufio.Writer, t int64, completeness float64, lines []stream.Line) error {
	f.buf = append(f.buf[:0], "id: "...)
	f.buf = strconv.AppendInt(f.buf, t, 10)
	f.buf = append(f.buf, "\ndata: "...)
	f.buf = render.AppendStep(f.buf, t, f.step, completeness, lines)
	f.buf = append(f.buf, "\n\n"...)
	f.from = t
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
