package query

import (
	"math"
	"strconv"
)

// formatValue writes a number for people: three decimals and a decimal unit
// prefix, such as `1.500k`. NaN and infinities are written as words.
func formatValue(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'f', -1, 64)
	case a == 0:
		return "0.000"
	case a < 1e-9 || a >= 1e18:
		return strconv.FormatFloat(v, 'e', 2, 64)
	}
	prefixes := []struct {
		scale float64
		name  string
	}{{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}}
	for _, p := range prefixes {
		if a >= p.scale {
			return strconv.FormatFloat(v/p.scale, 'f', 3, 64) + p.name
		}
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}
