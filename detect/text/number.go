package text

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Number is a double in a template: it prints with at most six significant
// digits, and compares and formats (`printf "%.1f"`) as the double it is.
type Number float64

// unknown is printed for NaN, which is no word for who is paged.
const unknown = "–"

// String returns the number as a person reads it, a dash for NaN.
func (n Number) String() string {
	x := float64(n)
	if math.IsNaN(x) {
		return unknown
	}
	if a := math.Abs(x); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.FormatFloat(x, 'g', 6, 64)
	}
	digits := 6
	for a := math.Abs(x); a >= 1 && digits > 0; a /= 10 {
		digits--
	}
	text := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.ContainsRune(text, '.') {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// Known reports whether the number is neither NaN nor infinite.
func (n Number) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// MarshalJSON writes the number in full, NaN and infinities as null.
func (n Number) MarshalJSON() ([]byte, error) {
	if n.Known() {
		return json.Marshal(float64(n))
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Number) UnmarshalJSON(src []byte) error {
	if bytes.Equal(src, []byte("null")) {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(src, (*float64)(n))
}
