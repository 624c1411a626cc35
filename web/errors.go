package web

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/query"
	"pulse/query/asl"
	"pulse/store"
	"pulse/web/render"
)

// writeError answers with the error object of every route.
func writeError(c *fasthttp.RequestCtx, status int, message string) {
	c.Response.ResetBody()
	c.SetStatusCode(status)
	c.SetContentType("application/json")
	c.SetBody(render.AppendError(nil, message))
	switch status {
	case fasthttp.StatusTooManyRequests, fasthttp.StatusServiceUnavailable, fasthttp.StatusInsufficientStorage:
		retryAfter(c)
	}
}

// retryAfter says when to come again; not all at once.
func retryAfter(c *fasthttp.RequestCtx) {
	if len(c.Response.Header.Peek("Retry-After")) == 0 {
		c.Response.Header.Set("Retry-After", strconv.Itoa(1+int(c.ID()%3)))
	}
}

// closeAfter ends the connection behind the answer, for a request that was not
// read to its end or that cannot be trusted to end where it says.
func closeAfter(c *fasthttp.RequestCtx) {
	c.SetConnectionClose()
	if conn := addressed(c.Conn()); conn != nil {
		conn.linger.Store(true)
	}
}

// tooLarge reports whether the answer has more bytes than are sent; it then is the
// error that says so, and what to ask for instead.
func (s *Server) tooLarge(r *request, instead string) bool {
	size := len(r.ctx.Response.Body())
	if size <= s.opts.MaxAnswer {
		return false
	}
	r.failWith(fasthttp.StatusBadRequest, "the answer has "+strconv.Itoa(size)+" bytes, at most "+strconv.Itoa(s.opts.MaxAnswer)+" are sent; ask for "+instead)
	return true
}

// errLoading is the answer of all routes that need the data, until it is there.
var errLoading = &statusError{fasthttp.StatusServiceUnavailable, "the server is loading what it has stored, and its rule files; /ready says when it is done"}

// hangUp closes the connection without an answer: the outcome is uncertain, and
// whatever were said might be wrong.
func hangUp(c *fasthttp.RequestCtx) {
	c.Response.Reset()
	c.SetStatusCode(fasthttp.StatusServiceUnavailable) // for the counters; nobody sees it
	c.HijackSetNoResponse(true)
	c.Hijack(func(net.Conn) {}) // the connection closes when this returns
}

// transportError answers what fasthttp could not read as a request.
func (s *Server) transportError(c *fasthttp.RequestCtx, err error) {
	s.stats.request(0)
	closeAfter(c)
	refusal := s.bodies.leave(c)
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.As(err, &small) || errors.Is(err, fasthttp.ErrSmallReadBuffer):
		writeError(c, fasthttp.StatusRequestHeaderFieldsTooLarge, "request line and headers are larger than "+strconv.Itoa(s.opts.MaxHeader)+" bytes")
	case refusal == errNoPlace && errors.Is(err, fasthttp.ErrBodyTooLarge):
		s.refuse(c, refusal)
	case refusal != nil && errors.Is(err, fasthttp.ErrBodyTooLarge):
		s.refuse(c, s.countRefusal(refusal, c.RemoteAddr()))
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		writeError(c, fasthttp.StatusRequestEntityTooLarge, "body is larger than the limit of "+strconv.Itoa(s.opts.MaxBody)+" bytes (another for some routes)")
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout(),
		strings.HasSuffix(err.Error(), os.ErrDeadlineExceeded.Error()): // a broken chunk does not unwrap
		writeError(c, fasthttp.StatusRequestTimeout, "request was not received in time")
	default:
		writeError(c, fasthttp.StatusBadRequest, "request is malformed: "+clip(err.Error(), 200))
	}
}

// statusError is an error whose status is known where it arises.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return e.message }

func badRequest(message string) error {
	return &statusError{fasthttp.StatusBadRequest, message}
}

// statusOf maps kinds of errors to statuses; what it does not know is the
// caller's fault, since the server's own failures are typed.
func statusOf(err error) int {
	var known *statusError
	var owned *notify.OwnedError
	var program *asl.Error
	switch {
	case errors.As(err, &known):
		return known.status
	case errors.As(err, &program) && program.Kind == asl.NotFound:
		return fasthttp.StatusNotFound
	case errors.As(err, &owned), errors.Is(err, detect.ErrRouted), errors.Is(err, detect.ErrLacking), errors.Is(err, detect.ErrNotified):
		return fasthttp.StatusConflict
	case errors.Is(err, detect.ErrChanged):
		return fasthttp.StatusPreconditionFailed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, detect.ErrNotStored), errors.Is(err, notify.ErrNotStored), errors.Is(err, detect.ErrClosed),
		errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrNotReady), errors.Is(err, query.ErrBusy),
		errors.Is(err, query.ErrTimeout):
		return fasthttp.StatusServiceUnavailable
	case errors.Is(err, detect.ErrDamaged):
		return fasthttp.StatusInternalServerError
	case errors.Is(err, store.ErrFull):
		return fasthttp.StatusInsufficientStorage
	case errors.Is(err, store.ErrTooLarge):
		return fasthttp.StatusRequestEntityTooLarge
	}
	return fasthttp.StatusBadRequest
}

// clip shortens text from outside to n bytes, on a rune's border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// cutByte is strings.Cut for one byte.
func cutByte(s string, sep byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
