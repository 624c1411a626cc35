package detect_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/notify"
)

// TestFlapSpellings: what a rule says of flapping is what it prints.
func TestFlapSpellings(t *testing.T) {
	for text, want := range map[string]string{
		`off`:                       `,"flap":"off"`,
		`false`:                     `,"flap":"off"`,
		`null`:                      ``,
		`{}`:                        ``,
		`{times: 3}`:                `,"flap":{"times":3}`,
		`{calm: 90s}`:               `,"flap":{"calm":"1m30s"}`,
		`{calm: 1w, times: 1000}`:   `,"flap":{"calm":"1w","times":1000}`,
		`{calm: null, times: null}`: ``,
	} {
		file, err := detect.ParseRulesYAML([]byte("rules: [{id: a, expr: 'x,:has', flap: " + text + "}]"))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		body, err := json.Marshal(file.Rules[0])
		if err != nil {
			t.Fatal(err)
		}
		if whole := `{"id":"a","owner":"default","expr":"x,:has","detector":{"kind":"signal"},"for":"0s"` + want + `,"no_data":"auto","severity":"warn"}`; string(body) != whole {
			t.Errorf("%s\ngot  %s\nwant %s", text, body, whole)
		}
		exported, err := file.AppendYAML(nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := detect.ParseRulesYAML(exported); err != nil || again.Rules[0].Flap != file.Rules[0].Flap {
			t.Errorf("%s is exported as\n%s\nwhich reads as %+v, %v", text, exported, again.Rules, err)
		}
	}
	const misspelt = "rules:\n  - id: a\n    expr: x,:has\n    flap: {times: 3, calm: 10}\n"
	if _, err := detect.ParseRulesYAML([]byte(misspelt)); err == nil || !strings.HasPrefix(err.Error(), `line 4, column 22: rule "a": flap.calm: "10" is no duration`) {
		t.Errorf("got %v", err)
	}
}

// flapping is out of band every other second from 11 s to 29 s, and in band from then on.
func flapping(s int64) float64 {
	if s >= 11 && s <= 29 && s%2 == 1 {
		return 1
	}
	return 100
}

// TestFlapping: an alert that comes back again and again pages as often as it may, and
// then stays on, told once, until it is calm; the timeline and every other account of it
// say so, and a restart at any step changes nothing.
func TestFlapping(t *testing.T) {
	const rule = `{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":10},"flap":{"times":3,"calm":"5s"},"notify":["oncall"],
	 "annotations":{"summary":"{{if .Flapping}}again and again: {{end}}{{.Why}}"}}`
	const want = "11 alert.firing, 12 alert.resolved, 13 alert.firing, 14 alert.resolved, 15 alert.firing, 34 alert.resolved"
	for restart := int64(0); restart <= 36; restart++ {
		r := newTapedRig(t, second)
		r.to(0)
		r.put(rule)
		var sent []notify.Notification
		for s := int64(1); s <= 40; s++ {
			r.feed(s, s, map[string]float64{"eu": flapping(s)})
			if sent = append(sent, r.took()...); s == restart {
				if s%3 == 0 {
					r.engine.Close()
				}
				r.recover()
			}
		}
		var got []string
		for _, n := range sent {
			if n.Flapping != (n.StartsAt == epoch+15*second) {
				t.Errorf("restart at %d s: %s of %d s says flapping: %v", restart, n.Type, (n.StartsAt-epoch)/second, n.Flapping)
			}
			got = append(got, fmt.Sprint((max(n.StartsAt, n.EndsAt)-epoch)/second)+" "+n.Type)
		}
		if text := strings.Join(got, ", "); text != want {
			t.Fatalf("restart at %d s:\ngot  %s\nwant %s", restart, text, want)
		}
		last := sent[len(sent)-1]
		if summary := last.Annotations["summary"]; restart == 0 && (!strings.HasPrefix(summary, "again and again: ") || !strings.Contains(summary, "it stays on until it is calm")) {
			t.Errorf("summary %q", summary)
		}
		const why = "it began 3 times in a row, each time less than 5 s after it had been over: it stays on until it has been in band for 5 s"
		if got := r.timeline("eu", "flapping"); got != why {
			t.Errorf("restart at %d s: timeline %q", restart, got)
		}
		if got := r.timeline("eu", "resolved"); !strings.HasPrefix(got, "back in band for 5 s after it flapped: value 100") {
			t.Errorf("restart at %d s: the end is %q", restart, got)
		}
	}
}

// TestFlappingExplained: asked why there was no page, and how a group is, flapping is said.
func TestFlappingExplained(t *testing.T) {
	r := newRig(t, second)
	r.to(0)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":10},"flap":{"times":3,"calm":"5s"},"notify":["oncall"]}`)
	for s := int64(1); s <= 40; s++ {
		r.feed(s, s, map[string]float64{"eu": flapping(s)})
		if s != 32 {
			continue
		}
		g, err := r.engine.Groups("low", nil, 10)
		if err != nil || len(g.Groups) != 1 || g.Groups[0].State != "firing" || g.Groups[0].Keep == nil || *g.Groups[0].Keep != (detect.Wait{Needs: 5000, Passed: 3000}) {
			t.Errorf("groups at 32 s: %+v, %v", g, err)
		}
		if a := r.alerts("firing"); len(a) != 1 || !a[0].Flapping {
			t.Errorf("alerts at 32 s: %+v", a)
		}
	}
	incident := r.alerts("resolved")[0].Incident
	if d := r.why(incident).Decisions; len(d) != 3 || d[2].Keep == nil || *d[2].Keep != (detect.Wait{Needs: 5000, Passed: 5000}) {
		t.Errorf("decisions %+v", d)
	}
	r.outbox.tries = []notify.Attempt{{T: epoch + 15*second + 500, Incident: incident, Receiver: "oncall", Type: notify.TypeFiring, Outcome: notify.OutcomeAccepted}}
	w := r.wantReason("eu", 21, detect.ReasonFlapping, "would have been over at 2026-01-01T00:00:20.000Z", "stays on until it has been in band for 5 s", "began 3 times in a row")
	if len(w.Alerts) == 0 || !w.Alerts[len(w.Alerts)-1].Flapping {
		t.Errorf("alerts %+v", w.Alerts)
	}
	w = r.wantReason("eu", 32, detect.ReasonFlapping, "back in band for 3 s of the 5 s of calm")
	if w.Keep == nil || *w.Keep != (detect.Wait{Needs: 5000, Passed: 3000}) {
		t.Errorf("keep %+v", w.Keep)
	}
	r.wantReason("eu", 15, detect.ReasonPaged)
}

// TestFlappingEnds: an alert that is kept on goes by what its rule says now, and one that
// began before the rule damped is the first of a row.
func TestFlappingEnds(t *testing.T) {
	const rule = `{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":10},"flap":%s}`
	r := newRig(t, second)
	r.to(0)
	r.put(fmt.Sprintf(rule, `{"times":3,"calm":"5s"}`))
	told := func(from, to int64) string {
		t.Helper()
		var out []string
		for s := from; s <= to; s++ {
			r.feed(s, s, map[string]float64{"eu": flapping(s)})
			for _, n := range r.took() {
				out = append(out, fmt.Sprint(s)+" "+n.Type)
			}
		}
		return strings.Join(out, ", ")
	}
	if got := told(1, 18); got != "11 alert.firing, 12 alert.resolved, 13 alert.firing, 14 alert.resolved, 15 alert.firing" {
		t.Fatal(got)
	}
	r.put(fmt.Sprintf(rule, `"off"`))
	if got := told(19, 22); got != "20 alert.resolved, 21 alert.firing, 22 alert.resolved" {
		t.Errorf("off: %s", got)
	}
	r.put(fmt.Sprintf(rule, `{"times":2,"calm":"4s"}`))
	if got := told(23, 40); got != "23 alert.firing, 24 alert.resolved, 25 alert.firing, 33 alert.resolved" {
		t.Errorf("on again: %s", got)
	}
}

// TestFlappingNoData: a no-data alert that comes again and again stays on until there has
// been data for long enough.
func TestFlappingNoData(t *testing.T) {
	r := newRig(t, second)
	r.to(0)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":10},"flap":{"times":2,"calm":"6s"},"absence_after":"2s"}`)
	var got []string
	for s := int64(1); s <= 40; s++ {
		r.at(s*second - 100)
		points := []point{p(100, "name", "sps", "region", "us")}
		if s < 10 || s%4 == 0 || s > 30 {
			points = append(points, p(100, "name", "sps", "region", "eu", "atlas.dstype", "gauge"))
		}
		r.send("n-1", points...)
		r.to(s*second + 500)
		for _, n := range r.took() {
			got = append(got, fmt.Sprint(s)+" "+n.Type)
		}
	}
	if text := strings.Join(got, ", "); text != "11 alert.nodata, 12 alert.resolved, 14 alert.nodata, 36 alert.resolved" {
		t.Errorf("sent %s", text)
	}
	if text := r.timeline("eu", "flapping"); !strings.HasSuffix(text, "until it has been with data for 6 s") {
		t.Errorf("timeline %q", text)
	}
}

// TestFlappingAnyhow: over random streams that flap, a kill between any two steps changes
// no notification, and none of the rule's that does not damp is missing but what damping
// is there to spare: every page of the damped rule is one of the other at the same step.
func TestFlappingAnyhow(t *testing.T) {
	spared := 0
	for seed := range runs(20) {
		random := rand.New(rand.NewPCG(seed, 9))
		body := fmt.Sprintf(`"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":10},"for":"%ds","keep":"%ds","absence_after":"%ds"`,
			random.IntN(3), random.IntN(4), 2+random.IntN(4))
		damped := fmt.Sprintf(`{"id":"low",%s,"flap":{"times":%d,"calm":"%ds"}}`, body, 2+random.IntN(3), 3+random.IntN(8))
		plain, killed, wild := newTapedRig(t, second), newTapedRig(t, second), newTapedRig(t, second)
		plain.put(damped)
		killed.put(damped)
		wild.put(fmt.Sprintf(`{"id":"low",%s,"flap":"off"}`, body))
		value, silent := 100.0, false
		for s := int64(1); s <= 200; s++ {
			if random.IntN(4) == 0 {
				value = 101 - value
			}
			if random.IntN(6) == 0 {
				silent = !silent
			}
			kill := random.IntN(15) == 0
			for _, r := range []*rig{plain, killed, wild} {
				r.at(s*second - 300)
				points := []point{p(50, "name", "sps", "region", "us")}
				if !silent {
					points = append(points, p(value, "name", "sps", "region", "eu", "atlas.dstype", "gauge"))
				}
				r.send("a", points...)
				r.to(s*second + 50)
				if kill && r == killed {
					r.recover()
				}
			}
		}
		sent, whole := plain.took(), wild.took()
		if x, y := briefly(sent), briefly(killed.took()); x != y {
			t.Fatalf("seed %d: uninterrupted it sent %s, with kills %s", seed, x, y)
		}
		open := map[string]bool{}
		for _, n := range sent {
			if n.Type == notify.TypeResolved {
				if !open[n.Incident] {
					t.Fatalf("seed %d: %s is over and did not begin", seed, n.Incident)
				}
				delete(open, n.Incident)
				continue
			}
			if open[n.Incident] = true; !slices.ContainsFunc(whole, func(m notify.Notification) bool { return m.Type == n.Type && m.StartsAt == n.StartsAt }) {
				t.Fatalf("seed %d: a page at %d s that nobody gets without damping", seed, (n.StartsAt-epoch)/second)
			}
		}
		spared += len(whole) - len(sent)
	}
	if spared < 50 {
		t.Errorf("damping spared %d notifications", spared)
	}
}

// TestFlapChangedWhileOn: an alert that flaps, or does not any more, by what its rule came
// to say while it was on, says so, and ends by that.
func TestFlapChangedWhileOn(t *testing.T) {
	rule := func(flap string) string {
		return `{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":10},"flap":` + flap + `,"notify":["oncall"]}`
	}
	for name, c := range map[string]struct {
		before, after, noted, ended string
		at                          int64
	}{
		"lowered": {`{"times":5,"calm":"5s"}`, `{"times":3,"calm":"5s"}`, "it began 3 times in a row, each time less than 5 s after it had been over: it stays on until it has been in band for 5 s",
			"back in band for 5 s after it flapped: ", 20},
		"raised": {`{"times":3,"calm":"1m"}`, `{"times":4,"calm":"1m"}`, "it began 3 times in a row, each time less than 1 min after it had been over: it stays on until it has been in band for 1 min\n" +
			"the rule has changed: it does not flap any more", "back in band: ", 18},
		"off": {`{"times":3,"calm":"1m"}`, `"off"`, "it began 3 times in a row, each time less than 1 min after it had been over: it stays on until it has been in band for 1 min\n" +
			"the rule has changed: it does not flap any more", "back in band: ", 18},
	} {
		for _, restart := range []int64{0, 16, 18} {
			r := newTapedRig(t, second)
			r.to(0)
			r.put(rule(c.before))
			for s := int64(1); s <= 22; s++ {
				v := 100.0
				if s == 11 || s == 13 || s == 15 {
					v = 1
				}
				r.feed(s, s, map[string]float64{"eu": v})
				if s == 15 { // it flaps, or not, and is not over yet
					r.at(15_600)
					if name != "lowered" {
						r.feed(16, 16, map[string]float64{"eu": 100})
						s++
					}
					r.put(rule(c.after))
				}
				if s == restart {
					r.recover()
				}
			}
			sent := r.took()
			last := sent[len(sent)-1]
			if end := (last.EndsAt - epoch) / second; last.Type != "alert.resolved" || end > c.at || last.Flapping != (name == "lowered") {
				t.Errorf("%s, restart at %d s: the last is %s of %d s, flapping: %v", name, restart, last.Type, end, last.Flapping)
			}
			if got := r.timeline("eu", "flapping"); got != c.noted {
				t.Errorf("%s, restart at %d s: timeline %q", name, restart, got)
			}
			if got := r.timeline("eu", "resolved"); !strings.HasPrefix(got, c.ended) {
				t.Errorf("%s, restart at %d s: the end is %q", name, restart, got)
			}
		}
	}
}
