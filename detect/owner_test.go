package detect_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pulse/detect"
	"pulse/store/clock"
)

// costly is a clock on which everything takes time: each look at it a little.
type costly struct {
	*clock.Manual
	each  time.Duration
	spent time.Duration
}

func (c *costly) Now() time.Time {
	c.spent += c.each
	return c.Manual.Now().Add(c.spent)
}

// newCostlyRig returns a rig whose engine takes some time for each rule.
func newCostlyRig(t testing.TB, step int64, each time.Duration) *rig {
	r := newRig(t, step)
	if err := r.engine.Close(); err != nil {
		t.Fatal(err)
	}
	r.watch = &costly{Manual: r.clock, each: each}
	r.start()
	return r
}

func owners(r *rig) map[string]detect.OwnerStats {
	out := map[string]detect.OwnerStats{}
	for _, o := range r.engine.Owners() {
		out[o.Owner] = o
	}
	return out
}

// oneOfMany returns a rig at 60 s, whose rules are in band: many of one owner, and three
// each of two others. settle does all that is due.
func oneOfMany(t *testing.T, many int) (r *rig, settle func()) {
	t.Helper()
	r = newCostlyRig(t, 10_000, 100*time.Microsecond)
	r.at(50_100)
	for i := range many {
		r.put(fmt.Sprintf(`{"id":"a%04d","owner":"many","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`, i))
	}
	for _, owner := range []string{"few", "some"} {
		for i := range 3 {
			r.put(fmt.Sprintf(`{"id":"%s%d","owner":%q,"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`, owner, i, owner))
		}
	}
	settle = func() {
		t.Helper()
		for i := 0; r.engine.Advance(r.now()) <= r.now(); i++ {
			if i > 10*many {
				t.Fatal("it does not end")
			}
		}
	}
	r.at(59_700)
	r.send("a", p(100, "name", "sps"))
	r.at(60_050)
	settle()
	return r, settle
}

// TestOwnersTakeTurns: ten thousand rules of one owner, as many as there may be, do not
// delay those of others, whose alerts are stored and sent before more than two turns of
// them are judged; they are judged later, all of them, and what came too late is counted.
func TestOwnersTakeTurns(t *testing.T) {
	many := 9_994
	if testing.Short() {
		many = 1000
	}
	r, settle := oneOfMany(t, many)
	judged := 0 // of the many, when the others' alerts are stored
	r.engine.OnCommit(func() {
		if judged == 0 {
			judged = int(r.engine.ClosedOf("many")) - many
		}
	})
	r.at(69_700)
	r.send("a", p(10, "name", "sps"))
	r.at(70_050)
	if next := r.engine.Advance(r.now()); next > r.now() {
		t.Errorf("it wants to go on after %d ms, not at once", next-r.now())
	}
	sent := r.took()
	others := 0
	for _, n := range sent {
		if n.Rule[0] != 'a' {
			others++
		}
	}
	if others != 6 || len(sent) > 6+500 || judged > 100 {
		t.Errorf("in the first 50 ms %d alerts, %d of them of the owners with few rules, before which %d of the many were judged", len(sent), others, judged)
	}
	if o := owners(r)["many"]; o.Deferred == 0 || o.Rules != many || o.CostNs == 0 {
		t.Errorf("%+v", o)
	}
	r.at(95_000)
	total := len(sent)
	settle()
	for _, n := range r.took() {
		if n.Type == "alert.firing" {
			total++
		}
	}
	if total != many+6 {
		t.Errorf("%d alerts in all", total)
	}
	got := owners(r)
	if a := got["many"]; a.Missed < int64(many)/2 || a.Closed < 2*int64(many) || a.LagMs > 0 {
		t.Errorf("many: %+v", a)
	}
	if a := got["few"]; a.Groups != 3 {
		t.Errorf("few: %+v", a)
	}
}

// TestStepOfOneOwnerIsStoredOnce: the alerts of a step are one transaction, also when
// the rules take more than a slice of time, as long as nobody else waits.
func TestStepOfOneOwnerIsStoredOnce(t *testing.T) {
	for _, others := range []int{0, 1} {
		const many = 20
		r := newCostlyRig(t, 10_000, 200*time.Microsecond)
		for i := range many {
			owner := "one"
			if i < others {
				owner = "two"
			}
			r.put(fmt.Sprintf(`{"id":"a%02d","owner":%q,"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`, i, owner))
		}
		for s := int64(10); s <= 60; s += 10 {
			r.at(s*1000 - 300)
			r.send("a", p(100, "name", "sps"))
			r.to(s*1000 + 50)
		}
		r.none()
		commits := 0
		r.engine.OnCommit(func() { commits++ })
		r.at(69_700)
		r.send("a", p(10, "name", "sps"))
		r.to(70_050)
		if n := len(r.took()); n != many || commits > 1+others {
			t.Errorf("%d alerts of %d rules in %d transactions", n, many, commits)
		}
		if one := owners(r)["one"]; one.Deferred == 0 {
			t.Errorf("it took one turn: %+v", one)
		}
	}
}

// TestCatchUpInPieces: a rule that has much to catch up does not hold up others, and
// knows in the end what it would have known at once.
func TestCatchUpInPieces(t *testing.T) {
	run := func(r *rig) []byte {
		const long = `{"id":"long","owner":"a","expr":"name,sps,:eq,:sum,(,node,),:by,5,3,:rolling-mean","detector":{"kind":"double-exponential"}}`
		send := func(s int64) {
			r.at(s*1000 - 300)
			for node := range int64(40) {
				r.send("a", p(float64(100+(s*node)%13), "name", "sps", "node", fmt.Sprint(node)))
			}
		}
		for s := int64(1); s <= 1200; s++ {
			send(s)
		}
		r.at(1_200_050)
		r.put(long)
		r.put(`{"id":"short","owner":"b","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":1}}`)
		send(1201)
		r.at(1_201_050)
		r.store.Advance(r.now())
		first := true
		for r.engine.Advance(r.now()) <= r.now() {
			if s, err := r.engine.RuleStats("short"); first && (err != nil || s.Closed != 1) {
				t.Errorf("the other rule: %+v, %v", s, err)
			}
			if s, _ := r.engine.RuleStats("long"); first && s.Closed != 0 {
				t.Errorf("all was caught up at once: %+v", s)
			}
			first = false
		}
		if first && r.watch != nil {
			t.Error("all was done at once")
		}
		send(1202)
		r.at(1_202_050)
		for r.engine.Advance(r.now()) <= r.now() {
		}
		return r.engine.State()
	}
	if a, b := run(newRig(t, 1000)), run(newCostlyRig(t, 1000, 4*time.Millisecond)); !bytes.Equal(a, b) {
		t.Error("what was caught up in pieces differs")
	}
}

// TestOwnersAddUp: groups and lag of an owner are those of its rules, and of no others.
func TestOwnersAddUp(t *testing.T) {
	r := newRig(t, 1000)
	for _, rule := range []string{"a", "b", "c"} {
		owner := map[string]string{"a": "one", "b": "two", "c": "two"}[rule]
		r.put(fmt.Sprintf(`{"id":%q,"owner":%q,"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50}}`, rule, owner))
	}
	for s := int64(1); s <= 3; s++ {
		r.at(s*1000 - 300)
		r.send("a", p(100, "name", "sps", "region", "eu"), p(100, "name", "sps", "region", "us"))
		r.to(s*1000 + 50)
	}
	got := owners(r)
	if one, two := got["one"], got["two"]; len(got) != 2 || one.Rules != 1 || one.Groups != 2 || one.LagMs != 0 || two.Rules != 2 || two.Groups != 4 || two.Closed != 2*one.Closed {
		t.Errorf("owners: %+v", got)
	}
	for _, owner := range []string{"one", "three"} {
		before := owners(r)["one"]
		r.put(fmt.Sprintf(`{"id":"a","owner":%q,"severity":"page","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50}}`, owner))
		if got := owners(r)[owner]; got.Rules != 1 || owner == "one" && got != before || owner == "three" && got.Closed != 0 {
			t.Errorf("after another text, owner %s: %+v, before %+v", owner, got, before)
		}
	}
	r.at(3_700)
	r.send("a", p(100, "name", "sps", "region", "eu"), p(100, "name", "sps", "region", "us"))
	r.to(4_050)
	before := owners(r)["three"]
	for _, change := range []string{`"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":60}`, `"expr":"name,sps,:eq,:max"`} {
		r.put(`{"id":"a","owner":"three",` + change + `}`)
		if got := owners(r)["three"]; before.Closed == 0 || got.Rules != 1 || got.Closed != before.Closed || got.CostNs != before.CostNs {
			t.Errorf("after %s: %+v, before %+v", change, got, before)
		}
	}
}
