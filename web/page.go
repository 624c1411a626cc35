package web

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/valyala/fasthttp"

	"pulse/web/ui"
)

// policy lets the page load from this server only and run no inline code.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page serves the UI's one document, which knows by the path what to show.
func (s *Server) page(r *request) { r.asset("index.html") }

// asset serves a file of the UI by its exact name.
func (s *Server) asset(r *request) {
	r.asset(strings.TrimPrefix(string(r.ctx.Path()), "/ui/"))
}

// asset answers with an embedded file, or 304 to who has it already.
func (r *request) asset(name string) {
	body, contentType, ok := ui.Asset(name)
	if !ok {
		r.failWith(fasthttp.StatusNotFound, "path not found: "+clip(string(r.ctx.Path()), 200))
		return
	}
	h := &r.ctx.Response.Header
	tag := tagOf(body)
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	if string(r.ctx.Request.Header.Peek("If-None-Match")) == tag {
		r.ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	r.body(contentType, body)
	compress(r.ctx)
}

// tagOf is the entity tag of a text.
func tagOf(text []byte) string {
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}
