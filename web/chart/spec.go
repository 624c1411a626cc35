// Package chart draws graphs as images: a plot with grid and axes, and a legend
// with statistics below it.
//
// New checks a Spec, colours the lines, scales the axes and lays out the page
// in pixels at zoom 1 with the origin at the top left; PNG and SVG draw the same
// page on gonum/plot's vg canvas with its embedded Liberation fonts. The same
// Spec gives the same bytes on every machine of a kind. Nothing is shared
// between calls: all functions are safe for concurrent use, a Picture is not.
package chart

import (
	"fmt"
	"image/color"
	"math"
	"time"
)

// Limits of an image.
const (
	MaxWidth  = 2000 // of Spec.Width
	MaxHeight = 1000 // of Spec.Height
	MaxZoom   = 2.0
	MaxAxes   = 5
	MaxZones  = 5           // time zones that are drawn
	maxPixels = 4096        // of either side of the image, zoom included
	maxLegend = 50          // lines in the legend
	maxTime   = int64(1e14) // ms on either side of the epoch
)

// Theme is the set of colours around the lines.
type Theme uint8

const (
	Light Theme = iota
	Dark
)

// Layout says what Width and Height measure.
type Layout uint8

const (
	LayoutCanvas      Layout = iota // the plot area
	LayoutImage                     // the whole image
	LayoutImageWidth                // the image's width, the plot's height
	LayoutImageHeight               // the plot's width, the image's height
)

// LineStyle is how the values of a line are drawn.
type LineStyle uint8

const (
	StyleLine    LineStyle = iota
	StyleArea              // filled to zero
	StyleStack             // filled, on top of the stacked lines before it
	StyleVspan             // full height wherever the value is neither 0 nor NaN
	StyleHeatmap           // counted in cells, together with those on the same axis
)

// TickLabels is how the values of an axis are written.
type TickLabels uint8

const (
	TicksDecimal  TickLabels = iota // 1.5k
	TicksBinary                     // 1.5Ki
	TicksDuration                   // seconds as 1.5m
	TicksOff
)

// Bound is one end of an axis; the zero value fits the data and takes in zero
// when something is filled down to it.
type Bound struct {
	Kind  BoundKind
	Value float64 // for BoundValue
}

// BoundKind is where an end of an axis comes from.
type BoundKind uint8

const (
	BoundAutoStyle BoundKind = iota // data, and zero for area and stack
	BoundAutoData                   // data alone
	BoundValue
)

// Axis is a scale of values. The first stands at the left, others at the right.
type Axis struct {
	Number       int // shown in the legend where there are several
	Label        string
	Scale        Scale
	Lower, Upper Bound
	TickLabels   TickLabels
	Heat         Heat
}

// Heat is how the heat map of an axis is coloured.
type Heat struct {
	Label        string // in the legend, "" = heatmap
	Scale        Scale  // of counts to colours
	Lower, Upper Bound  // of the counts; cells outside are left empty
	// Palette has the colour of the highest count first; nil shades the colour
	// that its first line would have.
	Palette *Palette
}

// Stats are what the legend shows of a line; NaN is shown as NaN.
type Stats struct {
	Max, Min, Avg, Last, Total float64
	Count                      float64 // values that are not NaN
}

// StatsOf returns the statistics of values, NaN left out.
func StatsOf(values []float64) Stats {
	s := Stats{Max: math.NaN(), Min: math.NaN(), Avg: math.NaN(), Last: math.NaN(), Total: math.NaN()}
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if s.Count == 0 {
			s.Max, s.Min, s.Total = v, v, 0
		}
		s.Max, s.Min = max(s.Max, v), min(s.Min, v)
		s.Total += v
		s.Count++
		s.Last = v
	}
	if s.Count > 0 {
		s.Avg = s.Total / s.Count
	}
	return s
}

// Line is one line of a graph.
type Line struct {
	Label string
	// Color with alpha 0 takes one of the palette: that of Turn, which counts from
	// 1, or with 0 the next that no line before it took.
	Color color.NRGBA
	Turn  int
	// Alpha replaces that of the colour; nil leaves it. A line whose colour is not
	// opaque is filled with that colour as it is.
	Alpha *uint8
	// Palette colours the line and those that share the pointer; nil is the
	// graph's.
	Palette *Palette
	Style   LineStyle
	Width   float64 // pixels, 0 = 1
	Axis    int     // index in Spec.Axes
	// Bucket, for StyleHeatmap, is the range in which Values are counts; nil: the
	// values themselves are counted.
	Bucket *[2]float64
	// Values[i] is stamped Start+(i+1)*Step and covers the step before it.
	// NaN is a gap.
	Values []float64
	// Stats are shown in the legend; with a Count of 0 they are computed from
	// Values.
	Stats Stats
}

// Spec is a graph.
type Spec struct {
	Title         string
	Width, Height int     // pixels at zoom 1, see Layout; 0 = 700 and 300
	Zoom          float64 // 0 = 1
	Layout        Layout
	Theme         Theme
	Vision        Vision
	Start, End    int64 // Unix ms, (Start, End]
	Step          int64 // ms
	// Zones are the time zones, a row of labels for each; the grid stands at
	// the round times of the first. None = UTC.
	Zones []*time.Location
	Lines []Line
	Axes  []Axis // none = one default axis; at most 5
	// PlainAxes leaves several axes without the colours of their lines.
	PlainAxes bool
	// Palette colours the lines that have none; nil = the theme's default.
	Palette       *Palette
	NoLegend      bool
	NoLegendStats bool
	OnlyGraph     bool     // the plot area alone
	Notices       []string // shown below the legend
}

// checked returns s with defaults filled in and every line coloured.
func (s Spec) checked() (Spec, error) {
	if s.Width == 0 {
		s.Width = 700
	}
	if s.Height == 0 {
		s.Height = 300
	}
	if s.Zoom == 0 {
		s.Zoom = 1
	}
	if len(s.Zones) == 0 {
		s.Zones = []*time.Location{time.UTC}
	}
	if len(s.Axes) == 0 {
		s.Axes = []Axis{{}}
	}
	if s.Palette == nil || len(s.Palette.Colors) == 0 {
		p, _ := ParsePalette("", s.Theme)
		s.Palette = &p
	}
	switch {
	case s.Width < 1 || s.Width > MaxWidth:
		return s, fmt.Errorf("width must be 1 to %d, is %d", MaxWidth, s.Width)
	case s.Height < 1 || s.Height > MaxHeight:
		return s, fmt.Errorf("height must be 1 to %d, is %d", MaxHeight, s.Height)
	case !(s.Zoom >= 0.1 && s.Zoom <= MaxZoom):
		return s, fmt.Errorf("zoom must be 0.1 to %v, is %v", MaxZoom, s.Zoom)
	case s.Step <= 0 || s.End <= s.Start:
		return s, fmt.Errorf("end must be after start and step positive: start %d, end %d, step %d", s.Start, s.End, s.Step)
	case s.Start < -maxTime || s.End > maxTime:
		return s, fmt.Errorf("start and end must be within %d ms of the epoch", maxTime)
	case len(s.Axes) > MaxAxes:
		return s, fmt.Errorf("at most %d axes, got %d", MaxAxes, len(s.Axes))
	case len(s.Zones) > MaxZones:
		return s, fmt.Errorf("at most %d time zones, got %d", MaxZones, len(s.Zones))
	}
	lines := make([]Line, len(s.Lines))
	for i, l := range s.Lines {
		if l.Axis < 0 || l.Axis >= len(s.Axes) {
			return s, fmt.Errorf("line %d: axis must be 0 to %d, is %d", i, len(s.Axes)-1, l.Axis)
		}
		if !(l.Width > 0) {
			l.Width = 1
		}
		l.Width = min(l.Width, 50)
		if l.Stats.Count == 0 {
			l.Stats = StatsOf(l.Values)
		}
		lines[i] = l
	}
	s.Lines = lines
	s.colorLines()
	return s, nil
}

// colorLines gives every line its colour. A palette goes round over the lines
// that it colours: those with one of their own, and all others. A heat map takes
// one colour for all its lines, and none where it has a palette of its own.
func (s *Spec) colorLines() {
	next := map[*Palette]int{}
	var heat [MaxAxes]*Line
	for i := range s.Lines {
		l := &s.Lines[i]
		if l.Style == StyleHeatmap {
			if first := heat[l.Axis]; first != nil {
				l.Color = first.Color
				continue
			}
			heat[l.Axis] = l
			if own := s.Axes[l.Axis].Heat.Palette; own != nil && len(own.Colors) > 0 && l.Color.A == 0 {
				l.Color = own.Colors[0]
			}
		}
		if l.Color.A == 0 {
			p := s.Palette
			if l.Palette != nil && len(l.Palette.Colors) > 0 {
				p = l.Palette
			}
			turn := l.Turn - 1
			if turn < 0 {
				turn = next[p]
				next[p]++
			}
			l.Color = p.color(turn, l.Label)
		}
		if l.Alpha != nil {
			l.Color.A = *l.Alpha
		}
	}
}
