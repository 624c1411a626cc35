package algo

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// params reads the values of a Spec one key at a time and keeps the first
// error, so that a kind can read all its keys and look once.
type params struct {
	kind   string
	values map[string]any
	step   int64 // ms
	err    error
}

func (p *params) fail(key string, value any, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("detector %s: %s is %v, want %s", p.kind, key, value, want)
	}
}

// has reports whether the key was given.
func (p *params) has(key string) bool {
	_, ok := p.values[key]
	return ok
}

// number returns the value of key, which must lie in [low, high], or def when
// it was not given.
func (p *params) number(key string, def, low, high float64) float64 {
	given, ok := p.values[key]
	if !ok {
		return def
	}
	v, ok := asNumber(given)
	if !ok || !(v >= low && v <= high) {
		p.fail(key, given, "a number from "+formatBound(low)+" to "+formatBound(high))
		return def
	}
	return v
}

// steps returns the duration of key as a whole number of steps, rounded up, or
// def steps when it was not given.
func (p *params) steps(key string, def, low, high int) int {
	given, ok := p.values[key]
	if !ok {
		return def
	}
	ms, ok := asDuration(given)
	n := math.Ceil(ms / float64(p.step))
	if !ok || !(n >= float64(low) && n <= float64(high)) {
		p.fail(key, given, fmt.Sprintf("a duration such as 90s from %d to %d steps of %s",
			low, high, formatDuration(p.step)))
		return def
	}
	return int(n)
}

// word returns the value of key, which must be one of allowed, or the first of
// them when it was not given.
func (p *params) word(key string, allowed ...string) string {
	given, ok := p.values[key]
	if !ok {
		return allowed[0]
	}
	if text, ok := given.(string); ok {
		for _, a := range allowed {
			if text == a {
				return a
			}
		}
	}
	p.fail(key, given, "one of "+strings.Join(allowed, ", "))
	return allowed[0]
}

// asNumber accepts what JSON, YAML and `--set key=value` give for a number.
func asNumber(given any) (float64, bool) {
	switch v := given.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case json.Number:
		x, err := v.Float64()
		return x, err == nil
	case string:
		x, err := strconv.ParseFloat(v, 64)
		return x, err == nil
	}
	return 0, false
}

// durationUnits are the lengths of the units a duration may have, in ms.
var durationUnits = [...]struct {
	name string
	ms   float64
}{
	{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3_600_000}, {"d", 86_400_000}, {"w", 604_800_000},
}

// asDuration reads "90s", "1.5h", "100ms" or a bare 0 and returns ms.
func asDuration(given any) (float64, bool) {
	if v, ok := asNumber(given); ok {
		return 0, v == 0 // any other number lacks its unit
	}
	text, ok := given.(string)
	if !ok {
		return 0, false
	}
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(v >= 0 && v < 1e12) {
		return 0, false
	}
	for _, u := range durationUnits {
		if text[len(digits):] == u.name {
			return v * u.ms, true
		}
	}
	return 0, false
}

func formatDuration(ms int64) string {
	for i := len(durationUnits) - 1; i > 0; i-- {
		if unit := int64(durationUnits[i].ms); ms%unit == 0 {
			return strconv.FormatInt(ms/unit, 10) + durationUnits[i].name
		}
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

func formatBound(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
