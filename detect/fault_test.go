package detect_test

import (
	"errors"
	"strings"
	"testing"

	"pulse/detect"
)

// TestFaultPlaces: a fault is told with the place of what is wrong, which is where
// the mark stands.
func TestFaultPlaces(t *testing.T) {
	const mark = "▸"
	for _, text := range []string{
		"▸rulez: []",
		"▸- a",
		"▸rules: 3",
		"rules:\n  - ▸expr: 5",
		"rules:\n  - id: a\n    expr: x\n    ▸exprr: y",
		"rules: [{id: a, expr: x, ▸foo: 1}]",
		"rules: [{id: a, expr: x}, ▸{id: a, expr: y}]",
		"rules:\n  - id: a\n    expr: x\n    notify: [a, ▸5]",
		"rules:\n  - id: a\n    expr: x\n    labels:\n      ok: y\n      ▸bad: [1]",
		"rules:\n  - id: a\n    expr: x\n    ▸for: soon",
		"rules: [{id: 'täg', owner: 'ü', expr: x, ▸for: soon}]",
		"rules:\n  - id: &x a\n    expr: !!str y\n    ▸step: []",
		"rules:\n  - ▸5",
		"receivers:\n  - ▸5",
		"receivers:\n  - name: a\n    ▸urll: x",
		"receivers:\n  - name: a\n    ▸url: 5",
		"▸receivers: {name: a, url: 'https://x.example'}",
		"rules:\n  - id: a\n    expr: x\n   ▸- id: b",
	} {
		before, after, _ := strings.Cut(text, mark)
		want := detect.Place{Line: 1 + strings.Count(before, "\n"), Column: 1 + len([]rune(before[strings.LastIndex(before, "\n")+1:]))}
		_, err := detect.ParseRulesYAML([]byte(before + after))
		var fault *detect.Fault
		if !errors.As(err, &fault) || fault.Place != want {
			t.Errorf("%s\ngot  %v\nwant %v", text, err, want)
		}
	}
}
