package web

import (
	"errors"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"pulse/ingest"
	"pulse/ingest/publish"
	"pulse/store/tags"
	"pulse/web/render"
)

// publish is Atlas's publish endpoint.
func (s *Server) publish(r *request) {
	s.take(r, s.opts.Pipeline.Publish, "")
}

// update is the Spectator clients' endpoint.
func (s *Server) update(r *request) {
	s.take(r, s.opts.Pipeline.Update, "{}")
}

// take expands the body, hands it on, and answers; success is the text that a
// request without any fault gets.
func (s *Server) take(r *request, hand func([]byte, ingest.From, int64) ingest.Answer, success string) {
	from, ok := r.keyed()
	if !ok || !r.takesType() {
		return
	}
	body, done, err := s.opts.Pipeline.Expand(r.ctx.PostBody(), string(r.ctx.Request.Header.ContentEncoding()))
	if err != nil {
		r.failWith(ingestStatus(err), err.Error())
		return
	}
	defer done()
	a := hand(body, from, s.nowMs())
	if a.Stored > 0 {
		s.opts.Detect.Wake()
	}
	r.answer(a, success)
}

// keyed says who sent the request, under which idempotency key. It is false when
// the request has been answered.
func (r *request) keyed() (ingest.From, bool) {
	const name = "Idempotency-Key"
	from := r.from()
	from.Key = string(r.ctx.Request.Header.Peek(name))
	if from.Key == "" && len(r.ctx.Request.Header.PeekAll(name)) > 0 {
		r.failWith(fasthttp.StatusBadRequest, name+" is empty, must have 1 to 64 characters")
		return from, false
	}
	return from, true
}

// takesType refuses bodies that cannot be what the ingest routes read.
func (r *request) takesType() bool {
	kind, _, _ := strings.Cut(strings.ToLower(string(r.ctx.Request.Header.ContentType())), ";")
	if strings.HasPrefix(kind, "multipart/") || kind == "application/x-jackson-smile" {
		r.failWith(fasthttp.StatusUnsupportedMediaType, "Content-Type "+strconv.Quote(clip(kind, 60))+" is not supported; send JSON")
		return false
	}
	return true
}

// ingestStatus maps the pipeline's typed failures.
func ingestStatus(err error) int {
	var typed interface{ Status() int }
	if errors.As(err, &typed) {
		return typed.Status()
	}
	return fasthttp.StatusBadRequest
}

// answer renders what became of a batch of points.
func (r *request) answer(a ingest.Answer, success string) {
	if a.Uncertain {
		hangUp(r.ctx)
		return
	}
	r.sayReplayed(a.Repeated)
	if a.Status == fasthttp.StatusOK || a.Status == fasthttp.StatusNoContent {
		r.ctx.SetStatusCode(a.Status)
		if success != "" {
			r.body("application/json", []byte(success))
		}
		return
	}
	if a.ErrorCount == 0 {
		r.failWith(a.Status, a.Message)
		return
	}
	b := append([]byte(`{"type":`), strconv.Quote(a.Type)...)
	b = append(b, `,"errorCount":`...)
	b = strconv.AppendInt(b, int64(a.ErrorCount), 10)
	b = append(b, `,"message":`...)
	b = append(render.AppendStrings(b, a.Messages), '}')
	if a.Status == fasthttp.StatusTooManyRequests {
		retryAfter(r.ctx)
	}
	r.ctx.SetStatusCode(a.Status)
	r.body("application/json", b)
}

// sayReplayed marks the answer to a repetition of an earlier request.
func (r *request) sayReplayed(yes bool) {
	if yes {
		r.ctx.Response.Header.Set("Idempotency-Replayed", "true")
	}
}

// count is the one-line counter: the body is the increment, 1 when empty.
func (s *Server) count(r *request) { s.one(r, s.opts.Pipeline.Count, 1) }

// gauge is the one-line gauge: the body is the value.
func (s *Server) gauge(r *request) { s.one(r, s.opts.Pipeline.Gauge, 0) }

type oneLine func(name string, t tags.Tags, v float64, from ingest.From, now int64) ingest.Answer

func (s *Server) one(r *request, add oneLine, empty float64) {
	from, ok := r.keyed()
	if !ok {
		return
	}
	v, text := empty, strings.TrimSpace(string(r.ctx.PostBody()))
	if text != "" || empty == 0 {
		if v, ok = publish.ParseValue([]byte(text)); !ok {
			r.failWith(fasthttp.StatusBadRequest, "body is "+strconv.Quote(clip(text, 40))+", must be one number")
			return
		}
	}
	var t tags.Tags
	for key, value := range r.ctx.QueryArgs().All() {
		t = append(t, tags.Tag{Key: string(key), Value: string(value)})
	}
	a := add(r.vars["name"], tags.Normalize(t), v, from, s.nowMs())
	if a.Status == fasthttp.StatusOK {
		a.Status = fasthttp.StatusNoContent
	}
	if a.Stored > 0 {
		s.opts.Detect.Wake()
	}
	r.answer(a, "")
}
