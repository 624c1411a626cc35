package detect_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/detect/notify"
)

// TestRoutingSimulation lets regions break at random under rules, routes, an inhibit rule,
// a mute and silences that change, while the database fails for seconds, and the engine is
// restarted, and killed at marks and in commits. For each receiver: a beginning is told once at most, an end if and only if
// its beginning was, nothing while it is held back, and everything as soon as it is not.
func TestRoutingSimulation(t *testing.T) {
	kills, told, held := 0, 0, map[string]int{}
	for seed := *first; seed < *first+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newRoutingWorld(t, seed)
			w.run()
			kills, told = kills+w.kills, told+w.told
			for by, n := range w.held {
				held[by] += n
			}
		})
	}
	if *seeds >= 10 && (told == 0 || kills == 0 || held["inhibit"] == 0 || held["silence"] == 0 || held["mute"] == 0) {
		t.Errorf("told %d, killed %d, held back %v", told, kills, held)
	}
}

// routingWorld is one run of it.
type routingWorld struct {
	*rig
	seed        uint64
	random      *rand.Rand
	values      map[string]float64
	begun, over map[[2]string]int // incident and receiver → how often told
	silences    []string
	pages       map[string]int // incident of a page → for how many looks it has fired
	kills, told int
	held        map[string]int // by what
	unmuted     bool           // no route has a mute
	broken      int            // for how many more seconds nothing can be stored
	failed      int64          // the last second in which nothing could be
}

func newRoutingWorld(t *testing.T, seed uint64) *routingWorld {
	w := &routingWorld{
		rig: newTapedRig(t, second), seed: seed, random: rand.New(rand.NewPCG(seed, 11)),
		values: map[string]float64{"eu": 20, "us": 20, "ap": 20}, begun: map[[2]string]int{}, over: map[[2]string]int{}, pages: map[string]int{}, held: map[string]int{},
	}
	w.put(warnRule)
	w.put(pageRule)
	w.unmuted = true
	w.routes(simRoutes[0], over, `{"name":"night","intervals":[{"times":[{"start":"00:01","end":"00:02"}]}]}`)
	w.to(0)
	return w
}

// simRoutes are those that are in force in turn; the first have no mute.
var simRoutes = []string{
	`[]`,
	`[{"matchers":["severity=page"],"receiver":"oncall"},{"receiver":"chat","mute":["night"]}]`,
	`[{"receivers":["oncall","chat"],"matchers":["region=~\"eu|us\""],"mute":["night"],"routes":[{"matchers":["severity=page"],"mute":[]}]}]`,
	`[{"receiver":"chat","mute":["night"],"continue":true},{"receiver":"boss","matchers":["region=ap"],"group_by":["region"],"repeat_interval":"1h"}]`,
}

// simWarns are what the rule warn becomes in turn.
var simWarns = []string{
	warnRule,
	strings.Replace(warnRule, `{`, `{"labels":{"team":"web"},`, 1),
	strings.Replace(warnRule, `{`, `{"flap":{"times":2,"calm":"6s"},`, 1),
	strings.Replace(warnRule, `{`, `{"flap":"off","for":"2s","keep":"3s",`, 1),
	strings.Replace(warnRule, `,10,:lt"`, `","detector":{"kind":"static","below":10}`, 1),
}

func (w *routingWorld) run() {
	for s := int64(1); s < 200; s++ {
		if w.broken == 0 {
			w.disturb()
		}
		w.at(s*second - 100)
		for _, region := range []string{"eu", "us", "ap"} {
			w.send("n-"+region, p(w.values[region], "name", "sps", "region", region))
		}
		if w.fails(s) {
			continue
		}
		if w.dies(func() { w.to(s*second + 500) }) {
			w.recover()
			w.kills++
		}
		w.tape.cut = nil
		w.engine.OnCommit(nil)
		w.to(s*second + 900)
		w.settle()
		w.look(s)
	}
	w.engine.UseDB(w.db)
	w.settle()
	w.look(200)
	for _, a := range w.alerts("resolved") {
		for key, n := range w.begun {
			if key[0] == a.Incident && w.over[key] != n {
				w.t.Errorf("seed %d: %v: beginning told %d times, end %d times", w.seed, key, n, w.over[key])
			}
		}
	}
}

// disturb changes values, silences, routes, or what the engine is about to live through.
func (w *routingWorld) disturb() {
	for _, region := range []string{"eu", "us", "ap"} {
		if w.random.IntN(8) == 0 {
			w.values[region] = []float64{1, 7, 20, 20}[w.random.IntN(4)]
		}
	}
	switch w.random.IntN(22) {
	case 0, 1:
		matchers := []string{`{region="eu"}`, `{severity="warn"}`, `{alertname=~"warn|page",region!="us"}`}[w.random.IntN(3)]
		w.silences = append(w.silences, w.silence(matchers, fmt.Sprintf(`,"endsAt":"now+%ds"`, 3+w.random.IntN(15))).ID)
	case 2:
		if len(w.silences) > 0 {
			_ = w.engine.ExpireSilence(w.silences[w.random.IntN(len(w.silences))], "", w.now()) // or it is over
		}
	case 3:
		n := w.random.IntN(len(simRoutes))
		w.routes(simRoutes[n])
		w.unmuted = n == 0
	case 4:
		w.rig.recover()
	case 5, 6:
		w.engine.OnCommit(func() { panic(errKilled) })
	case 7:
		w.tape.cut = func(mark []byte) bool { return mark[1] == 1 }
	case 8, 9:
		w.put(simWarns[w.random.IntN(len(simWarns))])
	case 10:
		if err := w.engine.DeleteRule("page", w.now()); err != nil {
			w.t.Fatal(err)
		}
		w.pages = map[string]int{}
		w.put(pageRule)
	case 11:
		if w.random.IntN(2) == 0 {
			if err := w.engine.DeleteInhibit("over"); err != nil {
				w.t.Fatal(err)
			}
		}
		w.routes(simRoutes[0], over)
		w.unmuted = true
	case 12, 13:
		w.broken = 1 + w.random.IntN(5)
		w.engine.UseDB(brokenDB(w.t))
	}
}

// fails lets a second pass in which nothing can be stored, and reports whether that lasts.
// A process may end meanwhile.
func (w *routingWorld) fails(s int64) bool {
	if w.broken == 0 {
		return false
	}
	w.failed = s
	w.to(s*second + 500)
	w.to(s*second + 900)
	w.engine.Advance(w.now())
	w.none()
	switch w.broken--; {
	case w.random.IntN(10) == 0:
		w.broken = 0
		w.rig.recover()
		w.settle()
		w.look(s)
	case w.broken == 0:
		w.engine.UseDB(w.db)
	}
	return true
}

// look takes what was sent and compares it with what is said of the alerts.
func (w *routingWorld) look(s int64) {
	fail := func(format string, args ...any) {
		w.t.Helper()
		w.t.Fatalf("seed %d at %d s: %s", w.seed, s, fmt.Sprintf(format, args...))
	}
	sent := w.took()
	for _, n := range sent {
		w.told++
		names := []string{"all"}
		if n.To != nil {
			names = nil
			for _, x := range n.To {
				names = append(names, x.Receiver)
			}
		}
		if len(names) == 0 {
			fail("%s is sent to nobody", n.ID)
		}
		for _, name := range names {
			key := [2]string{n.Incident, name}
			if n.Type == notify.TypeResolved {
				if w.over[key]++; w.over[key] > 1 || w.begun[key] == 0 {
					fail("the end of %v told %d times, its beginning %d times", key, w.over[key], w.begun[key])
				}
				continue
			}
			if w.begun[key]++; w.begun[key] > 1 {
				fail("the beginning of %v told %d times", key, w.begun[key])
			}
			if region := n.Tags["region"]; n.Rule == "warn" && w.pages[w.page(region)] > 1 {
				fail("warn of %s told while its page fires", region)
			}
			if name == "chat" && n.Rule == "warn" && s > 61 && s < 120 && s > w.failed+1 && !w.unmuted { // or it was decided before
				fail("chat told of warn at night")
			}
		}
	}
	w.compare(fail)
}

// page returns the incident of the page that fires for a region, "" when none does.
func (w *routingWorld) page(region string) string {
	for _, a := range w.alerts("firing") {
		if a.Rule == "page" && a.Tags["region"] == region {
			return a.Incident
		}
	}
	return ""
}

// compare holds what alerts say of themselves against what was sent.
func (w *routingWorld) compare(fail func(string, ...any)) {
	pages := map[string]int{}
	for _, a := range w.alerts("firing") {
		if a.Rule == "page" {
			pages[a.Incident] = w.pages[a.Incident] + 1
		}
		receivers, meant := a.Receivers, a.Meant
		if w.begun[[2]string{a.Incident, "all"}] > 0 { // where there were no routes
			continue
		}
		for _, name := range receivers {
			if w.begun[[2]string{a.Incident, name}] != 1 {
				fail("%s says that %s was told", a.Incident, name)
			}
		}
		slices.Sort(meant)
		held := false
		for what, n := range map[string]int{"silence": len(a.SilencedBy), "inhibit": len(a.InhibitedBy), "mute": len(a.MutedBy)} {
			if n > 0 {
				held = true
				w.held[what]++
			}
		}
		if !held && !slices.Equal(receivers, meant) {
			fail("%s of %s is told to %v, meant for %v, and nothing holds it back: %+v", a.Rule, a.Tags["region"], receivers, meant, a)
		}
	}
	w.pages = pages
}
