package route_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"pulse/detect/label"
	"pulse/detect/route"
)

var block = regexp.MustCompile("(?s)```(yaml|text)\n(.*?)```")

// TestDocs runs the examples of the documentation: each block of lines is about the
// configuration before it.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/routing.md")
	if err != nil {
		t.Fatal(err)
	}
	var c *route.Config
	lines := 0
	for _, b := range block.FindAllStringSubmatch(string(page), -1) {
		if b[1] == "yaml" {
			c = read(t, b[2])
			continue
		}
		fire := map[string]label.Set{}
		for line := range strings.Lines(b[2]) {
			if labels, ok := strings.CutPrefix(line, "firing: "); ok {
				fire["source"] = set(labels)
				continue
			}
			lines++
			example(t, c, fire, strings.TrimSpace(line))
		}
	}
	if lines < 20 {
		t.Errorf("%d examples", lines)
	}
}

// example checks a line: labels, two or more spaces, what becomes of the alert.
func example(t *testing.T, c *route.Config, fire map[string]label.Set, line string) {
	t.Helper()
	given, want, ok := strings.Cut(line, "     ")
	if !ok {
		given, want, _ = strings.Cut(line, "  ")
	}
	now := int64(0)
	if rest, ok := strings.CutPrefix(given, "at "); ok {
		when, labels, _ := strings.Cut(rest, " ")
		now, given = at(t, when), labels
	}
	got := "told"
	if len(fire) > 0 {
		for i, cause := range c.Inhibited(set(given), firing(fire)) {
			got = map[bool]string{true: "held back by ", false: got + ", "}[i == 0] + cause.Rule
		}
	} else if got = "nobody"; c.Routed() {
		for i, l := range c.Decide(set(given), now) {
			got = map[bool]string{true: "", false: got + ", "}[i == 0] + l.Receiver
			if l.Muted() {
				got += ", muted by " + strings.Join(l.MutedBy, ", ")
			}
		}
	}
	if want = strings.TrimSpace(want); got != want {
		t.Errorf("%s\ngot  %s\nwant %s", line, got, want)
	}
}
