package detect_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pulse/detect"
	"pulse/detect/notify"
)

// TestReplay: after a kill anywhere the detectors know what they knew before,
// although points came late, sources were missing and closes were put off, and
// from then on everything is judged alike.
func TestReplay(t *testing.T) {
	rules := []string{
		`{"id":"des","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"double-exponential","train":"1m"}}`,
		`{"id":"low","expr":"name,sps,:eq,:sum,5,3,:rolling-mean","detector":{"kind":"static","below":150},"for":"3s"}`,
		`{"id":"slow","expr":"name,sps,:eq,:sum","step":"5s","grace":"3s","detector":{"kind":"exponential","train":"1m"}}`,
	}
	for seed := range runs(20) {
		random := rand.New(rand.NewPCG(seed, 3))
		plain, killed := newTapedRig(t, 1000), newTapedRig(t, 1000)
		both := []*rig{plain, killed}
		for _, r := range both {
			for _, rule := range rules {
				r.put(rule)
			}
		}
		for s := int64(1); s <= 300; s++ {
			late, missing, low, kill := random.IntN(7) == 0, random.IntN(11) == 0, s > 200 && s < 230, random.IntN(23) == 0
			a, b := 100+random.NormFloat64(), 100+random.NormFloat64()
			if low {
				a = 10
			}
			for _, r := range both {
				r.at(s*1000 - 300)
				r.send("a", p(a, "name", "sps", "region", "eu"))
				if !late && !missing {
					r.send("b", p(b, "name", "sps", "region", "us"))
				}
				r.to(s*1000 + 50)
				if late {
					r.at(s*1000 + 400)
					r.sendAt("b", epoch+s*1000, p(b, "name", "sps", "region", "us"))
				}
			}
			if kill {
				killed.recover()
			}
			if x, y := plain.engine.State(), killed.engine.State(); !bytes.Equal(x, y) {
				for i := range x {
					if x[i] != y[i] {
						t.Fatalf("seed %d, %d s, killed=%v: the detectors differ at %d of %d: %q", seed, s, kill, i, len(x), x[max(0, i-30):i+9])
					}
				}
				t.Fatalf("seed %d, %d s, killed=%v: the detectors differ", seed, s, kill)
			}
		}
		if x, y := briefly(plain.took()), briefly(killed.took()); x != y {
			t.Errorf("seed %d: uninterrupted it sent %s, with kills %s", seed, x, y)
		}
		_ = plain.engine.Close()
		_ = killed.engine.Close()
	}
}

func briefly(sent []notify.Notification) string {
	text := ""
	for _, n := range sent {
		text += fmt.Sprintf(" %s %s %d %s", n.Type, n.Rule, n.StartsAt, n.Incident)
	}
	return text
}

// TestMarkIsWhereItWasRead: a point that comes while a step closes, after it is decided that
// it closes, counts if it comes before the mark, live and after a restart.
func TestMarkIsWhereItWasRead(t *testing.T) {
	for _, expr := range []string{"name,sps,:eq,:sum", "name,sps,:eq,:sum,(,node,),:by", "name,sps,:eq,:max,5,3,:rolling-mean", "name,sps,:eq,:sum,3s,:offset"} {
		r := newTapedRig(t, 1000)
		for _, step := range []int{1, 5, 20} {
			r.put(fmt.Sprintf(`{"id":"s%d","expr":%q,"step":"%ds","detector":{"kind":"exponential","train":"1m"}}`, step, expr, step))
		}
		random := rand.New(rand.NewPCG(1, 2))
		for s := int64(1); s <= 200; s++ {
			r.tape.before = nil
			if random.IntN(3) == 0 {
				r.tape.before = func() {
					r.sendAt("a", r.now()-50, p(7, "name", "sps", "node", fmt.Sprint(random.IntN(20))))
				}
			}
			r.at(s*1000 - 300)
			r.send("a", p(100+float64(s%7), "name", "sps", "node", "0"))
			r.to(s*1000 + 50)
		}
		before := r.engine.State()
		if r.recover(); !bytes.Equal(before, r.engine.State()) {
			t.Errorf("%s: %s", expr, difference(before, r.engine.State()))
		}
	}
}

// TestCaughtUpInPieces: what late points can still change is caught up piece by piece, and
// each piece is, after a kill, what it was at its place among these points.
func TestCaughtUpInPieces(t *testing.T) {
	r := newTapedRig(t, 1000)
	r.watch = &costly{Manual: r.clock, each: 4 * time.Millisecond}
	r.start()
	r.engine.Resume(r.now())
	const nodes = 600
	send := func(s int64) {
		r.at(s*1000 - 300)
		points := make([]point, nodes)
		for node := range points {
			points[node] = p(float64(100+(s*int64(node))%13), "name", "sps", "node", fmt.Sprint(node))
		}
		r.send("a", points...)
	}
	for s := int64(1); s <= 150; s++ {
		send(s)
	}
	r.at(150_050)
	r.put(`{"id":"long","owner":"a","expr":"name,sps,:eq,:sum,(,node,),:by,5,3,:rolling-mean","detector":{"kind":"double-exponential","train":"20s"},"for":"2s"}`)
	r.put(`{"id":"short","owner":"b","expr":"name,sps,:eq,:sum,5,3,:rolling-mean","detector":{"kind":"static","below":1}}`)
	random := rand.New(rand.NewPCG(1, 2))
	late := func() {
		r.sendAt("a", r.now()-1000*random.Int64N(50), p(7, "name", "sps", "node", fmt.Sprint(random.IntN(nodes))))
	}
	r.tape.before = late
	pieces := 0
	for s := int64(151); s <= 153; s++ {
		send(s)
		for r.at(s*1000 + 50); r.engine.Advance(r.now()) <= r.now(); pieces++ {
			late()
		}
	}
	before := r.engine.State()
	if r.recover(); !bytes.Equal(before, r.engine.State()) {
		t.Error(difference(before, r.engine.State()))
	}
	if pieces < 3 {
		t.Errorf("%d pieces", pieces)
	}
}

// TestReplaySettles: verdicts of a step that was marked and whose changes were not
// stored when the process ended are settled by the restart, once, and what was stored
// is not sent again.
func TestReplaySettles(t *testing.T) {
	for _, stored := range []bool{false, true} {
		r := newTapedRig(t, 1000)
		r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
		for s := int64(1); s <= 10; s++ {
			r.at(s*1000 - 300)
			r.send("a", p(100, "name", "sps"))
			r.to(s*1000 + 50)
		}
		r.none()
		r.at(10_700)
		r.send("a", p(10, "name", "sps"))
		r.killed(11_050, stored)
		if stored {
			r.one(notify.TypeFiring)
		} else {
			r.none()
		}
		r.recover()
		if !stored {
			if n := r.one(notify.TypeFiring); n.StartsAt != epoch+11_000 || n.Value != 10 {
				t.Errorf("settled by the restart: %+v", n)
			}
		}
		for s := int64(12); s <= 15; s++ {
			r.at(s*1000 - 300)
			r.send("a", p(10, "name", "sps"))
			r.to(s*1000 + 50)
		}
		r.none()
		r.recover()
		r.none()
		r.at(15_700)
		r.send("a", p(100, "name", "sps"))
		r.killed(16_050, stored)
		r.recover()
		r.one(notify.TypeResolved)
	}
}

// TestReplayReplaced: the marks of a rule are none of the one that takes its
// place, with another detector or another expression, also when the process is
// killed before that has closed a step.
func TestReplayReplaced(t *testing.T) {
	rule := func(expr, detector string) string {
		return fmt.Sprintf(`{"id":"r","expr":"name,sps,:eq,:sum%s","detector":{%s},"for":"2s"}`, expr, detector)
	}
	rules := []string{
		rule(",(,region,),:by", `"kind":"double-exponential","train":"1m"`),
		rule(",(,region,),:by", `"kind":"exponential","train":"1m"`),
		rule(",(,region,),:by", `"kind":"static","below":50`),
		rule("", `"kind":"static","below":150`),
	}
	for seed := range runs(10) {
		random := rand.New(rand.NewPCG(seed, 3))
		plain, killed := newTapedRig(t, 1000), newTapedRig(t, 1000)
		both := []*rig{plain, killed}
		put := 0
		for s := int64(0); s <= 300; s++ {
			late, kill, next := random.IntN(7) == 0, random.IntN(9) == 0, random.IntN(len(rules))
			a, b := 100+random.NormFloat64(), 100+random.NormFloat64()
			if s%50 > 40 {
				a = 10
			}
			if put++; s == 0 || random.IntN(19) == 0 {
				put = 0
			}
			for _, r := range both {
				r.at(s*1000 - 300)
				r.send("a", p(a, "name", "sps", "region", "eu"))
				if !late {
					r.send("b", p(b, "name", "sps", "region", "us"))
				}
				r.to(s*1000 + 50)
				if late {
					r.at(s*1000 + 400)
					r.sendAt("b", epoch+s*1000, p(b, "name", "sps", "region", "us"))
				}
				if put == 0 {
					r.put(rules[next])
				}
			}
			if kill {
				killed.recover()
			}
			if put >= 3 && !bytes.Equal(plain.engine.State(), killed.engine.State()) {
				t.Fatalf("seed %d, %d s, %d s after it was put: the detectors differ", seed, s, put)
			}
		}
		if x, y := briefly(plain.took()), briefly(killed.took()); x != y {
			t.Errorf("seed %d: uninterrupted it sent %s, with kills %s", seed, x, y)
		}
		_ = plain.engine.Close()
		_ = killed.engine.Close()
	}
}

// TestReplayKeepsFor: a kill around any step of a pending alert, after the mark or
// after the transaction, pages when no kill would have.
func TestReplayKeepsFor(t *testing.T) {
	const began, wanted = 11, 15
	for at := int64(began); at < wanted; at++ {
		for _, stored := range []bool{false, true} {
			r := newTapedRig(t, 1000)
			r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50},"for":"4s"}`)
			for s := int64(1); s <= wanted; s++ {
				r.at(s*1000 - 300)
				value := 100.0
				if s >= began {
					value = 10
				}
				r.send("a", p(value, "name", "sps"))
				if s == at {
					r.killed(s*1000+50, stored)
					r.recover()
				} else {
					r.to(s*1000 + 50)
				}
				if s < wanted {
					r.none()
				}
			}
			if n := r.one(notify.TypeFiring); n.StartsAt != epoch+wanted*1000 {
				t.Errorf("killed at %d s, stored %v: starts at %d ms", at, stored, n.StartsAt-epoch)
			}
		}
	}
}

// TestReplayOfTurns: steps that were judged again, since the clock was set back,
// are judged again by the restart, also from a checkpoint before or after.
func TestReplayOfTurns(t *testing.T) {
	for _, checkpoint := range []int64{0, 90, 120} {
		r := newTapedRig(t, 1000)
		for _, rule := range []string{
			`{"id":"des","expr":"name,sps,:eq,:sum","detector":{"kind":"double-exponential","train":"1m"}}`,
			`{"id":"slow","expr":"name,sps,:eq,:sum","step":"30s","detector":{"kind":"exponential","train":"1m"}}`,
			`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50},"for":"3s"}`,
		} {
			r.put(rule)
		}
		for i := int64(1); i <= 150; i++ {
			s := i
			if i > 100 {
				s = i - 60 // from 41 on again
			}
			r.at(s*1000 - 300)
			r.send("a", p(100+float64(i%7), "name", "sps"))
			r.to(s*1000 + 50)
			if i == checkpoint {
				if err := r.engine.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
		}
		before := r.engine.State()
		r.recover()
		if !bytes.Equal(before, r.engine.State()) {
			t.Errorf("checkpoint at %d: the detectors differ", checkpoint)
		}
	}
}

// TestKillInsideGap: time without data counts neither before a kill nor after.
func TestKillInsideGap(t *testing.T) {
	for kill := int64(10); kill <= 18; kill++ {
		r := newTapedRig(t, 1000)
		r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50},"for":"4s"}`)
		for s := int64(1); s <= 22; s++ {
			r.at(s*1000 - 300)
			switch {
			case s <= 10:
				r.send("a", p(100, "name", "sps"))
			case s == 11 || s >= 15:
				r.send("a", p(10, "name", "sps"))
			}
			r.to(s*1000 + 50)
			r.to(s*1000 + 950) // the wait for who is silent is over
			if s == kill {
				r.recover()
			}
		}
		if n := r.one(notify.TypeFiring); n.StartsAt != epoch+18_000 {
			t.Errorf("killed after %d s: fires at %d s, want 18", kill, (n.StartsAt-epoch)/1000)
		}
	}
}

// TestCheckpointSparesReplay: what was marked before a checkpoint may be gone
// from the log.
func TestCheckpointSparesReplay(t *testing.T) {
	r := newTapedRig(t, 1000)
	r.put(`{"id":"des","expr":"name,sps,:eq,:sum","detector":{"kind":"double-exponential","train":"1m"}}`)
	for s := int64(1); s <= 200; s++ {
		r.at(s*1000 - 300)
		r.send("a", p(100+float64(s%7), "name", "sps"))
		r.to(s*1000 + 50)
		if s == 133 {
			if err := r.engine.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			kept := r.tape.events[:0]
			for _, x := range r.tape.events {
				if x.mark == nil {
					kept = append(kept, x)
				}
			}
			r.tape.events = kept
		}
	}
	before := r.engine.State()
	r.recover()
	if !bytes.Equal(before, r.engine.State()) {
		t.Error("the detectors differ")
	}
}

func FuzzReadMark(f *testing.F) {
	f.Add([]byte{2, 1, 2, 4, 0, 0, 1, 1, 2, 3, 4, 0})
	f.Add([]byte{2, 2, 2, 4, 3, 1, 0, 0})
	f.Add([]byte{2, 3, 2, 4, 0, 0, 0, 0, 6})
	f.Fuzz(func(t *testing.T, src []byte) {
		written, err := detect.ReadMark(src)
		if err != nil {
			return
		}
		again, err := detect.ReadMark(written)
		if err != nil || !bytes.Equal(again, written) {
			t.Errorf("%x is read as %x, and that as %x, %v", src, written, again, err)
		}
	})
}

// TestReplayOfPortions: when very many alerts begin or end at once, they are stored and
// sent in portions. A kill between any two of them pages for every group once.
func TestReplayOfPortions(t *testing.T) {
	const groups = 1300
	var nodes []int
	for n := range groups {
		nodes = append(nodes, n)
	}
	all := func(v float64) func(int) float64 { return func(int) float64 { return v } }
	for kill := 1; kill <= 4; kill++ {
		r := newTapedRig(t, 1000)
		r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
		r.put(`{"id":"other","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
		for s := int64(1); s <= 5; s++ {
			r.at(s*1000 - 300)
			r.fleet(nodes, all(100))
			r.to(s*1000 + 50)
		}
		r.none()
		stored := 0
		r.engine.Portion(512)
		r.engine.OnCommit(func() {
			if stored++; stored == kill {
				panic(errKilled)
			}
		})
		r.at(5_700)
		r.fleet(nodes, all(0.01))
		r.dies(func() { r.to(6_050) })
		r.recover()
		r.to(6_060) // a rule that was not judged before still has time
		fired := map[string]int{}
		for _, n := range r.took() {
			if n.Type != notify.TypeFiring || n.StartsAt != epoch+6000 {
				t.Fatalf("kill %d: %+v", kill, n)
			}
			fired[n.Incident]++
		}
		for id, n := range fired {
			if n != 1 {
				t.Errorf("kill %d: incident %s %d times", kill, id, n)
			}
		}
		if len(fired) != groups+1 {
			t.Errorf("kill %d: %d of %d fired", kill, len(fired), groups+1)
		}
		for s := int64(7); s <= 8; s++ {
			r.at(s*1000 - 300)
			r.fleet(nodes, all(0.01))
			r.to(s*1000 + 50)
		}
		r.none()
	}
}
