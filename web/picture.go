package web

import (
	"bytes"
	"context"
	"strings"
	"time"

	"pulse/query"
	"pulse/query/expr"
	"pulse/store/tags"
	"pulse/web/chart"
)

func theme(r *request) chart.Theme {
	if r.param("theme") == "dark" {
		return chart.Dark
	}
	return chart.Light
}

// draw answers with the graph as a picture, PNG or SVG.
func (s *Server) draw(ctx context.Context, r *request, g *query.Result, lease *query.Lease) error {
	p, err := s.layOut(r, g)
	if err != nil {
		return err
	}
	if r.param("format") == "svg" {
		if err := lease.Take(int64(len(g.Lines)) * ((g.End - g.Start) / g.Step) * vectorText); err != nil {
			return err
		}
		var b bytes.Buffer
		if err := p.SVG(ctx, &b); err != nil {
			return err
		}
		r.body("image/svg+xml", b.Bytes())
		return nil
	}
	image, err := drawPNG(ctx, p, lease)
	if err != nil {
		return err
	}
	r.body("image/png", image)
	return nil
}

// drawPNG takes the memory of the pixels and draws.
func drawPNG(ctx context.Context, p *chart.Picture, lease *query.Lease) ([]byte, error) {
	width, height := p.Size()
	if err := lease.Take(int64(width) * int64(height) * pixelBytes); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := p.PNG(ctx, &b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// layOut lays the graph out without drawing it.
func (s *Server) layOut(r *request, g *query.Result) (*chart.Picture, error) {
	zones, err := s.zones(r)
	if err != nil {
		return nil, err
	}
	spec, err := pictureSpec(r, g, zones)
	if err != nil {
		return nil, err
	}
	p, err := chart.New(spec)
	if err != nil {
		return nil, badRequest(err.Error())
	}
	return p, nil
}

// anyZoom is the largest zoom that can be asked for; more than chart.MaxZoom is
// drawn as that.
const anyZoom = 1e6

// pictureSpec turns parameters and styles into what the chart draws.
func pictureSpec(r *request, g *query.Result, zones []*time.Location) (chart.Spec, error) {
	p := params{r: r}
	spec := chart.Spec{
		Width: int(p.size("w", 700, chart.MaxWidth)), Height: int(p.size("h", 300, chart.MaxHeight)),
		Zoom: min(p.float("zoom", 1, 0.1, anyZoom), chart.MaxZoom), Theme: theme(r), Start: g.Start, End: g.End, Step: g.Step, Zones: zones,
		NoLegend: r.flag("no_legend"), NoLegendStats: r.flag("no_legend_stats"), OnlyGraph: r.flag("only_graph"),
		PlainAxes: hasHint(r, "ambiguous-multi-y"), Notices: g.Notices,
	}
	spec.Layout = pick(&p, "layout", map[string]chart.Layout{"": chart.LayoutCanvas, "canvas": chart.LayoutCanvas, "image": chart.LayoutImage, "iw": chart.LayoutImageWidth, "ih": chart.LayoutImageHeight})
	if t := r.param("theme"); t != "" && t != "light" && t != "dark" {
		p.refuse("theme", t, "light or dark")
	}
	var ok bool
	if spec.Vision, ok = chart.ParseVision(r.param("vision")); !ok {
		p.refuse("vision", r.param("vision"), "one of "+strings.Join(chart.VisionNames(), ", "))
	}
	spec.Palette = p.palette("palette", spec.Theme)
	numbers, err := p.lines(&spec, g)
	if err != nil {
		return spec, err
	}
	shared := func(axis int) tags.Tags {
		var lines []tags.Tags
		for i, l := range spec.Lines {
			if axis < 0 || l.Axis == axis {
				lines = append(lines, g.Lines[i].Tags)
			}
		}
		return sharedTags(lines)
	}
	spec.Title = clip(expr.Substitute(r.param("title"), shared(-1).Get), 200)
	for i, n := range numbers {
		a := p.axis(n, spec.Theme)
		a.Label = clip(expr.Substitute(r.param(axisParam(r, "ylabel", n)), shared(i).Get), 100)
		spec.Axes = append(spec.Axes, a)
	}
	return spec, p.err
}
