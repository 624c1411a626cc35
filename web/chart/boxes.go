package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// bandBoxes is how many boxes are filled at once. The canvas keeps the edges
// that cross a row of pixels in a list, which it goes through for each edge: a
// thousand at once take a thousand times as long as one.
const bandBoxes = 16

// boxes fills the union of boxes with a colour.
func (p *page) boxes(list []box, c color.NRGBA) {
	if len(list) == 0 {
		return
	}
	if p.vector() {
		var path vg.Path
		for _, b := range list {
			p.addRect(&path, b.x, b.y, b.w, b.h)
		}
		p.fill(path, c)
		return
	}
	// Bands end between pixels, so that none is painted twice.
	width := max(1, math.Ceil(p.width*p.zoom*bandBoxes/float64(len(list)))) / p.zoom
	bands := make([]vg.Path, int(p.width/width)+1)
	for _, b := range list {
		first, last := int(max(b.x, 0)/width), int(max(b.right(), 0)/width)
		for i := first; i <= min(last, len(bands)-1); i++ {
			from, to := max(b.x, float64(i)*width), min(b.right(), float64(i+1)*width)
			if to > from {
				p.addRect(&bands[i], from, b.y, to-from, b.h)
			}
		}
	}
	for _, path := range bands {
		if len(path) > 0 {
			p.fill(path, c)
		}
	}
}

// stairs draws runs of levels as lines.
func (p *page) stairs(runs [][]level, width float64, c color.NRGBA) {
	if p.vector() {
		var path vg.Path
		for _, run := range runs {
			for i, at := range run {
				if i == 0 {
					path.Move(p.point(at.from, at.y))
				} else {
					path.Line(p.point(at.from, at.y))
				}
				path.Line(p.point(at.to, at.y))
			}
		}
		if len(path) > 0 {
			p.stroke(path, width, c)
		}
		return
	}
	var list []box
	for _, run := range runs {
		for i, at := range run {
			list = append(list, box{at.from, at.y - width/2, at.to - at.from, width})
			if i > 0 {
				low, high := min(at.y, run[i-1].y), max(at.y, run[i-1].y)
				list = append(list, box{at.from - width/2, low - width/2, width, high - low + width})
			}
		}
	}
	p.boxes(list, c)
}

// below fills between runs of levels and what they stand on.
func (p *page) below(runs [][]level, c color.NRGBA) {
	if !p.vector() {
		var list []box
		for _, run := range runs {
			for _, at := range run {
				list = append(list, box{at.from, min(at.y, at.base), at.to - at.from, math.Abs(at.y - at.base)})
			}
		}
		p.boxes(list, c)
		return
	}
	for _, run := range runs {
		var path vg.Path
		path.Move(p.point(run[0].from, run[0].base))
		for _, at := range run {
			path.Line(p.point(at.from, at.y))
			path.Line(p.point(at.to, at.y))
		}
		for i := len(run) - 1; i >= 0; i-- {
			path.Line(p.point(run[i].to, run[i].base))
			path.Line(p.point(run[i].from, run[i].base))
		}
		path.Close()
		p.fill(path, c)
	}
}
