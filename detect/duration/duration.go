// Package duration reads and writes lengths of time as people write them in rules,
// receivers and routes.
package duration

import (
	"fmt"
	"strconv"
	"strings"
)

// Duration is a length of time in ms that reads and prints as text such as
// `30s`, `1m30s` or `100ms`.
type Duration int64

// Lengths of time.
const (
	Millisecond Duration = 1
	Second               = 1000 * Millisecond
	Minute               = 60 * Second
	Hour                 = 60 * Minute
	Day                  = 24 * Hour
	Week                 = 7 * Day
)

// units are in descending order.
var units = [...]struct {
	name string
	ms   Duration
}{
	{"w", Week}, {"d", Day}, {"h", Hour}, {"m", Minute}, {"s", Second}, {"ms", Millisecond},
}

// Parse reads one or more pairs of a whole number and a unit of w, d, h, m, s and
// ms. A bare 0 needs no unit.
func Parse(text string) (Duration, error) {
	if text == "0" {
		return 0, nil
	}
	bad := fmt.Errorf("%q is no duration, want text such as 30s, 5m, 1h30m or 100ms", clip(text))
	var total Duration
	rest := text
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, bad
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		ms := unitOf(rest[:letters])
		if ms == 0 || n > int64((1<<53-total)/ms) {
			return 0, bad
		}
		total += Duration(n) * ms
		rest = rest[letters:]
	}
	if text == "" {
		return 0, bad
	}
	return total, nil
}

func unitOf(name string) Duration {
	for _, u := range units {
		if u.name == name {
			return u.ms
		}
	}
	return 0
}

// String returns the shortest text of whole units, largest first.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	if d < 0 {
		b.WriteByte('-')
		d = -d
	}
	for _, u := range units {
		if n := d / u.ms; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteString(u.name)
			d -= n * u.ms
		}
	}
	return b.String()
}

// clip shortens text for an error message.
func clip(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
