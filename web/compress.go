package web

import (
	"bytes"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"
)

var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}}

// compress packs the answer with gzip when the client takes it and it pays.
func compress(c *fasthttp.RequestCtx) {
	body := c.Response.Body()
	c.Response.Header.Add("Vary", "Accept-Encoding")
	if len(body) < 1<<10 || !acceptsGzip(string(c.Request.Header.Peek("Accept-Encoding"))) {
		return
	}
	var out bytes.Buffer
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		return // a buffer does not fail; the plain body is still there
	}
	c.Response.Header.Set("Content-Encoding", "gzip")
	c.Response.SetBodyRaw(out.Bytes())
}

func acceptsGzip(header string) bool {
	for _, part := range strings.Split(header, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if (name == "gzip" || name == "*") && !strings.HasPrefix(strings.ReplaceAll(q, " ", ""), "q=0") {
			return true
		}
	}
	return false
}
