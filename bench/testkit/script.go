// Package testkit is what tests of several packages share: a runner of scripts
// whose results are kept beside the commands, and checks that a path allocates
// nothing and leaves no goroutine behind. Only tests import it.
package testkit

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rewrite must be known before the test binary parses its flags, so it is the
// one thing here that exists at import.
var rewrite = flag.Bool("rewrite", false, "write what scripts give back into their files")

// Rewriting reports whether the test is run with -rewrite.
func Rewriting() bool { return *rewrite }

// Command is one step of a script.
type Command struct {
	Name  string
	Args  []Arg  // in the order written
	Input string // the lines below the command, each ending in a newline
	Pos   string // file:line, for messages
}

// Arg is one word after the command's name: `key=value`, or `key` alone.
type Arg struct{ Key, Value string }

// Arg returns the value of key, or otherwise when the command has no such key.
func (c *Command) Arg(key, otherwise string) string {
	for _, a := range c.Args {
		if a.Key == key {
			return a.Value
		}
	}
	return otherwise
}

// Lines returns the lines of the input that are not empty.
func (c *Command) Lines() []string {
	return strings.FieldsFunc(c.Input, func(r rune) bool { return r == '\n' })
}

// Run gives each command of the scripts that match glob to run and compares
// what it returns with what the script says. Each script is a sub-test, and
// begin is called for each, so that scripts share no state.
//
//	# a comment
//	command key=value word
//	input, up to the line of dashes
//	----
//	result, up to an empty line
//
// A result with empty lines in it stands between two doubled lines of dashes.
// With -rewrite the results are written into the files instead: look at the
// difference before you commit it.
func Run(t *testing.T, glob string, begin func(t *testing.T) (run func(c *Command) string)) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no script matches %s (%v)", glob, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, faults := play(file, string(text), begin(t))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, f := range faults {
				t.Error(f)
			}
		})
	}
}

// play runs the commands of a script and returns its text with the results
// that they gave, and a message for each result that differs.
func play(file, text string, run func(c *Command) string) (rewritten string, faults []string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var out strings.Builder
	for i := 0; i < len(lines); {
		line := lines[i]
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			out.WriteString(line + "\n")
			i++
			continue
		}
		c := parseCommand(line)
		c.Pos = fmt.Sprintf("%s:%d", file, i+1)
		out.WriteString(line + "\n")
		for i++; i < len(lines) && lines[i] != "----"; i++ {
			c.Input += lines[i] + "\n"
		}
		if i == len(lines) {
			return text, append(faults, c.Pos+": no line of dashes follows "+c.Name)
		}
		var want string
		want, i = result(lines, i+1)
		got := run(c)
		if got != "" && !strings.HasSuffix(got, "\n") {
			got += "\n"
		}
		if got != want {
			faults = append(faults, fmt.Sprintf("%s: %s\n%sgot:\n%swant:\n%s", c.Pos, line, c.Input, got, want))
		}
		out.WriteString(c.Input + "----\n" + frame(got) + "\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n", faults
}

// result returns the lines of a result that begins at lines[i], and the number
// of the line after it and the empty line that ends it.
func result(lines []string, i int) (string, int) {
	doubled := i < len(lines) && lines[i] == "----"
	if doubled {
		i++
	}
	var out strings.Builder
	for ; i < len(lines); i++ {
		if doubled && lines[i] == "----" && i+1 < len(lines) && lines[i+1] == "----" {
			i += 2
			break
		}
		if !doubled && lines[i] == "" {
			break
		}
		out.WriteString(lines[i] + "\n")
	}
	if i < len(lines) && lines[i] == "" {
		i++
	}
	return out.String(), i
}

// frame returns a result as it stands in a script.
func frame(got string) string {
	if strings.HasPrefix(got, "\n") || strings.HasPrefix(got, "----\n") || strings.Contains(got, "\n\n") {
		return "----\n" + got + "----\n----\n"
	}
	return got
}

func parseCommand(line string) *Command {
	words := strings.Fields(line)
	c := &Command{Name: words[0]}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		c.Args = append(c.Args, Arg{key, value})
	}
	return c
}
