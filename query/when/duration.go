// Package when reads and writes the times and durations of query parameters
// and expressions: `e-3h`, `2024-02-01T03:04Z`, `90s`, `PT1H30M`.
package when

import (
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// ParseDuration reads `<digits><unit>`, such as `5m` or `2weeks`, or the ISO
// 8601 form with days at most, such as `PT1H30M`. A month is 30 days and a year
// is 365. Fails with `invalid period x`, `unknown unit x` or `duration out of
// range: x`.
func ParseDuration(text string) (time.Duration, error) {
	if strings.HasPrefix(text, "P") {
		return parseISO(text)
	}
	digits := 0
	for digits < len(text) && isDigit(text[digits]) {
		digits++
	}
	name := text[digits:]
	if digits == 0 || name == "" || strings.ContainsFunc(name, notUnitLetter) {
		return 0, fmt.Errorf("invalid period %s", text)
	}
	unit, ok := unitOf(name)
	if !ok {
		return 0, fmt.Errorf("unknown unit %s", name)
	}
	n, ok := number(text[:digits])
	if !ok || n > math.MaxInt64/int64(unit) {
		return 0, fmt.Errorf("duration out of range: %s", text)
	}
	return time.Duration(n) * unit, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func notUnitLetter(r rune) bool { return (r < 'a' || r > 'z') && r != 'μ' && r != 'µ' }

func unitOf(name string) (time.Duration, bool) {
	switch name {
	case "ns":
		return time.Nanosecond, true
	case "us", "μs", "µs":
		return time.Microsecond, true
	case "ms":
		return time.Millisecond, true
	case "s", "second", "seconds":
		return time.Second, true
	case "m", "min", "minute", "minutes":
		return time.Minute, true
	case "h", "hour", "hours":
		return time.Hour, true
	case "d", "day", "days":
		return day, true
	case "w", "wk", "week", "weeks":
		return week, true
	case "month", "months":
		return 30 * day, true
	case "y", "year", "years":
		return 365 * day, true
	}
	return 0, false
}

// number reads decimal digits; ok is false beyond int64.
func number(digits string) (n int64, ok bool) {
	for _, c := range []byte(digits) {
		if n > (math.MaxInt64-int64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// parseISO reads P[nD][T[nH][nM][n[.n]S]] with at least one part. The letters
// after the P may be lower case; each number may have a sign.
func parseISO(text string) (time.Duration, error) {
	invalid := fmt.Errorf("invalid period %s", text)
	rest := strings.ToUpper(text[1:])
	parts := "DTHMS" // what may still come
	var sum time.Duration
	any, timed := false, false
	for rest != "" {
		if rest[0] == 'T' {
			at := strings.IndexByte(parts, 'T')
			if at < 0 || len(rest) == 1 {
				return 0, invalid
			}
			parts, rest, timed = parts[at+1:], rest[1:], true
			continue
		}
		value, fraction, unit, after, ok := isoPart(rest)
		at := strings.IndexByte(parts, unit)
		if !ok || at < 0 || (unit != 'D') != timed {
			return 0, invalid
		}
		parts, rest, any = parts[at+1:], after, true
		size, _ := unitOf(strings.ToLower(string(unit)))
		if value > math.MaxInt64/int64(size) || value < -math.MaxInt64/int64(size) {
			return 0, fmt.Errorf("duration out of range: %s", text)
		}
		for _, part := range []time.Duration{time.Duration(value) * size, fraction} {
			next := sum + part
			if (part > 0 && next < sum) || (part < 0 && next > sum) {
				return 0, fmt.Errorf("duration out of range: %s", text)
			}
			sum = next
		}
	}
	if !any {
		return 0, invalid
	}
	return sum, nil
}

// isoPart reads a number and its unit from the front of s. Only seconds may
// have a fraction, of up to nine digits.
func isoPart(s string) (value int64, fraction time.Duration, unit byte, rest string, ok bool) {
	sign := int64(1)
	if s[0] == '-' || s[0] == '+' {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	digits := 0
	for digits < len(s) && isDigit(s[digits]) {
		digits++
	}
	if value, ok = number(s[:digits]); !ok || digits == 0 {
		return 0, 0, 0, "", false
	}
	s = s[digits:]
	fractional := s != "" && (s[0] == '.' || s[0] == ',')
	if fractional {
		scale := int64(time.Second)
		i := 1
		for ; i < len(s) && isDigit(s[i]); i++ {
			if scale /= 10; scale == 0 {
				return 0, 0, 0, "", false
			}
			fraction += time.Duration(int64(s[i]-'0') * scale)
		}
		s = s[i:]
	}
	if s == "" || (fractional && s[0] != 'S') {
		return 0, 0, 0, "", false
	}
	return sign * value, time.Duration(sign) * fraction, s[0], s[1:], true
}

// FormatDuration returns the largest of the units w, d, h, m and s that divides
// d, such as `36h`, else the ISO form, such as `PT0.5S`. Zero is `0w`.
// ParseDuration reads every result for d >= 0.
func FormatDuration(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{week, "w"}, {day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%unit.size == 0 {
			return fmt.Sprintf("%d%s", d/unit.size, unit.name)
		}
	}
	return formatISO(d)
}

func formatISO(d time.Duration) string {
	out := "PT"
	if h := d / time.Hour; h != 0 {
		out += fmt.Sprintf("%dH", h)
	}
	if m := d % time.Hour / time.Minute; m != 0 {
		out += fmt.Sprintf("%dM", m)
	}
	rest := d % time.Minute
	if rest == 0 {
		return out
	}
	sign := ""
	if rest < 0 {
		sign, rest = "-", -rest
	}
	seconds := fmt.Sprintf("%d.%09d", rest/time.Second, rest%time.Second)
	return out + sign + strings.TrimRight(strings.TrimRight(seconds, "0"), ".") + "S"
}
