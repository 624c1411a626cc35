package simulation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pulse/bench/testkit"
	"pulse/detect"
	"pulse/detect/alert"
	"pulse/detect/algo"
)

// watch is what is known of alerts from step to step.
type watch struct {
	seen    map[string]*sighting // incidents that the engine has shown
	judged  int64                // the last step that was foreseen
	runs    map[string]*streak   // rule and region
	settled time.Duration        // when the configuration changed last
	pages   map[string]time.Duration
	over    bool // nothing is judged any more
	jumped  bool // the clock was set
	life    int  // of the last look
	held    map[string]int
	fired   int
}

// sighting is an incident as it was shown.
type sighting struct {
	alert detect.Alert
	sure  bool // its records were stored
	at    time.Duration
	free  time.Duration // since when nothing holds it back and somebody is not told, -1: not so
}

// streak is for how many steps in a row, that were judged for sure, a level has said the
// same.
type streak struct{ out, in, missing int }

func (x *watch) reset() {
	x.seen, x.runs, x.pages, x.held = map[string]*sighting{}, map[string]*streak{}, map[string]time.Duration{}, map[string]int{}
}

func (x *watch) settle(at time.Duration) { x.settled = at }

// forget begins to count anew for a rule.
func (x *watch) forget(rule string) {
	maps.DeleteFunc(x.runs, func(key string, _ *streak) bool { return strings.HasPrefix(key, rule+" ") })
}

var sortedSilences = slices.Sorted(maps.Keys(silenced))

func expand(text string, forMs, keepMs, step int64) string {
	ms := func(d int64) string { return fmt.Sprintf(`"%dms"`, d) }
	text = strings.ReplaceAll(text, `"F"`, ms(forMs))
	text = strings.ReplaceAll(text, `"K"`, ms(keepMs))
	return strings.ReplaceAll(text, `"5S"`, ms(5*step))
}

// putAdaptive puts rules whose detectors learn.
func (w *world) putAdaptive() {
	kinds := algo.Kinds()
	for n, i := range w.random.Perm(len(kinds))[:3] {
		kind := &kinds[i]
		var keys []string
		for _, k := range kind.Keys {
			keys = append(keys, k.Name)
		}
		for tries := 0; ; tries++ {
			params := testkit.Params(w.random, kind.Name, keys, 80, w.step)
			params["kind"] = kind.Name
			expr := []string{"name,busy,:eq,:sum,(,region,),:by", "name,hits,:eq,:sum,(,region,),:by"}[n%2]
			switch kind.Name {
			case "compare":
				params["baseline"] = "name,hits,:eq,:sum"
			case "signal":
				expr += ",40,:lt"
			}
			severity := []string{"page", "warn"}[n%2]
			body := map[string]any{"id": fmt.Sprint("learns-", kind.Name), "expr": expr, "severity": severity, "detector": params, "for": fmt.Sprintf("%dms", w.random.Int64N(3)*w.step)}
			text, err := json.Marshal(body)
			if err != nil {
				panic(err)
			}
			x, err := detect.ParseRuleJSON(text)
			if err == nil {
				err = w.process.engine.Check(x)
			}
			if err == nil {
				w.change(func() error { return w.process.engine.PutRule(x, w.clock.ms()) })
				w.rules[x.ID] = &rule{id: x.ID, adaptive: true}
				break
			}
			if tries > 200 {
				w.fail("%s: %v", kind.Name, err)
				return
			}
		}
	}
}

// observe looks at what the engine shows after the step that ended at t.
func (w *world) observe(t int64) {
	p := w.process
	if p == nil {
		w.isDark()
		return
	}
	doom := w.doom
	w.doom = nil // looking changes nothing
	defer func() { w.doom = doom }()
	now := w.clock.since()
	shown := map[string]*detect.Alert{}
	for _, state := range []string{detect.StateFiring, detect.StateNoData} {
		list, err := p.engine.Alerts(state)
		w.must(err)
		for i := range list {
			shown[list[i].Incident] = &list[i]
		}
	}
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(shown)) {
		a := shown[id]
		s := w.watch.seen[id]
		if s == nil {
			s = &sighting{free: -1}
			w.watch.seen[id] = s
			w.watch.fired++
			w.tracef("engine", "%s %s shown as %s", a.Rule, a.Tags["region"], a.State)
		}
		s.alert, s.at, s.sure = *a, now, s.sure || !p.db.failing
		w.look(s)
	}
	for id, s := range w.watch.seen {
		if x := w.book.episodes[id]; x != nil && x.ended && shown[id] != nil {
			w.fail("%s %s is shown as %s, and its end was told", s.alert.Rule, s.alert.Tags["region"], s.alert.State)
		}
	}
	w.foresee(t, shown)
	w.bounds()
	w.watch.life = w.lives
	for id, a := range shown {
		if a.Severity == "page" {
			w.watch.pages[a.Tags["region"]+" "+id] = now
		}
	}
}

// look holds an open alert against what should hold it back.
func (w *world) look(s *sighting) {
	a, now := &s.alert, w.clock.since()
	x := w.book.episodes[a.Incident]
	if x == nil {
		x = &episode{id: a.Incident, rule: a.Rule, labels: labelsOf(&a.Notification)}
	}
	told := slices.Sorted(maps.Keys(x.legs))
	if w.process.db.failing || w.unsure != nil {
		s.free = -1
		return
	}
	for what, n := range map[string]int{"silence": len(a.SilencedBy), "inhibit": len(a.InhibitedBy), "mute": len(a.MutedBy)} {
		if n > 0 {
			w.watch.held[what]++
		}
	}
	if names := slices.Sorted(slices.Values(a.Receivers)); len(names) > 0 && !slices.Equal(names, told) {
		w.fail("%s %s says that %v were told, and %v were", a.Rule, a.Tags["region"], names, told)
	}
	waits := w.untold(x, a)
	if len(waits) == 0 || len(a.InhibitedBy) > 0 && w.maybeInhibited(x) {
		s.free = -1
		return
	}
	if by := w.silencedNow(x.labels, w.clock.ms(), true); by != nil {
		if s.free = -1; !by.normal && !slices.Contains(a.SilencedBy, by.id) {
			w.fail("%s %s is silenced by %s and does not say so: %v", a.Rule, a.Tags["region"], by.what, a.SilencedBy)
		}
		return
	}
	if s.free < 0 {
		s.free = now
	}
	if slack := 2*time.Duration(w.step)*time.Millisecond + 7*time.Second; now-max(s.free, w.watch.settled, w.process.began) > slack {
		w.fail("%s %s fires, nothing holds it back, and %v are not told: %v, by %v %v %v", a.Rule, a.Tags["region"], waits, told, a.SilencedBy, a.InhibitedBy, a.MutedBy)
	}
}

// untold returns who is to be told of an open alert, and is not, and is not mute. Once all
// have been told, nobody joins them.
func (w *world) untold(x *episode, a *detect.Alert) (out []string) {
	if len(x.legs) > 0 && len(a.Meant) == len(a.Receivers) {
		return nil
	}
	own := len(w.rules[x.rule].notify) > 0
	for _, name := range w.meant(x) {
		if x.legs[name] == nil && (own || routings[w.routes].to == nil || !w.muted(x.labels, name, w.clock.ms())) {
			out = append(out, name)
		}
	}
	return out
}

// maybeInhibited reports whether a page of the region fires, or has until lately.
func (w *world) maybeInhibited(x *episode) bool {
	if x.labels["severity"] != "warn" {
		return false
	}
	for key, at := range w.watch.pages {
		if strings.HasPrefix(key, x.labels["region"]+" ") && w.clock.since()-max(at, w.process.began) < time.Duration(3*w.step)*time.Millisecond+70*time.Second {
			return true
		}
	}
	return false
}

// foresee counts what levels say, and holds what is shown against it. What it counts was
// judged three steps ago.
func (w *world) foresee(t int64, shown map[string]*detect.Alert) {
	lag := 3 * w.step
	judged := t - lag
	if judged != w.watch.judged+w.step { // nobody looked at the steps between
		clear(w.watch.runs)
	}
	w.watch.judged = judged
	clean := w.clock.since()-w.dark > time.Duration(lag+2*w.step)*time.Millisecond
	inTime := w.clock.ms() < t+w.step
	open := map[string]bool{}
	for _, a := range shown {
		open[fmt.Sprint(a.Rule, " ", a.Tags["region"], " ", a.Absence)] = true
	}
	for _, id := range w.ruleIDs() {
		r := w.rules[id]
		if r.adaptive {
			continue
		}
		for _, region := range regions {
			key := id + " " + region
			x := w.watch.runs[key]
			if x == nil {
				x = &streak{}
				w.watch.runs[key] = x
			}
			w.count(r, region, judged, clean, x)
			if inTime { // else steps after it were judged before anything was sent for them
				w.expect(r, region, t, x, open)
			}
		}
	}
}

// count adds a step to a streak.
func (w *world) count(r *rule, region string, t int64, clean bool, x *streak) {
	o, sure := w.surely(r, region, t)
	switch {
	case w.watch.jumped && !clean:
		*x = streak{}
	case sure && clean && o == alert.Out:
		x.out, x.in, x.missing = x.out+1, 0, 0
	case sure && clean && o == alert.In:
		x.out, x.in, x.missing = 0, x.in+1, 0
	case !w.cellSent(region, t):
		x.missing++
		if !clean {
			x.missing = 0
		}
		if r.missingOut || r.id == "page" {
			x.out, x.in = 0, 0
		}
	default:
		x.missing = 0
		if w.may(r, region, t, alert.In) || r.missingOut || r.id == "page" {
			x.out = 0
		}
		if w.may(r, region, t, alert.Out) || r.missingOut {
			x.in = 0
		}
	}
}

func (w *world) cellSent(region string, t int64) bool {
	c := w.data.cells[region][t]
	return c != nil && c.sent
}

// expect fails when an alert that must fire by now does not, or one fires that must not.
func (w *world) expect(r *rule, region string, t int64, x *streak, open map[string]bool) {
	const slack = 4
	fires := open[fmt.Sprint(r.id, " ", region, " ", false)]
	since := func(want alert.Observation) bool { // what is not counted yet says the same
		for at := t - 2*w.step; at <= t; at += w.step {
			if o, sure := w.surely(r, region, at); !sure || o != want {
				return false
			}
		}
		return true
	}
	switch {
	case int64(x.out) > r.forMs/w.step+slack && !fires && since(alert.Out):
		w.fail("%s %s was out of band for %d steps, for is %d, and it does not fire", r.id, region, x.out, r.forMs/w.step)
	case int64(x.in) > r.ms/w.step+slack && fires && strings.Contains(r.text, `"flap":"off"`) && since(alert.In):
		w.fail("%s %s was in band for %d steps, keep is %d, and it fires", r.id, region, x.in, r.ms/w.step)
	case r.id == "warn" && x.missing > 5+slack+2 && !open[r.id+" "+region+" true"] && len(w.watch.seen) > 0 && w.everSent(region, t) && !w.sentSince(region, t-4*w.step):
		w.fail("%s %s has had no data for %d steps, and that is no alert", r.id, region, x.missing)
	}
}

func (w *world) everSent(region string, t int64) bool {
	for at, c := range w.data.cells[region] {
		if at < t-20*w.step && c.sure {
			return true
		}
	}
	return false
}

func (w *world) sentSince(region string, t int64) bool {
	for at, c := range w.data.cells[region] {
		if at >= t && c.sent {
			return true
		}
	}
	return false
}

// bounds holds queues against their limits.
func (w *world) bounds() {
	for _, c := range w.process.notify.Stats().Receivers {
		if limit := w.queueLimit; limit > 0 && c.Queued > limit+8 {
			w.fail("%s: %d wait, the limit is %d", c.Name, c.Queued, limit)
		}
	}
	if n := len(w.network.parked); n > 4*len(w.receivers)+64 {
		w.fail("%d requests are under way", n)
	}
}

// finish looks at everything once more, when nothing has gone wrong for long.
func (w *world) finish() {
	p := w.process
	list, err := p.engine.Alerts("")
	w.must(err)
	all := map[string]*detect.Alert{}
	for i := range list {
		all[list[i].Incident] = &list[i]
	}
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	for _, c := range p.notify.Stats().Receivers {
		if c.Queued != 0 && w.clock.ms()-c.Oldest > 15*w.step+20_000 { // or a group is told of again
			w.fail("%s: %d still wait: %+v at %d", c.Name, c.Queued, c, w.clock.ms())
		}
	}
	for id, s := range w.watch.seen {
		if s.sure && all[id] == nil {
			w.fail("%s %s was shown as %s, and is gone", s.alert.Rule, s.alert.Tags["region"], s.alert.State)
		}
	}
	for id, x := range w.book.episodes {
		a := all[id]
		if a == nil {
			w.fail("%s %s was told, and is gone", x.rule, x.region)
			continue
		}
		if len(x.legs) > 0 && x.ended != (a.State == detect.StateResolved) {
			w.fail("%s %s is %s, its end is told: %v", x.rule, x.region, a.State, x.ended)
		}
		attempts := p.notify.Attempts(id)
		for name, l := range x.legs {
			begun, over := terminal(attempts, name, false), terminal(attempts, name, true)
			switch {
			case !x.ended && l.begunTaken == 0 && begun == "":
				w.fail("%s %s fires, and %s does not know: %+v", x.rule, x.region, name, *l)
			case x.ended && l.begunTaken > 0 && l.overTaken == 0 && over == "":
				w.fail("%s %s is over, and %s does not know: %+v", x.rule, x.region, name, *l)
			case x.ended && l.begunTaken == 0 && begun == "" && l.overTaken == 0:
				w.fail("%s %s was, and %s never heard of it, which nothing says: %+v", x.rule, x.region, name, *l)
			}
		}
	}
	for i := range list {
		if a := &list[i]; w.rules[a.Rule] != nil && !w.rules[a.Rule].adaptive {
			w.verify(a)
		}
	}
	w.timelines()
}

// verify holds an incident against what was sent.
func (w *world) verify(a *detect.Alert) {
	if a.State == detect.StatePending || a.Absence {
		return
	}
	r, region := w.rules[a.Rule], a.Tags["region"]
	if !w.may(r, region, a.StartsAt, alert.Out) && !(r.missingOut && w.may(r, region, a.StartsAt, alert.Missing)) {
		w.fail("%s %s fires from step %d on, which was not out of band", r.id, region, (a.StartsAt-epoch)/w.step)
	}
	late := slices.ContainsFunc(w.paid, func(at int64) bool { return at >= a.EndsAt && at < a.EndsAt+60*w.step }) // it ended before that step
	if a.State == detect.StateResolved && !late && !w.may(r, region, a.EndsAt, alert.In) && !(r.id == "page" && w.may(r, region, a.EndsAt, alert.Missing)) {
		w.fail("%s %s ends at step %d, which was not in band: sent %+v, the alert %+v", r.id, region, (a.EndsAt-epoch)/w.step, w.data.cells[region][a.EndsAt], *a)
	}
}

// timelines looks for every attempt that had an answer.
func (w *world) timelines() {
	p := w.process
	lines := map[string][]detect.Event{}
	count := map[string]int{}
	for id, x := range w.book.episodes {
		for _, l := range x.legs {
			count[id] += l.begun + l.over
		}
	}
	for _, x := range w.answers {
		if count[x.incident] > 40 { // the middle of long ones is not kept
			continue
		}
		if lines[x.incident] == nil {
			a, err := p.engine.AlertByID(context.Background(), x.incident)
			if err != nil {
				w.fail("%+v: %v", x, err)
				return
			}
			lines[x.incident] = a.Timeline
		}
		if !slices.ContainsFunc(lines[x.incident], func(e detect.Event) bool {
			return e.Kind == "attempt" && e.T == x.at && strings.Contains(e.Detail, "to "+x.receiver) && strings.Contains(e.Detail, fmt.Sprint("status ", x.status))
		}) {
			w.fail("the timeline of %s does not name the attempt at %s of %v with status %d: %v", x.incident, x.receiver, time.UnixMilli(x.at).UTC(), x.status, lines[x.incident])
		}
	}
}
