package web

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"
	"strings"
	"time"

	"pulse/query"
	"pulse/web/chart"
	"pulse/web/render"
)

// v2json answers with the graph as a list of typed items.
func (s *Server) v2json(r *request, g *query.Result, zone *time.Location, lease *query.Lease) error {
	spec, err := pictureSpec(r, g, zone)
	if err != nil {
		return err
	}
	p, err := s.picture(r, g, spec)
	if err != nil {
		return err
	}
	if !hasHint(r, "no-image") {
		if err := lease.Take(int64(float64(spec.Width*spec.Height) * spec.Zoom * spec.Zoom * pixelBytes)); err != nil {
			return err
		}
		var b bytes.Buffer
		if err := chart.PNG(&b, spec); err != nil {
			return err
		}
		p.Image = b.Bytes()
	}
	r.body("application/json", render.AppendV2(nil, g, p))
	return nil
}

// picture says in words how the graph is shown.
func (s *Server) picture(r *request, g *query.Result, spec chart.Spec) (*render.Picture, error) {
	spec, err := spec.Checked()
	if err != nil {
		return nil, err
	}
	zones, err := s.zones(r)
	if err != nil {
		return nil, err
	}
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
	for _, zone := range zones {
		p.Zones = append(p.Zones, zone.String())
	}
	for i, a := range spec.Axes {
		at := func(name string) string { return r.param(axisParam(r, name, i)) }
		scale := scaleNames[at("scale")]
		if r.flag(axisParam(r, "o", i)) {
			scale = scaleNames["log"]
		}
		p.Plots = append(p.Plots, render.Plot{
			Label: a.Label, Scale: scale, TickLabels: capitals(at("tick_labels"), "DECIMAL"),
			Upper: orDefault(at("u"), "auto-style"), Lower: orDefault(at("l"), "auto-style"),
		})
	}
	for i, l := range spec.Lines {
		p.Lines = append(p.Lines, render.Look{
			Plot: l.Axis, Color: colorText(l.Color), Style: capitals(g.Lines[i].Style.Settings["ls"], "LINE"), Width: l.Width,
		})
	}
	return p, nil
}

var scaleNames = map[string]string{
	"": "LINEAR", "linear": "LINEAR", "log": "LOGARITHMIC", "log-linear": "LOG_LINEAR", "pow2": "POWER_2", "sqrt": "SQRT",
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
