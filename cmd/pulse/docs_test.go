package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestDocsOfPushing runs the shell examples of the page on the HTTP API that push
// data, against a server of its own. What is shown as the answer is the answer.
func TestDocsOfPushing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for _, name := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	page, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## Pushing\n")
	text, _, _ = strings.Cut(text, "\n## ")
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--log-level", "info")
	url := waitIn(t, &p.errors, p, `url=(http://[^/\s]+)`)[1]
	examples := regexp.MustCompile("(?s)```sh\n(.*?)```\n(?:\n```json\n(.*?)```)?").FindAllStringSubmatch(text, -1)
	if len(examples) < 4 {
		t.Fatalf("%d examples", len(examples))
	}
	answers := 0
	for _, e := range examples {
		script := strings.ReplaceAll(e[1], "http://127.0.0.1:7101", url)
		out, err := exec.Command("sh", "-e", "-c", "curl() { command curl -sS --fail-with-body \"$@\"; }\n"+script).CombinedOutput()
		if err != nil || string(out) != e[2] {
			t.Errorf("%s: %v\n%s, want %s", e[1], err, out, e[2])
		}
		if e[2] != "" {
			answers++
		}
	}
	if answers == 0 {
		t.Error("no example shows its answer")
	}
}

// TestDocsOfRuleTests writes the example files of the page on rules and runs its
// commands, which print what is shown behind them.
func TestDocsOfRuleTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, m := range regexp.MustCompile("(?s)```yaml\n# (\\S+\\.yaml)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		if err := os.WriteFile(m[1], []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	examples := regexp.MustCompile("(?s)```sh\npulse (rules .*?)\n```\n\n```\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(examples) == 0 {
		t.Fatal("no example")
	}
	for _, m := range examples {
		if code, out := command(strings.Fields(m[1])...); code != 0 || out != m[2] {
			t.Errorf("pulse %s: code %d\n%s, want\n%s", m[1], code, out, m[2])
		}
	}
}

// TestDocsOfQueries writes the file of points that the page on the language shows
// and asks it what the page asks.
func TestDocsOfQueries(t *testing.T) {
	page, err := os.ReadFile("../../docs/asl.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	m := regexp.MustCompile("(?s)```sh\ncat > (\\S+) <<EOF\n(.*?)EOF\npulse query '(.*?)' (.*?)\n```\n\n```\n(.*?)```").FindStringSubmatch(string(page))
	if m == nil {
		t.Fatal("no example")
	}
	if err := os.WriteFile(m[1], []byte(m[2]), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := command(append([]string{"query", m[3]}, strings.Fields(m[4])...)...); code != 0 || out != m[5] {
		t.Errorf("code %d\n%s, want\n%s", code, out, m[5])
	}
}
