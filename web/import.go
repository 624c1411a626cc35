package web

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"pulse/ingest"
	"pulse/web/render"
)

// importLines takes history, one series per line.
func (s *Server) importLines(r *request) {
	from, ok := r.keyed()
	if !ok || !r.takesType() {
		return
	}
	body, done, err := s.opts.Pipeline.ExpandImport(r.ctx.PostBody(), string(r.ctx.Request.Header.ContentEncoding()))
	if err != nil {
		r.failWith(ingestStatus(err), err.Error())
		return
	}
	defer done()
	a := s.opts.Pipeline.Import(body, from, s.nowMs())
	switch {
	case a.Uncertain:
		hangUp(r.ctx)
	case a.Message != "":
		r.failWith(a.Status, a.Message)
	default:
		r.sayReplayed(a.Repeated)
		if a.Status == fasthttp.StatusTooManyRequests {
			retryAfter(r.ctx)
		}
		r.ctx.SetStatusCode(a.Status)
		r.body("application/json", appendImport(nil, &a))
	}
}

// appendImport appends the answer to an import. One that took nothing is an
// error as of every route.
func appendImport(b []byte, a *ingest.ImportAnswer) []byte {
	b = append(b, '{')
	switch {
	case a.Status >= fasthttp.StatusBadRequest:
		b = append(b, `"type":"error","message":`...)
		b = append(render.AppendString(b, "no point was accepted: "+a.Errors[0].Reason), ',')
	case a.Rejected > 0:
		b = append(b, `"type":"partial",`...)
	}
	b = strconv.AppendInt(append(b, `"accepted":`...), int64(a.Accepted), 10)
	b = strconv.AppendInt(append(b, `,"rejected":`...), int64(a.Rejected), 10)
	b = append(b, `,"errors":[`...)
	for i, e := range a.Errors {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"line":`...), int64(e.Line), 10)
		b = append(render.AppendString(append(b, `,"reason":`...), e.Reason), '}')
	}
	return append(b, "]}\n"...)
}
