package chart

import (
	"fmt"
	"image/png"
	"io"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// PNG draws a graph. An image whose longer side would exceed 4096 pixels is
// drawn at a smaller zoom. It fails on a Spec that makes no sense, before
// anything is written, and with w's errors.
func PNG(w io.Writer, spec Spec) error {
	spec, err := spec.checked()
	if err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	fonts := newTypefaces()
	l := newLayout(spec, fonts)
	return render(w, fonts, l.width, l.height, spec.Zoom, spec.Theme, l.draw)
}

// errorWidth is the width of an error image where none is asked for.
const errorWidth, errorHeight = 700, 300

// ErrorPNG draws a message in place of a graph, for a browser that shows
// images only. Width and height of 0 or out of range take the defaults.
func ErrorPNG(w io.Writer, message string, width, height int, theme Theme) error {
	if width < 100 || width > MaxWidth {
		width = errorWidth
	}
	if height < 60 || height > MaxHeight {
		height = errorHeight
	}
	fonts := newTypefaces()
	return render(w, fonts, float64(width), float64(height), 1, theme, func(p *page) {
		k := inkOf(theme)
		p.rect(0, 0, p.width, p.height, k.plot)
		p.rect(0, 0, 4, p.height, k.warn)
		p.text(24, 34, titleStyle, left, k.warn, fonts.fit(titleStyle, "This graph could not be drawn", p.width-36))
		limit := max(1, int((p.height-52)/rowHeight))
		for i, line := range fonts.wrap(textStyle, message, p.width-36, limit) {
			p.text(24, 58+rowHeight*float64(i), textStyle, left, k.text, line)
		}
	})
}

// render makes the canvas, lets draw fill it, and encodes it.
func render(w io.Writer, fonts *typefaces, width, height, zoom float64, theme Theme, draw func(*page)) error {
	zoom = min(zoom, maxPixels/max(width, height))
	dpi := max(1, int(72*zoom)) // one point of the canvas is one pixel at zoom 1
	canvas := vgimg.NewWith(vgimg.UseWH(vg.Length(width), vg.Length(height)), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(inkOf(theme).page))
	draw(&page{canvas: canvas, fonts: fonts, width: width, height: height})
	if err := (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(w, canvas.Image()); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return nil
}
