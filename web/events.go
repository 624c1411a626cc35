package web

import (
	"bufio"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/web/token"
)

// keepalive is how often something is sent while there is nothing to say, so that
// both sides know that the other lives.
const keepalive = 10 * time.Second

// enterStream takes n of the places of event streams, which the caller gives
// back with s.open.Add(-n) unless sendEvents does.
func (s *Server) enterStream(n int) error {
	if s.open.Add(int64(n)) > int64(s.opts.Streams) {
		s.open.Add(int64(-n))
		return &statusError{fasthttp.StatusServiceUnavailable, "all " + strconv.Itoa(s.opts.Streams) + " event streams are in use"}
	}
	return nil
}

// sendEvents answers with the server-sent events that run writes, and gives its
// places of streams back when it returns. It returns at once: run must not use
// the request.
func (s *Server) sendEvents(r *request, what string, places int, run func(*bufio.Writer)) {
	r.ctx.SetContentType("text/event-stream")
	r.ctx.Response.Header.Set("Cache-Control", "no-store")
	r.ctx.Response.Header.Set("X-Accel-Buffering", "no")
	s.streams.Add(1)
	r.ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer s.streams.Done()
		defer s.open.Add(int64(-places))
		defer func() {
			if p := recover(); p != nil {
				s.stats.panics.Add(1)
				s.opts.Log.Error().Interface("panic", p).Msg(what + " failed")
			}
		}()
		run(w)
	})
}

// listener is who reads the events of a stream.
type listener struct {
	conn  interface{ SetWriteDeadline(time.Time) error }
	token token.Token
}

// writeEvents sends b within the write deadline. A client that does not read is
// cut, and so is one whose token was revoked.
func (s *Server) writeEvents(w *bufio.Writer, to listener, b []byte) error {
	if !s.stillAllowed(to.token, token.Query) {
		return errUnknownToken
	}
	if err := to.conn.SetWriteDeadline(time.Now().Add(s.opts.WriteTimeout)); err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Flush()
}
