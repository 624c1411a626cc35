package text

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"
)

// maxPattern bounds the pattern of match and reReplaceAll, in bytes.
const maxPattern = 1 << 10

// funcs are the functions of a template whose texts have at most `most` bytes: the
// built-in ones that make text in a form with a bound, those of Prometheus and
// Alertmanager under their names, and percent. Numbers are taken in any form,
// durations in seconds, times as Time or time.Time.
func funcs(most int) template.FuncMap {
	limit := func(text string) (string, error) {
		if len(text) > most {
			return "", tooLong(most)
		}
		return text, nil
	}
	return template.FuncMap{
		"print":    func(args ...any) (string, error) { return limit(fmt.Sprint(args...)) },
		"println":  func(args ...any) (string, error) { return limit(fmt.Sprintln(args...)) },
		"html":     func(args ...any) (string, error) { return limit(template.HTMLEscaper(args...)) },
		"js":       func(args ...any) (string, error) { return limit(template.JSEscaper(args...)) },
		"urlquery": func(args ...any) (string, error) { return limit(template.URLQueryEscaper(args...)) },
		"printf": func(format string, args ...any) (string, error) {
			if err := checkFormat(format); err != nil {
				return "", err
			}
			return limit(fmt.Sprintf(format, args...))
		},
		"toUpper":     strings.ToUpper,
		"toLower":     strings.ToLower,
		"title":       title,
		"trimSpace":   strings.TrimSpace,
		"join":        func(sep string, list []string) (string, error) { return limit(strings.Join(list, sep)) },
		"stringSlice": func(list ...string) []string { return list },
		"match": func(pattern, text string) (bool, error) {
			re, err := compile(pattern)
			return err == nil && re.MatchString(text), err
		},
		"reReplaceAll": func(pattern, with, text string) (string, error) {
			re, err := compile(pattern)
			if err != nil {
				return "", err
			}
			if len(with)*(len(text)+1) > 64*most { // what it makes before anybody can count it
				return "", tooLong(most)
			}
			return limit(re.ReplaceAllString(text, with))
		},
		"safeUrl": func(text string) string { return text },

		"percent": func(v any) (string, error) {
			return of(v, percent)
		},
		"humanize":         func(v any) (string, error) { return of(v, humanize) },
		"humanize1024":     func(v any) (string, error) { return of(v, humanize1024) },
		"humanizeDuration": func(v any) (string, error) { return of(v, humanizeDuration) },
		"humanizePercentage": func(v any) (string, error) {
			return of(v, func(x float64) string { return fmt.Sprintf("%.4g%%", x*100) })
		},
		"humanizeTimestamp": func(v any) (string, error) { return of(v, humanizeTimestamp) },
		"date":              date,
		"tz":                inZone,
		"since":             since,
	}
}

// checkFormat refuses widths beyond 99 and widths from arguments, whose texts have
// no bound.
func checkFormat(format string) error {
	verb, digits := false, 0
	for i := range len(format) {
		switch c := format[i]; {
		case !verb:
			verb, digits = c == '%', 0
		case c == '*' || c == '[':
			return fmt.Errorf("printf format %q: * and [ are not supported", format)
		case c >= '0' && c <= '9':
			if digits++; digits > 2 {
				return fmt.Errorf("printf format %q: a width or precision has at most two digits", format)
			}
		case c == '.' || strings.IndexByte("+-# ", c) >= 0:
			digits = 0
		default:
			verb = false
		}
	}
	return nil
}

func compile(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("pattern has %d bytes, at most %d", len(pattern), maxPattern)
	}
	return regexp.Compile(pattern)
}

// percent prints a share, a dash for NaN.
func percent(x float64) string {
	if math.IsNaN(x) {
		return unknown
	}
	return Number(x*100).String() + "%"
}

// title makes the first letter of every word a capital one.
func title(text string) string {
	before := ' '
	return strings.Map(func(c rune) rune {
		begins := !unicode.IsLetter(before) && !unicode.IsDigit(before) && before != '_' && before != '\''
		before = c
		if begins {
			return unicode.ToTitle(c)
		}
		return c
	}, text)
}

// of applies f to a number in any form.
func of(v any, f func(float64) string) (string, error) {
	x, err := float(v)
	if err != nil {
		return "", err
	}
	return f(x), nil
}

func float(v any) (float64, error) {
	switch x := v.(type) {
	case Number:
		return float64(x), nil
	case float64:
		return x, nil
	case int:
		return float64(x), nil
	case int64:
		return float64(x), nil
	case time.Duration:
		return x.Seconds(), nil
	case Time:
		return float64(x.UnixMilli()) / 1000, nil
	case string:
		f, err := strconv.ParseFloat(x, 64)
		if err != nil {
			return 0, fmt.Errorf("%.40q is no number", x)
		}
		return f, nil
	}
	return 0, fmt.Errorf("%T is no number", v)
}

// scaled writes x with four digits and the prefix that leaves one to three before
// the point.
func scaled(x, base float64, prefixes []string) string {
	prefix := ""
	for _, p := range prefixes {
		if math.Abs(x) < base {
			break
		}
		prefix = p
		x /= base
	}
	return fmt.Sprintf("%.4g%s", x, prefix)
}

// small writes |x| < 1 with four digits and a prefix.
func small(x float64) string {
	prefix := ""
	for _, p := range []string{"m", "u", "n", "p", "f", "a", "z", "y"} {
		if math.Abs(x) >= 1 {
			break
		}
		prefix = p
		x *= 1000
	}
	return fmt.Sprintf("%.4g%s", x, prefix)
}

func plain(x float64) bool { return x == 0 || math.IsNaN(x) || math.IsInf(x, 0) }

// humanize writes a number with a metric prefix: 1234 is 1.234k.
func humanize(x float64) string {
	switch {
	case plain(x):
		return fmt.Sprintf("%.4g", x)
	case math.Abs(x) >= 1:
		return scaled(x, 1000, []string{"k", "M", "G", "T", "P", "E", "Z", "Y"})
	}
	return small(x)
}

// humanize1024 writes a number with a binary prefix: 2048 is 2ki.
func humanize1024(x float64) string {
	if plain(x) || math.Abs(x) <= 1 {
		return fmt.Sprintf("%.4g", x)
	}
	return scaled(x, 1024, []string{"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"})
}

// humanizeDuration writes seconds: 3700 is 1h 1m 40s.
func humanizeDuration(x float64) string {
	switch {
	case plain(x):
		return fmt.Sprintf("%.4gs", x)
	case math.Abs(x) < 1:
		return small(x) + "s"
	case math.Abs(x) > 1e15:
		return fmt.Sprintf("%.4gs", x)
	}
	sign := ""
	if x < 0 {
		sign, x = "-", -x
	}
	whole := int64(x)
	days, hours, minutes, seconds := whole/86400, whole/3600%24, whole/60%60, whole%60
	switch {
	case days > 0:
		return fmt.Sprintf("%s%dd %dh %dm %ds", sign, days, hours, minutes, seconds)
	case hours > 0:
		return fmt.Sprintf("%s%dh %dm %ds", sign, hours, minutes, seconds)
	case minutes > 0:
		return fmt.Sprintf("%s%dm %ds", sign, minutes, seconds)
	}
	return fmt.Sprintf("%s%.4gs", sign, x)
}

// humanizeTimestamp writes Unix seconds as a time in UTC.
func humanizeTimestamp(x float64) string {
	if plain(x) && x != 0 || math.Abs(x) > 1e11 {
		return fmt.Sprintf("%.4g", x)
	}
	return time.UnixMilli(int64(math.Round(x * 1000))).UTC().String()
}

// Time is a time in a template: it prints as RFC 3339 with milliseconds, nothing
// when it is none, and knows how long ago it was.
type Time struct {
	time.Time
	now time.Time
}

// At returns the time ms as it is seen at now, both Unix ms; 0 is none.
func At(ms, now int64) Time {
	t := Time{now: time.UnixMilli(now).UTC()}
	if ms != 0 {
		t.Time = time.UnixMilli(ms).UTC()
	}
	return t
}

// String returns the time as RFC 3339.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

func moment(v any) (Time, error) {
	switch x := v.(type) {
	case Time:
		return x, nil
	case time.Time:
		return Time{Time: x}, nil
	}
	return Time{}, fmt.Errorf("%T is no time", v)
}

func date(layout string, v any) (string, error) {
	t, err := moment(v)
	if err != nil || t.IsZero() {
		return "", err
	}
	return t.Format(layout), nil
}

func inZone(name string, v any) (Time, error) {
	t, err := moment(v)
	if err != nil {
		return Time{}, err
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return Time{}, err
	}
	if !t.IsZero() {
		t.Time = t.In(zone)
	}
	return t, nil
}

func since(v any) (time.Duration, error) {
	t, err := moment(v)
	switch {
	case err != nil:
		return 0, err
	case t.now.IsZero():
		return 0, errors.New("since wants a time of the alert as it is")
	case t.IsZero():
		return 0, nil
	}
	return t.now.Sub(t.Time), nil
}
