package detect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/notify"
)

// TestDeleteRule: firing alerts of a deleted rule are resolved with the reason,
// nothing follows, and the rule stays deleted after a restart.
func TestDeleteRule(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"for":"10s"}`)
	send := func(s int64, eu, us float64) {
		r.at(s*1000 - 300)
		r.send("a", p(eu, "name", "sps", "region", "eu"), p(us, "name", "sps", "region", "us"))
		r.to(s*1000 + 50)
	}
	send(10, 100, 100)
	send(20, 10, 100)
	send(30, 10, 10)
	n := r.one(notify.TypeFiring)
	if err := r.engine.DeleteRule("low", r.now()); err != nil {
		t.Fatal(err)
	}
	m := r.one(notify.TypeResolved)
	if m.Incident != n.Incident || m.Annotations["reason"] != "the rule was deleted" {
		t.Errorf("resolved: %+v", m)
	}
	send(40, 10, 10)
	send(50, 10, 10)
	r.none()
	if err := r.engine.DeleteRule("low", r.now()); !errors.Is(err, detect.ErrUnknownRule) {
		t.Errorf("second delete: %v", err)
	}
	r.restart(true)
	if got := r.engine.Rules(); len(got) != 0 {
		t.Errorf("rules after a restart: %+v", got)
	}
	if got := r.alerts("firing"); len(got) != 0 {
		t.Errorf("firing after a restart: %+v", got)
	}
}

// TestReplaceRule: changed texts keep the alert, another expression ends it.
func TestReplaceRule(t *testing.T) {
	r := newRig(t, 10_000)
	rule := func(expr, detector, rest string) string {
		return `{"id":"low","expr":"` + expr + `","detector":` + detector + rest + `}`
	}
	const sps = "name,sps,:eq,:sum"
	r.put(rule(sps, `{"kind":"static","below":50}`, ""))
	send := func(s int64, v float64) {
		r.at(s*1000 - 300)
		r.send("a", p(v, "name", "sps"))
		r.to(s*1000 + 50)
	}
	send(10, 100)
	send(20, 10)
	n := r.one(notify.TypeFiring)
	r.put(rule(sps, `{"kind":"static","below":50}`, `,"severity":"page"`))
	send(30, 10)
	r.none()
	r.put(rule(sps, `{"kind":"static","below":40}`, `,"severity":"page"`))
	send(40, 10)
	r.none()
	if got := r.alerts("firing"); len(got) != 1 || got[0].Incident != n.Incident {
		t.Fatalf("firing: %+v", got)
	}
	r.put(rule("name,sps,:eq,:sum,2,:div", `{"kind":"static","below":40}`, ""))
	m := r.one(notify.TypeResolved)
	if m.Incident != n.Incident || m.Annotations["reason"] == "" {
		t.Errorf("resolved: %+v", m)
	}
	send(50, 10)
	if k := r.one(notify.TypeFiring); k.Incident == n.Incident || k.Value != 5 {
		t.Errorf("new incident: %+v", k)
	}
}

// TestReplaceFileRules: files own what came from them, and nothing else.
func TestReplaceFileRules(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"api","expr":"name,sps,:eq,:sum"}`)
	sync := func(want int, texts ...string) {
		t.Helper()
		var rules []detect.Rule
		for _, text := range texts {
			rule, err := detect.ParseRuleJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, rule)
		}
		checked, err := r.engine.CheckRules(rules, r.now())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.engine.ReplaceFileRules(checked, func(id string) string { return id + ".yaml" }, r.now()); err != nil || n != want {
			t.Errorf("removed %d, %v, want %d", n, err, want)
		}
	}
	ids := func(want string) {
		t.Helper()
		var got []string
		for _, rule := range r.engine.Rules() {
			got = append(got, rule.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("rules %v, want %s", got, want)
		}
	}
	a, b := `{"id":"a","expr":"name,x,:eq"}`, `{"id":"b","expr":"name,y,:eq"}`
	sync(0, a, b)
	ids("a api b")
	sync(1, b)
	ids("api b")
	owned := func(what string) {
		t.Helper()
		var by *detect.OwnedError
		if err := r.engine.DeleteRule("b", r.now()); !errors.As(err, &by) || by.File != "b.yaml" {
			t.Errorf("%s: delete: %v", what, err)
		}
		rule, err := detect.ParseRuleJSON([]byte(`{"id":"b","expr":"name,z,:eq"}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.engine.PutRule(rule, r.now()); !errors.As(err, &by) || by.File != "b.yaml" {
			t.Errorf("%s: put: %v", what, err)
		}
		if s, err := r.engine.RuleStats("b"); err != nil || s.File != "b.yaml" {
			t.Errorf("%s: stats %+v, %v", what, s, err)
		}
	}
	owned("a rule of a file")
	bad, err := detect.ParseRuleJSON([]byte(`{"id":"c","expr":"name,x,:nope"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.engine.CheckRules([]detect.Rule{bad}, r.now()); err == nil {
		t.Error("a bad rule is taken")
	}
	ids("api b")
	r.restart(true)
	ids("api b")
	owned("after a restart")
	sync(0, b, `{"id":"api","expr":"name,sps,:eq,:sum"}`)
	sync(1, b)
	ids("b") // what a file took over goes with it
	r.engine.ReleaseFiles()
	if err := r.engine.DeleteRule("b", r.now()); err != nil {
		t.Errorf("without files: %v", err)
	}
}

// TestPutAfterFailedDelete: a deletion that could not be stored does not take
// away the rule that is put in its place later.
func TestPutAfterFailedDelete(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum"}`)
	r.engine.UseDB(brokenDB(t))
	if err := r.engine.DeleteRule("low", r.now()); !errors.Is(err, detect.ErrNotStored) {
		t.Errorf("delete without a disk: %v", err)
	}
	r.engine.UseDB(r.db)
	r.put(`{"id":"low","expr":"name,sps,:eq,:max"}`)
	r.restart(true)
	if rules := r.engine.Rules(); len(rules) != 1 || rules[0].Expr != "name,sps,:eq,:max" {
		t.Errorf("rules after a restart: %+v", rules)
	}
}

// TestDetectorThatIsNotStored: a new detector that could not be stored takes nothing from
// the rule that goes on: its alerts end as they would have.
func TestDetectorThatIsNotStored(t *testing.T) {
	r := newRig(t, 10_000)
	const rule = `{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":%d}}`
	r.put(fmt.Sprintf(rule, 50))
	send := func(s int64, v float64) {
		r.at(s*1000 - 300)
		r.send("a", p(v, "name", "sps"))
		r.to(s*1000 + 50)
	}
	send(10, 100)
	send(20, 10)
	began := r.one(notify.TypeFiring)
	r.engine.UseDB(brokenDB(t))
	changed, err := detect.ParseRuleJSON([]byte(fmt.Sprintf(rule, 60)))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.engine.PutRule(changed, r.now()); !errors.Is(err, detect.ErrNotStored) {
		t.Errorf("put without a disk: %v", err)
	}
	r.engine.UseDB(r.db)
	send(30, 10)
	r.none()
	send(40, 100)
	if n := r.one(notify.TypeResolved); n.Incident != began.Incident {
		t.Errorf("%s ended, want %s", n.Incident, began.Incident)
	}
}
