package route_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"pulse/detect/label"
	"pulse/detect/route"
)

// read returns a configuration that has been checked.
func read(t testing.TB, text string) *route.Config {
	t.Helper()
	var c route.Config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	if err := c.Check(nil); err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return &c
}

// set reads `a=1 b=2`.
func set(text string) label.Set {
	s := label.Set{}
	for _, pair := range strings.Fields(text) {
		key, value, _ := strings.Cut(pair, "=")
		s[key] = value
	}
	return s
}

// at returns a time given as 2026-03-29T01:30:00Z or with an offset.
func at(t testing.TB, text string) int64 {
	t.Helper()
	x, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return x.UnixMilli()
}

// told are the receivers of legs with their paths, `a@routes[0]`, and what mutes them.
func told(legs []route.Leg) string {
	var out []string
	for _, l := range legs {
		text := l.Receiver + "@" + strings.NewReplacer("].routes[", ".", "routes[", "", "]", "").Replace(l.Path)
		if l.Muted() {
			text += "!" + strings.Join(l.MutedBy, "+")
		}
		if len(l.Outside) > 0 {
			text += "?" + strings.Join(l.Outside, "+")
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func firing(alerts map[string]label.Set) func(func(string, label.Set) bool) {
	return func(yield func(string, label.Set) bool) {
		for _, id := range slices.Sorted(maps.Keys(alerts)) {
			if !yield(id, alerts[id]) {
				return
			}
		}
	}
}
