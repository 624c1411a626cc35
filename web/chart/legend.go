package chart

import (
	"fmt"
	"image/color"
	"slices"
)

// legend is a table below the plot: a row per line with its colour, label and
// statistics, a heading per axis where there are several. Where the page is
// narrow some statistics are left out, or they take a second row. Where it is wide,
// many lines are listed side by side.
type legend struct {
	rows    []legendRow
	more    string // how many lines are not listed
	stats   bool
	split   bool
	across  int       // how many rows stand side by side
	pitch   float64   // from one of them to the next
	columns []float64 // right edges of the statistics, from the row's beginning
	label   float64   // width for labels
}

type legendRow struct {
	heading bool
	heat    bool // of all heat map lines of axis
	axis    int
	color   color.NRGBA
	style   LineStyle
	width   float64
	label   string
	stats   []string
	drawn   *heatmap
}

var statNames = []string{"max", "min", "avg", "last", "total", "count"}

const (
	swatch      = 18.0
	columnGap   = 16.0
	fewestLabel = 150.0
	// Least statistics in the row of a label, and in one of their own.
	fewestBeside, fewestColumns = 4, 3
	rampWidth                   = 140.0
	// So many rows that some are listed side by side, at such a distance.
	manyRows, gutter = 9, 32.0
)

// newLegend formats the rows, with statistics or without. Where the plot, which the
// image is never narrower than, has no room for all of them, the last are left out;
// rows are split rather than to have less than four.
func newLegend(s *Spec, stats bool, fonts *typefaces) legend {
	l := legend{stats: stats, across: 1}
	l.addRows(s)
	l.stats = l.stats && slices.ContainsFunc(l.rows, func(r legendRow) bool { return len(r.stats) > 0 })
	room := float64(s.Width)
	if s.Layout == LayoutImage || s.Layout == LayoutImageWidth {
		room -= 2 * margin
	}
	if !l.stats {
		l.sideBySide(room, fonts)
		return l
	}
	ends := l.columnEnds(fonts)
	beside := swatch + min(l.widest(fonts), fewestLabel)
	n := fitting(ends, room-beside)
	if l.split = n < fewestBeside; l.split {
		n = fitting(ends, room)
	}
	if n < fewestColumns {
		return newLegend(s, false, fonts)
	}
	l.columns = ends[:n]
	for i := range l.rows {
		if row := &l.rows[i]; row.stats != nil {
			row.stats = row.stats[:n]
		}
	}
	l.sideBySide(room, fonts)
	return l
}

// sideBySide lists rows in as many columns as have room in full.
func (l *legend) sideBySide(room float64, fonts *typefaces) {
	if len(l.rows) < manyRows || l.split || slices.ContainsFunc(l.rows, func(r legendRow) bool { return r.heat }) {
		return
	}
	need := swatch + l.widest(fonts) + gutter
	if l.stats {
		need += l.columns[len(l.columns)-1]
	}
	l.across = min(max(int((room+gutter)/need), 1), len(l.rows)/3)
}

// high returns how many rows stand below each other.
func (l *legend) high() int { return (len(l.rows) + l.across - 1) / l.across }

// columnEnds returns where the columns of all statistics end, from the first one's
// beginning.
func (l *legend) columnEnds(fonts *typefaces) []float64 {
	var ends []float64
	x := 0.0
	for i, name := range statNames {
		w := max(fonts.measure(headerStyle, name), 38)
		for _, row := range l.rows {
			if row.stats != nil {
				w = max(w, fonts.measure(textStyle, row.stats[i]))
			}
		}
		x += w + columnGap
		ends = append(ends, x)
	}
	return ends
}

// fitting returns how many of the columns have room.
func fitting(ends []float64, room float64) int {
	n := 0
	for n < len(ends) && ends[n] <= room {
		n++
	}
	return n
}

// addRows lists the lines, those of an axis together. Where they are too many each
// axis has its share of the rows.
func (l *legend) addRows(s *Spec) {
	lines, shared := listed(s)
	share := maxLegend
	if len(lines) > maxLegend {
		share /= len(s.Axes)
	}
	headings := len(s.Axes) > 1 && (s.PlainAxes || shared) // one line an axis is known by its colour
	var rows [MaxAxes]int
	left := 0
	for _, line := range lines {
		axis := line.Axis
		if rows[axis]++; rows[axis] > share {
			left++
			continue
		}
		if headings && rows[axis] == 1 {
			l.rows = append(l.rows, legendRow{heading: true, axis: axis, label: axisName(s, axis)})
		}
		row := legendRow{color: line.Color, style: line.Style, width: line.Width, label: line.Label, axis: axis}
		if line.Style == StyleHeatmap {
			row.heat, row.label = true, s.Axes[axis].Heat.Label
		} else if l.stats {
			row.stats = statTexts(line.Stats, s.Axes[axis].TickLabels)
		}
		l.rows = append(l.rows, row)
	}
	if left > 0 {
		l.more = fmt.Sprintf("and %d more lines", left)
	}
}

// listed returns what a legend lists, axis by axis, a heat map by its first line,
// and whether any axis has several.
func listed(s *Spec) (lines []*Line, shared bool) {
	var heat [MaxAxes]bool
	for i := range s.Lines {
		l := &s.Lines[i]
		if l.Style == StyleHeatmap {
			if heat[l.Axis] {
				continue
			}
			heat[l.Axis] = true
		}
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(a, b *Line) int { return a.Axis - b.Axis })
	for i := 1; i < len(lines); i++ {
		shared = shared || lines[i].Axis == lines[i-1].Axis
	}
	return lines, shared
}

func axisName(s *Spec, axis int) string {
	name := fmt.Sprintf("axis %d", s.Axes[axis].Number)
	if text := s.Axes[axis].Label; text != "" {
		name += ": " + text
	}
	return name
}

func statTexts(st Stats, kind TickLabels) []string {
	var out []string
	for _, v := range []float64{st.Max, st.Min, st.Avg, st.Last, st.Total} {
		out = append(out, formatStat(v, kind))
	}
	return append(out, formatCount(st.Count))
}

// widest returns the width of the widest label.
func (l *legend) widest(fonts *typefaces) float64 {
	w := 0.0
	for _, row := range l.rows {
		if !row.heading {
			w = max(w, fonts.measure(textStyle, clean(row.label)))
		}
	}
	return w
}

// height returns how much room the legend needs.
func (l *legend) height() float64 {
	if len(l.rows) == 0 {
		return 0
	}
	n := l.high()
	if l.stats {
		n++
	}
	for _, row := range l.rows {
		if l.split && row.stats != nil || row.heat {
			n++
		}
	}
	if l.more != "" {
		n++
	}
	return 8 + float64(n)*rowHeight
}

// place gives the columns their places in a width.
func (l *legend) place(width float64, heats []*heatmap, fonts *typefaces) {
	if len(l.rows) == 0 {
		return
	}
	l.pitch = (width + gutter) / float64(l.across)
	width = l.pitch - gutter
	l.label = width - swatch
	if l.stats {
		shift := width - l.columns[len(l.columns)-1]
		if l.split {
			shift = min(shift, swatch)
		} else {
			shift = min(shift, swatch+max(l.widest(fonts), fewestLabel))
			l.label = shift - swatch
		}
		for i := range l.columns {
			l.columns[i] += shift
		}
	}
	for i := range l.rows {
		row := &l.rows[i]
		room := l.label
		if row.heat {
			room = width - swatch
		}
		for _, h := range heats {
			if row.heat && h.axis == row.axis {
				row.drawn, row.label = h, h.label
			}
		}
		if row.heading {
			row.label = fonts.fit(boldStyle, row.label, width)
		} else {
			row.label = fonts.fit(textStyle, row.label, room)
		}
	}
}

// draw writes the legend with its top at y.
func (l *legend) draw(p *page, y float64, k ink, axisColors []color.NRGBA) {
	if len(l.rows) == 0 {
		return
	}
	high := l.high()
	for i := range l.across {
		l.drawRows(p, margin+float64(i)*l.pitch, y+8, l.rows[min(i*high, len(l.rows)):min((i+1)*high, len(l.rows))], k, axisColors)
	}
	if l.more != "" {
		p.text(margin+swatch, y+l.height()-rowHeight+12, textStyle, left, k.muted, l.more)
	}
}

// drawRows writes a column of rows with their statistics.
func (l *legend) drawRows(p *page, x, y float64, rows []legendRow, k ink, axisColors []color.NRGBA) {
	if l.stats {
		for i, name := range statNames[:len(l.columns)] {
			p.text(x+l.columns[i], y+11, headerStyle, right, k.muted, name)
		}
		y += rowHeight
	}
	for _, row := range rows {
		if row.heading {
			p.text(x, y+12, boldStyle, left, axisColors[row.axis], row.label)
			y += rowHeight
			continue
		}
		row.swatch(p, x, y)
		p.text(x+swatch, y+12, textStyle, left, k.text, row.label)
		if row.heat {
			y += rowHeight
			row.ramp(p, y, k)
		}
		if l.split && row.stats != nil {
			y += rowHeight
		}
		for i, text := range row.stats {
			p.text(x+l.columns[i], y+12, textStyle, right, k.text, text)
		}
		y += rowHeight
	}
}

// swatch shows what the line looks like.
func (row *legendRow) swatch(p *page, x, y float64) {
	switch {
	case row.drawn != nil:
		n := len(row.drawn.shades)
		for i := range 4 {
			p.rect(x+float64(i*3), y+3, 3, 10, row.drawn.shades[i*(n-1)/3])
		}
	case row.style == StyleLine:
		h := min(max(row.width, 2), 8)
		p.rect(x, y+8-h/2, 12, h, row.color)
	case row.style == StyleVspan:
		p.rect(x+3, y+3, 6, 10, fillColor(row.color, StyleVspan, 0.5))
	default:
		p.rect(x, y+3, 12, 10, fillColor(row.color, row.style, areaAlpha(row.style)))
		p.rect(x, y+3, 12, 2, row.color)
	}
}

// ramp shows which colours a heat map has for which counts.
func (row *legendRow) ramp(p *page, y float64, k ink) {
	h := row.drawn
	if h == nil {
		return
	}
	x := margin + swatch
	low, high := formatStat(h.counts.lower, TicksDecimal), formatStat(h.counts.upper, TicksDecimal)
	if h.single {
		low = high
	}
	p.text(x, y+12, textStyle, left, k.text, low)
	x += p.fonts.measure(textStyle, low) + 6
	step := rampWidth / float64(len(h.shades))
	for i, c := range h.shades {
		p.rect(p.snap(x+float64(i)*step), y+3, p.snap(x+float64(i+1)*step)-p.snap(x+float64(i)*step), 10, c)
	}
	p.text(x+rampWidth+6, y+12, textStyle, left, k.text, high+" in a cell")
}
