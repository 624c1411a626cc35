package chart

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// Picture is a graph that is laid out, ready to be drawn.
type Picture struct {
	layout *layout
}

// New checks and lays out a graph. It fails on a Spec that makes no sense.
func New(spec Spec) (*Picture, error) {
	spec, err := spec.checked()
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	return &Picture{newLayout(spec, newTypefaces())}, nil
}

// Size returns the pixels of the PNG; SVG has those of zoom 1 as its unit.
func (p *Picture) Size() (width, height int) {
	l := p.layout
	zoom := float64(dotsPerInch(l.width, l.height, l.spec.Zoom)) / 72
	return int(l.width*zoom + 0.5), int(l.height*zoom + 0.5)
}

// Spec returns what is drawn, with defaults filled in and every line coloured.
func (p *Picture) Spec() Spec { return p.layout.spec }

// PNG writes the picture. One whose longer side would exceed 4096 pixels is
// drawn at a smaller zoom. It fails when ctx ends, before anything is written,
// and with w's errors.
func (p *Picture) PNG(ctx context.Context, w io.Writer) error {
	l := p.layout
	return writePNG(w, l.fonts, l.width, l.height, l.spec.Zoom, l.spec, func(p *page) error { return l.draw(ctx, p) })
}

// SVG writes the picture as text, with the same layout. It fails as PNG does.
func (p *Picture) SVG(ctx context.Context, w io.Writer) error {
	l := p.layout
	canvas := newSVG(l.width, l.height)
	pg := &page{canvas: canvas, fonts: l.fonts, width: l.width, height: l.height, zoom: 1, vision: l.spec.Vision}
	pg.rect(0, 0, l.width, l.height, inkOf(l.spec.Theme).page)
	if err := l.draw(ctx, pg); err != nil {
		return fmt.Errorf("draw graph: %w", err)
	}
	title := l.spec.Title
	if title == "" {
		title = "Graph, " + l.span()
	}
	return canvas.write(w, clean(title), l.spec.Zoom)
}

// ShownAxis is the range that an axis covers.
type ShownAxis struct {
	Lower, Upper float64
	Color        color.NRGBA
	Heat         *ShownHeat // nil: no heat map stands on it
}

// ShownHeat is the heat map of an axis, whose cells are a step wide here however
// wide they are drawn.
type ShownHeat struct {
	Label string
	// Rows are the values at the edges of the rows, the lowest first, one more
	// than there are rows.
	Rows      []float64
	RowLabels []string
	Cells     [][]float64 // Cells[step][row]; 0 is empty
	// Colors[i] is of counts from Counts[i] to Counts[i+1].
	Colors      []color.NRGBA
	Counts      []float64
	CountLabels []string
}

// Axes returns what the axes cover, in the order of Spec.Axes.
func (p *Picture) Axes() []ShownAxis {
	l := p.layout
	colors := l.axisColors(inkOf(l.spec.Theme))
	var out []ShownAxis
	for i, s := range l.scales {
		a := ShownAxis{Lower: s.lower, Upper: s.upper, Color: l.spec.Vision.see(colors[i])}
		if h := newHeatmap(&l.spec, i, &l.scales[i], math.Inf(1), l.plot.h); h != nil {
			a.Heat = h.shown(&l.scales[i])
		}
		out = append(out, a)
	}
	return out
}

func (h *heatmap) shown(on *scale) *ShownHeat {
	out := &ShownHeat{Label: h.label, Colors: h.shades}
	for row := range h.rows + 1 {
		v := on.at(float64(row) / float64(h.rows))
		out.Rows, out.RowLabels = append(out.Rows, v), append(out.RowLabels, formatStat(v, on.TickLabels))
	}
	for i := range len(h.shades) + 1 {
		v := h.counts.at(float64(i) / float64(len(h.shades)))
		out.Counts, out.CountLabels = append(out.Counts, v), append(out.CountLabels, formatStat(v, TicksDecimal))
	}
	for col := range h.cols {
		column := make([]float64, h.rows)
		for row := range column {
			column[row] = h.cells[row*h.cols+col]
		}
		out.Cells = append(out.Cells, column)
	}
	return out
}

// errorWidth is the width of an error image where none is asked for.
const errorWidth, errorHeight = 700, 300

// ErrorPNG draws a message in place of a graph, for a browser that shows images
// only, and below it what helps. Width and height of 0 or out of range take the
// defaults. A small image has no room for a heading.
func ErrorPNG(w io.Writer, message string, help []string, width, height int, theme Theme) error {
	if width < 100 || width > MaxWidth {
		width = errorWidth
	}
	if height < 60 || height > MaxHeight {
		height = errorHeight
	}
	fonts := newTypefaces()
	return writePNG(w, fonts, float64(width), float64(height), 1, Spec{Theme: theme}, func(p *page) error {
		k := inkOf(theme)
		p.rect(0, 0, p.width, p.height, k.plot)
		p.rect(0, 0, 4, p.height, k.warn)
		x, y := 24.0, 58.0
		if p.width < 260 || p.height < 90 {
			x, y = margin, 18
		} else {
			p.text(x, 34, titleStyle, left, k.warn, "This graph could not be drawn")
		}
		limit := max(1, int((p.height-y+margin)/rowHeight))
		lines := fonts.wrap(textStyle, message, p.width-x-margin, limit)
		told := len(lines)
		for _, text := range help {
			if room := limit - len(lines); room > 0 {
				lines = append(lines, fonts.wrap(textStyle, text, p.width-x-margin, room)...)
			}
		}
		for i, line := range lines {
			c := k.text
			if i >= told {
				c = k.muted
			}
			p.text(x, y+rowHeight*float64(i), textStyle, left, c, line)
		}
		return nil
	})
}

// dotsPerInch returns the resolution of an image; one point of the canvas is
// one pixel at zoom 1. No side has less than a pixel, whatever the zoom.
func dotsPerInch(width, height, zoom float64) int {
	zoom = min(zoom, maxPixels/max(width, height))
	return max(int(math.Ceil(72/min(width, height))), int(math.Floor(72*zoom+1e-9)))
}

// writePNG makes the canvas, lets draw fill it, and encodes it.
func writePNG(w io.Writer, fonts *typefaces, width, height, zoom float64, s Spec, draw func(*page) error) error {
	dpi := dotsPerInch(width, height, zoom)
	canvas := vgimg.NewWith(vgimg.UseWH(vg.Length(width), vg.Length(height)), vgimg.UseDPI(dpi),
		vgimg.UseBackgroundColor(s.Vision.see(inkOf(s.Theme).page)))
	if err := draw(&page{canvas: canvas, fonts: fonts, width: width, height: height, zoom: float64(dpi) / 72, vision: s.Vision}); err != nil {
		return fmt.Errorf("draw graph: %w", err)
	}
	if err := encode(w, canvas.Image().(*image.RGBA)); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return nil
}
