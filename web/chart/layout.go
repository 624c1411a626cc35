package chart

import (
	"math"
	"time"
)

// Distances in pixels.
const (
	margin     = 12.0
	rowHeight  = 16.0
	titleRow   = 26.0
	tickLength = 4.0
	timeRows   = 34.0 // below the plot: labels, then date and zone
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
	axisX         []float64 // of each axis' line
	times         []timeTick
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
		l.width, l.height = l.plot.w, l.plot.h
		return l
	}
	imageWidth := s.Layout == LayoutImage || s.Layout == LayoutImageWidth
	imageHeight := s.Layout == LayoutImage || s.Layout == LayoutImageHeight

	l.plot.y = margin
	// Ticks depend on the height, and margins on the ticks' widths: the height
	// is settled first.
	textWidth := float64(s.Width) - 2*margin
	if !imageWidth {
		textWidth += 2 * margin
	}
	if s.Title != "" {
		l.title = fonts.wrap(titleStyle, s.Title, textWidth, 3)
		l.plot.y = 8 + titleRow*0.75*float64(len(l.title)) + 8
	}
	for _, n := range s.Notices[:min(len(s.Notices), 10)] {
		l.notices = append(l.notices, fonts.wrap(textStyle, n, textWidth-14, 4)...)
	}
	if !s.NoLegend {
		l.legend = newLegend(s, fonts)
	}
	below := timeRows + l.legend.height() + margin
	if len(l.notices) > 0 {
		below += 6 + rowHeight*float64(len(l.notices))
	}
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
	l.legendY = l.plot.bottom() + timeRows
	l.noticeY = l.legendY + l.legend.height() + 6
	l.height = math.Ceil(l.plot.bottom() + below)
	l.times = l.timeTicks()
	l.legend.place(l.width-2*margin, fonts)
	return l
}

// scale fits every axis to its lines.
func (l *layout) scale() {
	l.empty = true
	for i, axis := range l.spec.Axes {
		lowest, highest, filled := extents(l.spec.Lines, l.base, i)
		l.empty = l.empty && lowest > highest
		l.scales = append(l.scales, newScale(axis, lowest, highest, filled, l.plot.h))
	}
}

// extents returns the lowest and highest drawn value of the lines on an axis
// (lowest above highest when there is none), and whether something is filled.
func extents(lines []Line, base [][]float64, axis int) (lowest, highest float64, filled bool) {
	lowest, highest = 1, 0
	found := false
	for i, l := range lines {
		if l.Axis != axis || l.Style == StyleVspan {
			continue
		}
		filled = filled || l.Style == StyleArea || l.Style == StyleStack
		for j, v := range l.Values {
			if base[i] != nil {
				v += base[i][j]
			}
			if !finite(v) {
				continue
			}
			if !found {
				lowest, highest, found = v, v, true
			}
			lowest, highest = min(lowest, v), max(highest, v)
		}
	}
	return lowest, highest, filled
}

// stackBases returns, for every stacked line, what its values stand on: the
// sum of the earlier ones of the same sign on the same axis.
func stackBases(lines []Line) [][]float64 {
	out := make([][]float64, len(lines))
	up := make(map[int][]float64)
	down := make(map[int][]float64)
	for i, l := range lines {
		if l.Style != StyleStack {
			continue
		}
		base := make([]float64, len(l.Values))
		for j, v := range l.Values {
			sums := up
			if v < 0 {
				sums = down
			}
			if len(sums[l.Axis]) <= j {
				sums[l.Axis] = append(sums[l.Axis], make([]float64, len(l.Values)-len(sums[l.Axis]))...)
			}
			base[j] = sums[l.Axis][j]
			if finite(v) {
				sums[l.Axis][j] += v
			}
		}
		out[i] = base
	}
	return out
}

// placeAxes sets axisX: of the first axis nothing yet, of the others the
// distance from the plot's right edge. It returns the margins they need.
func (l *layout) placeAxes() (leftMargin, rightMargin float64) {
	l.axisX = make([]float64, len(l.scales))
	leftMargin, rightMargin = l.axisWidth(0), 18
	for i := 1; i < len(l.scales); i++ {
		if i == 1 {
			rightMargin = 0
		}
		l.axisX[i] = rightMargin
		rightMargin += l.axisWidth(i)
	}
	return leftMargin, rightMargin
}

// axisWidth returns how much room the ticks and the label of an axis need.
func (l *layout) axisWidth(i int) float64 {
	s := &l.scales[i]
	widest := 0.0
	if s.TickLabels != TicksOff {
		for _, t := range s.ticks {
			widest = max(widest, l.fonts.measure(textStyle, t.label))
		}
	}
	w := margin + widest + tickLength + 3
	if s.Label != "" {
		w += rowHeight
	}
	return max(w, 28)
}

// timeTicks chooses time ticks whose labels do not touch.
func (l *layout) timeTicks() []timeTick {
	s := l.spec
	for count := max(1, int(l.plot.w/56)); ; count = count * 3 / 4 {
		ticks := timeTicks(s.Start, s.End, s.Zone, count)
		if count <= 1 || l.apart(ticks) {
			return ticks
		}
	}
}

func (l *layout) apart(ticks []timeTick) bool {
	last := -1e9
	for _, t := range ticks {
		w := l.fonts.measure(textStyle, t.label)
		x := l.timeX(t.at)
		if x-w/2 < last+12 {
			return false
		}
		last = x + w/2
	}
	return true
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

// span says in words what the time axis covers.
func (l *layout) span() string {
	start, end := time.UnixMilli(l.spec.Start).In(l.spec.Zone), time.UnixMilli(l.spec.End).In(l.spec.Zone)
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
	zone := l.spec.Zone.String()
	if name := end.Format("MST"); name != zone && l.spec.Zone != time.UTC {
		zone = name + " (" + zone + ")"
	}
	return text + " " + zone
}
