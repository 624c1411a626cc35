package web

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulse/query"
	"pulse/query/expr"
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

// pictureSpec turns parameters and styles into what the chart draws.
func pictureSpec(r *request, g *query.Result, zones []*time.Location) (chart.Spec, error) {
	p := params{r: r}
	spec := chart.Spec{
		Title: clip(r.param("title"), 200), Width: int(p.size("w", 700, chart.MaxWidth)), Height: int(p.size("h", 300, chart.MaxHeight)),
		Zoom: p.float("zoom", 1, 0.1, chart.MaxZoom), Theme: theme(r), Start: g.Start, End: g.End, Step: g.Step, Zones: zones,
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
	for _, n := range numbers {
		spec.Axes = append(spec.Axes, p.axis(n, spec.Theme))
	}
	return spec, p.err
}

// lines fills in the lines and returns the numbers of the axes that they stand
// on in ascending order, which is that of Spec.Axes.
func (p *params) lines(spec *chart.Spec, g *query.Result) ([]int, error) {
	perLine := p.r.flag("axis_per_line")
	if n := len(g.Lines); perLine && n > chart.MaxAxes {
		perLine = false
		spec.Notices = append(slices.Clone(spec.Notices), fmt.Sprintf("Too many Y-axes, %d > %d, axis per line disabled.", n, chart.MaxAxes))
	}
	palettes := map[*expr.Style]*chart.Palette{}
	used := map[int]bool{}
	for i := range g.Lines {
		l := &g.Lines[i]
		axis, err := l.Style.Axis()
		if err != nil {
			return nil, err
		}
		if perLine {
			axis = i
		}
		line, err := pictureLine(l, p.r.flag(axisParam(p.r, "stack", axis)))
		if err != nil {
			return nil, err
		}
		if text := l.Style.Settings["palette"]; text != "" {
			if palettes[l.Style] == nil {
				own, err := chart.ParsePalette(text, spec.Theme)
				if err != nil {
					return nil, badRequest(clip(err.Error(), 300))
				}
				palettes[l.Style] = &own
			}
			line.Palette = palettes[l.Style]
		}
		used[axis], line.Axis = true, axis
		spec.Lines = append(spec.Lines, line)
	}
	if len(used) == 0 {
		used[0] = true
	}
	numbers := slices.Sorted(maps.Keys(used))
	for i := range spec.Lines {
		spec.Lines[i].Axis = slices.Index(numbers, spec.Lines[i].Axis)
	}
	return numbers, nil
}

// pictureLine turns a line's style into the chart's.
func pictureLine(l *query.ResultLine, stack bool) (chart.Line, error) {
	line := chart.Line{Label: l.Legend, Key: l.Label, Values: l.Values, Width: 1}
	if text := l.Style.Settings["color"]; text != "" {
		var ok bool
		if line.Color, ok = chart.ParseColor(text); !ok {
			return line, badRequest("unknown color name " + strconv.Quote(clip(text, 40)) + ", must be one of " + strings.Join(chart.ColorNames(), ", ") + ", or hex digits")
		}
	}
	if alpha, err := strconv.ParseUint(l.Style.Settings["alpha"], 16, 8); err == nil {
		line.Alpha = uint8(alpha)
	}
	if w, err := strconv.ParseFloat(l.Style.Settings["lw"], 64); err == nil && w > 0 {
		line.Width = w
	}
	switch ls := l.Style.Settings["ls"]; {
	case ls == "area":
		line.Style = chart.StyleArea
	case ls == "stack" || ls == "" && stack:
		line.Style = chart.StyleStack
	case ls == "vspan":
		line.Style = chart.StyleVspan
	case ls == "heatmap":
		line.Style = chart.StyleHeatmap
		line.Bucket = bucket(l)
	}
	return line, nil
}

// bucket returns what a line of a percentile counts: the range of its bucket,
// for a timer in seconds; nil for any other line.
func bucket(l *query.ResultLine) *[2]float64 {
	tag, _ := l.Tags.Get("percentile")
	low, high, ok := expr.BucketRange(tag)
	if !ok {
		return nil
	}
	return &[2]float64{low, high}
}
