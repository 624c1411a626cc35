package web

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulse/query"
	"pulse/web/chart"
)

func theme(r *request) chart.Theme {
	if r.param("theme") == "dark" {
		return chart.Dark
	}
	return chart.Light
}

// png draws the graph.
func (s *Server) png(r *request, g *query.Result, zone *time.Location, lease *query.Lease) {
	spec, err := pictureSpec(r, g, zone)
	if err == nil {
		err = lease.Take(int64(float64(spec.Width*spec.Height) * spec.Zoom * spec.Zoom * pixelBytes))
	}
	if err != nil {
		s.graphError(r, err)
		return
	}
	var b bytes.Buffer
	if err := chart.PNG(&b, spec); err != nil {
		s.graphError(r, err)
		return
	}
	r.body("image/png", b.Bytes())
}

// pictureSpec turns parameters and styles into what the chart draws.
func pictureSpec(r *request, g *query.Result, zone *time.Location) (chart.Spec, error) {
	p := params{r: r}
	spec := chart.Spec{
		Title: clip(r.param("title"), 200), Width: int(p.size("w", 700, chart.MaxWidth)), Height: int(p.size("h", 300, chart.MaxHeight)),
		Zoom: p.float("zoom", 1, 0.1, chart.MaxZoom), Theme: theme(r), Start: g.Start, End: g.End, Step: g.Step, Zone: zone,
		NoLegend: r.flag("no_legend"), NoLegendStats: r.flag("no_legend_stats"), OnlyGraph: r.flag("only_graph"),
		Notices: g.Notices,
		Axes:    make([]chart.Axis, 1, 5),
	}
	spec.Layout = pick(&p, "layout", map[string]chart.Layout{"": chart.LayoutCanvas, "canvas": chart.LayoutCanvas, "image": chart.LayoutImage, "iw": chart.LayoutImageWidth, "ih": chart.LayoutImageHeight})
	if t := r.param("theme"); t != "" && t != "light" && t != "dark" {
		p.refuse("theme", t, "light or dark")
	}
	if name := r.param("palette"); name != "" {
		var ok bool
		if spec.Palette, ok = chart.Palette(name, spec.Theme); !ok {
			p.refuse("palette", name, "armytage, light24 or safe")
		}
	}
	for i := range g.Lines {
		line, axis, err := pictureLine(&g.Lines[i])
		if err != nil {
			return spec, err
		}
		for len(spec.Axes) <= axis {
			spec.Axes = append(spec.Axes, chart.Axis{})
		}
		line.Axis = axis
		spec.Lines = append(spec.Lines, line)
	}
	for i := range spec.Axes {
		spec.Axes[i] = p.axis(i)
	}
	return spec, p.err
}

// pictureLine turns a line's style into the chart's.
func pictureLine(l *query.ResultLine) (chart.Line, int, error) {
	line := chart.Line{Label: l.Legend, Values: l.Values, Width: 1}
	if text := l.Style.Settings["color"]; text != "" {
		line.Color, _ = chart.ParseColor(text)
	}
	if alpha, err := strconv.ParseUint(l.Style.Settings["alpha"], 16, 8); err == nil {
		line.Alpha = uint8(alpha)
	}
	if w, err := strconv.ParseFloat(l.Style.Settings["lw"], 64); err == nil && w > 0 && w <= 20 {
		line.Width = w
	}
	switch l.Style.Settings["ls"] {
	case "area":
		line.Style = chart.StyleArea
	case "stack":
		line.Style = chart.StyleStack
	case "vspan":
		line.Style = chart.StyleVspan
	case "heatmap":
		return line, 0, badRequest("line style heatmap is not drawn; ask for format=json")
	}
	axis, err := l.Style.Axis()
	return line, axis, err
}

// params reads the parameters of a picture and remembers the first fault.
type params struct {
	r   *request
	err error
}

func (p *params) refuse(name, got, want string) {
	if p.err == nil {
		p.err = badRequest("parameter " + name + " is " + strconv.Quote(clip(got, 40)) + ", must be " + want)
	}
}

// size reads a length in pixels; what is larger than most is drawn as most.
func (p *params) size(name string, def, most int64) int64 {
	n, err := p.r.number(name, def, 1, 1<<30)
	if err != nil && p.err == nil {
		p.err = err
	}
	return min(n, most)
}

func (p *params) float(name string, def, lo, hi float64) float64 {
	text := p.r.param(name)
	if text == "" {
		return def
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= lo && v <= hi) {
		p.refuse(name, text, "a number from "+strconv.FormatFloat(lo, 'g', -1, 64)+" to "+strconv.FormatFloat(hi, 'g', -1, 64))
		return def
	}
	return v
}

// axis reads what is said about axis i: name.i, or name for all axes.
func (p *params) axis(i int) chart.Axis {
	at := func(name string) string {
		if own := name + "." + strconv.Itoa(i); p.r.has(own) {
			return own
		}
		return name
	}
	a := chart.Axis{Label: clip(p.r.param(at("ylabel")), 100)}
	a.Scale = pick(p, at("scale"), map[string]chart.Scale{"": chart.ScaleLinear, "linear": chart.ScaleLinear, "log": chart.ScaleLog, "log-linear": chart.ScaleLog, "pow2": chart.ScalePow2, "sqrt": chart.ScaleSqrt})
	if p.r.flag(at("o")) {
		a.Scale = chart.ScaleLog
	}
	a.TickLabels = pick(p, at("tick_labels"), map[string]chart.TickLabels{"": chart.TicksDecimal, "decimal": chart.TicksDecimal, "binary": chart.TicksBinary, "duration": chart.TicksDuration, "off": chart.TicksOff})
	a.Lower, a.Upper = p.bound(at("l")), p.bound(at("u"))
	return a
}

func (p *params) bound(name string) chart.Bound {
	switch text := p.r.param(name); text {
	case "", "auto-style":
		return chart.Bound{Kind: chart.BoundAutoStyle}
	case "auto-data":
		return chart.Bound{Kind: chart.BoundAutoData}
	default:
		return chart.Bound{Kind: chart.BoundValue, Value: p.float(name, 0, -1e300, 1e300)}
	}
}

// pick reads one of the named choices.
func pick[T any](p *params, name string, choices map[string]T) T {
	v, ok := choices[p.r.param(name)]
	if !ok {
		var names []string
		for choice := range choices {
			if choice != "" {
				names = append(names, choice)
			}
		}
		p.refuse(name, p.r.param(name), "one of "+sortedList(names))
	}
	return v
}

func sortedList(names []string) string {
	slices.Sort(names)
	return strings.Join(names, ", ")
}
