package web

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"pulse/query"
)

const (
	valueText   = 20       // bytes of a value in an answer, about
	pixelBytes  = 10       // of a pixel while a picture is drawn and packed
	vectorText  = 40       // of a value in a picture of lines
	smallAnswer = 64 << 10 // an answer up to this size is not counted while it is sent
)

// leasedBody is an answer that gives its memory back when it was sent.
type leasedBody struct {
	bytes.Reader
	lease *query.Lease
}

// Close is called when the answer was sent, or cannot be.
func (b *leasedBody) Close() error {
	b.lease.Release()
	return nil
}

// leaseAnswer keeps as much of a query's lease as its answer has bytes until it
// was sent, since a client may take its time, and gives the rest back. A large
// answer is the handler's own memory, as request.body has it.
func leaseAnswer(c *fasthttp.RequestCtx, lease *query.Lease) {
	body := c.Response.Body()
	if len(body) <= smallAnswer {
		lease.Release()
		return
	}
	lease.Keep(int64(len(body)))
	b := &leasedBody{lease: lease}
	b.Reset(body)
	c.Response.SetBodyStream(b, len(body))
}
