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

// TestInhibitedStorm: 10,000 alerts that begin in one step with the one that inhibits
// them are held back, under routes and mutes; when it ends they are told in portions,
// each receiver of each of them once.
func TestInhibitedStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 alerts")
	}
	const groups = 10_000
	r := newRig(t, second)
	r.put(`{"id":"host","severity":"warn","expr":"name,sps,:eq,:sum,(,node,),:by,10,:lt"}`)
	r.put(`{"id":"cluster","severity":"page","expr":"name,all,:eq,:sum,10,:lt"}`)
	r.routes(`[]`, `{"name":"cluster-down","source":["alertname=cluster"],"target":["alertname=host"]}`, night)
	r.routes(`[{"matchers":["severity=page"],"receiver":"oncall"},{"matchers":["node=~\"n.*\""],"receivers":["chat","desk"],"continue":true},{"receiver":"log","mute":["night"]}]`)
	r.to(0)
	feed := func(s int64, all float64) (longest time.Duration) {
		r.at(s*second - 100)
		points := make([]point, groups, groups+1)
		for i := range points {
			points[i] = p(1, "name", "sps", "node", fmt.Sprint("n", i))
		}
		r.send("a", append(points, p(all, "name", "all"))...)
		r.clock.Set(time.UnixMilli(epoch + s*second + 500))
		r.store.Advance(r.now())
		for more := true; more; {
			began := time.Now()
			more = r.engine.Advance(r.now()) <= r.now()
			longest = max(longest, time.Since(began))
		}
		return longest
	}
	for s := int64(1); s <= 3; s++ {
		t.Logf("step %d: %s", s, feed(s, 1))
	}
	if n := r.took(); len(n) != 1 || n[0].Rule != "cluster" {
		t.Fatalf("%d told, want that of the cluster", len(n))
	}
	if n := r.engine.Stats().Inhibited; n != groups {
		t.Fatalf("%d inhibited, want %d", n, groups)
	}
	r.restart(false)
	for s := int64(4); s <= 8; s++ {
		t.Logf("step %d: %s", s, feed(s, 20))
	}
	told := map[string]int{}
	for _, n := range r.took() {
		if n.Type == notify.TypeFiring {
			if told[n.Incident]++; told[n.Incident] > 1 || len(n.To) != 2 {
				t.Fatalf("%s told %d times, to %v", n.Incident, told[n.Incident], n.To)
			}
		}
	}
	if len(told) != groups {
		t.Fatalf("%d told, want %d", len(told), groups)
	}
	for s := int64(60); s <= 61; s++ {
		t.Logf("step %d: %s", s, feed(s, 20))
	}
	rest := 0
	for _, n := range r.took() {
		if n.Type == notify.TypeFiring && len(n.To) == 1 && n.To[0].Receiver == "log" {
			rest++
		}
	}
	if rest != groups {
		t.Errorf("%d told when the mute was over, want %d", rest, groups)
	}
}
