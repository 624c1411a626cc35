package chart

import (
	"fmt"
	"image/color"
)

// legend is a table below the plot: a row per line with its colour, label and
// statistics. Where the page is narrow the statistics take a second row.
type legend struct {
	rows    []legendRow
	more    string // how many lines are not listed
	stats   bool
	split   bool
	columns []float64 // right edges of the statistics, from the left margin
	label   float64   // width for labels
}

type legendRow struct {
	color color.NRGBA
	style LineStyle
	label string
	stats []string
}

var statNames = []string{"max", "min", "avg", "last", "total", "count"}

const (
	swatch      = 18.0
	columnGap   = 16.0
	fewestLabel = 150.0
)

// newLegend formats the rows. Whether they are split depends on the plot's
// width, which the image's is never below.
func newLegend(s Spec, fonts *typefaces) legend {
	l := legend{stats: !s.NoLegendStats && len(s.Lines) > 0}
	for i, line := range s.Lines {
		if i == maxLegend {
			l.more = fmt.Sprintf("and %d more lines", len(s.Lines)-maxLegend)
			break
		}
		row := legendRow{color: line.Color, style: line.Style, label: line.Label}
		if l.stats {
			kind := s.Axes[line.Axis].TickLabels
			st := line.Stats
			for _, v := range []float64{st.Max, st.Min, st.Avg, st.Last, st.Total} {
				row.stats = append(row.stats, formatStat(v, kind))
			}
			row.stats = append(row.stats, formatCount(st.Count))
		}
		l.rows = append(l.rows, row)
	}
	if l.stats {
		x := 0.0
		for i, name := range statNames {
			w := max(fonts.measure(headerStyle, name), 38)
			for _, row := range l.rows {
				w = max(w, fonts.measure(textStyle, row.stats[i]))
			}
			x += w + columnGap
			l.columns = append(l.columns, x)
		}
		widest := 0.0
		for _, row := range l.rows {
			widest = max(widest, fonts.measure(textStyle, clean(row.label)))
		}
		l.split = float64(s.Width)-swatch-x < min(widest, fewestLabel)
	}
	return l
}

// height returns how much room the legend needs.
func (l *legend) height() float64 {
	if len(l.rows) == 0 {
		return 0
	}
	n := len(l.rows)
	if l.split {
		n *= 2
	}
	if l.stats {
		n++
	}
	if l.more != "" {
		n++
	}
	return 8 + float64(n)*rowHeight
}

// place gives the columns their places in a width.
func (l *legend) place(width float64, fonts *typefaces) {
	l.label = width - swatch
	if l.stats {
		shift := width - l.columns[len(l.columns)-1]
		if l.split {
			shift = min(shift, swatch)
		} else {
			widest := 0.0
			for _, row := range l.rows {
				widest = max(widest, fonts.measure(textStyle, clean(row.label)))
			}
			shift = min(shift, swatch+max(widest, fewestLabel))
			l.label = shift - swatch
		}
		for i := range l.columns {
			l.columns[i] += shift
		}
	}
	for i := range l.rows {
		l.rows[i].label = fonts.fit(textStyle, l.rows[i].label, l.label)
	}
}

// draw writes the legend with its top at y.
func (l *legend) draw(p *page, y float64, k ink) {
	if len(l.rows) == 0 {
		return
	}
	y += 8
	if l.stats {
		for i, name := range statNames {
			p.text(margin+l.columns[i], y+11, headerStyle, right, k.muted, name)
		}
		y += rowHeight
	}
	for _, row := range l.rows {
		l.swatch(p, y, row)
		p.text(margin+swatch, y+12, textStyle, left, k.text, row.label)
		if l.split {
			y += rowHeight
		}
		for i, text := range row.stats {
			p.text(margin+l.columns[i], y+12, textStyle, right, k.text, text)
		}
		y += rowHeight
	}
	if l.more != "" {
		p.text(margin+swatch, y+12, textStyle, left, k.muted, l.more)
	}
}

func (l *legend) swatch(p *page, y float64, row legendRow) {
	switch row.style {
	case StyleLine:
		p.rect(margin, y+6.5, 12, 3, row.color)
	case StyleVspan:
		p.rect(margin+3, y+3, 6, 10, faded(row.color, 0.5))
	default:
		p.rect(margin, y+3, 12, 10, faded(row.color, areaAlpha(row.style)))
		p.rect(margin, y+3, 12, 2, row.color)
	}
}
