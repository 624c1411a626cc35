package detect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/store"
)

// lint checks files, by name and text, and returns one line per finding.
func lint(t *testing.T, files ...string) (detect.File, []string) {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.WriteFile(name, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	file, findings, err := detect.LintFiles(names, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s:%s %s %v %s", filepath.Base(f.File), f.Fault.Place, f.Check, f.Warning, f.Err))
	}
	return file, out
}

// manyFaults is a rule file with one of everything that is found.
const manyFaults = `rules:
  - id: good
    expr: name,sps,:eq,:sum,(,region,),:by
    detector: {kind: double-exponential}
    annotations: {runbook: "https://x"}
  - id: twice
    expr: name,sps,:eq,:sum,(,region,),:by
    detector: {kind: double-exponential}
    severity: page
    annotations:
      runbook: "https://x"
      summary: "{{.Tags.regoin}}"
  - id: hasty
    expr: name,sps,:eq,:sum,5,:lt
    annotations: {runbook: "https://x"}
    notify: [onkall]
  - id: bare
    expr: name,sps,:eq
    for: 1m
    detektor: {kind: static}
  - id: each
    expr: name,sps,:eq,:all
    detector:
      kind: static
      belov: 5
    for: 1m
  - id: every
    expr: name,sps,:eq,:all
    for: 1m
    keep: 5m
    flap: {calm: 5m}
  - id: jumpy
    expr: name,sps,:eq,:sum
    detector: {kind: exponential, hold: 0s}
    annotations: {runbook: "https://x"}
  - expr: name,sps,:eq
  - id: steps
    expr: name,sps,:eq,:sum
    for: 1m
    annotations: {runbook: "https://x"}
    step: 15s
receivers:
  - {name: oncall, url: "https://x.example"}
  - {name: onkall, url: "https://x.example", heartbeat: 1m}
  - name: other
    urll: "https://x.example"
`

// TestLint: everything that is wrong is found at once, each with its place.
func TestLint(t *testing.T) {
	_, got := lint(t, "a.yaml", manyFaults, "b.yaml", "rules:\n  - {id: good, expr: 'name,x,:eq,:sum', for: 1m}\n", "c.yaml", "rules:\n  - id: a\n   b: [\n", "d.yaml", "rulse: []\n")
	want := []string{
		`a.yaml:7:5 duplicate true rule "twice": expr and detector are those of rule "good"`,
		`a.yaml:12:7 template false rule "twice": annotations.summary names .Tags.regoin, but groups have region`,
		`a.yaml:14:5 hold true rule "hasty": expr and detector page on a single step`,
		`a.yaml:16:14 receiver false rule "hasty": notify[0] names "onkall", which is no receiver of alerts of the file, did you mean "oncall"?`,
		`a.yaml:20:5 syntax false rule "bare": key "detektor" is unknown, did you mean "detector"?`,
		`a.yaml:25:7 rule false rule "each": detector static: key "belov" is unknown, did you mean "below"?`,
		`a.yaml:27:5 runbook true rule "every": annotations.runbook is missing`,
		`a.yaml:28:5 groups true rule "every": expr gives one alert per series`,
		`a.yaml:31:12 flap true rule "every": flap.calm is 5m, not longer than keep (5m)`,
		`a.yaml:34:35 hold true rule "jumpy": detector.hold is at most one step and there is no for`,
		`a.yaml:36:5 rule false rule "": id is missing`,
		`a.yaml:41:5 rule false rule "steps": step is 15s`,
		`a.yaml:46:5 syntax false receivers[2]: `,
		`b.yaml:2:5 syntax false rule "good" is defined twice`,
		`c.yaml:3:4 syntax false not YAML: `,
		`d.yaml:1:1 syntax false key "rulse" is unknown, did you mean "rules"?`,
	}
	for i, w := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], w) {
			t.Errorf("finding %d\ngot  %s\nwant %s", i, strings.Join(got[min(i, len(got)):min(i+1, len(got))], ""), w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d findings, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}

// TestTooManyGroups: a rule that would give very many groups is refused with its
// line, and what is in force stays.
func TestTooManyGroups(t *testing.T) {
	r := newRig(t, 1000)
	var err error
	if r.store, err = store.New(store.Options{Step: 1000, NewSeriesRate: 1e6, NewSeriesBurst: 1e6, MaxValuesPerKey: 1e6}); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.at(700)
	r.many(50_001, 1, nil)
	r.to(2_000)
	r.put(`{"id":"sum","expr":"name,sps,:eq,:sum","for":"1m"}`)
	file, err := detect.ParseRulesYAML([]byte("rules:\n  - {id: sum, expr: 'name,sps,:eq,:max', for: 1m}\n  - id: each\n    for: 1m\n    expr: name,sps,:eq,:sum,(,node,),:by\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.engine.CheckRules(file.Rules, r.now())
	const want = `line 5, column 5: rule "each": expr gives 50001 groups, at most 50000`
	if err == nil || !strings.HasPrefix(file.Place(err).Error(), want) {
		t.Errorf("got %v, want %s", file.Place(err), want)
	}
	if err := r.engine.PutRule(file.Rules[1], r.now()); err == nil || !strings.Contains(err.Error(), "50001 groups") {
		t.Errorf("put: %v", err)
	}
	if rules := r.engine.Rules(); len(rules) != 1 || rules[0].Expr != "name,sps,:eq,:sum" {
		t.Errorf("rules in force: %+v", rules)
	}
}
