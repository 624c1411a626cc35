package detect_test

import (
	"fmt"
	"strings"
	"testing"

	"pulse/detect"
)

// TestTooDeep: whatever YAML is read, a text nested deeper than anybody writes is
// refused with its place before it is parsed, which takes long.
func TestTooDeep(t *testing.T) {
	readers := map[string]func([]byte) error{
		"rules":     func(b []byte) error { _, err := detect.ParseRulesYAML(b); return err },
		"tests":     detect.ReadTests,
		"incidents": func(b []byte) error { _, err := detect.ParseIncidents(b); return err },
	}
	for name, read := range readers {
		for deep, column := range map[string]int{strings.Repeat("[", 100_000): 501, strings.Repeat("{a: ", 501): 2001, strings.Repeat("- ", 501) + "1": 1001} {
			want := fmt.Sprintf("line 2, column %d: nested more than 500 deep", column)
			if err := read([]byte("# one\n" + deep)); err == nil || err.Error() != want {
				t.Errorf("%s, %.10s...: %v, want %s", name, deep, err, want)
			}
		}
		for _, flat := range []string{strings.Repeat("[]\n", 501), strings.Repeat("[", 400) + strings.Repeat("]", 400)} {
			if err := read([]byte(flat)); err != nil && strings.Contains(err.Error(), "nested") {
				t.Errorf("%s, %.10s...: %v", name, flat, err)
			}
		}
	}
}
