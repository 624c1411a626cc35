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
		Title: spec.Title, Layout: capitals(r.param("layout"), "CANVAS"), Theme: strings.ToLower(capitals(r.param("theme"), "light")),
		Legend: "LABELS_WITH_STATS", Width: spec.Width, Height: spec.Height, Zoom: spec.Zoom, OnlyGraph: spec.OnlyGraph, LoadMs: g.Explain.DataFetchMs,
	}
	switch {
	case spec.NoLegend || spec.OnlyGraph:
		p.Legend = "OFF"
	case spec.NoLegendStats:
		p.Legend = "LABELS_ONLY"
	}
	for _, zone := range spec.Zones {
		p.Zones = append(p.Zones, zone.String())
	}
	shown := drawn.Axes()
	for i, a := range spec.Axes {
		at := func(name string) string { return r.param(axisParam(r, name, a.Number)) }
		p.Plots = append(p.Plots, render.Plot{
			ID: a.Number, Label: a.Label, Color: colorText(shown[i].Color), Scale: scaleNames[a.Scale], TickLabels: capitals(at("tick_labels"), "DECIMAL"),
			Upper: orDefault(at("u"), "auto-style"), Lower: orDefault(at("l"), "auto-style"),
		})
		if heat := shown[i].Heat; heat != nil {
			m := render.Heatmap{
				Plot: a.Number, Label: heat.Label, ColorScale: scaleNames[a.Heat.Scale], Step: heat.Step, Rows: heat.Rows, Cells: heat.Cells, Counts: heat.Counts,
				Upper: orDefault(at("heatmap_u"), "auto-style"), Lower: orDefault(at("heatmap_l"), "auto-style"),
			}
			for _, c := range heat.Colors {
				m.Colors = append(m.Colors, colorText(c))
			}
			p.Heatmaps = append(p.Heatmaps, m)
		}
	}
	for _, l := range spec.Lines {
		p.Lines = append(p.Lines, render.Look{
			Plot: spec.Axes[l.Axis].Number, Color: colorText(l.Color), Style: lineStyles[l.Style], Width: l.Width,
		})
	}
	return p
}

// scaleNames and lineStyles are read only.
var scaleNames = map[chart.Scale]string{
	chart.ScaleLinear: "LINEAR", chart.ScaleLog: "LOGARITHMIC", chart.ScaleLogLinear: "LOG_LINEAR", chart.ScalePow2: "POWER_2", chart.ScaleSqrt: "SQRT", chart.ScalePercentile: "PERCENTILE",
}

var lineStyles = map[chart.LineStyle]string{
	chart.StyleLine: "LINE", chart.StyleArea: "AREA", chart.StyleStack: "STACK", chart.StyleVspan: "VSPAN", chart.StyleHeatmap: "HEATMAP",
}

func orDefault(text, def string) string {
	if text == "" {
		return def
	}
	return text
}

func capitals(text, def string) string { return strings.ToUpper(orDefault(text, def)) }

// colorText writes a colour as AARRGGBB.
func colorText(c color.NRGBA) string {
	return fmt.Sprintf("%02x%02x%02x%02x", c.A, c.R, c.G, c.B)
}

// hasHint reports whether the parameter hints, a list, has a name.
func hasHint(r *request, name string) bool {
	return slices.Contains(strings.Split(r.param("hints"), ","), name)
}
