package chart

import "image/color"

// drawFrame covers what was drawn outside the plot.
func (l *layout) drawFrame(p *page, k ink) {
	b := l.plot
	p.rect(0, 0, l.width, b.y, k.page)
	p.rect(0, b.bottom(), l.width, l.height-b.bottom(), k.page)
	p.rect(0, b.y-1, b.x, b.h+2, k.page)
	p.rect(b.right(), b.y-1, l.width-b.right(), b.h+2, k.page)
}

// drawTimes writes the labels below the plot, a row for each zone.
func (l *layout) drawTimes(p *page, k ink) {
	b := l.plot
	p.line(b.x, crisp(b.bottom()), b.right(), crisp(b.bottom()), 1, k.axis)
	for row, ticks := range l.times {
		y := b.bottom() + tickLength + 11 + zoneRow*float64(row)
		first := l.width
		for _, t := range ticks {
			x := l.timeX(t.at)
			if row == 0 {
				p.line(crisp(x), b.bottom(), crisp(x), b.bottom()+tickLength, 1, k.axis)
			}
			w := l.fonts.measure(t.style(), t.label)
			x = min(max(x, w/2+2), l.width-w/2-2)
			first = min(first, x-w/2)
			p.text(x, y, t.style(), center, k.text, t.label)
		}
		if len(l.times) > 1 {
			p.text(min(first-8, b.x-zoneGap+4), y, headerStyle, right, k.muted, l.zoneName(l.spec.Zones[row]))
		}
	}
}

// axisColors returns the colour of each axis: where there are several, that
// of its first line, made legible.
func (l *layout) axisColors(k ink) []color.NRGBA {
	out := make([]color.NRGBA, len(l.scales))
	for i := range out {
		out[i] = k.text
		if len(out) == 1 || l.spec.PlainAxes {
			continue
		}
		for _, line := range l.spec.Lines {
			if line.Axis == i && line.Style != StyleVspan {
				out[i] = legible(line.Color, k)
				break
			}
		}
	}
	return out
}

// legible returns c, opaque and as much closer to the colour of text as it
// takes to be read on the page.
func legible(c color.NRGBA, k ink) color.NRGBA {
	c.A = 255
	for range 10 {
		if contrast(c, k.page) >= 3 {
			break
		}
		c = mixed(c, k.text, 0.15)
	}
	return c
}

// contrast is that of WCAG 2.2, 1 to 21.
func contrast(a, b color.NRGBA) float64 {
	light := func(c color.NRGBA) float64 {
		return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B) + 0.05
	}
	return max(light(a), light(b)) / min(light(a), light(b))
}

func (l *layout) drawValueAxis(p *page, k ink, i int, c color.NRGBA) {
	s, x := &l.scales[i], l.axisX[i]
	side, a := -1.0, right
	if i > 0 {
		side, a = 1, left
	}
	p.line(crisp(x), l.plot.y, crisp(x), l.plot.bottom()+1, 1, k.axis)
	for _, t := range s.ticks {
		y := l.valueY(i, t.value)
		if t.minor || y < l.plot.y-1 || y > l.plot.bottom()+1 {
			continue
		}
		p.line(x, crisp(y), x+side*tickLength, crisp(y), 1, k.axis)
		if s.TickLabels != TicksOff {
			p.text(x+side*(tickLength+3), y+4, textStyle, a, c, t.label)
		}
	}
	if s.Label != "" {
		at := x + side*(tickLength+3+l.tickWidth(i)+6)
		if side > 0 {
			at += 8
		}
		room := l.plot.h + min(l.plot.y, 20)
		p.upright(at, l.plot.y+l.plot.h/2, textStyle, c, l.fonts.fit(textStyle, s.Label, room))
	}
}

// drawWords writes the title, what the time axis covers, and the notices.
func (l *layout) drawWords(p *page, k ink) {
	for i, text := range l.title {
		p.text(l.width/2, 8+titleRow*float64(i+1), titleStyle, center, k.text, text)
	}
	y := l.plot.bottom() + tickLength + 10 + zoneRow*float64(len(l.times))
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
