package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/query"
	"pulse/query/asl"
	"pulse/query/when"
	"pulse/web/chart"
	"pulse/web/render"
)

// graph is Atlas's graph endpoint.
func (s *Server) graph(r *request) {
	lease := s.opts.Query.Lease()
	defer func() { leaseAnswer(r.ctx, lease) }()
	ctx, leave, err := s.enterQuery(r)
	if err != nil {
		s.graphError(r, err)
		return
	}
	defer leave()
	request, err := s.readGraph(r)
	if err != nil {
		s.graphError(r, err)
		return
	}
	request.Lease = lease
	r.running.follows(&request)
	g, err := s.evalGraph(ctx, r, request)
	if err == nil {
		err = lease.Take(int64(len(g.Lines)) * ((g.End - g.Start) / g.Step) * valueText)
	}
	if err != nil {
		s.graphError(r, err)
		return
	}
	switch zone := request.Zone; r.param("format") {
	case "", "png", "svg":
		if err := s.draw(ctx, r, g, lease); err != nil {
			s.graphError(r, err)
			return
		}
		if r.param("format") != "svg" {
			return
		}
	case "json", "std.json":
		r.body("application/json", render.AppendGraph(nil, g))
	case "stats.json":
		r.body("application/json", render.AppendStats(nil, g))
	case "v2.json":
		if err := s.v2json(ctx, r, g, lease); err != nil {
			r.fail(err)
			return
		}
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

// readGraph reads the parameters that choose the data.
func (s *Server) readGraph(r *request) (query.Request, error) {
	if format := r.param("format"); format != "" && !slices.Contains(graphFormats, format) {
		return query.Request{}, badRequest("parameter format is " + strconv.Quote(clip(format, 40)) + ", must be " + strings.Join(graphFormats, ", "))
	}
	if r.param("q") == "" {
		return query.Request{}, badRequest("missing required parameter 'q'")
	}
	width, err := r.number("w", 700, 1, 1<<30)
	if err != nil {
		return query.Request{}, err
	}
	limit := s.opts.Query.Limits().DatapointsPerLine
	request, err := s.graphRequest(r, int(min(width, int64(limit))), limit)
	for axis := range chart.MaxAxes {
		if strings.EqualFold(r.param(axisParam(r, "tick_labels", axis)), "binary") {
			request.Binary = append(request.Binary, axis)
		}
	}
	return request, err
}

// evalGraph evaluates the expression and orders the lines.
func (s *Server) evalGraph(ctx context.Context, r *request, request query.Request) (*query.Result, error) {
	g, err := s.opts.Query.Eval(ctx, request)
	if err != nil {
		return nil, err
	}
	for axis := range chart.MaxAxes {
		mode, order := r.param(axisParam(r, "sort", axis)), r.param(axisParam(r, "order", axis))
		if mode != "" || order != "" {
			g.SortAxis(axis, mode, order)
		}
	}
	slices.SortStableFunc(g.Lines, func(a, b query.ResultLine) int {
		x, _ := a.Style.Axis() // no number is axis 0, until a picture is drawn
		y, _ := b.Style.Axis()
		return x - y
	})
	choose(r, g)
	restrict(r, g)
	return g, nil
}

// choose leaves out the lines that nobody wants to see: those without one of the
// legends of the parameters only, if there are any, and those of hide.
func choose(r *request, g *query.Result) {
	only, hide := r.params("only"), r.params("hide")
	if len(only) == 0 && len(hide) == 0 {
		return
	}
	g.Lines = slices.DeleteFunc(g.Lines, func(l query.ResultLine) bool {
		return len(only) > 0 && !slices.Contains(only, l.Legend) || slices.Contains(hide, l.Legend)
	})
}

// graphRequest reads what all ways of asking for lines have in common. A line has
// about width values, if that is not 0, and at most so many.
func (s *Server) graphRequest(r *request, width, most int) (query.Request, error) {
	none := query.Request{}
	zone, err := s.zone(r)
	if err != nil {
		return none, err
	}
	if _, _, err := s.timeRange(r); err != nil {
		return none, err
	}
	if r.param("cq") != "" {
		if _, err := s.opts.Query.Interpreter().ParseQuery(r.param("cq")); err != nil {
			return none, badRequest("parameter cq: " + err.Error())
		}
	}
	unstable := strings.EqualFold(r.param("features"), "unstable")
	if f := r.param("features"); f != "" && !unstable && !strings.EqualFold(f, "stable") {
		return none, badRequest("parameter features is " + strconv.Quote(clip(f, 40)) + ", must be stable or unstable")
	}
	now := s.nowMs()
	start, end, step, err := query.ResolveRange(query.Range{
		Start: r.param("s"), End: r.param("e"), Step: r.param("step"), Width: width, Now: now, Zone: zone,
	}, s.opts.Store.Step(), most)
	if err != nil {
		return none, badRequest("parameter step: " + clip(err.Error(), 200))
	}
	return query.Request{
		Program: r.param("q"), Start: start, End: end, Step: step, Now: now, Zone: zone, CQ: r.param("cq"),
		Unstable: unstable,
	}, nil
}

// graphFormats are the values of the parameter format; png is the default.
var graphFormats = []string{"png", "svg", "json", "std.json", "stats.json", "v2.json", "csv", "txt"}

// axisParam is the name of a parameter of one axis: name.i, or the plain name
// for all axes.
func axisParam(r *request, name string, axis int) string {
	if own := name + "." + strconv.Itoa(axis); r.has(own) {
		return own
	}
	return name
}

// restrict notes that a picture is smaller than was asked for.
func restrict(r *request, g *query.Result) {
	for _, side := range []struct {
		param, name string
		most        int64
	}{{"h", "height", chart.MaxHeight}, {"w", "width", chart.MaxWidth}} {
		if n, err := r.number(side.param, 0, 1, 1<<30); err == nil && n > side.most {
			g.Notices = append(g.Notices, fmt.Sprintf("Restricted graph %s to %d.", side.name, side.most))
		}
	}
	if zoom, err := strconv.ParseFloat(r.param("zoom"), 64); err == nil && zoom > chart.MaxZoom {
		g.Notices = append(g.Notices, fmt.Sprintf("Restricted zoom to %.1f.", chart.MaxZoom))
	}
}

func (s *Server) zone(r *request) (*time.Location, error) {
	zones, err := s.zones(r)
	if err != nil {
		return nil, err
	}
	return zones[0], nil
}

// zones returns the time zones that the request names, the primary one first: it
// is that of dates without one.
func (s *Server) zones(r *request) ([]*time.Location, error) {
	names := r.params("tz")
	if len(names) > chart.MaxZones {
		return nil, badRequest("parameter tz is given " + strconv.Itoa(len(names)) + " times, at most " + strconv.Itoa(chart.MaxZones) + " are shown")
	}
	var zones []*time.Location
	for _, name := range names {
		if name == "" {
			continue
		}
		zone, err := time.LoadLocation(name)
		if err != nil || len(name) > 64 {
			return nil, badRequest("parameter tz is " + strconv.Quote(clip(name, 64)) + ", must be a time zone such as UTC or Europe/Berlin")
		}
		zones = append(zones, zone)
	}
	if len(zones) == 0 {
		zones = append(zones, s.opts.Zone)
	}
	return zones, nil
}

// timeForms is what helps who wrote a time that is none.
const timeForms = "; a time is written e-3h, now-1d, 1700000000 or 2024-02-01T03:04"

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
	if err = when.CheckRange(from, to); err == nil {
		start, end, err = when.ParseRange(from, to, s.nowMs(), zone)
	}
	fault := (*when.RangeError)(nil)
	switch {
	case errors.As(err, &fault) && fault.End:
		return 0, 0, badRequest("parameter e: " + clip(err.Error(), 200) + timeForms)
	case fault != nil:
		return 0, 0, badRequest("parameter s: " + clip(err.Error(), 200) + timeForms)
	case err != nil:
		return 0, 0, badRequest("parameters s and e: " + clip(err.Error(), 200))
	}
	return start, end, nil
}

// graphError answers with the error, as a picture to a browser that wants one.
func (s *Server) graphError(r *request, err error) {
	err = r.cause(err)
	if (r.param("format") == "" || r.param("format") == "png") && r.wantsImageErrors() {
		var b bytes.Buffer
		width, _ := r.number("w", 700, 1, chart.MaxWidth)
		height, _ := r.number("h", 300, 1, chart.MaxHeight)
		if chart.ErrorPNG(&b, err.Error(), errorHelp(err), int(width), int(height), theme(r)) == nil {
			r.body("image/png", b.Bytes())
			return
		}
	}
	r.fail(err)
}

// errorHelp says where in its program an expression went wrong, and what helps.
func errorHelp(err error) []string {
	e := (*asl.Error)(nil)
	if !errors.As(err, &e) {
		return nil
	}
	var help []string
	if e.Hint != "" {
		help = append(help, e.Hint)
	}
	if e.Offset >= 0 {
		help = append(help, "at byte "+strconv.Itoa(e.Offset)+" of the expression: "+clip(e.Token, 60))
	}
	if e.Stack != nil {
		help = append(help, "the stack held: "+strings.Join(e.Stack, ", "))
	}
	if e.Needs != nil {
		help = append(help, "the word needs: "+strings.Join(e.Needs, ", "))
	}
	return help
}
