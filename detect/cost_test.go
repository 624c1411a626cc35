package detect_test

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/store"
	"pulse/store/tags"
)

// many sends one value for each of n groups, stamped with the rig's clock.
func (r *rig) many(n int, value float64, refs []store.Ref) []store.Ref {
	r.t.Helper()
	for i := len(refs); i < n; i++ {
		t := tags.Of("name", "sps", "atlas.dstype", "sum", "node", "n-"+strconv.Itoa(i))
		ref, err := r.store.Resolve(r.store.HashTags(store.Hash{}, t.AppendKey(nil)), t, r.now())
		if err != nil {
			r.t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	r.batch.Reset()
	r.batch.Source, r.batch.Arrival = r.store.Source("a", r.now()), r.now()
	for _, ref := range refs {
		r.batch.Add(ref, r.now(), value)
	}
	r.store.Append(&r.batch, r.now())
	return refs
}

// TestStepAllocates: judging a step in which nothing changes allocates nothing
// per group and next to nothing per step.
func TestStepAllocates(t *testing.T) {
	const groups, steps = 1000, 100
	r := newRig(t, 1000)
	r.put(`{"id":"a","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"double-exponential"}}`)
	r.put(`{"id":"b","expr":"name,sps,:eq,:sum,(,node,),:by,1,:lt"}`)
	var refs []store.Ref
	var before, after runtime.MemStats
	mallocs := uint64(0)
	for s := int64(1); s <= 20+steps; s++ {
		r.at(s*1000 - 300)
		refs = r.many(groups, 100, refs)
		r.at(s*1000 + 50)
		runtime.ReadMemStats(&before)
		r.engine.Advance(r.now())
		runtime.ReadMemStats(&after)
		if s > 20 && s%120 != 0 && (epoch/1000+s)%120 != 0 {
			mallocs += after.Mallocs - before.Mallocs
		}
	}
	if got := r.engine.Stats(); got.Groups != 2*groups || got.Closed < 2*steps {
		t.Fatalf("stats %+v", got)
	}
	if perStep := float64(mallocs) / steps; perStep > 20 {
		t.Errorf("%.1f allocations per step of 2 rules with %d groups each", perStep, groups)
	}
}

// TestAlertLimit: a rule has at most 10,000 alerts; more are counted.
func TestAlertLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("10,020 alerts are not short")
	}
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
	r.at(9_000)
	r.many(10_020, 10, nil)
	r.to(20_000)
	if got := r.engine.Stats(); got.Firing != 10_000 || got.Suppressed != 20 {
		t.Errorf("stats %+v", got)
	}
	if n := len(r.took()); n != 10_000 {
		t.Errorf("%d notifications", n)
	}
	passed := 0
	for node := 10_019; node >= 0 && passed < 3; node-- {
		group := tags.Of("node", "n-"+strconv.Itoa(node))
		g, err := r.engine.Groups("low", group, 1)
		if err != nil || len(g.Groups) != 1 {
			t.Fatalf("%v, %v", g, err)
		}
		if g.Groups[0].State != "inactive" {
			continue
		}
		w, err := r.engine.WhyNot(t.Context(), "low", group, 0)
		if err != nil || w.Reason != detect.ReasonLimit || w.Phase != "inactive" || w.For != nil || !strings.Contains(w.Text, "10,000 alerts of the rule were pending or firing") {
			t.Fatalf("%+v, %v", w, err)
		}
		passed++
	}
	if passed == 0 {
		t.Error("no group was passed by")
	}
}

// TestDiskFails: while the state cannot be stored nothing is sent; afterwards
// everything is, in order.
func TestDiskFails(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
	send := func(s int64, v float64) {
		r.at(s*1000 - 300)
		r.send("a", p(v, "name", "sps"))
		r.to(s*1000 + 50)
	}
	send(10, 100)
	r.engine.UseDB(brokenDB(t))
	send(20, 10)
	send(30, 10)
	send(40, 100)
	r.none()
	if got := r.engine.Stats(); got.CommitErrors == 0 {
		t.Errorf("stats %+v", got)
	}
	r.engine.UseDB(r.db)
	r.to(41_000)
	sent := r.took()
	if len(sent) != 2 || sent[0].Type != notify.TypeFiring || sent[1].Type != notify.TypeResolved || sent[0].ID == sent[1].ID {
		t.Errorf("sent %s", brief(sent))
	}
	if got := r.alerts("resolved"); len(got) != 1 {
		t.Errorf("resolved: %+v", got)
	}
	if got := r.alerts("firing"); len(got) != 0 {
		t.Errorf("firing: %+v", got)
	}
}

// TestDiskFailsWithManyAlerts: while the state cannot be stored, a step that changes
// very many alerts tries it once or twice, and not for each of them.
func TestDiskFailsWithManyAlerts(t *testing.T) {
	const groups = 3000
	r := newRig(t, 1000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
	r.at(700)
	refs := r.many(groups, 100, nil)
	r.to(1_050)
	r.engine.UseDB(brokenDB(t))
	r.at(1_700)
	r.many(groups, 10, refs)
	before := r.engine.Stats().CommitErrors
	r.to(2_050)
	if n := r.engine.Stats().CommitErrors - before; n < 1 || n > 10 {
		t.Errorf("tried %d times", n)
	}
	r.none()
	r.engine.UseDB(r.db)
	r.to(2_100)
	if sent := r.took(); len(sent) != groups {
		t.Errorf("sent %d", len(sent))
	}
}

// TestContributors: when one of two devices stops, the page says so.
func TestContributors(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":500}}`)
	for s := int64(10); s <= 400; s += 10 {
		r.at(s*1000 - 300)
		tv := 600.0
		if s > 350 {
			tv = 60
		}
		r.send("a",
			p(tv, "name", "sps", "region", "eu", "device", "tv"), p(300, "name", "sps", "region", "eu", "device", "phone"),
			p(900, "name", "sps", "region", "us", "device", "tv"))
		r.to(s*1000 + 50)
	}
	n := r.one(notify.TypeFiring)
	if len(n.Contributors) != 1 {
		t.Fatalf("contributors %+v", n.Contributors)
	}
	c := n.Contributors[0]
	if len(c.Tags) != 1 || c.Tags["device"] != "tv" || c.Delta != -540 || c.Share != 1 {
		t.Errorf("contributor %+v", c)
	}
}

func TestCheckFile(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		file, err := parseFile(text)
		if err != nil {
			t.Fatal(err)
		}
		faults := slices.DeleteFunc(file.Check(10_000), func(f detect.Finding) bool { return f.Warning })
		if len(faults) != len(want) {
			t.Errorf("%s\ngot %v, want %d faults", text, faults, len(want))
			return
		}
		for i := range want {
			if !strings.Contains(faults[i].Error(), want[i]) {
				t.Errorf("%s\ngot  %v\nwant %s", text, faults[i], want[i])
			}
		}
	}
	f("rules: [{id: a, expr: 'name,sps,:eq,:sum'}]")
	f("rules: [{id: a, expr: 'name,sps,:eq,:summ'}]", `rule "a": expr: `)
	f("rules: [{id: a, expr: 'name,sps,:eq,:sum,name,x,:eq,:sum'}]", "gives 2 expressions")
	f("rules: [{id: a, expr: 'name,sps,:eq,:sum', step: 15s}]", "step is 15s")
	f("rules: [{id: a, expr: 'name,sps,:eq,:sum,(,region,),:by', annotations: {s: '{{.Tags.regoin}} {{.Tags.region}}'}}]", "names .Tags.regoin, but groups have region")
	f("rules: [{id: a, expr: 'name,sps,:eq,:sum', annotations: {s: '{{if .Tags.x}}{{end}}'}}]", "names .Tags.x, but the rule has one group")
	f("rules: [{id: a, expr: 'name,sps,:eq,:all', annotations: {s: '{{.Tags.x}}'}}]")
	f("rules: [{id: a, expr: 'name,sps,:eq,:sum', notify: [onkall]}]\nreceivers: [{name: oncall, url: 'https://x.org'}]", `notify[0] names "onkall"`)
	f("rules: [{id: a, expr: 'name,sps,:eq,:sum,:integral'}]", "integral")
}

// TestDiskStaysFull: while nothing can be stored for long, alerts that came and
// went meanwhile are given up, so that what waits is bounded by what is open.
func TestDiskStaysFull(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"flap":"off"}`)
	r.engine.UseDB(brokenDB(t))
	var refs []store.Ref
	const flaps = 120
	for s := int64(10); s <= 10*2*flaps+10; s += 10 {
		r.at(s*1000 - 300)
		refs = r.many(100, float64(10+90*(s/10%2)), refs)
		r.to(s*1000 + 50)
	}
	r.engine.UseDB(r.db)
	r.at((10*2*flaps + 20) * 1000)
	r.many(100, 10, refs)
	r.to((10*2*flaps+20)*1000 + 50)
	sent := r.took()
	if len(sent) < 100 || len(sent) > 10_100 {
		t.Errorf("%d notifications after %d waited", len(sent), 2*flaps*100)
	}
	told := map[string]bool{}
	for _, n := range sent {
		if n.Type == notify.TypeResolved && !told[n.Incident] {
			t.Fatalf("incident %s is resolved and never fired", n.Incident)
		}
		told[n.Incident] = true
	}
	if got := r.engine.Stats(); got.Unsent == 0 || got.Firing != 100 {
		t.Errorf("stats %+v", got)
	}
}
