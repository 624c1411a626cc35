package query

import (
	"math"
	"strconv"
)

// prefix is a power with its letters.
type prefix struct {
	size float64
	text string
}

// Largest first. Below one both ways of counting have the same prefixes.
var (
	decimalPrefixes = []prefix{{1e24, "Y"}, {1e21, "Z"}, {1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}
	binaryPrefixes  = []prefix{{1 << 80, "Yi"}, {1 << 70, "Zi"}, {1 << 60, "Ei"}, {1 << 50, "Pi"}, {1 << 40, "Ti"}, {1 << 30, "Gi"}, {1 << 20, "Mi"}, {1 << 10, "Ki"}}
	smallPrefixes   = []prefix{{1, ""}, {1e-3, "m"}, {1e-6, "\u03bc"}, {1e-9, "n"}, {1e-12, "p"}}
)

// formatValue writes a statistic for a legend as Atlas does: one decimal and a
// unit prefix, such as `1.5k`, with binary prefixes `1.5Ki`. What is beyond all
// prefixes has an exponent.
func formatValue(v float64, binary bool) string {
	a := math.Abs(v)
	switch {
	case math.IsInf(v, 0), math.IsNaN(v), a < 1e-12:
		return string(AppendFixed(nil, v, 1))
	case a >= 1e27:
		return strconv.FormatFloat(v, 'e', 0, 64)
	}
	large := decimalPrefixes
	if binary {
		large = binaryPrefixes
	}
	for _, prefixes := range [][]prefix{large, smallPrefixes} {
		for _, p := range prefixes {
			if a >= p.size {
				return string(AppendFixed(nil, v/p.size, 1)) + p.text
			}
		}
	}
	return string(AppendFixed(nil, v, 1))
}

// AppendFixed appends v with so many decimals, 1 or more, as Java writes it: of
// the shortest decimals that mean v, half is rounded away from zero. What is no
// number is NaN, Infinity or -Infinity.
func AppendFixed(dst []byte, v float64, decimals int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	point := n
	for point < len(dst) && dst[point] != '.' {
		point++
	}
	if point == len(dst) {
		dst = append(dst, '.')
	}
	for len(dst) <= point+decimals {
		dst = append(dst, '0')
	}
	end := point + decimals + 1
	up := end < len(dst) && dst[end] >= '5'
	dst = dst[:end]
	for i := end - 1; up && i >= n && dst[i] != '-'; i-- {
		switch {
		case dst[i] == '.':
		case dst[i] == '9':
			dst[i] = '0'
		default:
			dst[i]++
			up = false
		}
	}
	if up { // 9.99 became 0.0
		first := n
		if dst[n] == '-' {
			first++
		}
		dst = append(dst, 0)
		copy(dst[first+1:], dst[first:])
		dst[first] = '1'
	}
	return dst
}
