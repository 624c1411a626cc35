package web

import (
	"slices"

	"github.com/valyala/fasthttp"
)

// What a page of a configured origin may send and read beyond what every page may.
const (
	corsHeaders = "Authorization, Content-Type, Content-Encoding, Idempotency-Key, Last-Event-ID, X-Pulse-Source"
	corsExposed = "Retry-After, WWW-Authenticate, Idempotency-Replayed, Link, " + nextOffset
	corsMaxAge  = "600" // seconds
)

// allowOrigin lets pages of the configured origins read the answer. It never
// allows credentials that a browser would add by itself: a page has to send
// its token.
func (s *Server) allowOrigin(c *fasthttp.RequestCtx) {
	if len(s.opts.Origins) == 0 {
		return
	}
	h := &c.Response.Header
	h.Add("Vary", "Origin")
	origin := string(c.Request.Header.Peek("Origin"))
	if slices.Contains(s.opts.Origins, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", corsExposed)
	}
}

// preflight answers a browser that asks, for a page of a configured origin,
// whether it may send a request to a path with the methods allowed. It reports
// whether the request was one.
func (s *Server) preflight(c *fasthttp.RequestCtx, allowed string) bool {
	if !c.IsOptions() || len(c.Response.Header.Peek("Access-Control-Allow-Origin")) == 0 || len(c.Request.Header.Peek("Access-Control-Request-Method")) == 0 {
		return false
	}
	h := &c.Response.Header
	h.Set("Access-Control-Allow-Methods", allowed)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	c.SetStatusCode(fasthttp.StatusNoContent)
	return true
}
