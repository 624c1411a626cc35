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

// expander undoes content encodings within bounds. A slot is held from the
// beginning of an expansion until its bytes are no longer needed, so that
// slots × limit bounds the memory of all. Safe for concurrent use.
type expander struct {
	limit int
	slots chan struct{}

	buffers                  sync.Pool // *[]byte
	gzip, zlib, flates, zstd sync.Pool // decoders at rest
}

func newExpander(limit, atOnce int) *expander {
	return &expander{limit: limit, slots: make(chan struct{}, atOnce)}
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
	release := func() {
		if cap(*buffer) <= maxPooledBody {
			e.buffers.Put(buffer)
		}
		<-e.slots
	}
	*buffer, err = e.decode((*buffer)[:0], body, name)
	if err != nil {
		release()
		return nil, nil, err
	}
	return *buffer, release, nil
}

func (e *expander) tooLarge() error {
	return &BodyError{413, fmt.Sprintf("body is larger than %d bytes after decompression", e.limit)}
}

// decode appends what body holds to dst, which is empty.
func (e *expander) decode(dst, body []byte, name string) ([]byte, error) {
	src := bytes.NewReader(body)
	pool, from, err := e.open(src, body, name)
	if err != nil {
		return dst, broken(name, err)
	}
	dst, err = e.readAll(dst, from)
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
	return dst, err
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

// readAll appends everything from r to dst, growing it as bytes come and never
// beyond the limit.
func (e *expander) readAll(dst []byte, r io.Reader) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(len(dst), 64<<10))
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), e.limit+1)])
		dst = dst[:len(dst)+n]
		if len(dst) > e.limit {
			return dst, e.tooLarge()
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}
