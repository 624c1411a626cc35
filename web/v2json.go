package web

import (
	"context"
	"fmt"
	"image/color"
	"slices"
	"strings"

	"pulse/query"
	"pulse/web/chart"
	"pulse/web/render"
)

// v2json answers with the graph as a list of typed items.
func (s *Server) v2json(ctx context.Context, r *request, g *query.Result, lease *query.Lease) error {
	drawn, err := s.layOut(r, g)
	if err != nil {
		return err
	}
	g.Notices = drawn.Spec().Notices
	p := s.picture(r, g, drawn)
	if !hasHint(r, "no-image") {
		if p.Image, err = drawPNG(ctx, drawn, lease); err != nil {
			return err
		}
	}
	r.body("application/json", render.AppendV2(nil, g, p))
	return nil
}

// picture says in words how the graph is shown.
func (s *Server) picture(r *request, g *query.Result, drawn *chart.Picture) *render.Picture {
	spec := drawn.Spec()
	p := &render.Picture{
		Title: spec.Title, Layout: layoutNames[spec.Layout], Theme: themeNames[spec.Theme],
		Legend: "LABELS_WITH_STATS", Width: spec.Width, Height: spec.Height, Zoom: spec.Zoom, OnlyGraph: spec.OnlyGraph,
		LoadMs: g.Explain.DataFetchMs, Hints: hints(r),
	}
	switch {
	case spec.NoLegend:
		p.Legend = "OFF"
	case spec.NoLegendStats:
		p.Legend = "LABELS_ONLY"
	}
	for _, zone := range spec.Zones {
		p.Zones = append(p.Zones, zone.String())
	}
	shown := drawn.Axes()
	for i, a := range spec.Axes {
		plot := render.Plot{
			ID: i, Label: a.Label, Scale: scaleNames[a.Scale], TickLabels: tickNames[a.TickLabels], Upper: boundText(a.Upper), Lower: boundText(a.Lower),
		}
		if len(spec.Axes) > 1 && !spec.PlainAxes {
			plot.Color = colorText(shown[i].Color)
		}
		p.Plots = append(p.Plots, plot)
		if heat := shown[i].Heat; heat != nil {
			p.Heatmaps = append(p.Heatmaps, heatmap(i, a.Heat, heat))
		}
	}
	for _, l := range spec.Lines {
		p.Lines = append(p.Lines, render.Look{Plot: l.Axis, Color: colorText(l.Color), Style: lineStyles[l.Style], Width: l.Width})
	}
	return p
}

// heatmap says in words how a heat map was asked for, and what it counts.
func heatmap(plot int, asked chart.Heat, shown *chart.ShownHeat) render.Heatmap {
	m := render.Heatmap{
		Plot: plot, Label: shown.Label, ColorScale: scaleNames[asked.Scale], Upper: boundText(asked.Upper), Lower: boundText(asked.Lower),
		Rows: ranges(shown.Rows, shown.RowLabels), Colors: ranges(shown.Counts, shown.CountLabels), Cells: shown.Cells,
	}
	for i, c := range shown.Colors {
		m.Colors[i].Color = colorText(c)
	}
	return m
}

// ranges are those between edges; the label of one is that of its upper edge.
func ranges(edges []float64, labels []string) []render.Range {
	out := make([]render.Range, len(edges)-1)
	for i := range out {
		out[i] = render.Range{Min: edges[i], Max: edges[i+1], Label: labels[i+1]}
	}
	return out
}

// The names are read only.
var scaleNames = map[chart.Scale]string{
	chart.ScaleLinear: "LINEAR", chart.ScaleLog: "LOGARITHMIC", chart.ScaleLogLinear: "LOG_LINEAR", chart.ScalePow2: "POWER_2", chart.ScaleSqrt: "SQRT", chart.ScalePercentile: "PERCENTILE",
}

var lineStyles = map[chart.LineStyle]string{
	chart.StyleLine: "LINE", chart.StyleArea: "AREA", chart.StyleStack: "STACK", chart.StyleVspan: "VSPAN", chart.StyleHeatmap: "HEATMAP",
}

var layoutNames = map[chart.Layout]string{
	chart.LayoutCanvas: "CANVAS", chart.LayoutImage: "IMAGE", chart.LayoutImageWidth: "IMAGE_WIDTH", chart.LayoutImageHeight: "IMAGE_HEIGHT",
}

var tickNames = map[chart.TickLabels]string{
	chart.TicksDecimal: "DECIMAL", chart.TicksBinary: "BINARY", chart.TicksDuration: "DURATION", chart.TicksOff: "OFF",
}

var themeNames = map[chart.Theme]string{chart.Light: "light", chart.Dark: "dark"}

// colorText writes a colour as AARRGGBB.
func colorText(c color.NRGBA) string {
	return fmt.Sprintf("%02x%02x%02x%02x", c.A, c.R, c.G, c.B)
}

// hints reads the parameter hints, a list, in its order without what is there twice.
func hints(r *request) []string {
	var out []string
	for _, h := range strings.Split(r.param("hints"), ",") {
		if h = strings.TrimSpace(h); h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// hasHint reports whether the parameter hints, a list, has a name.
func hasHint(r *request, name string) bool {
	return slices.Contains(hints(r), name)
}
