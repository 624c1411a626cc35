package web_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"pulse/store"
	"pulse/store/disk/faulty"
)

// TestTrouble: a full disk and one that fails are told as what they are,
// questions are answered meanwhile, and datapoints are taken again afterwards.
func TestTrouble(t *testing.T) {
	fs := faulty.New(1)
	r := newRig(t, settings{durable: &store.Durable{FS: fs, Mode: store.Sync}})
	if _, err := r.store.Replay(t.Context(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	n := 0
	push := func() (answer, error) {
		n++
		return r.try("POST", "/api/v1/publish", metrics(point(epoch, float64(n), "gauge", "some")))
	}
	taken := func(when string) {
		t.Helper()
		for begin := time.Now(); ; r.clock.Advance(time.Second) {
			a, err := push()
			if err == nil && a.status == 200 {
				break
			}
			if time.Since(begin) > patience {
				t.Fatalf("%s: %s %v", when, a, err)
			}
			if err == nil {
				wantError(t, when, a, a.status, "")
			}
		}
		r.clock.Set(time.UnixMilli(epoch))
		if a := r.get("/ready"); string(a.body) != `{"detect":true,"ingest":true,"query":true}`+"\n" {
			t.Errorf("%s: %s", when, a)
		}
	}
	degraded := func(when string) {
		t.Helper()
		for _, path := range []string{"/ready", "/healthcheck"} {
			var ready map[string]any
			a := r.get(path)
			if err := json.Unmarshal(a.body, &ready); err != nil || ready["ingest"] != false || ready["query"] != true || ready["degraded"] == "" {
				t.Errorf("%s: %s", when, a)
			}
		}
		r.get("/ok")
		r.get("/api/v1/graph?q=name,some,:eq,:sum&format=json")
		r.get("/metrics")
	}
	taken("at first")

	fs.SetSpace(1)
	a, err := push()
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "full", a, 507, "disk full")
	if a.header.Get("Retry-After") == "" {
		t.Errorf("full: no Retry-After in %v", a.header)
	}
	degraded("full")
	fs.SetSpace(-1)
	taken("with space again")

	fs.Inject(faulty.Fault{Op: faulty.OpSync, Times: -1, Err: syscall.EIO})
	if a, err := push(); err == nil {
		t.Errorf("an outcome that nobody knows is answered: %s", a)
	}
	if a, err = push(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "failing", a, 503, "unavailable")
	degraded("failing")
	fs.Heal()
	taken("healed")
	if v := r.column("name,some,:eq,:max", epoch-step, epoch); len(v) != 1 || v[0] != float64(n) {
		t.Errorf("the gauge is %v, want %d", v, n)
	}
}

// TestStateNotStored: changes that the database does not take are nobody's
// fault who sent them.
func TestStateNotStored(t *testing.T) {
	r := newRig(t, settings{})
	const (
		kind     = "Content-Type: application/json"
		receiver = `{"name":"a","url":"http://127.0.0.1:9/"}`
		rule     = `{"id":"a","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":1}}`
	)
	for path, body := range map[string]string{"/api/v1/receivers/a": receiver, "/api/v1/rules/a": rule} {
		if a := r.call("PUT", path, body, kind); a.status != 200 {
			t.Fatal(a)
		}
	}
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "replace a receiver", r.call("PUT", "/api/v1/receivers/a", receiver, kind), 503, "cannot be stored")
	wantError(t, "add a receiver", r.call("PUT", "/api/v1/receivers/b", `{"url":"http://127.0.0.1:9/"}`, kind), 503, "cannot be stored")
	wantError(t, "delete a receiver", r.call("DELETE", "/api/v1/receivers/a", nil), 503, "cannot be stored")
	wantError(t, "add a rule", r.call("PUT", "/api/v1/rules/b", strings.Replace(rule, `"a"`, `"b"`, 1), kind), 503, "cannot be stored")
	wantError(t, "delete a rule", r.call("DELETE", "/api/v1/rules/a", nil), 503, "stored")
}
