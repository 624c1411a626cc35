package detect_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/notify"
)

const below50 = `{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},
 "for":"20s","severity":"page","labels":{"team":"playback"},"annotations":{"summary":"{{.Tags.region}} is at {{.Value}}"}}`

// TestFiresAndResolves walks one alert from pending to resolved and looks at
// everything that the receiver is told.
func TestFiresAndResolves(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(below50)
	feed := func(s int64, value float64) {
		r.at(s*1000 - 500)
		r.send("a", p(value, "name", "sps", "region", "eu"), p(100, "name", "sps", "region", "us"))
		r.to(s*1000 + 100)
	}
	for s := int64(10); s <= 80; s += 10 {
		feed(s, 100)
	}
	r.none()
	feed(90, 10)
	r.none()
	pending := r.alerts("pending")
	if len(pending) != 1 || pending[0].Tags["region"] != "eu" || pending[0].PendingSince != epoch+90_000 {
		t.Fatalf("pending: %+v", pending)
	}
	feed(100, 10)
	r.none()
	feed(110, 12)
	n := r.one(notify.TypeFiring)
	if n.Status != "firing" || n.Rule != "low" || n.Severity != "page" || n.Labels["team"] != "playback" ||
		len(n.Tags) != 1 || n.Tags["region"] != "eu" || n.Value != 12 || n.StartsAt != epoch+110_000 || n.EndsAt != 0 ||
		n.EvaluatedAt != epoch+110_100 || n.DataAgeMs != 600 || n.Completeness != 1 || n.Annotations["summary"] != "eu is at 12" ||
		n.Lower != 50 || n.Link != "http://pulse/alerts/"+n.Incident || !strings.HasPrefix(n.Graph, "http://pulse/?alert="+n.Incident) || string(n.Detector) != `{"below":50,"kind":"static"}` {
		t.Errorf("firing: %+v", n)
	}
	if n.Incident != pending[0].Incident || !strings.HasPrefix(n.ID, n.Incident) || n.ID == n.Incident {
		t.Errorf("ids: pending %s, incident %s, id %s", pending[0].Incident, n.Incident, n.ID)
	}
	feed(120, 11)
	r.none()
	feed(130, 100)
	m := r.one(notify.TypeResolved)
	if m.Link != n.Link || m.Incident != n.Incident || m.ID == n.ID || m.Status != "resolved" || m.StartsAt != n.StartsAt || m.EndsAt != epoch+130_000 ||
		m.Value != 100 || m.Annotations["summary"] != n.Annotations["summary"] {
		t.Errorf("resolved: %+v", m)
	}
	if got := r.alerts(""); len(got) != 1 || got[0].State != "resolved" {
		t.Errorf("alerts: %+v", got)
	}
	checkTimeline(t, r, n.Incident)
}

func checkTimeline(t *testing.T, r *rig, id string) {
	t.Helper()
	a, err := r.engine.AlertByID(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	points := 0
	for i, ev := range a.Timeline {
		if i > 0 && ev.T < a.Timeline[i-1].T {
			t.Errorf("timeline goes back: %+v", a.Timeline)
		}
		if ev.Kind == "point" {
			points++
			continue
		}
		kinds = append(kinds, ev.Kind)
	}
	if got := strings.Join(kinds, " "); got != "pending firing resolved" || points < 5 {
		t.Errorf("timeline: %s and %d points", got, points)
	}
	body, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"state":"resolved"`, `"pendingSince":"2026-01-01T00:01:30.000Z"`, `"silencedBy":[]`, `"timeline":[`, `"expected":null`, `"began":{"value":12,"expected":null,"lower":50,"upper":null}`} {
		if !strings.Contains(string(body), key) {
			t.Errorf("alert JSON lacks %s: %s", key, body)
		}
	}
	if _, err := r.engine.AlertByID(context.Background(), a.ID); err != nil {
		t.Errorf("by the id of a transition: %v", err)
	}
	if _, err := r.engine.AlertByID(context.Background(), "nope"); !errors.Is(err, detect.ErrUnknownAlert) {
		t.Errorf("unknown id: %v", err)
	}
}

// TestLateSource: of two sources one is half a step late. Their sum is never
// judged on one of them alone.
func TestLateSource(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":150}}`)
	for s := int64(10); s <= 300; s += 10 {
		r.at(s*1000 - 300)
		r.send("a", p(100, "name", "sps", "node", "a"))
		r.to(s*1000 + 50)
		r.to(s*1000 + 4_000)
		r.at(s*1000 + 5_000)
		r.sendAt("b", epoch+s*1000, p(100, "name", "sps", "node", "b"))
		r.to(s*1000 + 5_001)
		if s > 100 { // both are known by now
			if got := r.stats().LastClosed; got != epoch+s*1000 {
				t.Fatalf("at %d s: closed %d s", s, (got-epoch)/1000)
			}
		}
	}
	r.none()
}

func (r *rig) stats() detect.RuleStats {
	r.t.Helper()
	rules := r.engine.Rules()
	s, err := r.engine.RuleStats(rules[0].ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// TestPutOff: a source is missing beyond the grace and the sum is out of band.
// The close waits once more; with the source it is in band, without it judged
// and marked.
func TestPutOff(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":150}}`)
	both := func(s int64) {
		r.at(s*1000 - 300)
		r.send("a", p(100, "name", "sps", "node", "a"))
		r.send("b", p(100, "name", "sps", "node", "b"))
		r.to(s*1000 + 50)
	}
	s := int64(10)
	for ; s <= 100; s += 10 {
		both(s)
	}
	r.none()

	r.at(s*1000 - 300) // 110: b comes 12 s late
	r.send("a", p(100, "name", "sps", "node", "a"))
	r.to(s*1000 + 10_000)
	r.none()
	if got := r.stats(); got.PutOff != 1 || got.LastClosed != epoch+(s-10)*1000 {
		t.Fatalf("after the grace: %+v", got)
	}
	r.sendAt("a", epoch+(s+10)*1000, p(100, "name", "sps", "node", "a"))
	r.at(s*1000 + 12_000)
	r.sendAt("b", epoch+s*1000, p(100, "name", "sps", "node", "b"))
	r.sendAt("b", epoch+(s+10)*1000, p(100, "name", "sps", "node", "b"))
	r.to(s*1000 + 12_001)
	r.none()
	if got := r.stats(); got.LastClosed < epoch+s*1000 || got.Incomplete != 0 {
		t.Fatalf("with b: %+v", got)
	}
	for s += 20; s <= 200; s += 10 {
		both(s)
	}
	r.none()

	r.at(s*1000 - 300) // b does not come at all
	r.send("a", p(100, "name", "sps", "node", "a"))
	r.to(s*1000 + 10_000)
	r.none()
	r.to(s*1000 + 19_999)
	r.none()
	r.to(s*1000 + 20_000)
	n := r.one(notify.TypeFiring)
	if n.Completeness != 0.5 || n.StartsAt != epoch+s*1000 || n.Value != 100 {
		t.Errorf("judged without b: %+v", n)
	}
	a, err := r.engine.AlertByID(context.Background(), n.Incident)
	if err != nil {
		t.Fatal(err)
	}
	marked := false
	for _, ev := range a.Timeline {
		marked = marked || ev.Kind == "firing" && strings.Contains(ev.Detail, `without "b"`)
	}
	if !marked {
		t.Errorf("timeline does not name the missing source: %+v", a.Timeline)
	}
}

// TestDropToZero: a client that drops zeros stops sending the metric while it
// goes on sending others. That is a drop.
func TestDropToZero(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50},"for":"10s"}`)
	for s := int64(10); s <= 200; s += 10 {
		r.at(s*1000 - 300)
		points := []point{p(0.2, "name", "latency", "atlas.dstype", "gauge")}
		if s <= 100 {
			points = append(points, p(120, "name", "sps"))
		}
		r.send("a", points...)
		r.to(s*1000 + 9_000)
		if s == 120 {
			if n := r.one(notify.TypeFiring); n.Value != 0 || n.StartsAt != epoch+120_000 {
				t.Errorf("firing: %+v", n)
			}
		}
	}
	r.none()
}

// TestSilentSource: a source that sends nothing at all is no drop but no data,
// with an incident of its own that ends when the data is back.
func TestSilentSource(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50}}`)
	s := int64(10)
	send := func() {
		r.at(s*1000 - 300)
		r.send("a", p(120, "name", "sps", "region", "eu"), p(3, "name", "errors"))
		r.send("b", p(120, "name", "sps", "region", "us"))
		r.to(s*1000 + 9_000)
	}
	for ; s <= 100; s += 10 {
		send()
	}
	for ; s <= 150; s += 10 {
		r.at(s*1000 - 300)
		r.send("b", p(120, "name", "sps", "region", "us"))
		r.to(s*1000 + 9_000)
		r.to(s*1000 + 9_900)
	}
	r.none()
	for ; s <= 180; s += 10 {
		r.at(s*1000 - 300)
		r.send("b", p(120, "name", "sps", "region", "us"))
		r.to(s*1000 + 9_900)
	}
	n := r.one(notify.TypeNoData)
	if n.Status != "nodata" || n.Tags["region"] != "eu" || n.StartsAt != epoch+160_000 || !math.IsNaN(n.Value) {
		t.Errorf("no data: %+v", n)
	}
	if got := r.alerts("nodata"); len(got) != 1 || got[0].PendingSince != epoch+110_000 {
		t.Errorf("alerts: %+v", got)
	}
	send()
	r.to(s*1000 + 10_000)
	m := r.one(notify.TypeResolved)
	if m.Incident != n.Incident || m.EndsAt != epoch+s*1000 || m.Value != 120 {
		t.Errorf("data back: %+v", m)
	}
}

// TestRefusedNotification: what the outbox refuses is counted, and the state
// is stored all the same.
func TestRefusedNotification(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
	r.outbox.refuse = errors.New("full")
	r.at(9_000)
	r.send("a", p(10, "name", "sps"))
	r.to(20_000)
	if got := r.alerts("firing"); len(got) != 1 {
		t.Errorf("firing: %+v", got)
	}
	if s := r.engine.Stats(); s.Refused != 1 || s.CommitErrors != 0 || s.Firing != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestNoDataPolicies(t *testing.T) {
	f := func(policy string, want ...string) {
		t.Helper()
		r := newRig(t, 10_000)
		r.put(`{"id":"low","expr":"name,temp,:eq,:sum","detector":{"kind":"static","below":50},"for":"10s","no_data":"` + policy + `","absence_after":"40s"}`)
		for s := int64(10); s <= 200; s += 10 {
			r.at(s*1000 - 300)
			if s <= 60 || s >= 160 {
				r.send("a", p(100, "name", "temp", "atlas.dstype", "gauge"))
			}
			r.to(s*1000 + 9_900)
		}
		r.to(220_000)
		var got []string
		for _, n := range r.took() {
			at := n.StartsAt
			if n.EndsAt != 0 {
				at = n.EndsAt
			}
			got = append(got, strings.TrimPrefix(n.Type, "alert.")+"@"+detect.Duration(at-epoch).String())
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %v, want %v", policy, got, want)
		}
	}
	f("auto", "nodata@1m40s", "resolved@2m40s")
	f("ok")
	f("keep")
	f("alert", "firing@1m20s", "resolved@2m40s")
	f("zero", "firing@1m20s", "resolved@2m40s")
}
