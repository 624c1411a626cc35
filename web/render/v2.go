package render

import (
	"encoding/base64"
	"math"
	"strconv"

	"pulse/query"
)

// Picture is how a graph is shown, for the format `v2.json`, in Atlas's words:
// CANVAS, IMAGE_WIDTH, LOGARITHMIC, DECIMAL.
type Picture struct {
	Image         []byte // PNG; nil leaves it out
	Zones         []string
	Title         string
	Layout, Theme string
	Legend        string // LABELS_WITH_STATS, LABELS_ONLY or OFF
	Width, Height int
	Zoom          float64
	OnlyGraph     bool
	LoadMs        int64 // 0: not measured
	Hints         []string
	Plots         []Plot
	Heatmaps      []Heatmap
	Lines         []Look // of each line of the result
}

// Plot is a Y axis. Upper and Lower are auto-style, auto-data or a number.
type Plot struct {
	ID                                     int
	Color                                  string // of the axis, AARRGGBB; "": the theme's
	Label, Scale, Upper, Lower, TickLabels string
}

// Heatmap is the counts of an axis. Cells[step][row] is the count of Rows[row],
// the lowest row first; 0 is empty.
type Heatmap struct {
	Plot                            int
	Label, ColorScale, Upper, Lower string
	Rows                            []Range
	Colors                          []Range // of counts
	Cells                           [][]float64
}

// Range is what a row or a colour of a heat map stands for.
type Range struct {
	Min, Max float64
	Label    string
	Color    string // AARRGGBB; "": none
}

// Look is how a line is drawn.
type Look struct {
	Plot  int
	Color string // AARRGGBB
	Style string // LINE, AREA, STACK, VSPAN, HEATMAP
	Width float64
}

// AppendV2 appends the graph format `v2.json`: a list of typed items, the picture
// first, then what holds for all, for each axis and for each line.
func AppendV2(dst []byte, g *query.Result, p *Picture) []byte {
	dst = append(dst, '[')
	if p.Image != nil {
		dst = append(dst, `{"type":"graph-image","data":"data:image/png;base64,`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, p.Image), `"},`...)
	}
	dst = AppendGraphMetadata(dst, g, p)
	for i := range p.Plots {
		dst = AppendPlotMetadata(append(dst, ','), &p.Plots[i])
	}
	for i := range p.Heatmaps {
		dst = appendHeatmap(append(dst, ','), &p.Heatmaps[i])
	}
	for i := range g.Lines {
		l := &g.Lines[i]
		dst = append(dst, `,{"type":"timeseries"`...)
		dst = appendQuoted(appendField(dst, "id", LineID(l)), "label", l.Legend)
		dst = append(appendIdentity(appendLook(dst, &p.Lines[i]), l), '}')
	}
	return append(dst, ']')
}

// AppendPlotMetadata appends the item that says how a Y axis is drawn.
func AppendPlotMetadata(dst []byte, plot *Plot) []byte {
	dst = append(dst, `{"type":"plot-metadata","id":`...)
	dst = strconv.AppendInt(dst, int64(plot.ID), 10)
	dst = appendField(dst, "ylabel", plot.Label)
	dst = appendField(dst, "axisColor", plot.Color)
	dst = appendField(dst, "scale", plot.Scale)
	dst = appendField(dst, "upper", plot.Upper)
	dst = appendField(dst, "lower", plot.Lower)
	return append(appendField(dst, "tickLabelMode", plot.TickLabels), '}')
}

// appendLook appends how a line is drawn.
func appendLook(dst []byte, look *Look) []byte {
	dst = append(dst, `,"plot":`...)
	dst = strconv.AppendInt(dst, int64(look.Plot), 10)
	dst = appendField(appendField(dst, "color", look.Color), "lineStyle", look.Style)
	return AppendNumber(append(dst, `,"lineWidth":`...), look.Width)
}

func appendHeatmap(dst []byte, h *Heatmap) []byte {
	dst = append(dst, `{"type":"heatmap","plot":`...)
	dst = strconv.AppendInt(dst, int64(h.Plot), 10)
	dst = appendField(dst, "colorScale", h.ColorScale)
	dst = appendField(dst, "upper", h.Upper)
	dst = appendField(dst, "lower", h.Lower)
	dst = append(appendField(dst, "label", h.Label), `,"yTicks":`...)
	dst = append(appendRanges(dst, h.Rows), `,"colorTicks":`...)
	dst = append(appendRanges(dst, h.Colors), `,"data":{"type":"heatmap","values":[`...)
	for i, counts := range h.Cells {
		dst = appendNumbers(comma(dst, i), counts)
	}
	return append(dst, "]}}"...)
}

func appendRanges(dst []byte, ranges []Range) []byte {
	dst = append(dst, '[')
	for i, r := range ranges {
		dst = append(comma(dst, i), '{')
		if r.Color != "" {
			dst = append(AppendString(append(dst, `"color":`...), r.Color), ',')
		}
		dst = AppendQuotedNumber(append(dst, `"min":`...), r.Min)
		dst = AppendQuotedNumber(append(dst, `,"max":`...), r.Max)
		dst = append(appendQuoted(dst, "label", r.Label), '}')
	}
	return append(dst, ']')
}

func appendNumbers(dst []byte, values []float64) []byte {
	dst = append(dst, '[')
	for i, v := range values {
		dst = AppendQuotedNumber(comma(dst, i), v)
	}
	return append(dst, ']')
}

// AppendGraphMetadata appends the item that says what holds for the whole graph;
// endTime is the stamp after the last value. What it cost is left out when g does
// not say.
func AppendGraphMetadata(dst []byte, g *query.Result, p *Picture) []byte {
	integer := func(name string, v int64) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		dst = strconv.AppendInt(dst, v, 10)
	}
	dst = append(dst, `{"type":"graph-metadata"`...)
	integer("startTime", g.Start+g.Step)
	integer("endTime", g.End+g.Step)
	dst = AppendStrings(append(dst, `,"timezones":`...), p.Zones)
	integer("step", g.Step)
	integer("width", int64(p.Width))
	integer("height", int64(p.Height))
	dst = appendField(dst, "layout", p.Layout)
	dst = AppendNumber(append(dst, `,"zoom":`...), p.Zoom)
	dst = appendField(dst, "title", p.Title)
	dst = appendField(dst, "legendType", p.Legend)
	dst = strconv.AppendBool(append(dst, `,"onlyGraph":`...), p.OnlyGraph)
	dst = appendField(dst, "theme", p.Theme)
	if p.LoadMs > 0 {
		integer("loadTime", p.LoadMs)
	}
	if g.Explain != (query.Explain{}) {
		dst = append(dst, `,"stats":{"inputLines":`...)
		dst = strconv.AppendInt(dst, g.Explain.InputLines, 10)
		integer("inputDatapoints", g.Explain.InputDatapoints)
		integer("outputLines", g.Explain.GraphLines)
		integer("outputDatapoints", g.Explain.GraphDatapoints)
		dst = append(dst, '}')
	}
	dst = AppendStrings(append(dst, `,"warnings":`...), g.Notices)
	if len(p.Hints) > 0 {
		dst = AppendStrings(append(dst, `,"renderingHints":`...), p.Hints)
	}
	return append(dst, '}')
}

// AppendTimeSeries appends the message of a line for the range of g, of which it
// is one, as the fetch API sends it: end is excluded. look may be nil.
func AppendTimeSeries(dst []byte, g *query.Result, l *query.ResultLine, look *Look) []byte {
	dst = append(dst, `{"type":"timeseries"`...)
	dst = appendQuoted(appendField(dst, "id", LineID(l)), "label", l.Legend)
	if look != nil {
		dst = appendLook(dst, look)
	}
	dst = append(dst, `,"start":`...)
	dst = strconv.AppendInt(dst, g.Start+g.Step, 10)
	dst = append(dst, `,"end":`...)
	dst = strconv.AppendInt(dst, g.End+g.Step, 10)
	dst = append(dst, `,"step":`...)
	dst = strconv.AppendInt(dst, g.Step, 10)
	return append(appendIdentity(dst, l), '}')
}

// HasValue reports whether any value is a number.
func HasValue(values []float64) bool {
	for _, v := range values {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

// LineID is the SHA-1 of a line's tags and of the expression that it is of, with
// its settings of style.
func LineID(l *query.ResultLine) string {
	return l.Tags.With("atlas.query", l.Style.String()).ID()
}

// appendIdentity appends where a line comes from, its tags and its values.
func appendIdentity(dst []byte, l *query.ResultLine) []byte {
	dst = appendQuoted(dst, "query", l.Style.String())
	if keys := l.Style.Expr.Keys(); len(keys) > 0 {
		dst = AppendStrings(append(dst, `,"groupByKeys":`...), keys)
	}
	dst = AppendTags(append(dst, `,"tags":`...), l.Tags)
	dst = append(dst, `,"data":{"type":"array","values":[`...)
	for i, v := range l.Values {
		dst = AppendQuotedNumber(comma(dst, i), v)
	}
	return append(dst, "]}"...)
}

// appendField appends `,"name":"value"`, or nothing for an empty value.
func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendQuoted(dst, name, value)
}

func appendQuoted(dst []byte, name, value string) []byte {
	return AppendString(append(append(append(dst, `,"`...), name...), `":`...), value)
}
