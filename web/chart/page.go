package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// page is a canvas in pixels at zoom 1, with the origin at the top left.
type page struct {
	canvas        vg.Canvas
	fonts         *typefaces
	width, height float64
	zoom          float64
	vision        Vision
}

// groups is a canvas that keeps what is drawn for one thing together, with its
// name.
type groups interface {
	begin(name string)
	end()
}

// vector tells that what is drawn is kept as it is, not as pixels.
func (p *page) vector() bool {
	_, ok := p.canvas.(groups)
	return ok
}

// begin starts what is drawn for a line, until the returned function is called.
func (p *page) begin(name string) (end func()) {
	g, ok := p.canvas.(groups)
	if !ok {
		return func() {}
	}
	g.begin(clean(name))
	return g.end
}

// color sets the colour of what follows.
func (p *page) color(c color.NRGBA) { p.canvas.SetColor(p.vision.see(c)) }

// snap moves a coordinate to the edge of a pixel of the image.
func (p *page) snap(v float64) float64 { return math.Round(v*p.zoom) / p.zoom }

func (p *page) point(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x), Y: vg.Length(p.height - y)}
}

func (p *page) rect(x, y, w, h float64, c color.NRGBA) {
	var path vg.Path
	p.addRect(&path, x, y, w, h)
	p.fill(path, c)
}

func (p *page) addRect(path *vg.Path, x, y, w, h float64) {
	path.Move(p.point(x, y))
	path.Line(p.point(x+w, y))
	path.Line(p.point(x+w, y+h))
	path.Line(p.point(x, y+h))
	path.Close()
}

func (p *page) fill(path vg.Path, c color.NRGBA) {
	p.color(c)
	p.canvas.Fill(path)
}

// line draws a straight line; a horizontal or vertical one of one pixel lies
// on a row of pixels.
func (p *page) line(x1, y1, x2, y2, width float64, c color.NRGBA, dash ...vg.Length) {
	var path vg.Path
	path.Move(p.point(x1, y1))
	path.Line(p.point(x2, y2))
	p.stroke(path, width, c, dash...)
}

func (p *page) stroke(path vg.Path, width float64, c color.NRGBA, dash ...vg.Length) {
	p.color(c)
	p.canvas.SetLineWidth(vg.Length(width))
	p.canvas.SetLineDash(dash, 0)
	p.canvas.Stroke(path)
}
