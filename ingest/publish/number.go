package publish

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// pow10 holds the powers of ten that a float64 represents exactly.
var pow10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// mostDigits is how many digits always fit into a uint64, and the largest power
// of ten that does.
const mostDigits = 19

// number reads a JSON number, or one of the bare words for values JSON lacks.
// A number too large for a float64 is an infinity.
func (s *scanner) number(i int) (float64, int) {
	b := s.b
	from := i
	if i < len(b) && b[i] == '-' {
		i++
	}
	digits := i
	var mantissa uint64
	for i < len(b) && b[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(b[i]-'0')
		i++
	}
	n := i - digits
	if n == 0 {
		return s.word(from)
	}
	if b[digits] == '0' {
		if n > 1 {
			return 0, s.fail(digits, "a number must not begin with 0")
		}
		n = 0
	}
	places := 0 // behind the point
	if i < len(b) && b[i] == '.' {
		point := i
		mantissa, i = fraction(b, i+1, mantissa)
		if places = i - point - 1; places == 0 {
			return 0, s.fail(i, "expected a digit")
		}
		n += places
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		var power int
		if power, i = s.exponent(i); i < 0 {
			return 0, -1
		}
		places -= power
	}
	v, ok := 0.0, false
	if n <= mostDigits {
		v, ok = decimal(mantissa, places)
	}
	if !ok {
		return parse(b[from:i]), i
	}
	if b[from] == '-' {
		v = -v
	}
	return v, i
}

// fraction appends the digits from i on to mantissa, and returns the index
// behind them.
func fraction(b []byte, i int, mantissa uint64) (uint64, int) {
	for i+8 <= len(b) {
		v, ok := eight(binary.LittleEndian.Uint64(b[i:]))
		if !ok {
			break
		}
		mantissa = mantissa*100_000_000 + v
		i += 8
	}
	for i < len(b) && b[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(b[i]-'0')
		i++
	}
	return mantissa, i
}

// decimal returns the float64 next to mantissa / 10^places. ok is false when
// that takes more than one rounding.
func decimal(mantissa uint64, places int) (v float64, ok bool) {
	switch {
	case places == 0:
		return float64(mantissa), true
	case mantissa < 1<<53 && 0 < places && places < len(pow10): // both parts are exact
		return float64(mantissa) / pow10[places], true
	case mantissa < 1<<53 && 0 < -places && -places < len(pow10):
		return float64(mantissa) * pow10[-places], true
	case 0 < places && places <= mostDigits:
		return quotient(mantissa, uint64(pow10[places])), true
	}
	return 0, false
}

// quotient returns the float64 next to a/b, of which neither is 0.
//
// Both are shifted until their highest bit is set, so that the quotient has 63
// or 64 bits, ten more than a float64: its lowest bit may stand for all that the
// division leaves over.
func quotient(a, b uint64) float64 {
	up, down := bits.LeadingZeros64(a), bits.LeadingZeros64(b)
	a <<= up
	q, rest := bits.Div64(a>>1, a<<63, b<<down)
	if rest != 0 {
		q |= 1
	}
	return float64(q) * math.Float64frombits(uint64(1023-63+down-up)<<52)
}

// exponent reads an exponent whose letter stands at i. One that is beyond all
// float64 comes out as some other that is.
func (s *scanner) exponent(i int) (power, end int) {
	b := s.b
	i++
	negative := i < len(b) && b[i] == '-'
	if negative || i < len(b) && b[i] == '+' {
		i++
	}
	from := i
	for i < len(b) && b[i]-'0' <= 9 {
		power = min(power*10+int(b[i]-'0'), 1<<20)
		i++
	}
	if i == from {
		return 0, s.fail(i, "expected a digit")
	}
	if negative {
		power = -power
	}
	return power, i
}

// parse converts a text of number's grammar. The text must not be kept by
// ParseFloat, so up to 32 bytes convert without allocation.
func parse(text []byte) float64 {
	v, _ := strconv.ParseFloat(string(text), 64) // out of range: an infinity
	return v
}

// words are the spellings of values that JSON has no number for.
var words = []struct {
	text  string
	value float64
}{
	{"NaN", math.NaN()},
	{"Infinity", math.Inf(1)}, {"+Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)},
	{"INF", math.Inf(1)}, {"+INF", math.Inf(1)}, {"-INF", math.Inf(-1)},
}

func (s *scanner) word(i int) (float64, int) {
	for _, w := range words {
		if len(s.b)-i >= len(w.text) && string(s.b[i:i+len(w.text)]) == w.text {
			return w.value, i + len(w.text)
		}
	}
	return 0, s.fail(i, "expected a value")
}

// double reads a datapoint's value: a number, a string holding one, or null,
// which is no data as NaN is.
func (s *scanner) double(i int) (float64, int) {
	b := s.b
	if i >= len(b) {
		return 0, s.fail(i, "expected a value")
	}
	switch b[i] {
	case 'n':
		return math.NaN(), s.literal(i, "null")
	case '"':
		end := s.str(i)
		if end < 0 {
			return 0, -1
		}
		v, ok := ParseValue(b[i+1 : end-1])
		if !ok {
			return 0, s.fail(i, "value is a string that holds no number")
		}
		return v, end
	}
	return s.number(i)
}

// ParseValue reads the text of a value given as a string: white space around a
// decimal number, with sign, leading zeros, point and exponent at will, or one
// of NaN, Infinity and INF, the latter two with a sign at will. Escapes, hex
// and other spellings are not numbers.
func ParseValue(text []byte) (float64, bool) {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\n' || text[0] == '\r') {
		text = text[1:]
	}
	for n := len(text); n > 0 && (text[n-1] == ' ' || text[n-1] == '\t' || text[n-1] == '\n' || text[n-1] == '\r'); n-- {
		text = text[:n-1]
	}
	for _, w := range words {
		if string(text) == w.text {
			return w.value, true
		}
	}
	for _, c := range text {
		if c-'0' > 9 && c != '+' && c != '-' && c != '.' && c|0x20 != 'e' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, false
	}
	return v, len(text) > 0
}

// integer reads a whole number in digits.
func (s *scanner) integer(i int, what string) (int64, int) {
	b := s.b
	negative := i < len(b) && b[i] == '-'
	at := i
	if negative {
		i++
	}
	from := i
	var v uint64
	if i+8 <= len(b) {
		if n, ok := eight(binary.LittleEndian.Uint64(b[i:])); ok {
			v = n
			i += 8
		}
	}
	for i < len(b) && b[i]-'0' <= 9 {
		if i-from >= 19 {
			return 0, s.fail(at, what+" is too large")
		}
		v = v*10 + uint64(b[i]-'0')
		i++
	}
	if i == from || i-from > 1 && b[from] == '0' || i < len(b) && (b[i] == '.' || b[i]|0x20 == 'e') {
		return 0, s.fail(at, "expected a whole number as "+what)
	}
	if v > math.MaxInt64 {
		return 0, s.fail(at, what+" is too large")
	}
	if negative {
		return -int64(v), i
	}
	return int64(v), i
}

// eight converts eight digits at once: neighbours are joined to two digits each,
// those to four, those to eight. ok is false when one of them is no digit.
func eight(w uint64) (v uint64, ok bool) {
	const ones = 0x0101010101010101
	if (w&(ones*0xF0))|((w+ones*6)&(ones*0xF0))>>4 != ones*0x33 {
		return 0, false
	}
	w -= ones * '0'
	w = (w*10 + w>>8) & 0x00FF00FF00FF00FF
	w = (w*100 + w>>16) & 0x0000FFFF0000FFFF
	return (w*10_000 + w>>32) & 0xFFFFFFFF, true
}

// index reads a whole number below limit; what names it in an error.
func (s *scanner) index(i, limit int, what string) (int, int) {
	v, end := s.integer(i, what)
	if end >= 0 && (v < 0 || v >= int64(limit)) {
		return 0, s.fail(i, what+" is out of range")
	}
	return int(v), end
}
