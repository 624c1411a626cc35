package web

import (
	"strconv"

	"pulse/store/match"
	"pulse/web/render"
)

// tagPage is the largest and the default page of the tags API.
const tagPage = 1000

// nextOffset tells where the next page starts.
const nextOffset = "x-nflx-atlas-next-offset"

// tagKeys lists the keys of the series that q matches, in order.
func (s *Server) tagKeys(r *request) {
	q, limit, err := s.tagArgs(r)
	if err != nil {
		r.fail(err)
		return
	}
	ctx, leave, err := s.enterQuery(r)
	if err != nil {
		r.fail(err)
		return
	}
	defer leave()
	keys, err := s.opts.Store.FindKeys(ctx, q, r.param("offset"), int(limit))
	if err != nil {
		r.fail(inTime(ctx, err))
		return
	}
	if len(keys) == int(limit) {
		r.ctx.Response.Header.Set(nextOffset, keys[len(keys)-1])
	}
	if r.flag("verbose") && r.param("format") != "txt" {
		b := []byte{'['}
		for i, key := range keys {
			b = appendTagObject(b, i, key, "", -1)
		}
		r.body("application/json", append(b, ']'))
		compress(r.ctx)
		return
	}
	r.stringList(keys)
}

// tagValues lists the values of one key, with how many series have each when
// verbose.
func (s *Server) tagValues(r *request) {
	q, limit, err := s.tagArgs(r)
	if err != nil {
		r.fail(err)
		return
	}
	key := r.vars["key"]
	verbose := r.flag("verbose") && r.param("format") != "txt"
	after := r.param("offset")
	if verbose {
		if k, v, ok := cutByte(after, ','); ok && k == key {
			after = v
		}
	}
	ctx, leave, err := s.enterQuery(r)
	if err != nil {
		r.fail(err)
		return
	}
	defer leave()
	values, err := s.opts.Store.FindValues(ctx, key, q, after, int(limit))
	if err != nil {
		r.fail(inTime(ctx, err))
		return
	}
	if len(values) == int(limit) {
		last := values[len(values)-1].Value
		if verbose {
			last = key + "," + last
		}
		r.ctx.Response.Header.Set(nextOffset, last)
	}
	if verbose {
		b := []byte{'['}
		for i, v := range values {
			b = appendTagObject(b, i, key, v.Value, v.Count)
		}
		r.body("application/json", append(b, ']'))
		compress(r.ctx)
		return
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.Value
	}
	r.stringList(list)
}

func (s *Server) tagArgs(r *request) (match.Query, int64, error) {
	limit, err := r.number("limit", tagPage, 1, tagPage)
	if err != nil {
		return nil, 0, err
	}
	switch r.param("format") {
	case "", "json", "txt":
	default:
		return nil, 0, badRequest("parameter format is " + clip(r.param("format"), 40) + ", must be json or txt")
	}
	if !r.has("q") {
		return match.Const(true), limit, nil
	}
	q, err := s.opts.Query.Interpreter().ParseQuery(r.param("q"))
	return q, limit, err
}

func appendTagObject(b []byte, i int, key, value string, count int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(b, `{"key":`...)
	b = render.AppendString(b, key)
	if value != "" {
		b = append(b, `,"value":`...)
		b = render.AppendString(b, value)
	}
	b = append(b, `,"count":`...)
	return append(strconv.AppendInt(b, int64(count), 10), '}')
}

// stringList answers with a JSON array, or one string a line for format=txt.
func (r *request) stringList(list []string) {
	if r.param("format") != "txt" {
		r.body("application/json", render.AppendStrings(nil, list))
		compress(r.ctx)
		return
	}
	var b []byte
	for _, s := range list {
		b = append(append(b, s...), '\n')
	}
	r.body("text/plain; charset=utf-8", b)
	compress(r.ctx)
}
