package expr

import (
	"math"
	"strconv"
	"strings"
	"time"

	"pulse/query/when"
	"pulse/store/match"
)

// FormatDouble writes v as Java does, which is how Atlas writes numbers in
// canonical text, tags and labels: the shortest digits that read back as v,
// at least one decimal, and an exponent for magnitudes of 10^7 and above or
// below 10^-3. NaN and infinities are `NaN`, `Infinity` and `-Infinity`.
func FormatDouble(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	if a := math.Abs(v); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(v, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

// operationText is the canonical text of an operation: the texts of its inputs,
// then its word with the arguments.
func operationText(t TimeSeries) string { return string(appendText(nil, t)) }

// appendText appends the canonical text of e in time linear in its length.
func appendText(dst []byte, e Expr) []byte {
	t, ok := e.(TimeSeries)
	if !ok {
		return append(dst, e.String()...)
	}
	in := t.inputs()
	switch x := t.(type) {
	case *Rewrite:
		return append(appendText(dst, x.Base), x.suffix()...)
	case *Percentiles:
		in = nil // not written
	case *Stat:
		if x.Short {
			in = nil
		}
	}
	if len(in) == 0 {
		return append(dst, t.String()...)
	}
	for _, x := range in {
		dst = append(appendText(dst, x), ',')
	}
	return append(dst, t.identity()...)
}

// listText writes texts as a list of the language: `(,a,b,)`.
func listText(items []string) string {
	var b strings.Builder
	b.WriteString("(,")
	for _, s := range items {
		b.WriteString(match.Escape(s))
		b.WriteByte(',')
	}
	b.WriteByte(')')
	return b.String()
}

func doubleList(vs []float64) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = FormatDouble(v)
	}
	return out
}

// escapeAll writes literals one after the other.
func escapeAll(items ...string) string {
	for i, s := range items {
		items[i] = match.Escape(s)
	}
	return strings.Join(items, ",")
}

// FormatDuration writes a duration in ms in the language's own form, such as
// `36h`, or the ISO form when no such unit divides it. Zero is `0w`.
func FormatDuration(ms int64) string {
	return when.FormatDuration(time.Duration(ms) * time.Millisecond)
}
