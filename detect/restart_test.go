package detect_test

import (
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
)

// TestRestart: a firing alert stays firing over a restart without a new page,
// pending ones go on, and only data resolves. Clean or killed makes no
// difference to pages.
func TestRestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		r := newRig(t, 10_000)
		r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"for":"30s"}`)
		send := func(s int64, eu, us float64) {
			r.at(s*1000 - 300)
			r.send("a", p(eu, "name", "sps", "region", "eu"), p(us, "name", "sps", "region", "us"))
			r.to(s*1000 + 50)
		}
		send(10, 100, 100)
		send(20, 10, 100)
		send(30, 10, 100)
		send(40, 10, 10)
		send(50, 10, 10)
		n := r.one(notify.TypeFiring)
		if n.Tags["region"] != "eu" {
			t.Fatalf("fired: %+v", n)
		}
		r.at(600_000)
		r.restart(clean)
		if got := r.alerts("firing"); len(got) != 1 || got[0].Incident != n.Incident || got[0].StartsAt != n.StartsAt {
			t.Fatalf("clean=%v: firing after the restart: %+v", clean, got)
		}
		if got := r.alerts("pending"); len(got) != 1 || got[0].Tags["region"] != "us" {
			t.Fatalf("clean=%v: pending after the restart: %+v", clean, got)
		}
		for s := int64(610); s <= 650; s += 10 {
			r.to(s*1000 + 50)
		}
		r.none() // no data resolves nothing
		send(660, 10, 10)
		r.none() // 10 s of for were seen before, 10 s more now
		send(670, 10, 10)
		m := r.one(notify.TypeFiring)
		if m.Tags["region"] != "us" || m.StartsAt != epoch+670_000 {
			t.Errorf("clean=%v: pending went on to %+v", clean, m)
		}
		send(680, 100, 10)
		resolved := r.one(notify.TypeResolved)
		if resolved.Incident != n.Incident {
			t.Errorf("clean=%v: resolved %+v, want incident %s", clean, resolved, n.Incident)
		}
	}
}

// TestMissedSteps: after a pause the steps in between are judged in order, each
// once, and counted.
func TestMissedSteps(t *testing.T) {
	r := newRig(t, 1000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50},"for":"3s"}`)
	for s := int64(1); s <= 10; s++ {
		r.at(s*1000 - 300)
		r.send("a", p(100, "name", "sps"))
		r.to(s*1000 + 50)
	}
	for s := int64(11); s <= 20; s++ { // the engine stands still, the store does not
		r.at(s*1000 - 300)
		v := 100.0
		if s >= 13 && s <= 17 {
			v = 10
		}
		r.send("a", p(v, "name", "sps"))
	}
	r.to(25_000)
	sent := r.took()
	if len(sent) != 2 || sent[0].StartsAt != epoch+16_000 || sent[1].EndsAt != epoch+18_000 {
		t.Errorf("sent %s: %+v", brief(sent), sent)
	}
	if got := r.stats(); got.Missed < 8 || got.Skipped != 0 {
		t.Errorf("stats: %+v", got)
	}
}

// TestClockBack: when the clock is set back, judging goes on from there.
func TestClockBack(t *testing.T) {
	r := newRig(t, 1000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50},"for":"3s"}`)
	for s := int64(101); s <= 110; s++ {
		r.at(s*1000 - 300)
		r.send("a", p(100, "name", "sps"))
		r.to(s*1000 + 50)
	}
	for s := int64(51); s <= 60; s++ {
		r.at(s*1000 - 300)
		r.send("a", p(10, "name", "sps"))
		r.to(s*1000 + 50)
	}
	if n := r.one(notify.TypeFiring); n.StartsAt < epoch+54_000 || n.StartsAt > epoch+56_000 {
		t.Errorf("firing at %d s", (n.StartsAt-epoch)/1000)
	}
}

// TestRestartBlind: what was sent in the running step before a restart is gone
// with the store, so the first two steps are not held against anybody.
func TestRestartBlind(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
	send := func(s int64, v float64) {
		r.at(s*1000 - 300)
		r.send("a", p(v, "name", "sps"))
		r.to(s*1000 + 50)
	}
	for s := int64(10); s <= 100; s += 10 {
		send(s, 100)
	}
	r.at(104_000)
	r.restart(false)
	send(110, 10) // the rest of a step
	send(120, 20)
	r.none()
	send(130, 10)
	if n := r.one(notify.TypeFiring); n.StartsAt != epoch+130_000 {
		t.Errorf("fired %+v", n)
	}
}

// TestStableKeys: the ids of incidents and transitions depend on the rule, the
// group and the step, so judging again after a crash gives them again.
func TestStableKeys(t *testing.T) {
	run := func() []string {
		r := newRig(t, 10_000)
		r.put(below50)
		for s := int64(10); s <= 200; s += 10 {
			r.at(s*1000 - 300)
			v := 100.0
			if s%90 < 50 {
				v = 10
			}
			r.send("a", p(v, "name", "sps", "region", "eu"), p(v, "name", "sps", "region", "us"))
			r.to(s*1000 + 50)
		}
		var ids []string
		seen := map[string]bool{}
		for _, n := range r.took() {
			if seen[n.ID] {
				t.Errorf("id %s twice", n.ID)
			}
			seen[n.ID] = true
			ids = append(ids, n.Incident+" "+n.ID)
		}
		return ids
	}
	a, b := run(), run()
	if len(a) < 6 || strings.Join(a, "\n") != strings.Join(b, "\n") {
		t.Errorf("ids of two equal runs:\n%v\n%v", a, b)
	}
}

// TestBrokenStoredRule: a stored rule that cannot be started stays visible, keeps
// its alerts open, and can be replaced or deleted; the others run.
func TestBrokenStoredRule(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
	r.put(`{"id":"other","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":5}}`)
	r.at(9_700)
	r.send("a", p(10, "name", "sps"))
	r.to(20_000)
	n := r.one(notify.TypeFiring)
	r.engine.Close()
	if err := r.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("detect")).Bucket([]byte("rules")).Put([]byte("low"), []byte(`{"rule":{"id":"low","novel":1}}`))
	}); err != nil {
		t.Fatal(err)
	}
	r.at(60_000)
	r.newStore()
	r.start()
	if got := r.engine.Rules(); len(got) != 2 || got[0].ID != "low" {
		t.Errorf("rules %+v", got)
	}
	if s, err := r.engine.RuleStats("low"); err != nil || !strings.Contains(s.LastError, `"novel" is unknown`) {
		t.Errorf("stats %+v, %v", s, err)
	}
	if got := r.alerts("firing"); len(got) != 1 || got[0].Incident != n.Incident {
		t.Errorf("firing %+v", got)
	}
	if err := r.engine.DeleteRule("low", r.now()); err != nil {
		t.Fatal(err)
	}
	if m := r.one(notify.TypeResolved); m.Incident != n.Incident {
		t.Errorf("resolved %+v", m)
	}
	if got := r.engine.Rules(); len(got) != 1 || got[0].ID != "other" {
		t.Errorf("rules %+v", got)
	}
}
