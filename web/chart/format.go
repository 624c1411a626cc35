package chart

import (
	"math"
	"strconv"
	"strings"
)

// prefix is a power with its letter.
type prefix struct {
	size float64
	text string
}

// Largest first.
var (
	decimalPrefixes = []prefix{{1e24, "Y"}, {1e21, "Z"}, {1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""},
		{1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}, {1e-12, "p"}, {1e-15, "f"}, {1e-18, "a"}}
	binaryPrefixes = []prefix{{1 << 60, "Ei"}, {1 << 50, "Pi"}, {1 << 40, "Ti"}, {1 << 30, "Gi"}, {1 << 20, "Mi"}, {1 << 10, "Ki"}, {1, ""}}
	durationUnits  = []prefix{{year, "y"}, {86_400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}
)

// year and week are in seconds.
const (
	year = 31_536_000.0
	week = 604_800.0
)

// prefixes returns the units of a kind of tick labels.
func prefixes(kind TickLabels) []prefix {
	switch kind {
	case TicksBinary:
		return binaryPrefixes
	case TicksDuration:
		return durationUnits
	}
	return decimalPrefixes
}

// special writes what has no digits, ok telling that v is such.
func special(v float64) (text string, ok bool) {
	switch {
	case math.IsNaN(v):
		return "NaN", true
	case math.IsInf(v, 1):
		return "∞", true
	case math.IsInf(v, -1):
		return "-∞", true
	case v == 0:
		return "0", true
	}
	return "", false
}

// plainFrom is the size from which on a number below one is written in plain
// decimals: 0.25 reads better than 250m, and 2m better than 0.002.
const plainFrom = 0.01

// unitFor returns the largest unit not above |v|, for a number among others of
// which the largest is most.
func unitFor(v, most float64, kind TickLabels) prefix {
	units := prefixes(kind)
	if kind != TicksDuration && math.Abs(v) < 1 && most >= plainFrom {
		return prefix{size: 1}
	}
	for _, u := range units {
		if math.Abs(v) >= u.size*(1-1e-12) {
			return u
		}
	}
	return units[len(units)-1]
}

// tickUnit is the unit of a tick on an axis that reaches most, with ticks that are
// gap apart. A duration has the largest in which both are short: 4w, 1.5m, 60s.
func tickUnit(v, gap, most float64, kind TickLabels) prefix {
	if kind != TicksDuration || math.Abs(v) < 1 {
		return unitFor(v, most, kind)
	}
	for _, u := range []prefix{{year, "y"}, {week, "w"}, {86_400, "d"}, {3600, "h"}, {60, "m"}} {
		if math.Abs(v) >= u.size*(1-1e-12) && tenths(v/u.size) && tenths(gap/u.size) {
			return u
		}
	}
	return prefix{1, "s"}
}

// tenths tells whether v has at most one decimal.
func tenths(v float64) bool { return math.Abs(v*10-math.Round(v*10)) < 1e-6 }

// formatBase writes a value that others are counted from, with all its digits.
func formatBase(v, gap float64, kind TickLabels) string {
	u := tickUnit(v, 0, math.Abs(v), kind)
	decimals := min(max(int(math.Ceil(-math.Log10(gap/u.size)-1e-9))+1, 0), 9)
	text := number(v/u.size, decimals)
	if back, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(back*u.size-v) < gap/10 {
		return text + u.text
	}
	if math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// formatTick writes the value of a tick on an axis that reaches most, with as
// many decimals as ticks that are gap apart need.
func formatTick(v, gap, most float64, kind TickLabels) string {
	if math.Abs(v) < gap*1e-6 {
		v = 0
	}
	if text, ok := special(v); ok {
		return text
	}
	u := tickUnit(v, gap, most, kind)
	if x := math.Abs(v / u.size); x >= 1e6 || x < 1e-6 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	decimals := 0
	switch in := gap / u.size; {
	case in > 0 && in < 1:
		decimals = min(int(math.Ceil(-math.Log10(in)-1e-9))+1, 9)
	case in < 100 && math.Abs(in-math.Round(in)) > 1e-9: // 2.5k
		decimals = 1
	}
	return number(v/u.size, decimals) + u.text
}

// formatStat writes a statistic in about four digits.
func formatStat(v float64, kind TickLabels) string {
	if text, ok := special(v); ok {
		return text
	}
	u := unitFor(v, math.Abs(v), kind)
	x := v / u.size
	if math.Abs(x) >= 1e6 || math.Abs(x) < 1e-3 {
		return strconv.FormatFloat(v, 'e', 2, 64)
	}
	decimals := 3
	switch a := math.Abs(x); {
	case a >= 99.95:
		decimals = 1
	case a >= 9.995:
		decimals = 2
	case a < 0.9995:
		decimals = 4
	}
	return number(x, decimals) + u.text
}

// formatCount writes a whole number below a million in full.
func formatCount(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e6 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return formatStat(v, TicksDecimal)
}

// number writes v with at most so many decimals and no zeros behind.
func number(v float64, decimals int) string {
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// formatStep writes a step in ms as a short duration.
func formatStep(ms int64) string {
	return formatStat(float64(ms)/1000, TicksDuration)
}
