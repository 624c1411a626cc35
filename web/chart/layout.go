package chart

import (
	"math"
	"time"
)

// Distances in pixels.
const (
	margin     = 12.0
	rowHeight  = 16.0
	titleRow   = 19.5
	tickLength = 4.0
	zoneRow    = 15.0 // labels of a time zone
	spanRow    = 19.0 // date, zone and step below them
	smallest   = 20.0 // of either side of the plot
)

// box is a rectangle.
type box struct{ x, y, w, h float64 }

func (b box) right() float64  { return b.x + b.w }
func (b box) bottom() float64 { return b.y + b.h }

// layout is where everything stands.
type layout struct {
	spec          Spec
	fonts         *typefaces
	width, height float64 // of the image
	plot          box
	title         []string
	scales        []scale
	heats         []*heatmap
	axisX         []float64    // of each axis' line
	times         [][]timeTick // of each zone
	notices       []string
	legend        legend
	legendY       float64
	noticeY       float64
	base          [][]float64 // per line: what a stacked one stands on, nil for the others
	empty         bool        // there is no value to draw
}

// newLayout measures and places everything of a checked spec.
func newLayout(s Spec, fonts *typefaces) *layout {
	l := &layout{spec: s, fonts: fonts, base: stackBases(s.Lines)}
	l.plot = box{w: float64(s.Width), h: float64(s.Height)}
	if s.OnlyGraph {
		l.scale()
		l.countHeat()
		l.times = [][]timeTick{l.timeTicks(s.Zones[0])}
		l.width, l.height = l.plot.w, l.plot.h
		return l
	}
	imageWidth := s.Layout == LayoutImage || s.Layout == LayoutImageWidth
	imageHeight := s.Layout == LayoutImage || s.Layout == LayoutImageHeight

	// Ticks depend on the height, and margins on the ticks' widths: the height
	// is settled first.
	textWidth := float64(s.Width) - 2*margin
	if !imageWidth {
		textWidth += 2 * margin
	}
	l.plot.y = margin
	if s.Title != "" {
		l.title = fonts.wrap(titleStyle, s.Title, textWidth, 3)
		l.plot.y = 8 + titleRow*float64(len(l.title)) + 8
	}
	for _, n := range s.Notices[:min(len(s.Notices), 10)] {
		l.notices = append(l.notices, fonts.wrap(textStyle, n, textWidth-14, 4)...)
	}
	below := l.placeBelow(imageHeight)
	if imageHeight {
		l.plot.h = max(smallest, float64(s.Height)-l.plot.y-below)
	}
	l.scale()
	leftMargin, rightMargin := l.placeAxes()
	if imageWidth {
		l.plot.w = max(smallest, float64(s.Width)-leftMargin-rightMargin)
	}
	l.plot.x = leftMargin
	for i := range l.axisX {
		if i == 0 {
			l.axisX[i] = l.plot.x
		} else {
			l.axisX[i] += l.plot.right()
		}
	}
	l.width = math.Ceil(l.plot.right() + rightMargin)
	l.legendY = l.plot.bottom() + l.timeHeight()
	l.noticeY = l.legendY + l.legend.height() + 6
	l.height = math.Ceil(l.plot.bottom() + below)
	for _, zone := range s.Zones {
		l.times = append(l.times, l.timeTicks(zone))
	}
	l.countHeat()
	l.legend.place(l.width-2*margin, l.heats, fonts)
	return l
}

// placeBelow chooses what stands below the plot and returns its height. Where the
// image has a height of its own and the plot would get less than two fifths of it, the
// statistics are left out, or the whole legend, then notices and the title.
func (l *layout) placeBelow(fixed bool) (below float64) {
	s := &l.spec
	stats, legends := !s.NoLegendStats, !s.NoLegend
	for _, leave := range []func(){
		func() {},
		func() { stats = false },
		func() { legends = false },
		func() { l.notices = nil },
		func() { l.title, l.plot.y = nil, margin },
	} {
		leave()
		l.legend = legend{}
		if legends {
			l.legend = newLegend(s, stats, l.fonts)
		}
		below = l.timeHeight() + l.legend.height() + margin
		if n := len(l.notices); n > 0 {
			below += 6 + rowHeight*float64(n)
		}
		if !fixed || float64(s.Height)-l.plot.y-below >= float64(s.Height)*0.4 {
			break
		}
	}
	return below
}

// timeHeight is the room below the plot for labels, date and zone.
func (l *layout) timeHeight() float64 { return zoneRow*float64(len(l.spec.Zones)) + spanRow }

// scale fits every axis to its lines.
func (l *layout) scale() {
	l.empty = true
	for i, axis := range l.spec.Axes {
		e := extentOf(l.spec.Lines, l.base, i)
		l.empty = l.empty && e.empty()
		l.scales = append(l.scales, newScale(axis, e, l.plot.h))
	}
}

// countHeat counts the cells of the heat maps once the plot has its size.
func (l *layout) countHeat() {
	for i := range l.scales {
		if h := newHeatmap(&l.spec, i, &l.scales[i], l.plot.w, l.plot.h); h != nil {
			l.heats = append(l.heats, h)
		}
	}
}

// placeAxes sets axisX: of the first axis nothing yet, of the others the
// distance from the plot's right edge. It returns the margins they need.
func (l *layout) placeAxes() (leftMargin, rightMargin float64) {
	l.axisX = make([]float64, len(l.scales))
	leftMargin, rightMargin = l.axisWidth(0), 18
	if len(l.spec.Zones) > 1 {
		for _, zone := range l.spec.Zones {
			leftMargin = max(leftMargin, margin+l.fonts.measure(headerStyle, l.zoneName(zone))+zoneGap)
		}
	}
	for i := 1; i < len(l.scales); i++ {
		if i == 1 {
			rightMargin = 0
		}
		l.axisX[i] = rightMargin
		rightMargin += l.axisWidth(i)
	}
	return math.Ceil(leftMargin), math.Ceil(rightMargin) // the plot begins with a whole pixel
}

// zoneGap keeps the name of a zone from the first label of its row.
const zoneGap = 24.0

// axisWidth returns how much room the ticks and the label of an axis need.
func (l *layout) axisWidth(i int) float64 {
	s := &l.scales[i]
	w := margin + l.tickWidth(i) + tickLength + 3
	if s.Label != "" {
		w += rowHeight
	}
	return max(w, 28)
}

// tickWidth returns the width of the widest label on an axis.
func (l *layout) tickWidth(i int) float64 {
	widest := 0.0
	if s := &l.scales[i]; s.TickLabels != TicksOff {
		for _, t := range s.ticks {
			if !t.minor {
				widest = max(widest, l.fonts.measure(textStyle, t.label))
			}
		}
	}
	return widest
}

// timeTicks chooses time ticks whose labels do not touch.
func (l *layout) timeTicks(zone *time.Location) []timeTick {
	s := l.spec
	for count := max(1, int(l.plot.w/56)); ; count = count * 3 / 4 {
		ticks := timeTicks(s.Start, s.End, zone, count)
		if count <= 1 || l.apart(ticks) {
			return ticks
		}
	}
}

func (l *layout) apart(ticks []timeTick) bool {
	last := -1e9
	for _, t := range ticks {
		w := l.fonts.measure(t.style(), t.label)
		x := l.timeX(t.at)
		if x-w/2 < last+12 {
			return false
		}
		last = x + w/2
	}
	return true
}

// style is the type of a tick's label.
func (t timeTick) style() style {
	s := textStyle
	s.bold = t.day
	return s
}

// timeX returns where a time stands.
func (l *layout) timeX(at int64) float64 {
	return l.plot.x + l.plot.w*float64(at-l.spec.Start)/float64(l.spec.End-l.spec.Start)
}

// valueY returns where a value stands, at most a few pixels outside the plot.
func (l *layout) valueY(axis int, v float64) float64 {
	y := l.plot.bottom() - l.plot.h*l.scales[axis].part(v)
	return min(max(y, l.plot.y-60), l.plot.bottom()+60)
}

// zoneName is the short name of a zone at the end of the graph.
func (l *layout) zoneName(zone *time.Location) string {
	return time.UnixMilli(l.spec.End).In(zone).Format("MST")
}

// span says in words what the time axis covers.
func (l *layout) span() string {
	first := l.spec.Zones[0]
	start, end := time.UnixMilli(l.spec.Start).In(first), time.UnixMilli(l.spec.End).In(first)
	day, clock := "2006-01-02", "15:04"
	if l.spec.End-l.spec.Start < 10*60_000 {
		clock = "15:04:05"
	}
	text := start.Format(day+" "+clock) + " – "
	if start.Format(day) == end.Format(day) {
		text += end.Format(clock)
	} else {
		text += end.Format(day + " " + clock)
	}
	zone := first.String()
	if name := l.zoneName(first); name != zone && first != time.UTC {
		zone = name + " (" + zone + ")"
	}
	return text + " " + zone
}
