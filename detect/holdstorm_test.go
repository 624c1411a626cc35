package detect_test

import (
	"fmt"
	"testing"
	"time"

	"pulse/detect/notify"
)

// TestSilencedStorm: 10,000 alerts that begin in one step under one of many silences
// are all held back, and all are told when it ends.
func TestSilencedStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 alerts")
	}
	const groups = 10_000
	r := newRig(t, second)
	r.put(`{"id":"storm","expr":"name,sps,:eq,:sum,(,node,),:by,10,:lt"}`)
	for i := range 50 {
		r.silence(fmt.Sprintf(`{node="n%d",team="x"}`, i), "")
	}
	all := r.silence(`{node=~"n.*",alertname="storm"}`, "")
	r.to(0)
	for s := int64(1); s <= 2; s++ {
		r.at(s*second - 100)
		points := make([]point, groups)
		for i := range points {
			points[i] = p(1, "name", "sps", "node", fmt.Sprint("n", i))
		}
		r.send("a", points...)
		began := time.Now()
		r.to(s*second + 500)
		t.Logf("step %d: %s", s, time.Since(began))
	}
	r.to(4_000)
	r.none()
	if n := r.engine.Stats().Silenced; n != groups {
		t.Fatalf("%d held back, want %d", n, groups)
	}
	if s, _ := r.engine.Silence(all.ID); s.Seen.Held != groups {
		t.Errorf("the silence has held back %d", s.Seen.Held)
	}
	began := time.Now()
	for _, a := range r.alerts("firing") {
		if len(a.SilencedBy) != 1 || a.SilencedBy[0] != all.ID {
			t.Fatalf("silenced by %v", a.SilencedBy)
		}
	}
	t.Logf("listed: %s", time.Since(began))
	if err := r.engine.ExpireSilence(all.ID, "", r.now()); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	longest := time.Duration(0)
	for more := true; more; {
		look := time.Now()
		r.at(4_100)
		more = r.engine.Advance(r.now()) <= r.now()
		longest = max(longest, time.Since(look))
	}
	t.Logf("longest look: %s", longest)
	t.Logf("released: %s", time.Since(began))
	told := map[string]bool{}
	for _, n := range r.took() {
		if n.Type != notify.TypeFiring || told[n.ID] {
			t.Fatalf("told %s %s", n.Type, n.ID)
		}
		told[n.ID] = true
	}
	if len(told) != groups {
		t.Errorf("%d told, want %d", len(told), groups)
	}
}
