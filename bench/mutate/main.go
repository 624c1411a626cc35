// Command mutate breaks the product on purpose, in one place after the other, and
// runs the tests that must see each break: a test that stays green has proved
// nothing.
//
//	go run ./bench/mutate bench/durability/mutations.txt
//
// It is run at the root of the module and changes no file there: a broken file is
// put in front of the compiler as an overlay. Only entries whose name matches -only
// are tried. It fails unless every break was seen; entries whose tests
// cannot run on the machine are told of and pass.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	only := flag.String("only", "", "regular expression of the names to try")
	flag.Parse()
	if err := run(*only, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(only string, lists []string) error {
	names, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	r := runner{scratch: scratch, clean: map[string]verdict{}}
	for _, list := range lists {
		all, err := read(list)
		if err != nil {
			return err
		}
		for _, m := range all {
			if !names.MatchString(m.name) {
				continue
			}
			if err := r.try(m); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
	}
	fmt.Printf("mutations: %d of %d seen, %d skipped\n", r.seen, r.total-r.skipped, r.skipped)
	if r.total == 0 || r.seen < r.total-r.skipped {
		return fmt.Errorf("not all mutations were seen")
	}
	return nil
}

// verdict is what came out of a test.
type verdict int

const (
	green verdict = iota
	red
	skips  // it cannot run here
	failed // other than by a test that is red: it does not compile, say
)

type runner struct {
	scratch string
	clean   map[string]verdict // by command, of the module as it is

	total, seen, skipped int
}

// try breaks one thing and looks who sees it.
func (r *runner) try(m mutation) error {
	r.total++
	before, ok := r.clean[m.command]
	if !ok {
		var output string
		if before, output = r.test(m, ""); before == red || before == failed {
			return fmt.Errorf("%s fails before anything is broken:\n%s", m.command, tail(output))
		}
		r.clean[m.command] = before
	}
	if before == skips {
		r.skipped++
		fmt.Printf("skipped   %s: %s cannot run here\n", m.name, m.command)
		return nil
	}
	overlay, err := r.overlay(m)
	if err != nil {
		return err
	}
	began := time.Now()
	after, output := r.test(m, overlay)
	switch took := time.Since(began).Seconds(); after {
	case red:
		r.seen++
		fmt.Printf("seen      %s (%.0f s): %s\n", m.name, took, reason(m, output))
	case failed:
		return fmt.Errorf("its tests do not run:\n%s", tail(output))
	default:
		fmt.Printf("NOT SEEN  %s (%.0f s)\n%s\n", m.name, took, tail(output))
	}
	return nil
}

// test runs the command of m.
func (r *runner) test(m mutation, overlay string) (verdict, string) {
	cmd := exec.Command("bash", "-c", m.command)
	flags := "GOFLAGS=-trimpath"
	if overlay != "" {
		flags += " -overlay=" + overlay
	}
	cmd.Env = append(os.Environ(), flags)
	output, err := cmd.CombinedOutput()
	switch {
	case err == nil && skipped.Match(output):
		return skips, string(output)
	case err == nil:
		return green, string(output)
	case m.red.Match(output):
		return red, string(output)
	}
	return failed, string(output)
}

var skipped = regexp.MustCompile(`(?m)^\s*--- SKIP|\[no tests to run\]`)

// overlay writes the broken files and what the compiler needs to find them.
func (r *runner) overlay(m mutation) (string, error) {
	texts := map[string]string{}
	for _, c := range m.changes {
		text, ok := texts[c.file]
		if !ok {
			b, err := os.ReadFile(c.file)
			if err != nil {
				return "", err
			}
			text = string(b)
		}
		if n := strings.Count(text, c.old); n != 1 {
			return "", fmt.Errorf("%s holds %q %d times, want once", c.file, c.old, n)
		}
		texts[c.file] = strings.Replace(text, c.old, c.new, 1)
	}
	var over struct{ Replace map[string]string }
	over.Replace = map[string]string{}
	for file, text := range texts {
		to := filepath.Join(r.scratch, fmt.Sprintf("%d_%d.go", r.total, len(over.Replace)))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		from, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		over.Replace[from] = to
	}
	b, err := json.Marshal(over)
	if err != nil {
		return "", err
	}
	to := filepath.Join(r.scratch, fmt.Sprintf("%d.json", r.total))
	return to, os.WriteFile(to, b, 0o600)
}

// reason returns the first line of a test's output that says what is wrong.
func reason(m mutation, output string) string {
	at := m.red.FindStringIndex(output)
	line := output[at[0]:]
	lines := strings.SplitN(strings.TrimSpace(line), "\n", 3)
	text := strings.TrimSpace(lines[0])
	if strings.HasPrefix(text, "--- FAIL") && len(lines) > 1 {
		text += " " + strings.TrimSpace(lines[1])
	}
	return text[:min(len(text), 300)]
}

func tail(output string) string {
	return output[max(0, len(output)-3000):]
}
