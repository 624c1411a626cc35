package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The texts that are replaced must each stand exactly once, or the long run would
// find out late that the code has moved on.
func TestMutationsApply(t *testing.T) {
	for list, least := range map[string]int{"conformance": 20, "durability": 20} {
		all, err := read(filepath.Join("..", list, "mutations.txt"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range all {
			names = append(names, m.name)
			for _, c := range m.changes {
				text, err := os.ReadFile(filepath.Join("..", "..", c.file))
				if err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(string(text), c.old); n != 1 {
					t.Errorf("%s: %s: %s holds %q %d times, want once", list, m.name, c.file, c.old, n)
				}
			}
		}
		slices.Sort(names)
		if n := len(slices.Compact(names)); n < least || n != len(all) {
			t.Errorf("%s: %d mutations with %d names, want at least %d", list, len(all), n, least)
		}
	}
}

func TestParse(t *testing.T) {
	all, err := parse(`# a list
run go test ./a
red ^bad

one
file a.go
- x
- 	y
+ z
- w
+ v
+
file b.go
- p
+ q

two
run go test ./b
file c.go
- r
+ s
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 {
		t.Fatalf("%d entries", len(all))
	}
	one, two := all[0], all[1]
	want := []change{{"a.go", "x\n\ty", "z"}, {"a.go", "w", "v\n"}, {"b.go", "p", "q"}}
	if one.name != "one" || one.command != "go test ./a" || one.red.String() != "^bad" || !slices.Equal(one.changes, want) {
		t.Errorf("one is %+v", one)
	}
	if two.name != "two" || two.command != "go test ./b" || len(two.changes) != 1 {
		t.Errorf("two is %+v", two)
	}
	for _, text := range []string{
		"x\nfile a\n- a\n+ b\n",        // nothing is run
		"run x\nx\n",                   // nothing is broken
		"run x\nx\n- a\n+ b\n",         // where
		"run x\nx\nfile a\n+ b\n",      // what
		"run x\nx\nfile a\n- b\n+ b\n", // no change
		"run x\nred (\nx\nfile a\n- b\n+ c\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// TestTry breaks a small module of its own.
func TestTry(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod":    "module small\n",
		"a.go":      "package small\n\nfunc two() int { return 2 }\n\nfunc three() int { return 3 }\n",
		"a_test.go": "package small\n\nimport \"testing\"\n\nfunc TestTwo(t *testing.T) {\n\tif two() != 2 {\n\t\tt.Error(\"not two\")\n\t}\n}\n\nfunc TestNever(t *testing.T) { t.Skip() }\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := func(run, old, new string) string {
		text := "run " + run + "\nname\nfile a.go\n- " + old + "\n+ " + new + "\n"
		if err := os.WriteFile("list", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "list"
	}
	const test = "go test -count=1 -vet=off -v -run TestTwo ."
	for _, c := range []struct {
		run, old, new string
		want          string // in the error; none: all is well
	}{
		{test, "return 2", "return 4", ""},
		{test, "return 3", "return 4", "not all"},
		{test, "return 2", "return two", "do not run"},
		{test, "return 5", "return 2", "0 times"},
		{"go test -v -run TestNever .", "return 3", "return 4", ""},
		{"exit 1", "return 2", "return 4", "before anything is broken"},
	} {
		err := run("", []string{list(c.run, c.old, c.new)})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s for %s: %v, want %q", c.run, c.new, c.old, err, c.want)
		}
	}
}
