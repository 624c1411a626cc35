package detect_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pulse/detect"
)

// TestNotifyNames: no rule is put that names a receiver which there is not, and no
// receiver is deleted while a rule names it, be the rule judged or not.
func TestNotifyNames(t *testing.T) {
	r := newRig(t, second)
	r.receivers = []string{"oncall", "team"}
	r.start()
	put := func(id, notify string) error {
		return r.engine.PutRule(mustRule(t, `{"id":"`+id+`","expr":"name,sps,:eq,:sum","notify":`+notify+`}`), r.now())
	}
	for notify, want := range map[string]string{
		`["onkall"]`:                   `rule "a": notify[0] names "onkall", which is no receiver of alerts, did you mean "oncall"? (oncall, team)`,
		`["oncall","team","somebody"]`: `rule "a": notify[2] names "somebody", which is no receiver of alerts (oncall, team)`,
	} {
		if err := put("a", notify); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", notify, err, want)
		}
	}
	if _, found := r.engine.Rule("a"); found {
		t.Error("a rule that was refused is there")
	}
	for id, notify := range map[string]string{"a": `["oncall"]`, "b": `"oncall"`, "c": `[]`} {
		if err := put(id, notify); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(name string) error {
		return r.engine.WithoutReceiver(name, func() error {
			if !slices.Contains(r.receivers, name) {
				return detect.ErrUnknownRouting // as any other
			}
			r.receivers = slices.DeleteFunc(r.receivers, func(x string) bool { return x == name })
			return nil
		})
	}
	if err := remove("oncall"); !errors.Is(err, detect.ErrNotified) || !strings.HasSuffix(err.Error(), "cannot be deleted: a rule's notify names it: a, b") {
		t.Errorf("delete a receiver that rules name: %v", err)
	}
	if err := remove("nobody"); !errors.Is(err, detect.ErrUnknownRouting) {
		t.Errorf("delete a receiver that there is not: %v", err)
	}
	if err := remove("team"); err != nil {
		t.Errorf("delete a receiver that nothing names: %v", err)
	}
	r.receivers = nil
	r.restart(true) // what is stored is judged whoever it names
	if rules := r.engine.Rules(); len(rules) != 3 {
		t.Errorf("%d rules after a restart", len(rules))
	}
	r.receivers = []string{}
	r.start()
	if err := put("d", `["oncall"]`); err == nil || !strings.HasSuffix(err.Error(), "which is no receiver of alerts (there is none)") {
		t.Errorf("without receivers: %v", err)
	}
}

// TestNotifyNamesOfFiles: rules of files are refused with their place, and so are files
// that take a receiver away from a rule that was made over the API.
func TestNotifyNamesOfFiles(t *testing.T) {
	r := newRig(t, second)
	r.receivers = []string{"made", "filed"}
	r.start()
	r.put(`{"id":"api","expr":"name,sps,:eq,:sum","notify":["made","filed"]}`)
	file, err := detect.ParseRulesYAML([]byte("rules:\n  - id: a\n    expr: name,sps,:eq\n    notify:\n      - made\n      - flied\n"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := r.engine.CheckRules(file.Rules, r.now())
	if err != nil {
		t.Fatal(err)
	}
	const want = `line 6, column 9: rule "a": notify[1] names "flied", which is no receiver of alerts, did you mean "filed"? (filed, made)`
	if err := rules.CheckNotify([]string{"filed", "made"}); err == nil || file.Place(err).Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := rules.CheckNotify([]string{"flied", "made"}); err != nil {
		t.Error(err)
	}
	if err := r.engine.CheckOthers(rules, []string{"filed", "made"}); err != nil {
		t.Error(err)
	}
	if err := r.engine.CheckOthers(rules, []string{"made"}); !errors.Is(err, detect.ErrNotified) || !strings.HasPrefix(err.Error(), `receiver "filed" is in no file any more`) || !strings.Contains(err.Error(), "api, made over the API") {
		t.Errorf("got %v", err)
	}
	own, err := r.engine.CheckRules([]detect.Rule{mustRule(t, `{"id":"api","expr":"name,sps,:eq,:sum","notify":["made"]}`)}, r.now())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.engine.CheckOthers(own, []string{"made"}); err != nil {
		t.Errorf("a rule that the files take over: %v", err)
	}
}

// TestLintReceivers: settings of receivers are judged without a server; what only another
// machine can have, a file or what is stored, is a warning.
func TestLintReceivers(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, got := lint(t, "a.yaml", `receivers:
  - {name: good, url: "https://x.example", format: alertmanager, timeout: 5s}
  - {name: slow, url: "https://x.example", timeout: 2m}
  - name: pager
    kind: pagerduty
    routing_key: short
  - {name: words, kind: slack, url: "https://x.example", title: "{{.Nope}}"}
  - {name: masked, url: "https://x.example", secret: "***"}
  - {name: filed, kind: pagerduty, routing_key_file: `+key+`}
  - {name: gone, kind: pagerduty, routing_key_file: /nowhere/key}
  - {name: odd, kind: pigeon}
`)
	want := []string{
		`a.yaml:3:44 receiver false receiver slow: timeout is "2m", want 1s to 1m0s`,
		`a.yaml:6:5 receiver false receiver pager: routing_key`,
		`a.yaml:7:58 receiver false receiver words: title: `,
		`a.yaml:8:46 receiver true receiver masked: secret is ***`,
		`a.yaml:10:35 receiver true receiver gone: routing_key_file: stat /nowhere/key: no such file`,
		`a.yaml:11:17 receiver false receiver odd: kind `,
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("finding %d\ngot  %q\nwant %q", i, got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
}
