package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store/clock"
)

// ruled is a server with a folder of rule files, under a manual clock.
type ruled struct {
	t    *testing.T
	file string // in the folder
	clk  *clock.Manual
	s    *server
	api  *client
}

func newRuled(t *testing.T, rules string) *ruled {
	t.Helper()
	dir := t.TempDir()
	r := &ruled{t: t, file: filepath.Join(dir, "rules.yaml"), clk: clock.NewManual(time.UnixMilli(streamOrigin))}
	r.write(rules)
	serve, err := defaultServe()
	must(t, err)
	serve.Step, serve.Data, serve.Rules = span(stageStep*time.Millisecond), t.TempDir(), filepath.Join(dir, "*.yaml")
	serve.NewSeriesRate = 1_000_000
	must(t, serve.complete())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r.s, err = serve.start(context.Background(), ln, r.clk, zerolog.Nop())
	must(t, err)
	t.Cleanup(func() { _ = r.s.close() })
	r.api, err = newClient("http://" + ln.Addr().String())
	must(t, err)
	return r
}

func (r *ruled) write(rules string) {
	r.t.Helper()
	must(r.t, os.WriteFile(r.file, []byte(rules), 0o600))
}

// inForce is the rules that are judged.
func (r *ruled) inForce() string {
	r.t.Helper()
	body, err := r.api.get(context.Background(), "/api/v1/rules")
	must(r.t, err)
	return string(body)
}

// do sends a request and returns status and answer.
func (r *ruled) do(method, path, body string) (int, string) {
	r.t.Helper()
	status, answer, err := r.api.do(context.Background(), method, path, []byte(body))
	must(r.t, err)
	return status, string(answer)
}

// TestHostileRules: whatever is wrong with a rule file, a reload refuses it with
// the file, the line and the reason, and the rules in force stay and work; the same
// by the API.
func TestHostileRules(t *testing.T) {
	const good = "rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: static, below: 50}\n"
	r := newRuled(t, good)
	before := r.inForce()
	if !strings.Contains(before, `"low"`) {
		t.Fatalf("rules in force: %s", before)
	}
	for _, c := range []struct{ text, line, reason string }{
		{"rules:\n  - id: low\n    expr: [\n", "", "not YAML"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detectr: {kind: static}\n", ":4:", `detectr`},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: static, beneath: 3}\n", ":4:", `beneath`},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: static}\n", ":4:", "above is missing"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector:\n      kind: exponential\n      alpha: 7\n", ":6:7:", "alpha is 7"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    for: -3s\n", ":4:", "for: "},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum,:integral\n", ":3:", "integral"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum,:bogus\n", ":3:", "bogus"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n  - id: low\n    expr: name,sps,:eq,:sum\n", ":4:", "defined twice"},
		{"- 1\n- 2\n", "", "rules"},
		{"rules: &a [*a]\n", "", ""},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    step: 3s\n", ":4:", "step is 3s"},
		{"rules:\n" + strings.Repeat("[", 100_000), ":2:", "nested"},
		{"rules:\n  " + strings.Repeat("- ", 100_000), ":2:", "nested"},
		{strings.Repeat("{a: ", 100_000), ":1:", "nested"},
	} {
		r.write(c.text)
		status, text := r.do(http.MethodPost, "/-/reload", "{}")
		if status < 400 || !strings.Contains(text, c.reason) || !strings.Contains(text, "rules.yaml"+c.line) {
			t.Errorf("%.120q: status %d, %.300s; want rules.yaml%s and %q", c.text, status, text, c.line, c.reason)
		}
		if after := r.inForce(); after != before {
			t.Fatalf("%.120q: rules in force changed to %s", c.text, after)
		}
	}
	for _, c := range []struct{ body, reason string }{
		{`{"expr":"name,sps,:eq,:sum"`, "JSON"},
		{`{"expr":"name,sps,:eq,:sum","detector":{"kind":"statik"}}`, "statik"},
		{`{"expr":"name,sps,:eq,:sum","novel":1}`, "novel"},
		{`{"expr":"` + strings.Repeat("name,sps,:eq,:sum,", 1000) + `"}`, "expr"},
		{`{"expr":""}`, "expr"},
	} {
		status, body := r.do(http.MethodPut, "/api/v1/rules/low", c.body)
		if status != 400 || !strings.Contains(body, c.reason) {
			t.Errorf("%.80s: status %d, %.300s", c.body, status, body)
		}
	}
	if after := r.inForce(); after != before {
		t.Fatalf("rules in force changed to %s", after)
	}
	r.write(good)
	if status, text := r.do(http.MethodPost, "/-/reload", "{}"); status >= 300 {
		t.Errorf("a good file: status %d, %s", status, text)
	}
}

// A rule with a hundred thousand groups, or a baseline with as many lines, is
// refused by reload and API alike, with what is wrong and where, and the rules in force
// stay and go on.
func TestRuleOfVeryManyGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand series")
	}
	const nodes, good = 100_000, "rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: static, below: 50}\n"
	r := newRuled(t, good)
	publish := func(ms int64, from, to int) {
		t.Helper()
		var list []metric
		for i := from; i < to; i++ {
			list = append(list, metric{map[string]string{"name": "sps", "nf.node": fmt.Sprint("n", i), "atlas.dstype": "gauge"}, ms, 1})
		}
		body, err := json.Marshal(map[string]any{"metrics": list})
		must(t, err)
		r.clk.Set(time.UnixMilli(ms))
		if status, text := r.do(http.MethodPost, "/api/v1/publish", string(body)); status >= 300 {
			t.Fatalf("publish: status %d, %.300s", status, text)
		}
		r.s.detect.Advance(ms)
	}
	for part := range 4 { // a body has at most 8 MiB
		publish(streamOrigin+stageStep, part*nodes/4, (part+1)*nodes/4)
	}
	before := r.inForce()
	const each = "name,sps,:eq,:sum,(,nf.node,),:by"
	for _, c := range []struct{ expr, detector, line, reason string }{
		{each, "kind: static, below: 3", ":7:", "expr gives 100000 groups, at most 50000"},
		{each + ",:dup,:des-fast,0.5,:mul,:lt", "kind: signal", ":7:", "expr gives 100000 groups, at most 50000"},
		{"name,sps,:eq,:all", "kind: static, below: 3", ":7:", "expr gives 100000 groups, at most 50000"},
		{"name,sps,:eq,nf.node,n7,:eq,:and,:sum,(,nf.node,),:by", "kind: compare, baseline: '" + each + "'", ":6:", "detector.baseline gives 100000 lines, at most 50000"},
	} {
		r.write(good + "  - id: each\n    detector: {" + c.detector + "}\n    expr: " + c.expr + "\n")
		status, text := r.do(http.MethodPost, "/-/reload", "{}")
		if status < 400 || !strings.Contains(text, "rules.yaml"+c.line) || !strings.Contains(text, c.reason) {
			t.Errorf("%s: status %d, %.300s; want rules.yaml%s and %q", c.expr, status, text, c.line, c.reason)
		}
		body, err := json.Marshal(map[string]any{"expr": c.expr, "detector": detectorOf(c.detector)})
		must(t, err)
		if status, text := r.do(http.MethodPut, "/api/v1/rules/each", string(body)); status != 400 || !strings.Contains(text, c.reason) {
			t.Errorf("%s by the API: status %d, %.300s; want %q", c.expr, status, text, c.reason)
		}
		if after := r.inForce(); after != before {
			t.Fatalf("%s: rules in force changed to %s", c.expr, after)
		}
	}
	closed := r.s.detect.Stats().Closed
	publish(streamOrigin+3*stageStep, 0, 10)
	r.clk.Set(time.UnixMilli(streamOrigin + 5*stageStep))
	r.s.detect.Advance(streamOrigin + 5*stageStep)
	if got := r.s.detect.Stats(); got.Closed <= closed || got.Errors > 0 {
		t.Errorf("the rule in force does not go on: %+v, %d steps before", got, closed)
	}
}

// detectorOf reads `key: value, key: value`.
func detectorOf(text string) map[string]any {
	out := map[string]any{}
	for part := range strings.SplitSeq(text, ", ") {
		key, value, _ := strings.Cut(part, ": ")
		out[key] = strings.Trim(value, "'")
	}
	return out
}
