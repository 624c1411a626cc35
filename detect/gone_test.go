package detect_test

import (
	"strings"
	"testing"

	"pulse/detect/notify"
)

// TestGivenUp: a group without data for the whole retention is gone; its
// incidents end with that reason.
func TestGivenUp(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,temp,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
	r.at(9_000)
	r.send("a", p(10, "name", "temp", "node", "x", "atlas.dstype", "gauge"))
	r.to(20_000)
	fired := r.one(notify.TypeFiring)
	retention := r.store.Options().Retention / 1000
	for s := int64(30); s <= 20+retention; s += 10 {
		r.to(s * 1000)
	}
	lost := r.one(notify.TypeNoData)
	r.to((60 + retention) * 1000)
	sent := r.took()
	if len(sent) != 2 || sent[0].Incident != fired.Incident || sent[1].Incident != lost.Incident {
		t.Fatalf("sent %s", brief(sent))
	}
	for _, n := range sent {
		if n.Type != notify.TypeResolved || !strings.Contains(n.Annotations["reason"], "nothing of it is left") {
			t.Errorf("sent %+v", n)
		}
	}
	if got := r.engine.Stats(); got.Firing != 0 || got.NoData != 0 {
		t.Errorf("stats %+v", got)
	}
}

// TestGivenUpStaysQuiet: a group of which nothing is left in the store is
// forgotten; neither a pause of the process nor a restart brings its no-data
// alert back.
func TestGivenUpStaysQuiet(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
	s := int64(10)
	send := func(until int64, nodes ...string) {
		for ; s <= until; s += 10 {
			r.at(s*1000 - 300)
			for _, node := range nodes {
				r.send(node, p(100, "name", "sps", "node", node))
			}
			r.to(s*1000 + 50)
		}
	}
	send(100, "a", "b")
	send(200, "a")
	if n := r.one(notify.TypeNoData); n.Tags["node"] != "b" {
		t.Fatalf("no data: %+v", n)
	}
	send(15_000, "a") // the store keeps 4 hours
	if n := r.one(notify.TypeResolved); n.Tags["node"] != "b" {
		t.Fatalf("given up: %+v", n)
	}
	s += 11_000 // the process stood still
	send(s+400, "a")
	if sent := r.took(); len(sent) != 0 {
		t.Errorf("after the pause: %s", brief(sent))
	}
	r.restart(true)
	send(s+400, "a")
	if sent := r.took(); len(sent) != 0 {
		t.Errorf("after the restart: %s", brief(sent))
	}
}
