package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The texts that mutate.sh replaces must each stand exactly once, or the long
// run would find out late that the code has moved on.
func TestMutationsApply(t *testing.T) {
	list, err := os.ReadFile("mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	file, n := "", 0
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "file "); ok {
			file = name
		}
		old, ok := strings.CutPrefix(line, "- ")
		if !ok {
			continue
		}
		n++
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		if c := strings.Count(string(text), old); c != 1 {
			t.Errorf("%s holds %q %d times, want once", file, old, c)
		}
	}
	if n < 20 {
		t.Errorf("%d mutations, want at least 20", n)
	}
}
