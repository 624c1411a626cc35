package algo

import (
	"io"
	"math"
	"strconv"
)

// Header is the first line of the verdict CSV, which `pulse score` and the band
// of a rule share.
const Header = "timestamp,value,expected,lower,upper,anomaly_score,firing\n"

// WriteHeader writes the header line.
func WriteHeader(w io.Writer) error {
	_, err := io.WriteString(w, Header)
	return err
}

// AppendRow appends one line for a step: the timestamp text as it is, numbers as
// the shortest text that reads back as the same double, no data as NaN, and
// firing as 0 or 1.
func AppendRow(dst []byte, timestamp string, value float64, v Verdict) []byte {
	dst = append(dst, timestamp...)
	for _, x := range [...]float64{value, v.Expected, v.Lower, v.Upper, v.Score} {
		dst = append(dst, ',')
		dst = appendFloat(dst, x)
	}
	if v.Out {
		return append(dst, ",1\n"...)
	}
	return append(dst, ",0\n"...)
}

// appendFloat writes plain digits over the range in which people read them and
// an exponent outside it.
func appendFloat(dst []byte, x float64) []byte {
	if math.IsNaN(x) {
		return append(dst, "NaN"...)
	}
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(dst, x, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, x, 'f', -1, 64)
}
