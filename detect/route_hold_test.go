package detect_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/route"
)

// routes puts routes, inhibit rules and mutes as the API does, each as JSON.
func (r *rig) routes(routes string, more ...string) {
	r.t.Helper()
	var c route.Config
	if err := c.UnmarshalJSON([]byte(`{"routes":` + routes + `}`)); err != nil {
		r.t.Fatal(err)
	}
	for _, text := range more {
		var err error
		if strings.Contains(text, `"intervals"`) {
			var m route.Mute
			if err = m.UnmarshalJSON([]byte(text)); err == nil {
				err = r.engine.PutMute(m)
			}
		} else {
			var x route.Inhibit
			if err = x.UnmarshalJSON([]byte(text)); err == nil {
				err = r.engine.PutInhibit(x)
			}
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if err := r.engine.PutRoutes(c.Routes); err != nil {
		r.t.Fatal(err)
	}
}

// heard returns what was sent since the last call, with the receivers of each.
func (r *rig) heard() string {
	var out []string
	for _, n := range r.took() {
		to := "all"
		switch {
		case n.To != nil:
			var names []string
			for _, x := range n.To {
				names = append(names, x.Receiver)
			}
			to = strings.Join(names, "+")
		case len(n.Notify) > 0:
			to = strings.Join(n.Notify, "+")
		}
		out = append(out, strings.TrimPrefix(n.Type, "alert.")+" "+n.Rule+" "+n.Tags["region"]+" "+to)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (r *rig) wantHeard(want string) {
	r.t.Helper()
	if got := r.heard(); got != want {
		r.t.Fatalf("at %d s: told %q, want %q", (r.now()-epoch)/1000, got, want)
	}
}

// settle does all that is due now.
func (r *rig) settle() {
	for range 100 {
		if r.engine.Advance(r.now()) > r.now() {
			return
		}
	}
	r.t.Fatal("there is always more to do")
}

// levels are rules whose alerts mean the same sick region on two levels.
const (
	warnRule = `{"id":"warn","severity":"warn","expr":"name,sps,:eq,:sum,(,region,),:by,10,:lt"}`
	pageRule = `{"id":"page","severity":"page","expr":"name,sps,:eq,:sum,(,region,),:by,5,:lt"}`
	over     = `{"name":"over","source":["severity=page"],"target":["severity=warn"],"equal":["region"]}`
	night    = `{"name":"night","intervals":[{"times":[{"start":"00:00","end":"00:01"}]}]}`
)

// TestRoutesDecide: routes choose the receivers of an alert when it begins, and its end
// goes to the same, whatever the routes are by then and over restarts.
func TestRoutesDecide(t *testing.T) {
	for _, restart := range []string{"", "clean", "killed"} {
		r := newRig(t, second)
		r.put(warnRule)
		r.put(`{"id":"own","expr":"name,sps,:eq,:sum,(,region,),:by,10,:lt","notify":["boss"]}`)
		r.routes(`[{"matchers":["region=eu"],"receiver":"eu","continue":true},{"matchers":["region=~\"eu|us\""],"receivers":["west","chat"],"group_by":["severity"],"group_wait":"10s"},{"matchers":["region=ap"],"receivers":[]}]`)
		r.to(0)
		r.feed(1, 3, map[string]float64{"eu": 1, "us": 1, "ap": 1, "za": 1})
		sent := r.took()
		var got []string
		for _, n := range sent {
			for _, to := range n.To {
				group := ""
				if to.Group != nil {
					group = fmt.Sprint(" ", to.Group.Labels, to.Group.Wait, to.Group.Interval)
				}
				got = append(got, n.Tags["region"]+" "+to.Receiver+group)
			}
			if n.Rule == "own" && (n.To != nil || len(n.Notify) != 1) {
				t.Errorf("own: %v %v", n.To, n.Notify)
			}
		}
		slices.Sort(got)
		if text := strings.Join(got, ", "); text != "eu chat map[severity:warn] 10000 300000, eu eu, eu west map[severity:warn] 10000 300000, us chat map[severity:warn] 10000 300000, us west map[severity:warn] 10000 300000" {
			t.Fatalf("told %s", text)
		}
		if s := r.engine.Stats(); s.Unrouted != 2 {
			t.Errorf("%d without a route, want 2", s.Unrouted)
		}
		if text := r.timelineOf("warn", "ap", "unrouted"); text != "nobody is told: routes[2] has no receivers" {
			t.Errorf("ap: %s", text)
		}
		if text := r.timelineOf("warn", "za", "unrouted"); text != "nobody is told: no route takes the alert" {
			t.Errorf("za: %s", text)
		}
		if restart != "" {
			r.restart(restart == "clean")
		}
		r.routes(`[{"receiver":"other"}]`)
		r.settle()
		// Those that nobody was told of are told now that a route takes them.
		r.wantHeard("firing warn ap other, firing warn za other")
		r.feed(4, 9, map[string]float64{"eu": 20, "us": 20, "ap": 20, "za": 20})
		r.wantHeard("resolved own ap boss, resolved own eu boss, resolved own us boss, resolved own za boss, " +
			"resolved warn ap other, resolved warn eu eu+west+chat, resolved warn us west+chat, resolved warn za other")
	}
}

// timelineOf returns the events of a kind of the newest incident of a rule and region.
func (r *rig) timelineOf(rule, region, kind string) string {
	r.t.Helper()
	for _, a := range r.alerts("") {
		if a.Rule != rule || a.Tags["region"] != region {
			continue
		}
		one, err := r.engine.AlertByID(r.t.Context(), a.Incident)
		if err != nil {
			r.t.Fatal(err)
		}
		var out []string
		for _, x := range one.Timeline {
			if x.Kind == kind {
				out = append(out, x.Detail)
			}
		}
		return strings.Join(out, "\n")
	}
	r.t.Fatalf("no alert of %s", region)
	return ""
}

// TestInhibited: an alert that begins in the same step as one of another rule that
// inhibits it is held back, whichever rule is judged first; it is told when that ends,
// if it still fires, and otherwise never.
func TestInhibited(t *testing.T) {
	for _, restart := range []string{"", "clean", "killed"} {
		for _, names := range [][2]string{{"warn", "page"}, {"z-warn", "a-page"}, {"a-warn", "z-page"}} {
			again := func(r *rig) {
				if restart != "" {
					r.restart(restart == "clean")
				}
			}
			warn, page := names[0], names[1]
			r := newRig(t, second)
			r.put(strings.Replace(warnRule, `"warn"`, `"`+warn+`"`, 1))
			r.put(strings.Replace(pageRule, `"page"`, `"`+page+`"`, 1))
			r.routes(`[]`, over)
			r.to(0)
			r.feed(1, 3, map[string]float64{"eu": 1, "us": 7})
			first := []string{"firing " + page + " eu all", "firing " + warn + " us all"}
			slices.Sort(first)
			r.wantHeard(strings.Join(first, ", "))
			source := ""
			for _, a := range r.alerts("firing") {
				if a.Rule == page {
					source = a.Incident
				}
			}
			for _, a := range r.alerts("firing") {
				held := a.Rule == warn && a.Tags["region"] == "eu"
				if held != (len(a.InhibitedBy) == 1) || held && a.InhibitedBy[0] != (detect.Cause{Name: "over", Incident: source}) {
					t.Fatalf("%s %v: inhibited by %v", a.Rule, a.Tags, a.InhibitedBy)
				}
			}
			if text := r.timelineOf(warn, "eu", "inhibited"); text != "nobody is told: inhibited by over, as alert "+source+" fires" {
				t.Errorf("timeline: %s", text)
			}
			if s := r.engine.Stats(); s.Inhibited != 1 {
				t.Errorf("%d inhibited", s.Inhibited)
			}
			again(r)
			// The cause ends and the rest goes on: it is told, once.
			r.feed(4, 8, map[string]float64{"eu": 7, "us": 7})
			r.settle()
			r.wantHeard("firing " + warn + " eu all, resolved " + page + " eu all")
			again(r)
			r.feed(9, 12, map[string]float64{"eu": 20, "us": 20})
			r.wantHeard("resolved " + warn + " eu all, resolved " + warn + " us all")
			// Both end in the same step: nobody hears of the one that was held back.
			r.feed(13, 15, map[string]float64{"eu": 1, "us": 20})
			r.wantHeard("firing " + page + " eu all")
			again(r)
			r.feed(16, 20, map[string]float64{"eu": 20, "us": 20})
			r.wantHeard("resolved " + page + " eu all")
			if text := r.timelineOf(warn, "eu", "inhibited"); !strings.HasSuffix(text, "nobody is told of its end") {
				t.Errorf("timeline: %s", text)
			}
			r.feed(21, 25, map[string]float64{"eu": 20, "us": 20})
			r.settle()
			r.wantHeard("")
		}
	}
}

// TestInhibitedCircle: of alerts that hold back each other, the first is told.
func TestInhibitedCircle(t *testing.T) {
	for _, restart := range []string{"", "clean", "killed"} {
		r := newRig(t, second)
		r.put(warnRule)
		r.put(pageRule)
		r.routes(`[]`, over, `{"name":"back","source":["severity=warn"],"target":["severity=page"],"equal":["region"]}`)
		r.to(0)
		r.feed(1, 3, map[string]float64{"eu": 1})
		first := r.heard()
		if strings.Count(first, "firing") != 1 {
			t.Fatalf("told %q, want one of two", first)
		}
		if restart != "" {
			r.restart(restart == "clean")
		}
		r.feed(4, 8, map[string]float64{"eu": 1})
		r.wantHeard("")
		r.feed(9, 14, map[string]float64{"eu": 20})
		r.wantHeard(strings.Replace(first, "firing", "resolved", 1))
	}
}

// TestMuted: a mute holds back the receivers of its routes and no others, until it is
// over; who was not told hears of no end.
func TestMuted(t *testing.T) {
	for _, restart := range []string{"", "clean", "killed"} {
		r := newRig(t, second)
		r.put(warnRule)
		r.routes(`[]`, night)
		r.routes(`[{"receiver":"oncall","continue":true},{"receiver":"chat","mute":["night"]}]`)
		r.to(0)
		r.feed(1, 3, map[string]float64{"eu": 1, "us": 1})
		r.wantHeard("firing warn eu oncall, firing warn us oncall")
		for _, a := range r.alerts("firing") {
			if !slices.Equal(a.MutedBy, []string{"night"}) || !slices.Equal(a.Receivers, []string{"oncall"}) || !slices.Equal(a.Meant, []string{"oncall", "chat"}) {
				t.Fatalf("muted by %v, told to %v of %v", a.MutedBy, a.Receivers, a.Meant)
			}
		}
		if text := r.timelineOf("warn", "eu", "muted"); text != "chat is not told: it is a time of the mute night" {
			t.Errorf("timeline: %s", text)
		}
		r.feed(4, 9, map[string]float64{"eu": 1, "us": 20})
		r.wantHeard("resolved warn us oncall")
		if restart != "" {
			r.restart(restart == "clean")
		}
		r.feed(10, 57, map[string]float64{"eu": 1, "us": 20})
		r.wantHeard("")
		r.to(60_000)
		r.settle()
		r.wantHeard("firing warn eu chat")
		if text := r.timelineOf("warn", "eu", "unmuted"); text != "chat: night is over\nit still fires, so it is told now to chat: held back for 59 s by mute night" {
			t.Errorf("timeline: %s", text)
		}
		if restart != "" {
			r.restart(restart == "clean")
		}
		r.feed(61, 66, map[string]float64{"eu": 20, "us": 20})
		r.wantHeard("resolved warn eu oncall+chat")
	}
}

// TestHeldByAll: an alert that a silence, an inhibit rule and a mute hold back is told
// when the last of them is over, in any order.
func TestHeldByAll(t *testing.T) {
	r := newRig(t, second)
	r.put(warnRule)
	r.put(pageRule)
	r.routes(`[]`, over, night)
	r.routes(`[{"matchers":["severity=warn"],"receiver":"chat","mute":["night"]},{"receiver":"oncall"}]`)
	r.to(0)
	s := r.silence(`{severity="warn"}`, "")
	r.feed(1, 3, map[string]float64{"eu": 1})
	r.wantHeard("firing page eu oncall")
	r.feed(4, 9, map[string]float64{"eu": 7})
	r.settle()
	r.wantHeard("resolved page eu oncall")
	r.feed(10, 65, map[string]float64{"eu": 7})
	r.settle()
	r.wantHeard("")
	if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
		t.Fatal(err)
	}
	r.settle()
	r.wantHeard("firing warn eu chat")
	a := r.alerts("firing")[0]
	if len(a.InhibitedBy)+len(a.MutedBy)+len(a.SilencedBy) != 0 || !slices.Equal(a.Receivers, []string{"chat"}) {
		t.Errorf("got %+v", a)
	}
}

// TestRoutesChangeWhileHeld: what is held back goes by the routes that there are when it
// is told.
func TestRoutesChangeWhileHeld(t *testing.T) {
	for name, c := range map[string]struct{ before, after, told string }{
		"added":      {`[]`, `[{"receiver":"a"}]`, "firing warn eu a"},
		"removed":    {`[{"receiver":"a"}]`, `[]`, "firing warn eu all"},
		"another":    {`[{"receiver":"a"}]`, `[{"receiver":"b"}]`, "firing warn eu b"},
		"one more":   {`[{"receiver":"a"}]`, `[{"receivers":["a","b"]}]`, "firing warn eu a+b"},
		"one less":   {`[{"receivers":["a","b"]}]`, `[{"receiver":"b"}]`, "firing warn eu b"},
		"none left":  {`[{"receiver":"a"}]`, `[{"receiver":"a","matchers":["region=us"]}]`, ""},
		"from none":  {`[{"receiver":"a","matchers":["region=us"]}]`, `[{"receiver":"a"}]`, "firing warn eu a"},
		"the same":   {`[{"receiver":"a"}]`, `[{"receiver":"a"}]`, "firing warn eu a"},
		"its groups": {`[{"receiver":"a"}]`, `[{"receiver":"a","group_by":[],"group_wait":"5s"}]`, "firing warn eu a"},
	} {
		for _, restart := range []bool{false, true} {
			r := newRig(t, second)
			r.put(warnRule)
			r.routes(c.before)
			r.to(0)
			s := r.silence(`{region="eu"}`, "")
			r.feed(1, 3, map[string]float64{"eu": 1})
			r.wantHeard("")
			r.routes(c.after)
			if restart {
				r.restart(false)
			}
			r.settle()
			r.wantHeard("")
			if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
				t.Fatal(err)
			}
			r.settle()
			if got := r.heard(); got != c.told {
				t.Fatalf("%s: told %q, want %q", name, got, c.told)
			}
			r.settle()
			r.feed(4, 9, map[string]float64{"eu": 20})
			if got, want := r.heard(), strings.Replace(c.told, "firing", "resolved", 1); got != want {
				t.Fatalf("%s: told %q, want %q", name, got, want)
			}
		}
	}
}

// TestRoutesRefused: routes name receivers that there are, and mutes that there are; a
// receiver that a route names stays.
func TestRoutesRefused(t *testing.T) {
	r := newRig(t, second)
	r.receivers = []string{"oncall"}
	r.restart(true)
	put := func(text string) error {
		list, err := detect.ParseRoutes([]byte(`{"routes":` + text + `}`))
		if err == nil {
			err = r.engine.PutRoutes(list)
		}
		return err
	}
	for text, want := range map[string]string{
		`[{"receiver":"nobody"}]`:                  `routes[0].receiver`,
		`[{"receiver":"oncall","mute":["night"]}]`: `night`,
		`5`: "want a list",
	} {
		if err := put(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if err := put(`[{"receiver":"oncall"}]`); err != nil {
		t.Fatal(err)
	}
	removed := false
	remove := func() error { removed = true; return nil }
	if err := r.engine.WithoutReceiver("oncall", remove); !errors.Is(err, detect.ErrRouted) || removed || !strings.Contains(err.Error(), "routes[0]") {
		t.Errorf("removed %v: %v", removed, err)
	}
	if err := r.engine.WithoutReceiver("other", remove); err != nil || !removed {
		t.Errorf("removed %v: %v", removed, err)
	}
	r.restart(false)
	if list, file := r.engine.Routes(); len(list) != 1 || file != "" {
		t.Errorf("after a restart: %v of %q", list, file)
	}
	r.engine.UseDB(brokenDB(t))
	if err := put(`[]`); !errors.Is(err, detect.ErrNotStored) {
		t.Errorf("with a broken database: %v", err)
	}
	if list, _ := r.engine.Routes(); len(list) != 1 {
		t.Errorf("what was not stored is in force: %v", list)
	}
}

// TestDatabaseFailsWhileHeld: nothing is decided twice when it could not be stored.
func TestDatabaseFailsWhileHeld(t *testing.T) {
	r := newRig(t, second)
	r.put(warnRule)
	r.put(pageRule)
	r.routes(`[{"receiver":"a"}]`, over)
	r.to(0)
	r.feed(1, 1, map[string]float64{"eu": 20})
	r.engine.UseDB(brokenDB(t))
	r.feed(2, 6, map[string]float64{"eu": 1})
	r.wantHeard("")
	r.feed(7, 12, map[string]float64{"eu": 7})
	r.wantHeard("")
	r.engine.UseDB(r.db)
	r.feed(13, 14, map[string]float64{"eu": 7})
	r.settle()
	r.wantHeard("firing page eu a, firing warn eu a, resolved page eu a")
	r.restart(false)
	r.feed(15, 18, map[string]float64{"eu": 20})
	r.wantHeard("resolved warn eu a")
}

// TestRepeatsQuiet: who is told again of what fires is not while a silence, an inhibit
// rule or a mute holds that back, and is when it is over.
func TestRepeatsQuiet(t *testing.T) {
	r := newRig(t, second)
	r.put(warnRule)
	r.put(pageRule)
	r.routes(`[]`, over, `{"name":"night","intervals":[{"times":[{"start":"00:01","end":"00:02"}]}]}`)
	r.routes(`[{"matchers":["severity=warn"],"receiver":"chat","repeat_interval":"1h","mute":["night"]},{"receivers":[]}]`)
	quiet := func(want string) {
		t.Helper()
		var got []string
		r.outbox.mu.Lock()
		for _, x := range r.outbox.quiet {
			got = append(got, x.Receiver+": "+strings.Join(x.By, ", "))
		}
		r.outbox.quiet = nil
		r.outbox.mu.Unlock()
		if text := strings.Join(got, "; "); text != want {
			t.Fatalf("at %d s: quiet %q, want %q", (r.now()-epoch)/1000, text, want)
		}
	}
	r.to(0)
	r.feed(1, 3, map[string]float64{"eu": 7})
	sent := r.took()
	if len(sent) != 1 || len(sent[0].To) != 1 || sent[0].To[0].Group == nil || sent[0].To[0].Group.Repeat != 3_600_000 {
		t.Fatalf("told %+v", sent)
	}
	quiet("")
	s := r.silence(`{region="eu"}`, "")
	r.feed(4, 5, map[string]float64{"eu": 7})
	quiet("chat: silence " + s.ID)
	r.restart(false)
	quiet("chat: silence " + s.ID) // the outbox may have forgotten it
	r.feed(6, 7, map[string]float64{"eu": 7})
	quiet("")
	if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
		t.Fatal(err)
	}
	r.feed(8, 9, map[string]float64{"eu": 7})
	quiet("chat: ")
	r.feed(10, 12, map[string]float64{"eu": 1})
	r.settle()
	quiet("chat: inhibit rule over")
	r.feed(13, 18, map[string]float64{"eu": 7})
	r.settle()
	quiet("chat: ")
	r.feed(19, 65, map[string]float64{"eu": 7})
	r.settle()
	quiet("chat: mute night")
	if text := r.timelineOf("warn", "eu", "muted"); text != "chat is not told again: it is a time of the mute night" {
		t.Errorf("timeline: %s", text)
	}
	r.feed(66, 125, map[string]float64{"eu": 7})
	r.settle()
	quiet("chat: ")
	r.wantHeard("")
	r.feed(126, 130, map[string]float64{"eu": 20})
	r.wantHeard("resolved warn eu chat")
}
