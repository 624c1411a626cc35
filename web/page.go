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
func (s *Server) page(r *request) { s.sendAsset(r, "index.html") }

// asset serves a file of the UI by its exact name.
func (s *Server) asset(r *request) {
	s.sendAsset(r, strings.TrimPrefix(string(r.ctx.Path()), "/ui/"))
}

// uiFile is a file of the UI as it is sent.
type uiFile struct {
	contentType, tag  string
	plain, gzip, zstd []byte // packed as small as can be; nil where that does not pay
}

// uiFile returns a file by its exact name, packed when it was first asked for: there
// are few, and they stay the same.
func (s *Server) uiFile(name string) (*uiFile, bool) {
	if known, ok := s.uiFiles.Load(name); ok {
		return known.(*uiFile), true
	}
	body, contentType, ok := ui.Asset(name)
	if !ok {
		return nil, false
	}
	f := &uiFile{contentType: contentType, tag: tagOf(body), plain: body}
	if len(body) >= leastPacked {
		f.gzip = fasthttp.AppendGzipBytesLevel(nil, body, fasthttp.CompressBestCompression)
		f.zstd = packSmall(body)
	}
	s.uiFiles.Store(name, f)
	return f, true
}

// sendAsset answers with an embedded file, or 304 to who has it already.
func (s *Server) sendAsset(r *request, name string) {
	f, ok := s.uiFile(name)
	if !ok {
		r.failWith(fasthttp.StatusNotFound, "path not found: "+clip(string(r.ctx.Path()), 200))
		return
	}
	h := &r.ctx.Response.Header
	h.Set("ETag", f.tag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	if string(r.ctx.Request.Header.Peek("If-None-Match")) == f.tag {
		r.ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	h.Add("Vary", "Accept-Encoding")
	body, encoding := f.plain, accepted(string(r.ctx.Request.Header.Peek("Accept-Encoding")))
	switch {
	case encoding == "zstd" && f.zstd != nil:
		body = f.zstd
	case encoding == "gzip" && f.gzip != nil:
		body = f.gzip
	default:
		encoding = ""
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	r.body(f.contentType, body)
}

// tagOf is the entity tag of a text.
func tagOf(text []byte) string {
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}
