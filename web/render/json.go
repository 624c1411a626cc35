// Package render writes answers in the formats of the query APIs, append
// style: each function adds to dst and returns the longer slice.
package render

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"pulse/query/asl"
	"pulse/store/tags"
)

// AppendError appends the error object: {"type":"error","message":"..."}.
func AppendError(dst []byte, message string) []byte {
	dst = append(dst, `{"type":"error","message":`...)
	dst = AppendString(dst, message)
	return append(dst, '}')
}

// AppendProgramError appends the error object of a program: where in it the token
// begins that does not fit, and what helps, as far as they are known.
func AppendProgramError(dst []byte, e *asl.Error) []byte {
	dst = append(dst, `{"type":"error","message":`...)
	dst = AppendString(dst, e.Message)
	if e.Offset >= 0 {
		dst = append(dst, `,"offset":`...)
		dst = strconv.AppendInt(dst, int64(e.Offset), 10)
		dst = append(dst, `,"token":`...)
		dst = AppendString(dst, e.Token)
	}
	if e.Hint != "" {
		dst = append(dst, `,"hint":`...)
		dst = AppendString(dst, e.Hint)
	}
	if e.Stack != nil {
		dst = AppendStrings(append(dst, `,"stack":`...), e.Stack)
	}
	if e.Needs != nil {
		dst = AppendStrings(append(dst, `,"needs":`...), e.Needs)
	}
	return append(dst, '}')
}

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD; `<`, `>` and `&` are escaped so that the text is inert in HTML.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c == '\n':
				dst = append(dst, '\\', 'n')
			case c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			default:
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, `\u202`...)
			dst = append(dst, hex[r&15])
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return append(dst, '"')
}

// AppendQuotedNumber appends v as a JSON number, and as a string what JSON
// has no number for: "NaN", "Infinity", "-Infinity". Atlas readers expect it.
func AppendQuotedNumber(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	return AppendNumber(dst, v)
}

// AppendNullNumber appends v as a JSON number, null when it is NaN or infinite.
func AppendNullNumber(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	return AppendNumber(dst, v)
}

// AppendNumber appends the finite v in its shortest form that reads back as
// the same double; whole numbers keep one decimal, as Atlas prints them.
func AppendNumber(dst []byte, v float64) []byte {
	a := math.Abs(v)
	if a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	for _, c := range dst[n:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, '.', '0')
}

// AppendTags appends t as a JSON object with sorted keys.
func AppendTags(dst []byte, t tags.Tags) []byte {
	dst = append(dst, '{')
	for i, x := range t {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, x.Key)
		dst = append(dst, ':')
		dst = AppendString(dst, x.Value)
	}
	return append(dst, '}')
}

// AppendStrings appends a JSON array of strings.
func AppendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, s)
	}
	return append(dst, ']')
}

// Number is a float64 whose JSON form is null when it is NaN or infinite.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) { return AppendNullNumber(nil, float64(n)), nil }

// UnmarshalJSON implements json.Unmarshaler; null is NaN.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}
