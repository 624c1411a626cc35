package web

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/query"
	"pulse/query/when"
	"pulse/web/chart"
	"pulse/web/render"
)

// graph is Atlas's graph endpoint.
func (s *Server) graph(r *request) {
	lease := s.opts.Query.Lease()
	defer func() { leaseAnswer(r.ctx, lease) }()
	g, zone, err := s.evalGraph(r, lease)
	if err == nil {
		err = lease.Take(int64(len(g.Lines)) * ((g.End - g.Start) / g.Step) * valueText)
	}
	if err != nil {
		s.graphError(r, err)
		return
	}
	switch r.param("format") {
	case "", "png":
		s.png(r, g, zone, lease)
		return
	case "json", "std.json":
		r.body("application/json", render.AppendGraph(nil, g))
	case "csv":
		r.body("text/csv; charset=utf-8", render.AppendTable(nil, g, ',', zone))
	case "txt":
		r.body("text/plain; charset=utf-8", render.AppendTable(nil, g, '\t', zone))
	}
	if size := len(r.ctx.Response.Body()); size > s.opts.MaxAnswer {
		r.failWith(fasthttp.StatusBadRequest, "the answer has "+strconv.Itoa(size)+" bytes, at most "+strconv.Itoa(s.opts.MaxAnswer)+" are sent; ask for fewer lines or a shorter range")
		return
	}
	compress(r.ctx)
}

// evalGraph reads the parameters and evaluates the expression.
func (s *Server) evalGraph(r *request, lease *query.Lease) (*query.Result, *time.Location, error) {
	switch format := r.param("format"); format {
	case "", "png", "json", "std.json", "csv", "txt":
	default:
		return nil, nil, badRequest("parameter format is " + strconv.Quote(clip(format, 40)) + ", must be png, json, std.json, csv or txt")
	}
	if r.param("q") == "" {
		return nil, nil, badRequest("missing required parameter 'q'")
	}
	zone, err := s.zone(r)
	if err != nil {
		return nil, nil, err
	}
	width, err := r.number("w", 700, 1, 1<<30)
	if err != nil {
		return nil, nil, err
	}
	if _, _, err := s.timeRange(r); err != nil {
		return nil, nil, err
	}
	if r.param("cq") != "" {
		if _, err := s.opts.Query.Interpreter().ParseQuery(r.param("cq")); err != nil {
			return nil, nil, badRequest("parameter cq: " + err.Error())
		}
	}
	now := s.nowMs()
	limit := s.opts.Query.Limits().DatapointsPerLine
	start, end, step, err := query.ResolveRange(query.Range{
		Start: r.param("s"), End: r.param("e"), Step: r.param("step"), Width: int(min(width, int64(limit))), Now: now, Zone: zone,
	}, s.opts.Store.Step(), limit)
	if err != nil {
		return nil, nil, badRequest("parameter step: " + err.Error())
	}
	ctx, leave, err := s.enterQuery(r)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	g, err := s.opts.Query.Eval(ctx, query.Request{
		Program: r.param("q"), Start: start, End: end, Step: step, Now: now, Zone: zone, CQ: r.param("cq"),
		Unstable: r.param("features") == "unstable", Lease: lease,
	})
	return g, zone, err
}

// enterQuery waits for a slot and bounds the query's time. The caller calls the
// function that it returns when the query is done.
func (s *Server) enterQuery(r *request) (context.Context, func(), error) {
	if err := s.gate.enter(s.stop, s.opts.Clock, s.opts.QueryWait); err != nil {
		return nil, nil, err
	}
	s.stats.queries.Add(1)
	ctx, cancel := context.WithTimeout(s.stop, s.opts.QueryTimeout)
	unwatch := watchClient(r.ctx.Conn(), cancel)
	return ctx, func() { unwatch(); cancel(); s.gate.leave() }, nil
}

func (s *Server) zone(r *request) (*time.Location, error) {
	name := r.param("tz")
	if name == "" {
		return s.opts.Zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || len(name) > 64 {
		return nil, badRequest("parameter tz is " + strconv.Quote(clip(name, 64)) + ", must be a time zone such as UTC or Europe/Berlin")
	}
	return zone, nil
}

// timeRange reads s and e for routes that have no step of their own.
func (s *Server) timeRange(r *request) (start, end int64, err error) {
	zone, err := s.zone(r)
	if err != nil {
		return 0, 0, err
	}
	from, to := r.param("s"), r.param("e")
	if from == "" {
		from = "e-3h"
	}
	if to == "" {
		to = "now"
	}
	if start, end, err = when.ParseRange(from, to, s.nowMs(), zone); err != nil {
		return 0, 0, badRequest("parameters s and e: " + err.Error())
	}
	return start, end, nil
}

// graphError answers with the error, as a picture to a browser that wants one.
func (s *Server) graphError(r *request, err error) {
	if (r.param("format") == "" || r.param("format") == "png") && r.wantsImageErrors() {
		var b bytes.Buffer
		if chart.ErrorPNG(&b, err.Error(), 700, 300, theme(r)) == nil {
			r.body("image/png", b.Bytes())
			return
		}
	}
	r.fail(err)
}
