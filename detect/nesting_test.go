package detect_test

import (
	"strings"
	"testing"

	"pulse/detect"
)

// TestTooDeep: whatever YAML is read, a text nested deeper than anybody writes is
// refused with its line before it is parsed, which takes long.
func TestTooDeep(t *testing.T) {
	readers := map[string]func([]byte) error{
		"rules":     func(b []byte) error { _, err := detect.ParseRulesYAML(b); return err },
		"tests":     detect.ReadTests,
		"incidents": func(b []byte) error { _, err := detect.ParseIncidents(b); return err },
	}
	for name, read := range readers {
		for _, deep := range []string{strings.Repeat("[", 100_000), strings.Repeat("{a: ", 501), strings.Repeat("- ", 501) + "1"} {
			if err := read([]byte("# one\n" + deep)); err == nil || err.Error() != "line 2: nested more than 500 deep" {
				t.Errorf("%s, %.10s...: %v", name, deep, err)
			}
		}
		for _, flat := range []string{strings.Repeat("[]\n", 501), strings.Repeat("[", 400) + strings.Repeat("]", 400)} {
			if err := read([]byte(flat)); err != nil && strings.Contains(err.Error(), "nested") {
				t.Errorf("%s, %.10s...: %v", name, flat, err)
			}
		}
	}
}
