package web

import (
	"strings"
	"sync"

	"github.com/valyala/fasthttp"

	"pulse/store/budget"
)

// maxFreeBody is the most that freeBody returns.
const maxFreeBody = 64 << 10

// freeBody returns the size up to which bodies need no place in a budget of the
// given bytes: as many of them may exist as connections, which take a quarter
// of the budget or a kilobyte each.
func freeBody(most int64, conns int) int64 {
	return max(1<<10, min(maxFreeBody, most/4/int64(conns)))
}

// bodies is the budget for bodies that are being received and handled. The HTTP
// library allocates what a request announces before a byte of it has come, so a
// place is taken when the headers are there and given back with the answer.
//
// A request is known by its header, which belongs to one request at a time. One
// that expects to be told to continue is known by its connection instead,
// because it may end between header and body without anybody being told.
type bodies struct {
	budget *budget.Budget
	free   int64 // see freeBody
	spares *spares

	mu   sync.Mutex
	held map[*fasthttp.RequestHeader]place
}

// place is what a request has of the budget: bytes, or why it has none.
type place struct {
	bytes   int64
	refusal error
}

// errNoPlace is why a body is not received when too much is received already.
var errNoPlace = &statusError{fasthttp.StatusServiceUnavailable, "too many bytes of requests are being received; try again later"}

// enter takes a place of n bytes for the request of h.
func (b *bodies) enter(h *fasthttp.RequestHeader, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(h)
	if !b.take(n) {
		b.held[h] = place{refusal: errNoPlace}
		return false
	}
	if n > b.free {
		b.held[h] = place{bytes: n}
	}
	return true
}

func (b *bodies) take(n int64) bool { return n <= b.free || b.budget.Take(n) }

// turnAway makes the request of h one whose body is not received, because of refusal.
func (b *bodies) turnAway(h *fasthttp.RequestHeader, refusal error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(h)
	b.held[h] = place{refusal: refusal}
}

// drop gives back what the request of h holds and returns why it was refused,
// if it was. It is called with mu held.
func (b *bodies) drop(h *fasthttp.RequestHeader) error {
	p := b.held[h]
	delete(b.held, h)
	b.budget.Give(p.bytes)
	return p.refusal
}

// leave gives back the place of a request that was answered, and lets go of the
// memory of a large body that is not a spare. It returns why there was no place, if
// there was none.
func (b *bodies) leave(c *fasthttp.RequestCtx) error {
	if body := c.Request.Body(); int64(cap(body)) > b.free && !b.spares.keep(body) {
		c.Request.ReleaseBody(int(b.free))
	}
	if conn := addressed(c.Conn()); conn != nil {
		conn.giveBack()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.drop(&c.Request.Header)
}

// enterConn takes a place of n bytes that the connection gives back at the
// latest when it closes.
func (b *bodies) enterConn(conn *addressConn, n int64) bool {
	if !b.take(n) {
		return false
	}
	if n > b.free {
		back := func() { b.budget.Give(n) }
		conn.body.Store(&back)
	}
	return true
}

// routeOf returns the route of a request of which only the headers are there.
func (s *Server) routeOf(h *fasthttp.RequestHeader) *route {
	path := string(h.RequestURI())
	if _, rest, ok := strings.Cut(path, "://"); ok && path[0] != '/' { // a whole URL, as proxies send it
		_, path, _ = cutByte(rest, '/')
		path = "/" + path
	}
	path, _, _ = cutByte(path, '?')
	rt, _, _ := s.routes.find(string(h.Method()), path)
	return rt
}

// bodyLimit is the largest body that the route takes; a path that is not there
// takes none.
func (s *Server) bodyLimit(rt *route) int {
	switch {
	case rt == nil:
		return noBody
	case rt.maxBody == importBody:
		return s.opts.MaxImportBody
	case rt.maxBody > 0:
		return min(rt.maxBody, s.opts.MaxBody)
	}
	return s.opts.MaxBody
}

// announced is how many bytes the request may make the server hold. A body in
// chunks may come to the limit; one above it is refused before it is read.
func announced(h *fasthttp.RequestHeader, limit int) int64 {
	n := h.ContentLength()
	switch {
	case n == -1:
		return int64(limit)
	case n > limit:
		return 0
	}
	return int64(n)
}

func expectsContinue(h *fasthttp.RequestHeader) bool {
	return string(h.Peek("Expect")) == "100-continue"
}

// turnedAway reports whether a large body is not received because of who sends
// it: what a stranger sends costs nothing.
func (s *Server) turnedAway(rt *route, h *fasthttp.RequestHeader) bool {
	if rt == nil || announced(h, s.bodyLimit(rt)) <= s.bodies.free && h.ContentLength() <= s.bodyLimit(rt) {
		return false
	}
	_, err := s.identify(rt, h)
	if err != nil {
		s.bodies.turnAway(h, err)
	}
	return err != nil
}

// expect answers a request that asks before it sends its body. One that is
// refused goes no further, so that this is its end.
func (s *Server) expect(c *fasthttp.RequestCtx) int {
	conn, h := addressed(c.Conn()), &c.Request.Header
	rt := s.routeOf(h)
	var err error
	if rt != nil {
		_, err = s.admit(rt, h, c.RemoteAddr())
	}
	if err == nil && conn != nil && !s.bodies.enterConn(conn, announced(h, s.bodyLimit(rt))) {
		err = errNoPlace
	}
	if err == nil {
		return fasthttp.StatusContinue
	}
	startAnswer(c)
	closeAfter(c)
	s.refuse(c, err)
	s.stats.request(c.Response.StatusCode())
	s.bodies.leave(c)
	return c.Response.StatusCode()
}
