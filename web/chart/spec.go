// Package chart draws line graphs as images: a plot with grid and axes, and a
// legend with statistics below it.
//
// PNG checks the Spec, scales the axes, lays out the page in pixels at zoom 1
// with the origin at the top left, and draws on gonum/plot's vg canvas with its
// embedded Liberation fonts. The same Spec gives the same bytes on every
// machine. Nothing is shared between calls: all functions are safe for
// concurrent use.
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
	MaxAxes   = 5           // of Spec.Axes
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
	StyleLine  LineStyle = iota
	StyleArea            // filled to zero
	StyleStack           // filled, on top of the stacked lines before it
	StyleVspan           // full height wherever the value is neither 0 nor NaN
)

// Scale maps values to height.
type Scale uint8

const (
	ScaleLinear Scale = iota
	ScaleLog          // decades; symmetric around zero when a value is not positive
	ScalePow2         // v²
	ScaleSqrt         // √v
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
	Label        string
	Scale        Scale
	Lower, Upper Bound
	TickLabels   TickLabels
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
	// Color with alpha 0 takes the next colour of the palette.
	Color color.NRGBA
	// Alpha replaces that of the colour; 0 leaves it.
	Alpha uint8
	Style LineStyle
	Width float64 // pixels, 0 = 1
	Axis  int     // index in Spec.Axes
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
	Start, End    int64 // Unix ms, (Start, End]
	Step          int64 // ms
	Zone          *time.Location
	Lines         []Line
	Axes          []Axis // none = one default axis; at most 5
	// Palette colours the lines that have none; empty = the theme's default.
	Palette       []color.NRGBA
	NoLegend      bool
	NoLegendStats bool
	OnlyGraph     bool     // the plot area alone
	Notices       []string // shown below the legend
}

// Checked returns s with defaults filled in, among them the colour of every
// line, as PNG draws it.
func (s Spec) Checked() (Spec, error) { return s.checked() }

// checked returns s with defaults filled in.
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
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	if len(s.Axes) == 0 {
		s.Axes = []Axis{{}}
	}
	if len(s.Palette) == 0 {
		s.Palette = defaultPalette(s.Theme)
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
	}
	lines := make([]Line, len(s.Lines))
	next := 0
	for i, l := range s.Lines {
		if l.Axis < 0 || l.Axis >= len(s.Axes) {
			return s, fmt.Errorf("line %d: axis must be 0 to %d, is %d", i, len(s.Axes)-1, l.Axis)
		}
		if l.Color.A == 0 {
			l.Color = s.Palette[next%len(s.Palette)]
			next++
		}
		if l.Alpha != 0 {
			l.Color.A = l.Alpha
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
	return s, nil
}
