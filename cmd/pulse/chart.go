package main

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// marks tell the lines of a chart apart; the tenth looks like the first again.
const marks = "•+x*o#%@="

// appendChart draws g with characters: values to the left, times below, and a
// legend with the last value of each line. A column that stands for several
// steps shows the last number among them.
func appendChart(dst []byte, g *graph, width, height int) []byte {
	lo, hi := bounds(g)
	if math.IsNaN(lo) {
		return append(dst, "no data\n"...)
	}
	plot := width - 11
	rows := make([][]rune, height)
	for i := range rows {
		rows[i] = []rune(strings.Repeat(" ", plot))
	}
	symbols := []rune(marks)
	for j := range g.Legend {
		for i := range g.Values {
			v := float64(g.Values[i][j])
			if math.IsNaN(v) {
				continue
			}
			x := i * plot / max(len(g.Values), 1)
			y := int(math.Round((hi - v) / (hi - lo) * float64(height-1)))
			rows[y][x] = symbols[j%len(symbols)]
		}
	}
	for i, row := range rows {
		label := ""
		if i%4 == 0 || i == height-1 {
			label = shortNumber(hi - (hi-lo)*float64(i)/float64(height-1))
		}
		dst = fmt.Appendf(dst, "%9s ┤%s\n", label, strings.TrimRight(string(row), " "))
	}
	end := g.Start + int64(len(g.Values)-1)*g.Step
	left, right := clockText(g.Start), clockText(end)
	gap := max(1, plot-utf8.RuneCountInString(left)-utf8.RuneCountInString(right))
	dst = fmt.Appendf(dst, "%9s  %s%s%s\n", "", left, strings.Repeat(" ", gap), right)
	for j, text := range g.Legend {
		if j == 20 {
			dst = fmt.Appendf(dst, "  … and %d more\n", len(g.Legend)-j)
			break
		}
		last := math.NaN()
		for i := range g.Values {
			if v := float64(g.Values[i][j]); !math.IsNaN(v) {
				last = v
			}
		}
		dst = fmt.Appendf(dst, "  %c %s  last %s\n", symbols[j%len(symbols)], printable(text), shortNumber(last))
	}
	for _, n := range g.Notices {
		dst = fmt.Appendf(dst, "  note: %s\n", printable(n))
	}
	return dst
}

// bounds returns the smallest and largest number, opened a little when they
// are equal, NaN when there is none.
func bounds(g *graph) (lo, hi float64) {
	lo, hi = math.NaN(), math.NaN()
	for _, row := range g.Values {
		for _, q := range row {
			v := float64(q)
			if math.IsNaN(v) {
				continue
			}
			if !(lo <= v) {
				lo = v
			}
			if !(hi >= v) {
				hi = v
			}
		}
	}
	if lo == hi {
		d := math.Max(math.Abs(lo)/10, 1)
		lo, hi = lo-d, hi+d
	}
	return lo, hi
}

func clockText(ms int64) string { return time.UnixMilli(ms).UTC().Format("Jan 2 15:04:05 UTC") }

// shortNumber prints v with four digits and a decimal prefix.
func shortNumber(v float64) string {
	for _, u := range []struct {
		from   float64
		suffix string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= u.from {
			return fmt.Sprintf("%.4g%s", v/u.from, u.suffix)
		}
	}
	return fmt.Sprintf("%.4g", v)
}

// printable replaces control characters, which a series' tags could bring to a
// terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
