package web_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

type checked struct {
	Rule     map[string]any
	YAML     string
	Valid    bool
	Findings []struct {
		Line, Column                 int
		Field, Level, Check, Message string
		Offset                       *int
	}
	Step, Lookback int64
	Keys           []string
	Groups         int
	Samples        []struct {
		Tags  map[string]string
		Value *float64
	}
	Annotations map[string]string
}

func (r *rig) check(body map[string]any) checked {
	r.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.call("POST", "/api/v1/rules/check", text, asJSON)
	if a.status != 200 {
		r.t.Fatalf("check: %s", a)
	}
	return decode[checked](r.t, a)
}

// TestCheckRule: a rule as JSON and as YAML are one, and what is wrong with it is said with
// its field and its place.
func TestCheckRule(t *testing.T) {
	r := newRig(t, settings{})
	for i := range 10 {
		at := epoch + int64(i+1)*1000
		r.move(time.Second)
		r.publish(point(at, 40, "gauge", "sps", "region", "eu"), point(at, 70, "gauge", "sps", "region", "us"))
	}
	rule := map[string]any{
		"id": "low", "expr": "name,sps,:eq,:sum,(,region,),:by", "detector": map[string]any{"kind": "static", "below": 50, "hold": "5s"}, "for": "30s",
		"annotations": map[string]any{"summary": "{{.Tags.region}}: {{.Value}} <b>now</b>", "runbook": "https://wiki.example/low"}, "labels": map[string]any{"team": "on", "n": "1.0"},
	}
	c := r.check(map[string]any{"rule": rule})
	if !c.Valid || len(c.Findings) != 0 || c.Groups != 2 || len(c.Samples) != 2 || c.Samples[0].Tags["region"] != "eu" || *c.Samples[1].Value != 70 || c.Step != 1000 ||
		!reflect.DeepEqual(c.Keys, []string{"region"}) || c.Annotations["summary"] != "eu: 40 <b>now</b>" {
		t.Fatalf("check: %+v", c)
	}
	back := r.check(map[string]any{"yaml": c.YAML})
	if !back.Valid || !reflect.DeepEqual(back.Rule, c.Rule) || back.YAML != c.YAML || back.Rule["severity"] != "warn" {
		t.Errorf("read back: %+v, want %+v", back, c)
	}
	again := r.check(map[string]any{"rule": back.Rule})
	if !reflect.DeepEqual(again.Rule, c.Rule) {
		t.Errorf("and again: %+v, want %+v", again.Rule, c.Rule)
	}
	r.putRule("other", `{"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50,"hold":"5s"},"for":"1m"}`)

	const head = "rules:\n  - id: low\n    expr: name,sps,:eq,:sum,(,region,),:by\n    annotations: {runbook: x}\n    detector: {kind: static, below: 50}\n"
	for _, x := range []struct {
		name, yaml                           string
		line, column                         int
		field, level, kind, text, shownField string
	}{
		{"a key", head + "    detektor: {}\n", 6, 5, "detektor", "error", "syntax", "detector", ""},
		{"no YAML", head + "    for: [1\n", 6, 10, "", "error", "syntax", "YAML", ""},
		{"a duration", head + "    for: soon\n", 6, 5, "for", "error", "syntax", "soon", ""},
		{"an expression", "rules:\n  - id: low\n    expr: name,sps,:eqq\n", 3, 5, "expr", "error", "rule", ":eqq", ""},
		{"a parameter", "rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector:\n      kind: static\n      below: many\n", 6, 7, "detector.below", "error", "rule", "many", ""},
		{"a parameter that is none", "rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector:\n      kind: static\n      below: 1\n      beloww: 1\n", 7, 7, "detector.beloww", "error", "rule", "beloww", ""},
		{"a kind", "rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: oracle}\n", 4, 16, "detector.kind", "error", "rule", "oracle", ""},
		{"a receiver", head + "    for: 1m\n    notify: [nobody]\n", 7, 14, "notify[0]", "error", "rule", "nobody", ""},
		{"a step", head + "    for: 1m\n    step: 1500ms\n", 7, 5, "step", "error", "rule", "multiple", ""},
		{"a single step", head, 0, 0, "for", "warning", "hold", "single step", ""},
		{"the same again", head + "    for: 1m\n    keep: 1m\n", 0, 0, "expr", "warning", "duplicate", `"twin"`, ""},
		{"no runbook", "rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: auto}\n", 0, 0, "annotations.runbook", "warning", "runbook", "runbook", ""},
		{"a tag that there is not", head + "    for: 1m\n    annotations: {runbook: x}\n", 0, 0, "", "error", "syntax", "", ""},
		{"nothing to judge", "rules:\n  - id: low\n    expr: name,none,:eq,:sum,(,region,),:by\n    annotations: {runbook: x}\n    detector: {kind: auto}\n", 0, 0, "expr", "warning", "matches", "no series", ""},
		{"two rules", head + "  - id: b\n    expr: name,sps,:eq\n", 0, 0, "", "error", "syntax", "one rule", ""},
		{"no rule", "rules: []\n", 0, 0, "", "error", "syntax", "one rule", ""},
		{"a receiver's, too", head + "receivers: [{name: a, kind: webhook, url: 'https://a.example'}]\n", 0, 0, "", "error", "syntax", "one rule", ""},
	} {
		if x.name == "the same again" {
			r.putRule("twin", `{"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"for":"1m"}`)
		}
		c := r.check(map[string]any{"yaml": x.yaml})
		found := false
		for _, f := range c.Findings {
			found = found || f.Check == x.kind && f.Level == x.level && f.Field == x.field && strings.Contains(f.Message, x.text) && (x.line == 0 || f.Line == x.line && f.Column == x.column)
		}
		if !found || c.YAML != x.yaml || c.Valid == (x.level == "error") {
			t.Errorf("%s: want %d:%d %s %s about %q with %q, got %t %+v", x.name, x.line, x.column, x.level, x.kind, x.field, x.text, c.Valid, c.Findings)
		}
	}
	if c := r.check(map[string]any{"yaml": "rules:\n  - id: low\n    expr: name,sps,:eqq\n"}); c.Findings[0].Offset == nil || *c.Findings[0].Offset != 9 {
		t.Errorf("offset: %+v", c.Findings)
	}
	if c := r.check(map[string]any{"rule": map[string]any{"id": "low", "for": "soon", "x": nil}}); c.Valid || c.Rule["for"] != "soon" {
		t.Errorf("as written: %+v", c)
	}
	if c := r.check(map[string]any{"yaml": "rules:\n  - id: low\n    expr: .nan\n"}); c.Valid || c.Rule != nil {
		t.Errorf("a number that JSON has not: %+v", c)
	}
	for _, x := range []struct{ name, body, text string }{
		{"nothing", ``, "JSON"}, {"none", `{}`, "one of"}, {"both", `{"yaml":"","rule":{}}`, "one of"}, {"a list", `{"rule":[]}`, "object"},
		{"an unknown key", `{"rules":{}}`, "rules"}, {"more", `{"yaml":""} {}`, "more"}, {"deep", `{"rule":{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}}`, "nest"},
	} {
		wantError(t, x.name, r.call("POST", "/api/v1/rules/check", x.body, asJSON), 400, x.text)
	}
	for _, hostile := range []string{"<script>alert(1)</script>", "a: b\n  - c", "*x", "!!binary x", "\u2028\ufeff\x00", strings.Repeat("a", 9000), "${x}", "'\"\\"} {
		in := map[string]any{"id": "low", "expr": hostile, "annotations": map[string]any{hostile: hostile}, "labels": map[string]any{"k": hostile}}
		c := r.check(map[string]any{"rule": in})
		if c.Valid || c.Rule == nil || c.Rule["expr"] != hostile || c.Rule["annotations"].(map[string]any)[hostile] != hostile {
			t.Errorf("%.40q comes back as %.300v", hostile, c.Rule)
		}
	}
}

// TestCheckRuleReads: the texts of a rule have the figures that the one in force judged last,
// if that judges alike, and a dash for what nobody expects.
func TestCheckRuleReads(t *testing.T) {
	r := newRig(t, settings{})
	const body = `"expr":"name,sps,:eq,:sum,(,region,),:by","annotations":{"summary":"{{.Tags.region}} is {{.Value}}, expected {{.Expected}} from {{.Lower}}, {{percent .Score}}"}`
	const holt, low = `{` + body + `,"detector":{"kind":"double-exponential","train":"20s"}}`, `{` + body + `,"detector":{"kind":"static","below":30}}`
	r.putRule("holt", holt)
	r.putRule("low", low)
	for i := range 60 {
		r.move(time.Second)
		r.publish(point(epoch+int64(i+1)*1000, 40, "gauge", "sps", "region", "eu"), point(epoch+int64(i+1)*1000, 70, "gauge", "sps", "region", "us"))
	}
	for _, x := range []struct{ id, rule, want string }{
		{"holt", holt, "eu is 40, expected 40 from 39.88, 0%"},
		{"another", holt, "eu is 40, expected – from –, –"},
		{"holt", strings.Replace(holt, "20s", "30s", 1), "eu is 40, expected – from –, –"},
		{"low", low, "eu is 40, expected – from 30, 0%"},
	} {
		var rule map[string]any
		if err := json.Unmarshal([]byte(x.rule), &rule); err != nil {
			t.Fatal(err)
		}
		rule["id"] = x.id
		if got := r.check(map[string]any{"rule": rule}).Annotations["summary"]; got != x.want {
			t.Errorf("%s %v reads %q, want %q", x.id, rule["detector"], got, x.want)
		}
	}
}

// TestRuleCalledCheck: a rule may have the name of what is beside rules.
func TestRuleCalledCheck(t *testing.T) {
	r := newRig(t, settings{})
	r.putRule("check", `{"expr":"name,sps,:eq,:sum"}`)
	r.get("/api/v1/rules/check")
	if a := r.call("DELETE", "/api/v1/rules/check", nil, asJSON); a.status != 204 {
		t.Errorf("delete: %s", a)
	}
	if a := r.call("PATCH", "/api/v1/rules/check", nil, asJSON); a.status != 405 || a.header.Get("Allow") != "DELETE, GET, POST, PUT" {
		t.Errorf("patch: %s, allowed %q", a, a.header.Get("Allow"))
	}
}

// TestRuleVersions: who changes a rule that somebody else has changed meanwhile is told.
func TestRuleVersions(t *testing.T) {
	r := newRig(t, settings{})
	const body = `{"expr":"name,sps,:eq,:sum","for":"%dm"}`
	put := func(minutes int, header string) answer {
		return r.call("PUT", "/api/v1/rules/low", fmt.Sprintf(body, minutes), asJSON, header)
	}
	wantError(t, "a version of no rule", put(1, `If-Match: "x"`), 412, "changed")
	first := put(1, "If-None-Match: *")
	tag := first.header.Get("ETag")
	if first.status != 200 || tag == "" || r.get("/api/v1/rules/low").header.Get("ETag") != tag {
		t.Fatalf("first: %s, tag %q", first, tag)
	}
	wantError(t, "a rule that there is", put(2, "If-None-Match: *"), 412, "changed")
	second := put(2, "If-Match: "+tag)
	if second.status != 200 || second.header.Get("ETag") == tag {
		t.Fatalf("second: %s, tag %q", second, second.header.Get("ETag"))
	}
	wantError(t, "the version before", put(3, "If-Match: "+tag), 412, "changed")
	if got := string(r.get("/api/v1/rules/low").body); !strings.Contains(got, `"2m"`) {
		t.Errorf("a change that was refused took effect: %s", got)
	}
	wantError(t, "delete the version before", r.call("DELETE", "/api/v1/rules/low", nil, "If-Match: "+tag), 412, "changed")
	if a := put(4, "If-Match: *"); a.status != 200 {
		t.Errorf("any: %s", a)
	}
	if a := r.call("DELETE", "/api/v1/rules/low", nil, "If-Match: "+r.get("/api/v1/rules/low").header.Get("ETag")); a.status != 204 {
		t.Errorf("delete: %s", a)
	}
	if a := put(5, "X: y"); a.status != 200 {
		t.Errorf("without a condition: %s", a)
	}
}

type stands struct {
	Total, Matched int
	States         map[string]int
	Owners         []string
	Rules          []struct {
		ID, Owner, State, Detector, File        string
		Firing, Pending, NoData, Groups, Series int
		Step, StepNs, LastClosed, LastLatency   int64
		LastError                               string
		Advice                                  []struct{ Check, Message string }
	}
}

// TestRuleList: the list says how rules stand, and gives those that are asked for.
func TestRuleList(t *testing.T) {
	r := newRig(t, settings{})
	r.putRule("low", `{"owner":"play","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"labels":{"team":"Web"},"annotations":{"runbook":"x"},"for":"1s"}`)
	r.putRule("slow", `{"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"for":"1h"}`)
	r.putRule("fine", `{"expr":"name,sps,:eq,:max","detector":{"kind":"static","above":1000}}`)
	r.putRule("unseen", `{"expr":"name,none,:eq,:sum,(,region,),:by","detector":{"kind":"static","above":1000}}`)
	for i := range 20 {
		at := epoch + int64(i+1)*1000
		r.move(time.Second)
		r.publish(point(at, 40, "gauge", "sps", "region", "eu"), point(at, 70, "gauge", "sps", "region", "us"))
	}
	r.move(5 * time.Second)
	list := func(params string) stands { return decode[stands](t, r.get("/api/v1/rules?stats=1"+params)) }
	all := list("")
	ids := func(s stands) string {
		out := []string{}
		for _, x := range s.Rules {
			out = append(out, x.ID)
		}
		return strings.Join(out, " ")
	}
	if all.Total != 4 || all.Matched != 4 || ids(all) != "low slow unseen fine" || !reflect.DeepEqual(all.Owners, []string{"default", "play"}) ||
		!reflect.DeepEqual(all.States, map[string]int{"firing": 1, "pending": 1, "empty": 1, "ok": 1}) {
		t.Fatalf("all: %+v", all)
	}
	low := all.Rules[0]
	if low.State != "firing" || low.Firing != 1 || low.Groups != 2 || low.Series != 2 || low.Step != 1000 || low.StepNs <= 0 || low.LastClosed <= epoch || low.Detector != "static" || len(low.Advice) != 0 {
		t.Errorf("low: %+v", low)
	}
	checks := []string{}
	for _, a := range all.Rules[1].Advice {
		checks = append(checks, a.Check)
	}
	if got := strings.Join(checks, " "); got != "duplicate runbook" {
		t.Errorf("advice for slow: %s", got)
	}
	for params, want := range map[string]string{
		"&state=ok": "fine", "&owner=play": "low", "&find=TEAM%3Dweb": "low", "&find=sps+static+default": "slow fine", "&find=nothing": "", "&advice=1": "slow unseen fine",
		"&sort=id": "fine low slow unseen", "&sort=id&order=desc": "unseen slow low fine", "&sort=id&limit=2&offset=1": "low slow", "&sort=id&offset=9": "", "&sort=series&limit=3": "fine low slow",
		"&sort=groups&limit=3": "low slow fine", "&sort=advice&limit=1": "fine", "&sort=owner": "fine slow unseen low",
	} {
		if got := ids(list(params)); got != want {
			t.Errorf("%s: %q, want %q", params, got, want)
		}
	}
	if s := list("&sort=cost"); len(s.Rules) != 4 || s.Rules[0].StepNs < s.Rules[3].StepNs {
		t.Errorf("by cost: %+v", s.Rules)
	}
	if s := list("&state=pending&find=sps"); s.Matched != 1 || s.States["firing"] != 1 || s.States["empty"] != 0 {
		t.Errorf("states of what is found: %+v", s)
	}
	for _, bad := range []string{"&sort=magic", "&limit=0", "&limit=1001", "&offset=-1"} {
		wantError(t, bad, r.call("GET", "/api/v1/rules?stats=1"+bad, nil), 400, "parameter")
	}
}
