package web

import (
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"
)

// leastPacked is how long an answer is that is packed.
const leastPacked = 1 << 10

// compress packs the answer with zstd or gzip when the client takes it and it
// pays.
func compress(c *fasthttp.RequestCtx) {
	body := c.Response.Body()
	c.Response.Header.Add("Vary", "Accept-Encoding")
	if len(body) < leastPacked {
		return
	}
	switch encoding := accepted(string(c.Request.Header.Peek("Accept-Encoding"))); encoding {
	case "zstd":
		c.Response.Header.Set("Content-Encoding", encoding)
		c.Response.SetBodyRaw(packer().EncodeAll(body, nil))
	case "gzip":
		c.Response.Header.Set("Content-Encoding", encoding)
		c.Response.SetBodyRaw(fasthttp.AppendGzipBytesLevel(nil, body, fasthttp.CompressBestSpeed))
	}
}

// packer returns the one encoder for zstd; EncodeAll may be called at once by
// many.
var packer = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic("BUG: options of the zstd encoder: " + err.Error())
	}
	return e
})

// packSmall packs what is sent again and again, taking its time.
func packSmall(body []byte) []byte {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic("BUG: options of the zstd encoder: " + err.Error())
	}
	return e.EncodeAll(body, nil)
}

// accepted returns which of zstd and gzip a client prefers, "" when it takes
// neither: that of the higher quality, of equal ones zstd. `*` stands for gzip,
// which all clients know.
func accepted(header string) string {
	q := map[string]float64{}
	for _, part := range strings.Split(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q[strings.ToLower(strings.TrimSpace(name))] = quality(params)
	}
	gzip, named := q["gzip"]
	if !named {
		gzip = q["*"]
	}
	switch {
	case q["zstd"] > 0 && q["zstd"] >= gzip:
		return "zstd"
	case gzip > 0:
		return "gzip"
	}
	return ""
}

// quality reads `q=0.5`, 1 when there is none.
func quality(params string) float64 {
	for _, p := range strings.Split(params, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.TrimSpace(k) != "q" {
			continue
		}
		if q, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
		return 0
	}
	return 1
}
