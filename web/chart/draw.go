package chart

import (
	"math"

	"gonum.org/v1/plot/vg"
)

// areaAlpha is how much of its colour a filled style keeps, so that the grid
// stays visible.
func areaAlpha(s LineStyle) float64 {
	switch s {
	case StyleArea:
		return 0.30
	case StyleStack:
		return 0.70
	case StyleVspan:
		return 0.22
	}
	return 1
}

// draw puts a laid-out graph on its page.
func (l *layout) draw(p *page) {
	k := inkOf(l.spec.Theme)
	p.rect(l.plot.x, l.plot.y, l.plot.w, l.plot.h, k.plot)
	for i, line := range l.spec.Lines {
		if line.Style == StyleVspan {
			l.drawSpans(p, i)
		}
	}
	l.drawGrid(p, k)
	for i, line := range l.spec.Lines {
		switch line.Style {
		case StyleArea, StyleStack:
			l.drawFilled(p, i)
			l.drawSteps(p, i)
		}
	}
	for i, line := range l.spec.Lines {
		if line.Style == StyleLine {
			l.drawSteps(p, i)
		}
	}
	if l.spec.OnlyGraph {
		return
	}
	l.drawFrame(p, k)
	l.drawAxes(p, k)
	l.drawWords(p, k)
	l.legend.draw(p, l.legendY, k)
}

// crisp moves a coordinate to the middle of a pixel.
func crisp(v float64) float64 { return math.Floor(v) + 0.5 }

func (l *layout) drawGrid(p *page, k ink) {
	for _, t := range l.times {
		x, c := crisp(l.timeX(t.at)), k.grid
		if t.day {
			c = k.axis
		}
		p.line(x, l.plot.y, x, l.plot.bottom(), 1, faded(c, 0.8))
	}
	s := &l.scales[0]
	for _, t := range s.ticks {
		y, c := crisp(l.valueY(0, t.value)), k.grid
		if t.minor {
			c = faded(c, 0.5)
		}
		if t.value == 0 && s.lower < 0 {
			c = k.axis
		}
		p.line(l.plot.x, y, l.plot.right(), y, 1, c)
	}
}

// value returns what is drawn of a line's i-th value, NaN for a gap, and what it
// stands on.
func (l *layout) value(line, i int) (v, base float64) {
	v = l.spec.Lines[line].Values[i]
	if b := l.base[line]; b != nil {
		base = b[i]
	}
	if v += base; !finite(v) {
		return math.NaN(), base
	}
	return v, base
}

// interval returns the pixels that the i-th value covers.
func (l *layout) interval(i int) (from, to float64) {
	at := l.spec.Start + int64(i)*l.spec.Step
	return max(l.timeX(at), l.plot.x), min(l.timeX(at+l.spec.Step), l.plot.right())
}

// drawSteps draws a line as what its values mean: level over their step.
func (l *layout) drawSteps(p *page, line int) {
	spec := l.spec.Lines[line]
	var path vg.Path
	drawn := false
	for i := range spec.Values {
		v, _ := l.value(line, i)
		from, to := l.interval(i)
		if math.IsNaN(v) || from >= to {
			drawn = false
			continue
		}
		y := l.valueY(spec.Axis, v)
		if drawn {
			path.Line(p.point(from, y))
		} else {
			path.Move(p.point(from, y))
		}
		path.Line(p.point(to, y))
		drawn = true
	}
	width := spec.Width
	if spec.Style == StyleLine && width == 1 {
		width = 1.3
	}
	if len(path) > 0 {
		p.stroke(path, width, spec.Color)
	}
}

// drawFilled fills from the values down to what they stand on.
func (l *layout) drawFilled(p *page, line int) {
	spec := l.spec.Lines[line]
	type edge struct{ x, y float64 }
	var top, bottom []edge
	flush := func() {
		if len(top) == 0 {
			return
		}
		var path vg.Path
		path.Move(p.point(top[0].x, top[0].y))
		for _, e := range top[1:] {
			path.Line(p.point(e.x, e.y))
		}
		for i := len(bottom) - 1; i >= 0; i-- {
			path.Line(p.point(bottom[i].x, bottom[i].y))
		}
		path.Close()
		p.canvas.SetColor(faded(spec.Color, areaAlpha(spec.Style)))
		p.canvas.Fill(path)
		top, bottom = top[:0], bottom[:0]
	}
	for i := range spec.Values {
		v, base := l.value(line, i)
		from, to := l.interval(i)
		if math.IsNaN(v) || from >= to {
			flush()
			continue
		}
		y, y0 := l.valueY(spec.Axis, v), l.valueY(spec.Axis, base)
		top = append(top, edge{from, y}, edge{to, y})
		bottom = append(bottom, edge{from, y0}, edge{to, y0})
	}
	flush()
}

// drawSpans colours the full height where a line's value is true.
func (l *layout) drawSpans(p *page, line int) {
	spec := l.spec.Lines[line]
	began := math.NaN()
	for i := 0; i <= len(spec.Values); i++ {
		on := i < len(spec.Values) && spec.Values[i] != 0 && !math.IsNaN(spec.Values[i])
		from, _ := l.interval(i)
		switch {
		case on && math.IsNaN(began):
			began = from
		case !on && !math.IsNaN(began):
			end := min(from, l.plot.right())
			p.rect(began, l.plot.y, max(end-began, 1), l.plot.h, faded(spec.Color, areaAlpha(StyleVspan)))
			began = math.NaN()
		}
	}
}

// drawFrame covers what was drawn outside the plot.
func (l *layout) drawFrame(p *page, k ink) {
	b := l.plot
	p.rect(0, 0, l.width, b.y, k.page)
	p.rect(0, b.bottom(), l.width, l.height-b.bottom(), k.page)
	p.rect(0, b.y-1, b.x, b.h+2, k.page)
	p.rect(b.right(), b.y-1, l.width-b.right(), b.h+2, k.page)
}

func (l *layout) drawAxes(p *page, k ink) {
	b := l.plot
	p.line(b.x, crisp(b.bottom()), b.right(), crisp(b.bottom()), 1, k.axis)
	for _, t := range l.times {
		x := l.timeX(t.at)
		p.line(crisp(x), b.bottom(), crisp(x), b.bottom()+tickLength, 1, k.axis)
		s := textStyle
		s.bold = t.day
		w := l.fonts.measure(s, t.label)
		x = min(max(x, w/2+2), l.width-w/2-2)
		p.text(x, b.bottom()+tickLength+11, s, center, k.text, t.label)
	}
	for i := range l.scales {
		l.drawValueAxis(p, k, i)
	}
}

func (l *layout) drawValueAxis(p *page, k ink, i int) {
	s, x := &l.scales[i], l.axisX[i]
	side, a := -1.0, right
	if i > 0 {
		side, a = 1, left
	}
	c := k.text
	if len(l.scales) > 1 { // the axis wears the colour of its first line
		for _, line := range l.spec.Lines {
			if line.Axis == i && line.Style != StyleVspan {
				c = line.Color
				c.A = 255
				break
			}
		}
	}
	p.line(crisp(x), l.plot.y, crisp(x), l.plot.bottom()+1, 1, k.axis)
	widest := 0.0
	for _, t := range s.ticks {
		y := l.valueY(i, t.value)
		if t.minor || y < l.plot.y-1 || y > l.plot.bottom()+1 {
			continue
		}
		p.line(x, crisp(y), x+side*tickLength, crisp(y), 1, k.axis)
		if s.TickLabels != TicksOff {
			p.text(x+side*(tickLength+3), y+4, textStyle, a, c, t.label)
			widest = max(widest, l.fonts.measure(textStyle, t.label))
		}
	}
	if s.Label != "" {
		at := x + side*(tickLength+3+widest+6)
		if side > 0 {
			at += 8
		}
		p.upright(at, l.plot.y+l.plot.h/2, textStyle, c, l.fonts.fit(textStyle, s.Label, l.plot.h))
	}
}

// drawWords writes the title, what the time axis covers, and the notices.
func (l *layout) drawWords(p *page, k ink) {
	for i, text := range l.title {
		p.text(l.width/2, 8+titleRow*0.75*float64(i+1), titleStyle, center, k.text, text)
	}
	y := l.plot.bottom() + tickLength + 25
	step := "step " + formatStep(l.spec.Step)
	room := l.width - 2*margin
	p.text(margin, y, headerStyle, left, k.muted, l.fonts.fit(headerStyle, l.span(), room))
	if w := l.fonts.measure(headerStyle, l.span()) + l.fonts.measure(headerStyle, step); w+20 < room {
		p.text(l.width-margin, y, headerStyle, right, k.muted, step)
	}
	for i, text := range l.notices {
		p.rect(margin, l.noticeY+rowHeight*float64(i)+2, 3, rowHeight-2, k.warn)
		p.text(margin+10, l.noticeY+rowHeight*float64(i)+12, textStyle, left, k.warn, text)
	}
	if l.empty {
		p.text(l.plot.x+l.plot.w/2, l.plot.y+l.plot.h/2, textStyle, center, k.muted, "no data")
	}
}
