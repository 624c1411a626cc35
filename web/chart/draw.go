package chart

import (
	"context"
	"image/color"
	"math"
	"slices"
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

// crowded tells that there are so many stacked lines that edges would be all
// there is to see.
func (l *layout) crowded() bool {
	n := 0.0
	for _, b := range l.base {
		if b != nil {
			n++
		}
	}
	return n*8 > l.plot.h
}

// fillColor returns what a line's area is filled with: part of an opaque
// colour, another one as it was asked for.
func fillColor(c color.NRGBA, s LineStyle, part float64) color.NRGBA {
	if c.A == 255 {
		return faded(c, part)
	}
	return c
}

// draw puts a laid-out graph on its page. What lies in time comes first, then
// lines in their order, each over those before it. It stops when ctx ends.
func (l *layout) draw(ctx context.Context, p *page) error {
	k := inkOf(l.spec.Theme)
	p.rect(l.plot.x, l.plot.y, l.plot.w, l.plot.h, k.plot)
	for i, line := range l.spec.Lines {
		if line.Style == StyleVspan {
			l.drawSpans(p, i)
		}
	}
	for _, h := range l.heats {
		end := p.begin(h.label)
		l.drawHeat(p, h)
		end()
	}
	l.drawGrid(p, k)
	for i, line := range l.spec.Lines {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if line.Style == StyleVspan || line.Style == StyleHeatmap {
			continue
		}
		end := p.begin(line.Label)
		if line.Style != StyleLine {
			l.drawFilled(p, i)
		}
		if line.Style != StyleStack || !l.crowded() {
			l.drawSteps(p, i)
		}
		end()
	}
	if l.spec.OnlyGraph {
		return nil
	}
	colors := l.axisColors(k)
	l.drawFrame(p, k)
	l.drawTimes(p, k)
	for i := range l.scales {
		l.drawValueAxis(p, k, i, colors[i])
	}
	l.drawWords(p, k)
	l.legend.draw(p, l.legendY, k, colors)
	return context.Cause(ctx)
}

// crisp moves a coordinate to the middle of a pixel.
func crisp(v float64) float64 { return math.Floor(v) + 0.5 }

func (l *layout) drawGrid(p *page, k ink) {
	if len(l.heats) > 0 { // cells are ground enough
		k.grid, k.axis = faded(k.grid, 0.4), faded(k.axis, 0.4)
	}
	for _, t := range l.times[0] {
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

// level is a stretch of a line at one height, all in pixels.
type level struct{ from, to, y, base float64 }

// dot is the least width of a run of values, so that a lone one is seen.
const dot = 4.0

// runs calls f with each stretch of a line that has no gap; f must not keep it.
func (l *layout) runs(line int, f func(run []level)) {
	spec := &l.spec.Lines[line]
	var run []level
	under := false
	flush := func() {
		if len(run) > 0 {
			f(run)
		}
		run = run[:0]
	}
	for i := range spec.Values {
		v, base := l.value(line, i)
		from, to := l.interval(i)
		if math.IsNaN(v) || from >= to {
			flush()
			continue
		}
		below := v < base
		if len(run) > 0 && below != under && l.base[line] != nil {
			flush() // a stacked line goes over to the other side of zero
		}
		under = below
		next := level{from, to, l.valueY(spec.Axis, v), l.valueY(spec.Axis, base)}
		if n := len(run); n > 0 && run[n-1].y == next.y && run[n-1].base == next.base {
			run[n-1].to = to
			continue
		}
		run = append(run, next)
	}
	flush()
}

// drawSteps draws a line as what its values mean: level over their step.
func (l *layout) drawSteps(p *page, line int) {
	spec := l.spec.Lines[line]
	width := spec.Width
	if spec.Style == StyleLine && width == 1 {
		width = 1.3
	}
	var runs [][]level
	l.runs(line, func(run []level) {
		if from, to := run[0].from, run[len(run)-1].to; to-from < dot && len(run) == 1 {
			p.rect((from+to-dot)/2, run[0].y-max(dot, width)/2, dot, max(dot, width), spec.Color)
			return
		}
		runs = append(runs, slices.Clone(run))
	})
	p.stairs(runs, width, spec.Color)
}

// drawFilled fills from the values down to what they stand on.
func (l *layout) drawFilled(p *page, line int) {
	spec := l.spec.Lines[line]
	var runs [][]level
	l.runs(line, func(run []level) { runs = append(runs, slices.Clone(run)) })
	p.below(runs, fillColor(spec.Color, spec.Style, areaAlpha(spec.Style)))
}

// drawSpans colours the full height where a line's value is true.
func (l *layout) drawSpans(p *page, line int) {
	spec := l.spec.Lines[line]
	defer p.begin(spec.Label)()
	began := math.NaN()
	for i := 0; i <= len(spec.Values); i++ {
		on := i < len(spec.Values) && spec.Values[i] != 0 && !math.IsNaN(spec.Values[i])
		from, _ := l.interval(i)
		switch {
		case on && math.IsNaN(began):
			began = from
		case !on && !math.IsNaN(began):
			end := min(from, l.plot.right())
			p.rect(began, l.plot.y, max(end-began, 1), l.plot.h, fillColor(spec.Color, StyleVspan, areaAlpha(StyleVspan)))
			began = math.NaN()
		}
	}
}
