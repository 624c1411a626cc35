package detect

import (
	"fmt"
	"strconv"
	"strings"
)

// Duration is a length of time in ms that reads and prints as text such as
// `30s`, `1m30s` or `100ms`.
type Duration int64

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// durationUnits are in descending order.
var durationUnits = [...]struct {
	name string
	ms   int64
}{
	{"w", 7 * 24 * hour}, {"d", 24 * hour}, {"h", hour}, {"m", minute}, {"s", second}, {"ms", 1},
}

// ParseDuration reads one or more pairs of a whole number and a unit of w, d,
// h, m, s and ms. A bare 0 needs no unit.
func ParseDuration(text string) (Duration, error) {
	if text == "0" {
		return 0, nil
	}
	bad := fmt.Errorf("%q is no duration, want text such as 30s, 5m, 1h30m or 100ms", clip(text, 40))
	var total int64
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
		if ms == 0 || n > (1<<53-total)/ms {
			return 0, bad
		}
		total += n * ms
		rest = rest[letters:]
	}
	if text == "" {
		return 0, bad
	}
	return Duration(total), nil
}

func unitOf(name string) int64 {
	for _, u := range durationUnits {
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
	ms := int64(d)
	if ms < 0 {
		b.WriteByte('-')
		ms = -ms
	}
	for _, u := range durationUnits {
		if n := ms / u.ms; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10))
			b.WriteString(u.name)
			ms -= n * u.ms
		}
	}
	return b.String()
}
