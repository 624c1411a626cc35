package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"pulse/store/budget"
)

// BodyError is why a body could not be expanded.
type BodyError struct {
	status  int
	message string
}

func (e *BodyError) Error() string { return e.message }

// Status is the HTTP status that says the same: 400 for a broken stream, 413 for
// too many bytes, 415 for an encoding that is not known, 503 when too many
// bodies are being expanded at once.
func (e *BodyError) Status() int { return e.status }

// maxPooledBody is the largest buffer that is kept for another request.
const maxPooledBody = 4 << 20

// maxWindow is the most memory a zstd frame may ask for, what its specification
// recommends decoders to support.
const maxWindow = 8 << 20

// expander undoes content encodings within bounds. A slot and the bytes of the
// budget are held from the beginning of an expansion until its result is no
// longer needed. Safe for concurrent use.
type expander struct {
	limit  int
	slots  chan struct{}
	budget *budget.Budget

	buffers                  sync.Pool // *[]byte
	gzip, zlib, flates, zstd sync.Pool // decoders at rest
}

func newExpander(limit, atOnce int, b *budget.Budget) *expander {
	return &expander{limit: limit, slots: make(chan struct{}, atOnce), budget: b}
}

// expansion is the memory of one result.
type expansion struct {
	bytes  []byte
	budget *budget.Budget
	held   int64 // bytes taken
}

// take takes n bytes more.
func (x *expansion) take(n int64) error {
	if !x.budget.Take(n) {
		return &BodyError{503, "too many bytes of requests are being expanded; try again"}
	}
	x.held += n
	return nil
}

// Expand returns what body holds under a Content-Encoding: nothing or identity,
// gzip, deflate (with the frame of zlib, or bare as some senders have it) or
// zstd, one of them once. A body that begins as gzip does is read as that under
// any of these. Members of gzip and frames of zstd follow each other and make one
// text; anything else behind the stream makes it broken.
//
// The result is valid until done is called, which must happen exactly once; for
// an identity body it is body. An error is a *BodyError, and done is then nil.
func (p *Pipeline) Expand(body []byte, encoding string) (out []byte, done func(), err error) {
	out, done, err = p.expander.expand(body, encoding)
	if err != nil {
		p.stats.unexpandable.Add(1)
	}
	return out, done, err
}

func (e *expander) expand(body []byte, encoding string) (out []byte, done func(), err error) {
	name := strings.ToLower(strings.TrimSpace(encoding))
	switch name {
	case "", "identity", "gzip", "x-gzip", "deflate", "zstd":
	default:
		return nil, nil, &BodyError{415, fmt.Sprintf("Content-Encoding %q is not supported; use gzip, deflate, zstd or none", cut(encoding, 40))}
	}
	if len(body) >= 2 && body[0] == 0x1F && body[1] == 0x8B {
		name = "gzip"
	}
	if name == "" || name == "identity" {
		if len(body) > e.limit {
			return nil, nil, e.tooLarge()
		}
		return body, func() {}, nil
	}
	select {
	case e.slots <- struct{}{}:
	default:
		return nil, nil, &BodyError{503, "too many compressed bodies are being expanded; try again"}
	}
	buffer, _ := e.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	x := &expansion{bytes: (*buffer)[:0], budget: e.budget}
	release := func() {
		x.budget.Give(x.held)
		if *buffer = x.bytes; cap(*buffer) <= maxPooledBody {
			e.buffers.Put(buffer)
		}
		<-e.slots
	}
	if err = x.take(int64(cap(x.bytes)) + windowOf(body, name)); err == nil {
		err = e.decode(x, body, name)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return x.bytes, release, nil
}

// windowOf returns the memory that a decoder needs beside the result.
func windowOf(body []byte, name string) int64 {
	if name != "zstd" {
		return 64 << 10
	}
	var h zstd.Header
	if h.Decode(body) != nil {
		return 0 // decoding will say what is wrong
	}
	return int64(min(h.WindowSize, maxWindow))
}

func (e *expander) tooLarge() error {
	return &BodyError{413, fmt.Sprintf("body is larger than %d bytes after decompression", e.limit)}
}

// decode appends what body holds to x.
func (e *expander) decode(x *expansion, body []byte, name string) error {
	src := bytes.NewReader(body)
	pool, from, err := e.open(src, body, name)
	if err != nil {
		return broken(name, err)
	}
	err = e.readAll(x, from)
	if err == nil && src.Len() > 0 {
		err = errors.New("there is more behind its end")
	}
	if err == nil {
		pool.Put(from) // one that failed is left to the collector
	}
	var known *BodyError
	if err != nil && !errors.As(err, &known) {
		err = broken(name, err)
	}
	return err
}

func broken(name string, err error) error {
	return &BodyError{400, fmt.Sprintf("body is no %s stream: %v", name, err)}
}

// open returns a decoder over src and the pool it goes back to. Decoders read
// src byte by byte where they must, and never beyond the end of their stream.
func (e *expander) open(src *bytes.Reader, body []byte, name string) (*sync.Pool, io.Reader, error) {
	switch {
	case name == "zstd":
		if d, ok := e.zstd.Get().(*zstd.Decoder); ok {
			return &e.zstd, d, d.Reset(src)
		}
		d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		return &e.zstd, d, err
	case name == "deflate" && len(body) >= 2 && body[0]&0x0F == 8 && (int(body[0])<<8|int(body[1]))%31 == 0:
		if d, ok := e.zlib.Get().(zlib.Resetter); ok {
			return &e.zlib, d.(io.Reader), d.Reset(src, nil)
		}
		d, err := zlib.NewReader(src)
		return &e.zlib, d, err
	case name == "deflate":
		if d, ok := e.flates.Get().(flate.Resetter); ok {
			return &e.flates, d.(io.Reader), d.Reset(src, nil)
		}
		return &e.flates, flate.NewReader(src), nil
	default:
		if d, ok := e.gzip.Get().(*gzip.Reader); ok {
			return &e.gzip, d, d.Reset(src)
		}
		d, err := gzip.NewReader(src)
		return &e.gzip, d, err
	}
}

// readAll appends everything from r to x, growing it as bytes come and never
// beyond the limit.
func (e *expander) readAll(x *expansion, r io.Reader) error {
	for {
		if len(x.bytes) == cap(x.bytes) {
			more := max(len(x.bytes), 64<<10)
			if err := x.take(int64(more)); err != nil {
				return err
			}
			x.bytes = slices.Grow(x.bytes, more)
		}
		n, err := r.Read(x.bytes[len(x.bytes):min(cap(x.bytes), e.limit+1)])
		x.bytes = x.bytes[:len(x.bytes)+n]
		if len(x.bytes) > e.limit {
			return e.tooLarge()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
