package when

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
)

// Refs are the instants, in Unix ms, that a time may be relative to, by name.
// "now" must be among them; "epoch" is built in. An unknown name means now.
type Refs map[string]int64

func (r Refs) at(name string) int64 {
	if name == "epoch" {
		return 0
	}
	if t, ok := r[name]; ok {
		return t
	}
	return r["now"]
}

// ParseTime reads an instant and returns it in Unix ms:
//
//	e-3h, now, s+PT5M      relative to a name of refs
//	1700000000             seconds, ms, µs or ns, by magnitude
//	1700000000-6h          the same, shifted
//	2024-02-01             ISO date, midnight in zone
//	2024-02-01T03:04:05Z   ISO date and time, in zone unless it names its own
//
// Fails with `invalid date x`, or with the error of ParseDuration.
func ParseTime(text string, refs Refs, zone *time.Location) (int64, error) {
	if name, sign, rest, ok := relative(text); ok {
		return shift(refs.at(name), sign, rest)
	}
	if text != "" && !strings.ContainsFunc(text, notLetter) {
		return refs.at(text), nil
	}
	digits := 0
	for digits < len(text) && isDigit(text[digits]) {
		digits++
	}
	switch {
	case digits > 0 && digits == len(text):
		return parseUnix(text)
	case digits > 0 && (text[digits] == '-' || text[digits] == '+'):
		if _, err := ParseDuration(text[digits+1:]); err == nil {
			t, err := parseUnix(text[:digits])
			if err != nil {
				return 0, err
			}
			return shift(t, text[digits], text[digits+1:])
		}
	}
	return parseISOTime(text, zone)
}

// IsRelative reports whether text is a name, a sign and something, such as
// `e-3h`.
func IsRelative(text string) bool {
	_, _, _, ok := relative(text)
	return ok
}

// relativeToOther reports whether text depends on the other end of a range.
func relativeToOther(text string) bool {
	name, _, _, ok := relative(text)
	return ok && name != "now" && name != "epoch"
}

// relative splits name, sign and the rest.
func relative(text string) (name string, sign byte, rest string, ok bool) {
	at := strings.IndexFunc(text, notLetter)
	if at <= 0 || at+1 >= len(text) || (text[at] != '-' && text[at] != '+') {
		return "", 0, "", false
	}
	return text[:at], text[at], text[at+1:], true
}

func notLetter(r rune) bool { return r < 'a' || r > 'z' }

// shift moves t by a duration; an instant is far from the ends of int64.
func shift(t int64, sign byte, duration string) (int64, error) {
	d, err := ParseDuration(duration)
	if err != nil {
		return 0, err
	}
	if sign == '-' {
		d = -d
	}
	return t + floorMs(d), nil
}

func floorMs(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond < 0 {
		ms--
	}
	return ms
}

// year2400 is the last instant, in ms, that a number of 14 digits or fewer
// means; larger ones are µs, then ns.
const year2400 = 13569465600000

func parseUnix(digits string) (int64, error) {
	n, ok := number(digits)
	switch {
	case !ok:
		return 0, fmt.Errorf("invalid date %s", digits)
	case n <= math.MaxInt32:
		return n * 1000, nil
	case n <= year2400:
		return n, nil
	case n <= year2400*1000:
		return n / 1000, nil
	}
	return n / 1_000_000, nil
}

var isoTime = regexp.MustCompile(`^(\d{4})-(\d{2})-(\d{2})` +
	`(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{3}))?)?)?` +
	`(?:(Z)|([+-])(\d{2})(?:(\d{2})(\d{2})?|:(\d{2})(?::(\d{2}))?)?)?$`)

func parseISOTime(text string, zone *time.Location) (int64, error) {
	invalid := fmt.Errorf("invalid date %s", text)
	m := isoTime.FindStringSubmatch(text)
	if m == nil {
		return 0, invalid
	}
	n := func(i int) int {
		v, _ := number(m[i])
		return int(v)
	}
	if m[8] != "" {
		zone = time.UTC
	}
	if m[9] != "" {
		h, minutes, seconds := n(10), n(11)+n(13), n(12)+n(14)
		offset := h*3600 + minutes*60 + seconds
		if minutes > 59 || seconds > 59 || offset > 18*3600 {
			return 0, invalid
		}
		if m[9] == "-" {
			offset = -offset
		}
		zone = time.FixedZone("", offset)
	}
	year, month, dayOfMonth := n(1), time.Month(n(2)), n(3)
	if n(4) > 23 || n(5) > 59 || n(6) > 59 {
		return 0, invalid
	}
	date := time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC)
	if date.Month() != month || date.Day() != dayOfMonth {
		return 0, invalid
	}
	return time.Date(year, month, dayOfMonth, n(4), n(5), n(6), n(7)*1e6, zone).UnixMilli(), nil
}

// Defaults of a range.
const (
	DefaultStart = "e-3h"
	DefaultEnd   = "now"
)

// RangeError is why one end of a range cannot be read.
type RangeError struct {
	End bool // it is the end, not the start
	err error
}

func (e *RangeError) Error() string { return e.err.Error() }
func (e *RangeError) Unwrap() error { return e.err }

// CheckRange refuses ends that are relative to a name which no range has, such as
// `tomorow` or `x-3h`, and which ParseRange takes for now as Atlas does. Fails with
// a *RangeError.
func CheckRange(s, e string) error {
	for i, text := range []string{s, e} {
		name, _, _, ok := relative(text)
		if !ok && !strings.ContainsFunc(text, notLetter) {
			name = text
		}
		switch name {
		case "", "now", "epoch", "s", "start", "e", "end":
		default:
			return &RangeError{i == 1, fmt.Errorf("invalid date %s", text)}
		}
	}
	return nil
}

// ParseRange reads the two ends of a range and returns them in Unix ms. Either
// may be relative to the other (`s=e-3h`, `e=s+1d`) or to now; an empty one
// takes its default. Start and end may be equal. The error is a *RangeError when
// one end alone is at fault.
func ParseRange(s, e string, now int64, zone *time.Location) (start, end int64, err error) {
	if s == "" {
		s = DefaultStart
	}
	if e == "" {
		e = DefaultEnd
	}
	refs := Refs{"now": now}
	parse := func(text string, isEnd bool) (t int64) {
		if err != nil {
			return 0
		}
		t, failed := ParseTime(text, refs, zone)
		if failed != nil {
			err = &RangeError{isEnd, failed}
		}
		return t
	}
	if relativeToOther(s) || s == "e" {
		if relativeToOther(e) || e == "s" {
			return 0, 0, errors.New("start and end are both relative")
		}
		end = parse(e, true)
		refs["e"], refs["end"] = end, end
		start = parse(s, false)
	} else {
		start = parse(s, false)
		refs["s"], refs["start"] = start, start
		end = parse(e, true)
	}
	if err != nil {
		return 0, 0, err
	}
	if end < start {
		return 0, 0, errors.New("end time is before start time")
	}
	return start, end, nil
}
