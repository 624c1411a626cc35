package detect_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pulse/detect"
)

const fullYAML = `
rules:
  - id: sps-drop
    owner: playback
    expr: name,sps,:eq,:sum,(,region,),:by
    step: 10s
    grace: 2s
    detector: {kind: double-exponential, alpha: 0.1, beta: 0.02, width: 4, direction: below, train: 1h}
    for: 30s
    keep: 1m
    flap: {times: 4, calm: 20m}
    no_data: auto
    absence_after: 60s
    severity: page
    labels: {team: playback, tier: 1}
    annotations: {summary: "{{.Tags.region}}: {{.Value}} starts/s, expected {{.Expected}}", runbook: "https://wiki/x"}
    notify: [oncall]
receivers:
  - name: oncall
    kind: webhook
    url: https://example.org/hook
`

const fullJSON = `{"id":"sps-drop","owner":"playback","expr":"name,sps,:eq,:sum,(,region,),:by","step":"10s","grace":"2s",
 "detector":{"kind":"double-exponential","alpha":0.1,"beta":0.02,"width":4,"direction":"below","train":"1h"},
 "for":"30s","keep":"1m","flap":{"times":4,"calm":"20m"},"no_data":"auto","absence_after":"1m","severity":"page","labels":{"team":"playback","tier":1},
 "annotations":{"summary":"{{.Tags.region}}: {{.Value}} starts/s, expected {{.Expected}}","runbook":"https://wiki/x"},
 "notify":["oncall"]}`

// TestRuleSpellings: YAML and JSON of the same rule are the same rule, and its
// own JSON reads back to it.
func TestRuleSpellings(t *testing.T) {
	file, err := detect.ParseRulesYAML([]byte(fullYAML))
	if err != nil {
		t.Fatal(err)
	}
	if len(file.Rules) != 1 || len(file.Receivers) != 1 || file.Receivers[0].Name != "oncall" {
		t.Fatalf("file has %d rules, receivers %+v", len(file.Rules), file.Receivers)
	}
	fromYAML, err := json.Marshal(file.Rules[0])
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := detect.ParseRuleJSON([]byte(fullJSON))
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := json.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(fromJSON), string(fromYAML)); d != "" {
		t.Errorf("JSON and YAML differ:\n%s", d)
	}
	again, err := detect.ParseRuleJSON(fromJSON)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(parsed, again); d != "" {
		t.Errorf("rule reads back differently:\n%s", d)
	}
	if err := parsed.Validate(10_000); err != nil {
		t.Errorf("validate: %v", err)
	}
}

func TestRuleDefaults(t *testing.T) {
	r, err := detect.ParseRuleJSON([]byte(`{"id":"a","expr":"name,x,:eq"}`))
	if err != nil {
		t.Fatal(err)
	}
	if r.Owner != "default" || r.Severity != "warn" || r.NoData != "auto" || r.Detector.Kind != "signal" {
		t.Errorf("defaults: %+v", r)
	}
}

func TestRuleErrors(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		r, err := detect.ParseRuleJSON([]byte(body))
		if err == nil {
			err = r.Validate(10_000)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", body, err, want)
		}
	}
	with := func(rest string) string { return `{"id":"r","expr":"name,x,:eq",` + rest + `}` }
	f(`{`, "not JSON")
	f(`[]`, "rule is a list, want an object")
	f(`{"id":"a","expr":"x"} {}`, "more text")
	f(with(`"exprr":"x"`), `rule "r": key "exprr" is unknown, did you mean "expr"? (known: id, owner, expr`)
	f(`{"expr":"x"}`, "id is missing")
	f(`{"id":"a/b","expr":"x"}`, `id "a/b" has the character "/"`)
	f(`{"id":"..","expr":"x"}`, `only dots`)
	f(`{"id":"`+strings.Repeat("a", 129)+`","expr":"x"}`, "id has 129 bytes, at most 128")
	f(`{"id":"r"}`, "expr is missing")
	f(`{"id":"r","expr":"`+strings.Repeat("a", 9000)+`"}`, "expr has 9000 bytes, at most 8192")
	f(with(`"step":"15s"`), "step is 15s, want a multiple of the server's step 10s")
	f(with(`"step":10`), `step: "10" is no duration`)
	f(with(`"step":"10"`), `step: "10" is no duration`)
	f(with(`"step":"fast"`), `step: "fast" is no duration`)
	f(with(`"for":["30s"]`), "for is a list, want a duration")
	f(with(`"for":"-1s"`), `for: "-1s" is no duration`)
	f(with(`"for":"99999999999999999999s"`), "is no duration")
	f(with(`"for":"8d"`), "for is 1w1d, want 0s to 1w")
	f(with(`"keep":"2w"`), "keep is 2w, want 0s to 1w")
	f(with(`"flap":"on"`), `flap is "on", want off or an object such as {times: 5, calm: 10m}`)
	f(with(`"flap":["off"]`), `flap is a list, want off or an object`)
	f(with(`"flap":{"time":3}`), `flap.key "time" is unknown, did you mean "times"? (known: times, calm)`)
	f(with(`"flap":{"times":"3"}`), `flap.times is "3", want a whole number`)
	f(with(`"flap":{"times":2.5}`), `flap.times is "2.5", want a whole number`)
	f(with(`"flap":{"times":[]}`), `flap.times is a list, want a whole number`)
	f(with(`"flap":{"times":0}`), `flap.times is 0, want 2 to 1000, or flap: off`)
	f(with(`"flap":{"times":1}`), `flap.times is 1, want 2 to 1000`)
	f(with(`"flap":{"times":-1}`), `flap.times is -1, want 2 to 1000`)
	f(with(`"flap":{"times":1001}`), `flap.times is 1001, want 2 to 1000`)
	f(with(`"flap":{"calm":"0s"}`), `flap.calm is 0s, want one step or more, or flap: off`)
	f(with(`"flap":{"calm":"9s"}`), `flap.calm is 9s, want one step (10s) to 1w`)
	f(with(`"flap":{"calm":"8d"}`), `flap.calm is 1w1d, want one step (10s) to 1w`)
	f(with(`"flap":{"calm":5}`), `flap.calm: "5" is no duration`)
	f(with(`"grace":"50ms"`), "grace is 50ms, want 100ms to 10m")
	f(with(`"no_data":"maybe"`), `no_data is "maybe", want one of auto, ok, alert, keep, zero`)
	f(with(`"detector":{"kind":"magic"}`), `detector kind "magic" is unknown`)
	f(with(`"detector":{"above":1}`), "detector.kind is missing")
	f(with(`"detector":{"kind":"static","abov":1}`), `key "abov" is unknown`)
	f(with(`"severity":"`+strings.Repeat("x", 65)+`"`), "severity has 65 bytes, at most 64")
	f(with(`"severity":"a\nb"`), "control character")
	f(with(`"labels":{"a":{}}`), "labels.a is an object, want text")
	f(with(`"labels":"a"`), "labels is text, want an object")
	f(with(`"notify":[1]`), "notify[0] is a number, want text")
	f(with(`"notify":["a b"]`), `notify "a b" has the character " "`)
	f(with(`"annotations":{"s":"{{.Tag}}"}`), "annotations.s: ")
	f(with(`"annotations":{"s":"{{"}`), "annotations.s: ")
	f(with(`"annotations":{"s":"`+strings.Repeat("x", 5000)+`"}`), "annotations.s: template has 5000 bytes, at most 4096")
	f(with(`"expr":null`), "expr is missing")
}

func TestFileErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := detect.ParseRulesYAML([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
	f("rulez: []", `line 1, column 1: key "rulez" is unknown, did you mean "rules"? (known: rules, receivers, routes, inhibit, mute)`)
	f("- a", "content is a list")
	f("rules: 3", "rules is a number, want a list")
	f("rules: [{id: a, expr: x, foo: 1}]", `line 1, column 26: rule "a": key "foo" is unknown`)
	f("rules: [{id: a, expr: x}, {id: a, expr: y}]", `rule "a" is defined twice`)
	f("rules:\n - id: a\n   id: b\n", "not YAML")
	f("receivers: [{name: a, urll: x}]", `receivers[0]: `)
	f("a: [", "not YAML")
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b.yaml", "rules: [{id: b, expr: x}]")
	write("a.yaml", "rules: [{id: a, expr: x}]")
	file, err := detect.LoadFiles(filepath.Join(dir, "*.yaml"))
	if err != nil || len(file.Rules) != 2 || file.Rules[0].ID != "a" {
		t.Errorf("LoadFiles: %v, %+v", err, file.Rules)
	}
	for _, text := range []string{"", " \n", "# a remark\n", "---\n"} {
		write("d.yaml", text)
		file, err := detect.LoadFiles(filepath.Join(dir, "*.yaml"))
		if c := file.Content(); err != nil || len(c) != 3 || !c[filepath.Join(dir, "a.yaml")] || c[filepath.Join(dir, "d.yaml")] {
			t.Errorf("%q: %v, %v", text, err, c)
		}
	}
	write("c.yaml", "rules: [{id: a, expr: y}]")
	if _, err := detect.LoadFiles(filepath.Join(dir, "*.yaml")); err == nil || !strings.Contains(err.Error(), "c.yaml:1:9: rule \"a\" is defined twice, first in "+filepath.Join(dir, "a.yaml")) {
		t.Errorf("repeated id: %v", err)
	}
	if _, err := detect.LoadFiles(filepath.Join(dir, "none.yaml")); err == nil {
		t.Error("a missing file is no error")
	}
	if _, err := detect.LoadFiles(filepath.Join(dir, "*.none")); err != nil {
		t.Errorf("a glob that matches nothing: %v", err)
	}
}

func TestDuration(t *testing.T) {
	f := func(text string, want detect.Duration) {
		t.Helper()
		got, err := detect.ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %d, %v, want %d", text, got, err, want)
			return
		}
		if again, err := detect.ParseDuration(got.String()); err != nil || again != want {
			t.Errorf("%q prints as %q, which reads as %d, %v", text, got, again, err)
		}
	}
	f("0", 0)
	f("0s", 0)
	f("100ms", 100)
	f("30s", 30_000)
	f("90s", 90_000)
	f("1h30m", 5_400_000)
	f("2d", 172_800_000)
	f("1w", 604_800_000)
	for _, text := range []string{"", "s", "1", "1 s", "-1s", "1.5h", "1y", "1s2", "99999999999999999999s", "9999999999999w"} {
		if d, err := detect.ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %d, want an error", text, d)
		}
	}
}

// TestAliasBomb: a small file that expands to billions of items is refused or
// read quickly, never expanded.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [", i, i)
		for range 10 {
			fmt.Fprintf(&b, "*a%d, ", i-1)
		}
		b.WriteString("]\n")
	}
	b.WriteString("receivers: [*a11]\n")
	if _, err := detect.ParseRulesYAML([]byte(b.String())); err == nil || !strings.Contains(err.Error(), "aliases expand") {
		t.Errorf("error is %v", err)
	}
}

// FuzzParseRule: no text panics, and a rule that passes reads back as itself.
func FuzzParseRule(f *testing.F) {
	f.Add([]byte(fullJSON))
	f.Add([]byte(`{"id":"a","expr":"x","detector":{"kind":"static","above":"1"}}`))
	f.Add([]byte(`{"id":1}`))
	f.Add([]byte(`{"id":"a","expr":"x","flap":"off"}`))
	f.Add([]byte(`{"id":"a","expr":"x","flap":{"times":3,"calm":"1m"}}`))
	f.Add([]byte(`{"id":"a","expr":"x","flap":{"times":1e3}}`))
	f.Add([]byte(`{"id":"a","expr":"x","annotations":{"s":"{{range .Tags}}{{.}}{{end}}"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := detect.ParseRuleJSON(body)
		if err != nil || r.Validate(1000) != nil {
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("marshal %s: %v", body, err)
		}
		again, err := detect.ParseRuleJSON(text)
		if err != nil {
			t.Fatalf("%s\nprints as %s\nwhich fails: %v", body, text, err)
		}
		if text2, _ := json.Marshal(again); string(text2) != string(text) {
			t.Fatalf("%s\nreads back as %s", text, text2)
		}
	})
}

// FuzzParseFile: no text panics or hangs.
func FuzzParseFile(f *testing.F) {
	f.Add([]byte(fullYAML))
	f.Add([]byte("rules: [{id: a, expr: x}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := detect.ParseRulesYAML(text)
		if err != nil {
			return
		}
		for _, r := range file.Rules {
			_ = r.Validate(1000)
		}
	})
}
