package web

import (
	"strings"

	"github.com/valyala/fasthttp"
)

// compress packs the answer with gzip when the client takes it and it pays.
func compress(c *fasthttp.RequestCtx) {
	body := c.Response.Body()
	c.Response.Header.Add("Vary", "Accept-Encoding")
	if len(body) < 1<<10 || !acceptsGzip(string(c.Request.Header.Peek("Accept-Encoding"))) {
		return
	}
	c.Response.Header.Set("Content-Encoding", "gzip")
	c.Response.SetBodyRaw(fasthttp.AppendGzipBytesLevel(nil, body, fasthttp.CompressBestSpeed))
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
