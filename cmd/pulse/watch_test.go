package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// until lets the clock run until a condition holds.
func (r *ruled) until(what string, holds func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); r.clk.Advance(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			_, status := r.do(http.MethodGet, "/api/v1/status", "")
			_, config, _ := strings.Cut(status, `"config":`)
			r.t.Fatalf("%s: not within 20 s; rules %s, config %.500s", what, r.inForce(), config)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// has waits for a text in the rules, the status or the metrics.
func (r *ruled) has(path, want string) {
	r.t.Helper()
	r.until(path+" has "+want, func() bool {
		_, text := r.do(http.MethodGet, path, "")
		return strings.Contains(text, want)
	})
}

func ruleText(id string, below int) string {
	return fmt.Sprintf("rules:\n  - {id: %s, expr: 'name,sps,:eq,:sum', detector: {kind: static, below: %d}}\n", id, below)
}

// TestRuleFilesChange: rules are in force soon after their file has changed, however
// it was changed, and a fault keeps the old ones and is told.
func TestRuleFilesChange(t *testing.T) {
	r := newRuled(t, ruleText("a", 1))
	dir := filepath.Dir(r.file)
	r.write(ruleText("a", 2))
	r.has("/api/v1/rules", `"below":2`)

	other := filepath.Join(dir, "new~")
	must(t, os.WriteFile(other, []byte(ruleText("a", 3)), 0o600))
	must(t, os.Rename(other, r.file))
	r.has("/api/v1/rules", `"below":3`)

	must(t, os.Rename(r.file, other)) // as editors do: the old one aside, then the new one
	must(t, os.WriteFile(r.file, []byte(ruleText("a", 4)), 0o600))
	r.has("/api/v1/rules", `"below":4`)

	second := filepath.Join(dir, "second.yaml")
	must(t, os.WriteFile(second, []byte(ruleText("b", 5)), 0o600))
	r.has("/api/v1/rules", `"id":"b"`)
	r.has("/metrics", "pulse_config_last_reload_successful 1\n")

	r.write("rules:\n  - id: a\n    expr: name,sps,:eq,:sum\n    detectr: {}\n")
	r.has("/api/v1/status", r.file+`:4:5: rule \"a\": key \"detectr\" is unknown`)
	r.has("/metrics", "pulse_config_last_reload_successful 0\n")
	if _, metrics := r.do(http.MethodGet, "/metrics", ""); strings.Contains(metrics, "pulse_config_reload_failures_total 0\n") {
		t.Error("no failure is counted")
	}
	if rules := r.inForce(); !strings.Contains(rules, `"below":4`) || !strings.Contains(rules, `"below":5`) {
		t.Errorf("rules in force: %s", rules)
	}
	r.write(ruleText("a", 6))
	r.has("/api/v1/rules", `"below":6`)
	r.has("/api/v1/status", `"successful":true,"trigger":"file change"`)

	must(t, os.Remove(second))
	r.until("b is gone", func() bool { return !strings.Contains(r.inForce(), `"id":"b"`) })
}

// TestRuleFilesVanish: a change that looks like half of one waits for somebody to say
// that it is meant.
func TestRuleFilesVanish(t *testing.T) {
	r := newRuled(t, ruleText("a", 1))
	r.write("")
	r.has("/api/v1/status", "is empty now")
	r.write("# nothing\n")
	r.has("/api/v1/status", "is empty now")
	r.write(ruleText("a", 2))
	r.has("/api/v1/rules", `"below":2`)
	must(t, os.Remove(r.file))
	r.has("/api/v1/status", "matches no file any more")
	if rules := r.inForce(); !strings.Contains(rules, `"below":2`) {
		t.Errorf("rules in force: %s", rules)
	}
	if status, text := r.do(http.MethodPost, "/-/reload", "{}"); status != 200 {
		t.Errorf("by hand: %d %s", status, text)
	}
	if rules := r.inForce(); strings.TrimSpace(rules) != "[]" {
		t.Errorf("rules in force: %s", rules)
	}
	r.write(ruleText("c", 3))
	r.has("/api/v1/rules", `"below":3`)
}

// TestRuleFilesOfKubernetes: a volume's files are links through a link, which is
// swapped to change all of them together.
func TestRuleFilesOfKubernetes(t *testing.T) {
	r := newRuled(t, "rules: []\n")
	dir := filepath.Dir(r.file)
	volume := func(version string, below int) {
		t.Helper()
		data := filepath.Join(dir, ".."+version)
		must(t, os.Mkdir(data, 0o700))
		file := filepath.Join(data, "k8s.yaml")
		must(t, os.WriteFile(file, []byte(ruleText("k", below)), 0o600))
		must(t, os.Chtimes(file, time.UnixMilli(streamOrigin), time.UnixMilli(streamOrigin)))
		must(t, os.Symlink(".."+version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	volume("1", 7)
	must(t, os.Symlink(filepath.Join("..data", "k8s.yaml"), filepath.Join(dir, "k8s.yaml")))
	r.has("/api/v1/rules", `"below":7`)
	volume("2", 8)
	must(t, os.RemoveAll(filepath.Join(dir, "..1")))
	r.has("/api/v1/rules", `"below":8`)
	must(t, os.WriteFile(filepath.Join(dir, "..2", "k8s.yaml"), []byte(ruleText("k", 10)), 0o600))
	r.has("/api/v1/rules", `"below":10`)
}

// TestOwnedByFile: what came from a file is not changed over the API, which names it.
func TestOwnedByFile(t *testing.T) {
	const receivers = "receivers: [{name: oncall, kind: webhook, url: 'https://192.0.2.9/hook?k=v'}]\n"
	r := newRuled(t, "receivers: [{name: oncall, url: 'https://93.184.216.34/hook'}]\n"+ruleText("a", 1))
	for _, c := range []struct{ path, body string }{
		{"/api/v1/rules/a", `{"expr":"name,sps,:eq,:sum"}`},
		{"/api/v1/receivers/oncall", `{"url":"https://93.184.216.34/other"}`},
	} {
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			if status, text := r.do(method, c.path, c.body); status != 409 || !strings.Contains(text, r.file) {
				t.Errorf("%s %s: %d %s", method, c.path, status, text)
			}
		}
	}
	r.write(receivers + ruleText("a", 2))
	status, text := r.do(http.MethodPost, "/-/reload", "{}")
	if status != 400 || !strings.Contains(text, r.file+":1:43: receiver oncall: ") || strings.Contains(text, "k=v") {
		t.Errorf("a receiver that egress refuses: %d %s", status, text)
	}
	if rules := r.inForce(); !strings.Contains(rules, `"below":1`) {
		t.Errorf("rules in force: %s", rules)
	}
	if _, text := r.do(http.MethodGet, "/api/v1/receivers/oncall", ""); !strings.Contains(text, "93.184.216.34") {
		t.Errorf("the receiver in force: %s", text)
	}
}

// TestExportLoads: what a server exports is a rule file of it: with it, everything is
// as it was, and comes from the file. Secrets that are nowhere stored are missed.
func TestExportLoads(t *testing.T) {
	r := newRuled(t, "receivers: [{name: filed, url: 'https://93.184.216.34/hook'}]\n"+ruleText("a", 1))
	put := func(path, body string) {
		t.Helper()
		if status, text := r.do(http.MethodPut, path, body); status >= 300 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	put("/api/v1/receivers/made", `{"kind":"webhook","url":"https://93.184.216.34/hook?token=canary","secret":"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}`)
	put("/api/v1/rules/made", `{"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"exponential","alpha":0.001},"notify":["made"],"labels":{"on":"yes"},
		"annotations":{"summary":"{{.Tags.region}}: \"{{.Value}}\"\n# no remark"}}`)
	export := func() string {
		t.Helper()
		status, text := r.do(http.MethodGet, "/api/v1/export", "")
		if status != 200 || strings.Contains(text, "canary") || strings.Contains(text, "whsec") {
			t.Fatalf("export: %d %s", status, text)
		}
		return text
	}
	first, before := export(), r.inForce()
	if code, out := command("rules", "export", "--target", r.api.base); code != 0 || out != first {
		t.Errorf("pulse rules export: %d\n%s", code, out)
	}
	r.write(first)
	if status, text := r.do(http.MethodPost, "/-/reload", "{}"); status != 200 {
		t.Fatalf("reload: %d %s\n%s", status, text, first)
	}
	if second := export(); second != first {
		t.Errorf("exported again\n%s\nwas\n%s", second, first)
	}
	if after := r.inForce(); after != before {
		t.Errorf("rules in force %s, were %s", after, before)
	}
	for _, path := range []string{"/api/v1/rules/made", "/api/v1/receivers/made"} {
		if status, text := r.do(http.MethodDelete, path, ""); status != 409 {
			t.Errorf("delete %s: %d %s", path, status, text)
		}
	}
	other := newRuled(t, "rules: []\n")
	other.write(first)
	if status, text := other.do(http.MethodPost, "/-/reload", "{}"); status != 400 || !strings.Contains(text, "*** keeps what is stored") && !strings.Contains(text, "which keeps what is stored") {
		t.Errorf("secrets that are nowhere: %d %s", status, text)
	}
}

// TestSecretFiles: a secret may stand in a file of its own, which is watched, too.
func TestSecretFiles(t *testing.T) {
	r := newRuled(t, "rules: []\n")
	key := filepath.Join(t.TempDir(), "hook")
	must(t, os.WriteFile(key, []byte("https://93.184.216.34/one\n"), 0o600))
	r.write("receivers: [{name: a, url_file: " + key + "}]\n")
	r.has("/api/v1/receivers", "93.184.216.34/one")
	must(t, os.WriteFile(key, []byte("https://93.184.216.34/two\n"), 0o600))
	r.has("/api/v1/receivers", "93.184.216.34/two")
}
