package asl

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of one conversion of :format.
const (
	maxWidth           = 256
	maxStringPrecision = 256
	maxFloatPrecision  = 32
	maxFormatted       = 16 << 10 // bytes of a whole result
)

// verb is one conversion: %[n$][flags][width][.precision]type.
type verb struct {
	arg                     int // from 1; 0 means the next one
	left, zero, plus, blank bool
	width, precision        int // precision -1: none
	kind                    byte
}

// Format fills the arguments into a printf pattern. A conversion without a
// position takes the argument after the last one taken so far. Numeric types read numbers out of the
// arguments. Fails on an unknown type or combination, a missing argument, an
// argument that is not a number, and results above 16 KiB.
func Format(pattern string, args []string) (string, error) {
	var out []byte
	next := 0
	for i := 0; i < len(pattern); {
		if pattern[i] != '%' {
			out = append(out, pattern[i])
			i++
			continue
		}
		v, size, err := parseVerb(pattern[i:])
		if err != nil {
			return "", err
		}
		i += size
		if v.kind == '%' {
			out = append(out, '%')
			continue
		}
		at := v.arg - 1
		if v.arg == 0 {
			at = next
		}
		next = max(next, at+1)
		if at >= len(args) {
			return "", errArgument("format '%s' needs argument %d of %d", pattern, at+1, len(args))
		}
		text, err := v.format(args[at])
		if err != nil {
			return "", err
		}
		if out = append(out, text...); len(out) > maxFormatted {
			return "", errLimit("formatted text is longer than %d bytes", maxFormatted)
		}
	}
	return string(out), nil
}

// parseVerb reads the conversion at the front of s, which starts with %.
func parseVerb(s string) (v verb, size int, err error) {
	invalid := func(reason string) (verb, int, error) {
		end := min(len(s), size+1)
		return verb{}, 0, errArgument("invalid conversion '%s': %s", s[:end], reason)
	}
	size = 1
	v.precision = -1
	if n, digits := leadingInt(s[size:]); digits > 0 && strings.HasPrefix(s[size+digits:], "$") {
		if n == 0 {
			return invalid("arguments are counted from 1")
		}
		v.arg = n
		size += digits + 1
	}
	for ; size < len(s); size++ {
		switch s[size] {
		case '-':
			v.left = true
			continue
		case '0':
			v.zero = true
			continue
		case '+':
			v.plus = true
			continue
		case ' ':
			v.blank = true
			continue
		}
		break
	}
	if n, digits := leadingInt(s[size:]); digits > 0 {
		v.width = n
		size += digits
		if n > maxWidth {
			return invalid("the width is limited to " + strconv.Itoa(maxWidth))
		}
	}
	if strings.HasPrefix(s[size:], ".") {
		n, digits := leadingInt(s[size+1:])
		if digits == 0 {
			return invalid("a precision is missing")
		}
		v.precision = n
		size += 1 + digits
	}
	if size == len(s) {
		return invalid("the type is missing")
	}
	v.kind = s[size]
	if reason := v.check(); reason != "" {
		return invalid(reason)
	}
	return v, size + 1, nil
}

// check returns why the parts do not go together.
func (v verb) check() string {
	switch v.kind {
	case '%':
		if v != (verb{precision: -1, kind: '%'}) {
			return "%% takes nothing between"
		}
	case 's':
		if v.zero || v.plus || v.blank {
			return "the flags '0', '+' and ' ' are for numbers"
		}
		if v.precision > maxStringPrecision {
			return "the precision is limited to " + strconv.Itoa(maxStringPrecision)
		}
	case 'd', 'u', 'x', 'X':
		if v.precision >= 0 {
			return "an integer has no precision"
		}
	case 'f':
		if v.precision > maxFloatPrecision {
			return "the precision is limited to " + strconv.Itoa(maxFloatPrecision)
		}
	default:
		return "unknown type"
	}
	return ""
}

// leadingInt reads up to nine digits.
func leadingInt(s string) (n, digits int) {
	for digits < len(s) && digits < 9 && s[digits] >= '0' && s[digits] <= '9' {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	return n, digits
}

func (v verb) format(arg string) (string, error) {
	var sign, digits string
	switch v.kind {
	case 's':
		return v.pad("", cut(arg, v.precision)), nil
	case 'f':
		x, ok := AsDouble(arg)
		if !ok {
			return "", errArgument("'%s' is not a number", arg)
		}
		digits = formatFixed(math.Abs(x), v.precision)
		if x < 0 {
			sign = "-"
		}
	default:
		n, ok := integer(arg)
		if !ok {
			return "", errArgument("'%s' is not an integer", arg)
		}
		sign, digits = v.integerDigits(n)
	}
	if sign == "" && v.kind != 'u' && v.kind != 'x' && v.kind != 'X' {
		switch {
		case v.plus:
			sign = "+"
		case v.blank:
			sign = " "
		}
	}
	return v.pad(sign, digits), nil
}

// integerDigits returns sign and digits. The types u, x and X show a negative
// number as the 64 bits it consists of.
func (v verb) integerDigits(n int64) (sign, digits string) {
	switch v.kind {
	case 'u':
		return "", strconv.FormatUint(uint64(n), 10)
	case 'x':
		return "", strconv.FormatUint(uint64(n), 16)
	case 'X':
		return "", strings.ToUpper(strconv.FormatUint(uint64(n), 16))
	}
	digits = strconv.FormatInt(n, 10)
	if n < 0 {
		return "-", digits[1:]
	}
	return "", digits
}

// integer reads an integer, or a number without a fraction.
func integer(arg string) (int64, bool) {
	if n, err := strconv.ParseInt(arg, 10, 64); err == nil {
		return n, true
	}
	x, ok := AsDouble(arg)
	if !ok || x != math.Trunc(x) || math.Abs(x) >= 1<<63 {
		return 0, false
	}
	return int64(x), true
}

// formatFixed writes x >= 0 with precision decimals, 6 if that is negative. It
// rounds half to even, and writes zeros behind the shortest digits that read back
// as x.
func formatFixed(x float64, precision int) string {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 0):
		return "∞"
	}
	if precision < 0 {
		precision = 6
	}
	shortest := strconv.FormatFloat(x, 'f', -1, 64)
	whole, fraction, _ := strings.Cut(shortest, ".")
	switch zeros := precision - len(fraction); {
	case zeros < 0:
		return strconv.FormatFloat(x, 'f', precision, 64)
	case precision == 0:
		return whole
	default:
		return whole + "." + fraction + strings.Repeat("0", zeros)
	}
}

// cut shortens s to n characters; n < 0 keeps all.
func cut(s string, n int) string {
	if n < 0 {
		return s
	}
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

func (v verb) pad(sign, text string) string {
	missing := v.width - utf8.RuneCountInString(text) - len(sign)
	switch {
	case missing <= 0:
		return sign + text
	case v.left:
		return sign + text + strings.Repeat(" ", missing)
	case v.zero:
		return sign + strings.Repeat("0", missing) + text
	}
	return strings.Repeat(" ", missing) + sign + text
}
