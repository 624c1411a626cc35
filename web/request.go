package web

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/ingest"
	"pulse/query"
	"pulse/query/asl"
	"pulse/web/render"
	"pulse/web/token"
)

// request is what a handler works on. It is valid until the handler returns.
type request struct {
	ctx   *fasthttp.RequestCtx
	vars  map[string]string // the values of the route's braces
	token token.Token       // the sender's; zero without tokens
	query context.Context   // of a handler that is gated: its time, and its client

	running *runningQuery // of a handler that is a query
}

// param returns a copy of the query parameter, "" when it is absent.
func (r *request) param(name string) string {
	return string(r.ctx.QueryArgs().Peek(name))
}

func (r *request) has(name string) bool { return r.ctx.QueryArgs().Has(name) }

// params returns copies of all values of a repeatable parameter.
func (r *request) params(name string) []string {
	var out []string
	for _, v := range r.ctx.QueryArgs().PeekMulti(name) {
		out = append(out, string(v))
	}
	return out
}

// number reads a whole number from min to max; absent means def.
func (r *request) number(name string, def, min, max int64) (int64, error) {
	text := r.param(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < min || n > max {
		return 0, badRequest("parameter " + name + " is " + strconv.Quote(clip(text, 40)) + ", must be a whole number from " +
			strconv.FormatInt(min, 10) + " to " + strconv.FormatInt(max, 10))
	}
	return n, nil
}

// flag reads a boolean parameter: 1 or true.
func (r *request) flag(name string) bool {
	v := r.param(name)
	return v == "1" || v == "true"
}

// from says who sent the request. The address loses its port, so that a
// client that reconnects stays one source.
func (r *request) from() ingest.From {
	peer := r.ctx.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(peer); err == nil {
		peer = host
	}
	return ingest.From{Peer: peer, Token: r.token.Name, Header: string(r.ctx.Request.Header.Peek("X-Pulse-Source"))}
}

// fail answers with err; one about a program also says where in it.
func (r *request) fail(err error) {
	err = r.cause(err)
	writeError(r.ctx, statusOf(err), err.Error())
	if e := (*asl.Error)(nil); errors.As(err, &e) {
		whole := *e
		whole.Message = err.Error()
		r.ctx.SetBody(render.AppendProgramError(nil, &whole))
	}
}

// cause returns err, or that the query of the request was cancelled if err says that
// its context has ended.
func (r *request) cause(err error) error {
	if r.running == nil {
		return err
	}
	return query.InTime(r.running.ctx, err)
}

func (r *request) failWith(status int, message string) { writeError(r.ctx, status, message) }

// json answers 200 with v.
func (r *request) json(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		r.failWith(fasthttp.StatusInternalServerError, "encode the answer: "+err.Error())
		return
	}
	r.body("application/json", append(b, '\n'))
	compress(r.ctx)
}

// body answers 200 with b, which the answer keeps.
func (r *request) body(contentType string, b []byte) {
	r.ctx.SetContentType(contentType)
	r.ctx.Response.SetBodyRaw(b)
}

// nowMs is the server's time in Unix milliseconds.
func (s *Server) nowMs() int64 { return s.opts.Clock.Now().UnixMilli() }

func rfc3339(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// loopback reports whether the request came over the loopback interface.
func (r *request) loopback() bool {
	ip := r.ctx.RemoteIP()
	return ip != nil && ip.IsLoopback()
}

// wantsImageErrors reports whether a browser asked for a picture: for one in a
// page, or for a page of its own, as Atlas does. A script in a browser reads JSON.
func (r *request) wantsImageErrors() bool {
	h := &r.ctx.Request.Header
	if strings.HasPrefix(string(h.Peek("Sec-Fetch-Dest")), "image") || strings.HasPrefix(string(h.Peek("Accept")), "image/") {
		return true
	}
	agent := strings.ToLower(string(h.Peek("User-Agent")))
	return string(h.Peek("Sec-Fetch-Dest")) != "empty" &&
		slices.ContainsFunc([]string{"mozilla", "msie", "gecko", "chrome", "opera", "webkit"}, func(name string) bool { return strings.Contains(agent, name) })
}
