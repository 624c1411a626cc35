package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// marks tell the lines of a chart apart; those after the last look like the first
// again.
const marks = "•+x*o#%@=abcdefghijklmnpqrstuvwyzABCDEFGHIJKLMNPQRSTUVWYZ"

const (
	chartGutter  = 11 // columns left of the values
	chartLegends = 20 // lines that the legend names
	ticksApart   = 4  // rows from one number at the side to the next
)

// appendChart draws g with characters: values to the left, times below, and a
// legend with statistics of each line. A value fills the columns of its step; a
// column that stands for several steps shows the values of all of them. No data
// is blank.
func appendChart(dst []byte, g *graph, width, height int) []byte {
	lo, hi := bounds(g)
	if math.IsNaN(lo) {
		return appendNotes(appendText(dst, "", g.nothing(), width), g, width)
	}
	scale := newScale(lo, hi, height)
	plot := width - chartGutter
	rows := make([][]rune, height)
	for i := range rows {
		rows[i] = []rune(strings.Repeat(" ", plot))
	}
	symbols, n := []rune(marks), len(g.Values)
	for j := range g.Legend {
		for i := range g.Values {
			if v := float64(g.Values[i][j]); !math.IsNaN(v) {
				from, to := i*plot/n, max((i+1)*plot/n, i*plot/n+1)
				for x := from; x < to; x++ {
					rows[scale.row(v)][x] = symbols[j%len(symbols)]
				}
			}
		}
	}
	for i, row := range rows {
		label := ""
		if i%ticksApart == 0 {
			label = shortNumber(scale.value(i))
		}
		dst = fmt.Appendf(dst, "%9s ┤%s\n", label, strings.TrimRight(string(row), " "))
	}
	dst = appendTimes(dst, g, plot)
	return appendNotes(appendLegend(dst, g, width), g, width)
}

// appendTimes appends the line below the values: the first stamp, how far stamps
// are apart, and the last.
func appendTimes(dst []byte, g *graph, plot int) []byte {
	left := clockText(g.Start)
	if len(g.Values) == 1 {
		return fmt.Appendf(dst, "%9s  %s\n", "", left)
	}
	every := "step " + (time.Duration(g.Step) * time.Millisecond).String()
	right := clockText(g.Start + int64(len(g.Values)-1)*g.Step)
	gap := plot - len(left) - len(every) - len(right)
	if gap < 2 {
		every, gap = "", plot-len(left)-len(right)
	}
	if gap < 2 {
		return fmt.Appendf(dst, "%9s  %s to\n%9s  %s\n", "", left, "", right)
	}
	return fmt.Appendf(dst, "%9s  %s%s%s%s%s\n", "", left, strings.Repeat(" ", gap/2), every, strings.Repeat(" ", gap-gap/2), right)
}

// appendLegend appends what the lines are, each with its last, smallest, largest
// and mean value.
func appendLegend(dst []byte, g *graph, width int) []byte {
	const column, least = 10, 8 // of a number; of a text
	numbers := min(4, max(1, (width-4-least)/column))
	shown := min(len(g.Legend), chartLegends)
	texts, longest := make([]string, shown), 0
	for j := range texts {
		texts[j] = printable(g.Legend[j])
		longest = max(longest, textColumns(texts[j]))
	}
	longest = min(longest, width-4-numbers*column)
	dst = append(dst, strings.Repeat(" ", 4+longest)...)
	for _, name := range []string{"last", "min", "max", "avg"}[:numbers] {
		dst = fmt.Appendf(dst, "%*s", column, name)
	}
	dst = append(dst, '\n')
	symbols := []rune(marks)
	for j, text := range texts {
		s, text := statsOf(g, j), shorten(text, longest)
		dst = fmt.Appendf(dst, "  %c %s%s", symbols[j%len(symbols)], text, strings.Repeat(" ", longest-textColumns(text)))
		for _, v := range []float64{s.last, s.min, s.max, s.sum / float64(s.n)}[:numbers] {
			dst = fmt.Appendf(dst, "%*s", column, shortNumber(v))
		}
		dst = append(dst, '\n')
	}
	if more := len(g.Legend) - shown; more > 0 {
		dst = appendText(dst, "    ", fmt.Sprintf("and %d more lines; max,%d,:topk shows the highest, --format csv has all", more, chartLegends), width)
	}
	return dst
}

func appendNotes(dst []byte, g *graph, width int) []byte {
	for _, n := range g.Notices {
		dst = appendText(dst, "  ", "note: "+printable(n), width)
	}
	return dst
}

// appendText appends words in as many lines as they need, each behind an indent.
func appendText(dst []byte, indent, text string, width int) []byte {
	used := 0
	for _, word := range strings.Fields(text) {
		word = shorten(word, width-len(indent))
		n := textColumns(word)
		switch {
		case used == 0:
			dst = append(dst, indent...)
			used = len(indent)
		case used+1+n > width:
			dst = append(append(dst, '\n'), indent...)
			used = len(indent)
		default:
			dst = append(dst, ' ')
			used++
		}
		dst = append(dst, word...)
		used += n
	}
	return append(dst, '\n')
}

// nothing says why there is nothing to draw.
func (g *graph) nothing() string {
	span := clockText(g.Start)
	if n := len(g.Values); n > 1 {
		span += " to " + clockText(g.Start+int64(n-1)*g.Step)
	}
	switch n := g.Explain.InputLines; {
	case n == 0:
		return "no data: no series was read: none matches, or the expression asks for none"
	case n == 1:
		return "no data: 1 series was read, and there is no value at " + span
	default:
		return fmt.Sprintf("no data: %d series were read, and there is no value at %s", n, span)
	}
}

// lineStats are the statistics of the values that are numbers.
type lineStats struct {
	last, min, max, sum float64
	n                   int
}

func statsOf(g *graph, line int) lineStats {
	nan := math.NaN()
	s := lineStats{last: nan, min: nan, max: nan}
	for i := range g.Values {
		v := float64(g.Values[i][line])
		if math.IsNaN(v) {
			continue
		}
		if s.n++; s.n == 1 {
			s.min, s.max = v, v
		}
		s.last, s.min, s.max, s.sum = v, min(s.min, v), max(s.max, v), s.sum+v
	}
	return s
}

// bounds returns the smallest and largest number, NaN when there is none.
func bounds(g *graph) (lo, hi float64) {
	lo, hi = math.NaN(), math.NaN()
	for j := range g.Legend {
		if s := statsOf(g, j); s.n > 0 {
			if !(lo <= s.min) {
				lo = s.min
			}
			if !(hi >= s.max) {
				hi = s.max
			}
		}
	}
	return lo, hi
}

// valueScale is the values of rows: that of the highest, and how far two are apart.
type valueScale struct {
	top, perRow float64
	rows        int
}

// newScale returns the finest scale for values from lo to hi whose numbers at the
// side are round. What is beyond 1e300 is drawn at the edge.
func newScale(lo, hi float64, rows int) valueScale {
	lo, hi = min(max(lo, -1e300), 1e300), min(max(hi, -1e300), 1e300)
	if !(hi-lo > 1e-300) {
		d := math.Abs(lo) / 10
		if d < 1e-290 {
			d = 1
		}
		lo, hi = lo-d, hi+d
	}
	parts := []float64{1} // of the distance of two numbers at the side, a multiple of which is at the top
	if rows <= 2*ticksApart {
		parts = []float64{1, 2, ticksApart}
	}
	for power := math.Pow(10, math.Floor(math.Log10((hi-lo)*ticksApart/float64(rows-1)))); ; power *= 10 {
		for _, m := range []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8} {
			for _, n := range parts {
				unit := m * power / n
				s := valueScale{top: math.Ceil(hi/unit) * unit, perRow: m * power / ticksApart, rows: rows}
				if s.value(rows-1) <= lo {
					return s
				}
			}
		}
	}
}

// value returns the value of a row, counted from the highest.
func (s valueScale) value(row int) float64 {
	if v := s.top - float64(row)*s.perRow; math.Abs(v) > s.perRow/1e6 {
		return v
	}
	return 0
}

// row returns the row of a value.
func (s valueScale) row(v float64) int {
	r := math.Round(s.top/s.perRow - v/s.perRow)
	return int(max(0, min(r, float64(s.rows-1))))
}

func clockText(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05Z") }

// shortNumber prints v with four digits and a decimal prefix, or with an exponent
// and fewer digits.
func shortNumber(v float64) string {
	for _, u := range []struct {
		from   float64
		suffix string
	}{{1e15, ""}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		switch {
		case math.Abs(v) < u.from:
		case u.suffix == "":
			return fmt.Sprintf("%.2g", v)
		default:
			return fmt.Sprintf("%.4g%s", v/u.from, u.suffix)
		}
	}
	if v != 0 && math.Abs(v) < 1e-4 {
		return fmt.Sprintf("%.3g", v)
	}
	return fmt.Sprintf("%.4g", v)
}

// shorten cuts the middle out of a text of more than n columns.
func shorten(text string, n int) string {
	if textColumns(text) <= n {
		return text
	}
	r := []rune(text)
	head, tail, left := 0, len(r), n-1 // of what is kept; columns for more
	for toHead := true; ; toHead = !toHead {
		next := &r[head]
		if !toHead {
			next = &r[tail-1]
		}
		if left -= runeColumns(*next); left < 0 {
			return string(slices.Concat(r[:head], []rune("…"), r[tail:]))
		}
		if toHead {
			head++
		} else {
			tail--
		}
	}
}

// printable replaces what moves the cursor or is no character, which a legend could
// bring to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func textColumns(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns returns how many columns of a terminal a character takes.
func runeColumns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0xFF61 && r <= 0xFFDC: // halves
		return 1
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana), r >= 0x3000 && r < 0x3040, r >= 0xFF01 && r <= 0xFF60, r >= 0x1F300 && r <= 0x1FAFF:
		return 2
	}
	return 1
}
