package web

import (
	"bufio"
	"context"
	"strconv"
	"strings"
	"time"

	"pulse/query"
	"pulse/query/stream"
	"pulse/query/when"
)

const (
	maxStreamed = 32                    // expressions of one stream
	maxBacklog  = 10_000                // steps sent before the live ones
	recheck     = 50 * time.Millisecond // between looks at whether a step is complete
	streamGrace = time.Second           // a step is sent after this at the latest, or after one primary step if that is longer
)

// stream sends one event per closed step of an expression, or of several. A step
// closes when every expected source has reported it, or when its grace is over.
func (s *Server) stream(r *request) {
	f, err := s.readStream(r)
	if err == nil && !r.ctx.IsHead() {
		err = s.openStream(r, f)
	}
	if err != nil || r.ctx.IsHead() {
		if r.ctx.SetContentType("text/event-stream"); err != nil {
			r.fail(err)
		}
		return
	}
	s.sendEvents(r, "event stream", len(f.list), func(w *bufio.Writer) {
		defer f.close()
		f.run(w)
	})
}

// readStream reads what is asked for, and refuses what would hold up others when it is
// followed. Of several expressions those that are refused alone stay, with why.
func (s *Server) readStream(r *request) (*follower, error) {
	programs := r.params("q")
	if len(programs) == 0 || len(programs) == 1 && programs[0] == "" {
		return nil, badRequest("missing required parameter 'q'")
	}
	if len(programs) > maxStreamed {
		return nil, badRequest("parameter q is there " + strconv.Itoa(len(programs)) + " times, at most " + strconv.Itoa(maxStreamed))
	}
	steps, err := s.streamSteps(r, len(programs))
	if err != nil {
		return nil, err
	}
	from, err := s.streamFrom(r, steps)
	if err != nil {
		return nil, err
	}
	f := &follower{s: s, to: listener{r.ctx.Conn(), r.token}, several: len(programs) > 1}
	for i, program := range programs {
		f.list = append(f.list, &followed{n: i, program: program, step: steps[i], from: from[i]})
	}
	return f, s.tryStream(r, f)
}

// openStream begins to follow, as long as there are places for it.
func (s *Server) openStream(r *request, f *follower) error {
	if err := s.enterStream(len(f.list)); err != nil {
		return err
	}
	for _, e := range f.list {
		if e.refused == nil {
			e.stream, e.refused = s.opts.Hub.OpenProgram(e.program, e.step, stream.Options{})
		}
	}
	if err := f.nothing(); err != nil {
		s.open.Add(int64(-len(f.list)))
		return err
	}
	return nil
}

// streamTry is how long finding the series of an expression may take.
const streamTry = time.Second

// tryStream refuses expressions that would hold up others when they are followed.
func (s *Server) tryStream(r *request, f *follower) error {
	ctx, leave, err := s.enterQuery(r)
	if err != nil {
		return err
	}
	defer leave()
	for _, e := range f.list {
		ctx, cancel := context.WithTimeoutCause(ctx, streamTry, query.Timeout(streamTry))
		e.refused = query.InTime(ctx, s.opts.Hub.Try(ctx, e.program))
		cancel()
	}
	return f.nothing()
}

// streamSteps reads the step of each of n expressions, a multiple of the primary one,
// which is the default: one for all, or one for each.
func (s *Server) streamSteps(r *request, n int) ([]int64, error) {
	primary, texts := s.opts.Store.Step(), r.params("step")
	if len(texts) > 1 && len(texts) != n {
		return nil, badRequest("parameter step is there " + strconv.Itoa(len(texts)) + " times, must be once, or as often as q")
	}
	steps := make([]int64, n)
	for i := range steps {
		text := ""
		if len(texts) > 0 {
			text = texts[min(i, len(texts)-1)]
		}
		if steps[i] = primary; text == "" {
			continue
		}
		d, err := when.ParseDuration(text)
		if err != nil {
			return nil, badRequest("parameter step: " + err.Error())
		}
		ms := d.Milliseconds()
		if ms < primary || ms%primary != 0 || ms > time.Hour.Milliseconds() {
			return nil, badRequest("parameter step is " + clip(text, 40) + ", must be a multiple of the primary step " + strconv.FormatInt(primary, 10) + " ms and at most an hour")
		}
		steps[i] = ms
	}
	return steps, nil
}

// streamFrom returns the time after which steps are sent, for each step: that of the
// last event the client saw, or the backlog it asks for, or now.
func (s *Server) streamFrom(r *request, steps []int64) ([]int64, error) {
	backlog, err := r.number("backlog", 0, 0, maxBacklog)
	if err != nil {
		return nil, err
	}
	var seen []string
	if id := string(r.ctx.Request.Header.Peek("Last-Event-ID")); id != "" {
		if seen = strings.Split(id, ","); len(seen) != len(steps) {
			return nil, badRequest("Last-Event-ID is " + clip(id, 40) + ", must be the id of an event of this stream")
		}
	}
	list := make([]int64, len(steps))
	for i, step := range steps {
		now := s.nowMs() / step * step
		list[i] = now - (backlog+1)*step
		if seen == nil || len(steps) > 1 && seen[i] == "0" {
			continue
		}
		last, err := strconv.ParseInt(seen[i], 10, 64)
		if err != nil || last%step != 0 || last > now+step {
			return nil, badRequest("Last-Event-ID is " + clip(seen[i], 40) + ", must be the id of an event of this stream")
		}
		list[i] = max(last, now-maxBacklog*step)
	}
	return list, nil
}
