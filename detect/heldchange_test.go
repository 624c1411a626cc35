package detect_test

import (
	"strings"
	"testing"

	"pulse/store"
)

// TestSourceLosesLabels: what an alert held back is told when it has ended, also when its
// rule has got other labels meanwhile.
func TestSourceLosesLabels(t *testing.T) {
	const page = `{"id":"page","labels":{"level":"LEVEL"},"expr":"name,sps,:eq,:sum,(,region,),:by,5,:lt"}`
	r := newRig(t, second)
	r.put(warnRule)
	r.put(strings.Replace(page, "LEVEL", "high", 1))
	r.routes(`[]`, `{"name":"over","source":["level=high"],"target":["severity=warn","alertname=warn"],"equal":["region"]}`)
	r.to(0)
	r.feed(1, 3, map[string]float64{"eu": 1})
	r.wantHeard("firing page eu all")
	r.put(strings.Replace(page, "LEVEL", "low", 1))
	r.feed(4, 6, map[string]float64{"eu": 1})
	r.wantHeard("")
	r.feed(7, 12, map[string]float64{"eu": 7})
	r.settle()
	r.wantHeard("firing warn eu all, resolved page eu all")
}

// TestRoutesGoWhileMuted: when there are no routes any more, no mute holds anybody back.
func TestRoutesGoWhileMuted(t *testing.T) {
	r := newRig(t, second)
	r.put(warnRule)
	r.routes(`[]`, night)
	r.routes(`[{"receiver":"oncall","continue":true},{"receiver":"chat","mute":["night"]}]`)
	r.to(0)
	r.feed(1, 3, map[string]float64{"eu": 1})
	r.wantHeard("firing warn eu oncall")
	r.routes(`[]`)
	r.settle()
	r.wantHeard("firing warn eu chat")
	r.feed(4, 8, map[string]float64{"eu": 20})
	r.wantHeard("resolved warn eu oncall+chat")
}

// TestRuleNamesReceivers: what is held back, or has no receiver, is told to the receivers
// that its rule names by then; what was told is not told again.
func TestRuleNamesReceivers(t *testing.T) {
	named := func(text string) string { return strings.Replace(warnRule, `{`, `{"notify":[`+text+`],`, 1) }
	for name, c := range map[string]struct{ routes, before, after, atOnce, told string }{
		"named":      {`[{"receiver":"a"}]`, warnRule, named(`"boss"`), "", "firing warn eu boss"},
		"others":     {`[]`, named(`"boss"`), named(`"chief"`), "", "firing warn eu chief"},
		"no more":    {`[{"receiver":"a"}]`, named(`"boss"`), warnRule, "", "firing warn eu a"},
		"without":    {`[]`, named(`"boss"`), warnRule, "", "firing warn eu all"},
		"was no one": {`[{"receivers":[]}]`, warnRule, named(`"boss"`), "firing warn us boss", "firing warn eu boss"},
		"was told":   {`[{"matchers":["region=us"],"receiver":"a"}]`, warnRule, named(`"boss"`), "", "firing warn eu boss"},
	} {
		for _, restart := range []bool{false, true} {
			r := newRig(t, second)
			r.put(c.before)
			r.routes(c.routes)
			r.to(0)
			s := r.silence(`{region="eu"}`, "")
			values := map[string]float64{"eu": 1}
			if strings.HasPrefix(name, "was") {
				values["us"] = 1
			}
			r.feed(1, 3, values)
			r.took()
			r.put(c.after)
			if restart {
				r.restart(false)
			}
			r.settle()
			if got := r.heard(); got != c.atOnce {
				t.Fatalf("%s: told %q, want %q", name, got, c.atOnce)
			}
			if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
				t.Fatal(err)
			}
			r.settle()
			if got := r.heard(); got != c.told {
				t.Fatalf("%s: told %q, want %q", name, got, c.told)
			}
			r.settle()
			values["eu"] = 20
			r.feed(4, 9, values)
			if got, want := r.heard(), strings.Replace(c.told, "firing", "resolved", 1); got != want {
				t.Fatalf("%s: told %q, want %q", name, got, want)
			}
		}
	}
}

// TestDiskStaysFullWhileHeld: while nothing can be stored for long, alerts of which
// nobody is told come and go without end, and what waits is bounded.
func TestDiskStaysFullWhileHeld(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","flap":"off","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
	r.silence(`{alertname="low"}`, `,"endsAt":"now+10h"`)
	r.to(0)
	var refs []store.Ref
	refs = r.many(100, 100, refs)
	r.to(10_050)
	r.engine.UseDB(brokenDB(t))
	const flaps, most = 150, 40_000
	peak := 0
	for i := int64(1); i <= 2*flaps; i++ {
		r.at(i*10_000 + 9_700)
		refs = r.many(100, float64(10+90*(i%2)), refs)
		r.to(i*10_000 + 10_050)
		peak = max(peak, r.engine.Owed())
	}
	if peak < most/2 || peak > most {
		t.Errorf("%d wait, want at most %d", peak, most)
	}
	r.engine.UseDB(r.db)
	r.to(20_000 * (flaps + 2))
	r.none()
	if n := r.engine.Owed(); n != 0 {
		t.Errorf("%d wait", n)
	}
	open, ended := len(r.alerts("firing")), len(r.alerts("resolved"))
	r.restart(false)
	if got := len(r.alerts("firing")); got != open || len(r.alerts("resolved")) != ended || ended != 1000 {
		t.Errorf("%d of %d open, %d of %d ended", got, open, len(r.alerts("resolved")), ended)
	}
}

// TestInhibitRuleComesBack: an inhibit rule that was taken away for a moment holds back
// as before: what it held is told only when its own rule has judged the end of the cause.
func TestInhibitRuleComesBack(t *testing.T) {
	r := newRig(t, second)
	r.put(strings.Replace(warnRule, `{`, `{"step":"10s",`, 1))
	r.put(pageRule)
	r.routes(`[]`, over)
	r.to(0)
	r.feed(1, 25, map[string]float64{"eu": 1, "us": 20})
	r.wantHeard("firing page eu all")
	r.feed(26, 26, map[string]float64{"eu": 1, "us": 1}) // the cause of nothing, which ends
	r.feed(27, 29, map[string]float64{"eu": 1, "us": 20})
	r.wantHeard("firing page us all, resolved page us all")
	if err := r.engine.DeleteInhibit("over"); err != nil {
		t.Fatal(err)
	}
	r.settle()
	r.routes(`[]`, over)
	r.feed(30, 35, map[string]float64{"eu": 1, "us": 20})
	r.wantHeard("")
	r.feed(36, 60, map[string]float64{"eu": 20, "us": 20})
	r.wantHeard("resolved page eu all")
}
