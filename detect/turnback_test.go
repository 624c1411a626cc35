package detect_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
)

// TestClockBackInPortions: the clock is set back, the state of a large rule is stored part by
// part, and the process ends at any time in between: nothing of what is known is lost.
func TestClockBackInPortions(t *testing.T) {
	for seed := range runs(2) {
		random := rand.New(rand.NewPCG(seed, 2))
		plain, killed := newTapedRig(t, 1000), newTapedRig(t, 1000)
		both := []*rig{plain, killed}
		for _, r := range both {
			r.put(`{"id":"wide","expr":"name,sps,:eq,:sum,(,node,),:by,3,:rolling-max","detector":{"kind":"exponential","train":"9s"},"for":"2s","keep":"5s","absence_after":"7s"}`)
			r.put(`{"id":"slow","expr":"name,sps,:eq,:sum,(,node,),:by","step":"5s","detector":{"kind":"static","below":50},"for":"10s","no_data":"alert"}`)
		}
		s, kills := int64(100), 0
		for i := range 75 {
			if s++; i%25 == 24 {
				s -= 5 + random.Int64N(25)
			}
			nodes := make([]int, 0, 700)
			for n := range 300 + i {
				if n%7 != (i/20)%7 {
					nodes = append(nodes, n)
				}
			}
			kill := i > 10 && random.IntN(6) == 0
			for _, r := range both {
				r.to(s*1000 - 300) // the clock that is set back is noticed
				r.fleet(nodes, func(n int) float64 {
					if n%97 == i/10 {
						return 10
					}
					return float64(100 + (n*i)%7)
				})
				r.to(s*1000 + 50)
			}
			killed.engine.SavePortions(1)
			killed.engine.SaveBegin()
			if i%11 < 6 { // or it is stored only now and then
				if _, err := killed.engine.SavePortion(); err != nil {
					t.Fatal(err)
				}
			}
			if kill {
				killed.recover()
				killed.to(s*1000 + 60) // it notices the clock as the other has
				kills++
			}
			if x, y := plain.engine.State(), killed.engine.State(); !bytes.Equal(x, y) {
				t.Fatalf("seed %d, %d, at %d s, killed %v: %s", seed, i, s, kill, difference(x, y))
			}
		}
		if x, y := texts(plain.took()), texts(killed.took()); !slices.Equal(x, y) {
			t.Errorf("seed %d: %s", seed, firstDifference(x, y))
		}
		if kills == 0 {
			t.Errorf("seed %d: no kills", seed)
		}
		_ = plain.engine.Close()
		_ = killed.engine.Close()
	}
}

// TestRestartTwice: the time that the server was down is taken off the clocks of alerts
// once, however often it is started before it judges a step again.
func TestRestartTwice(t *testing.T) {
	for _, taped := range []bool{false, true} {
		for _, clean := range []bool{false, true} {
			r := newRig(t, 10_000)
			if taped {
				r = newTapedRig(t, 10_000)
			}
			r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"for":"30s","keep":"20s"}`)
			send := func(s int64, eu, us float64) {
				r.at(s*1000 - 300)
				r.send("a", p(eu, "name", "sps", "region", "eu"), p(us, "name", "sps", "region", "us"))
				r.to(s*1000 + 50)
			}
			for s := int64(10); s <= 130; s += 10 {
				send(s, 10, 100)
			}
			send(140, 10, 10)
			r.one(notify.TypeFiring) // eu fires, us is pending
			for _, s := range []int64{600, 605, 611, 619} {
				r.at(s * 1000)
				if clean {
					if err := r.engine.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if taped {
					r.recover()
				} else {
					r.newStore()
					r.start()
				}
			}
			r.none()
			at := int64(630)
			if !taped {
				at = 640 // the first two steps are not whole
			}
			for s := int64(620); s < at; s += 10 {
				send(s, 10, 10)
			}
			for s := at; s <= 720; s += 10 {
				send(s, 100, 10)
			}
			got := map[string]int64{}
			for _, n := range r.took() {
				got[n.Type+" "+n.Tags["region"]] = (max(n.StartsAt, n.EndsAt) - epoch) / 1000
			}
			fires, resolves := got[notify.TypeFiring+" us"], got[notify.TypeResolved+" eu"]
			if fires < at || fires > at+20 || resolves < at || resolves > at+20 || len(got) != 2 {
				t.Errorf("marks %v, clean %v: %s", taped, clean, fmt.Sprint(got))
			}
		}
	}
}

// TestNewDetectorAfterAPause: the time that the server was down is taken off the clocks of
// alerts, too, when their rule gets another detector before it judges a step again.
func TestNewDetectorAfterAPause(t *testing.T) {
	const rule = `{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":%d},"for":"50s"}`
	fires := func(taped bool, detector int) int64 {
		r := newRig(t, 10_000)
		if taped {
			r = newTapedRig(t, 10_000)
		}
		r.put(fmt.Sprintf(rule, 50))
		send := func(s int64) {
			r.at(s*1000 - 300)
			r.send("a", p(10, "name", "sps"))
			r.to(s*1000 + 50)
		}
		for s := int64(130); s <= 150; s += 10 {
			send(s)
		}
		r.at(600_000)
		if taped {
			r.recover()
		} else {
			r.newStore()
			r.start()
		}
		r.put(fmt.Sprintf(rule, detector))
		for s := int64(610); s <= 700; s += 10 {
			send(s)
		}
		return (r.one(notify.TypeFiring).StartsAt - epoch) / 1000
	}
	for _, taped := range []bool{false, true} {
		if same, other := fires(taped, 50), fires(taped, 51); same != other {
			t.Errorf("marks %v: it fires at %d s, with another detector at %d s", taped, same, other)
		}
	}
}

// TestTurnsOfIncidents: that the clock was set back is known from the incidents, too, when
// nothing else knows of it any more: an alert's record is not taken for newer than its state
// at every start from then on.
func TestTurnsOfIncidents(t *testing.T) {
	resolves := func(restart bool) int64 {
		r := newTapedRig(t, 10_000)
		r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50},"keep":"90s"}`)
		send := func(s int64, v float64) {
			r.at(s*1000 - 300)
			r.send("a", p(v, "name", "sps"))
			r.to(s*1000 + 50)
		}
		for s := int64(200); s <= 260; s += 10 {
			send(s, 100)
		}
		r.to(150_000) // the clock is set back
		for s := int64(160); s <= 200; s += 10 {
			send(s, 10)
		}
		r.one(notify.TypeFiring)
		err := r.db.Update(func(tx *bbolt.Tx) error {
			root := tx.Bucket([]byte("detect"))
			for _, key := range []string{"checkpoints", "states"} {
				if err := root.DeleteBucket([]byte(key)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r.tape.events = slices.DeleteFunc(r.tape.events, func(e event) bool { return e.mark != nil })
		r.recover()
		send(210, 10)
		for s := int64(220); s <= 350; s += 10 {
			if s == 240 && restart {
				r.recover()
			}
			send(s, 100)
		}
		return (r.one(notify.TypeResolved).EndsAt - epoch) / 1000
	}
	if plain, restarted := resolves(false), resolves(true); plain != restarted {
		t.Errorf("it ends at %d s, after a restart at %d s", plain, restarted)
	}
}
