package detect_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"pulse/store"
	"pulse/store/tags"
)

// fleet sends a value for each of some nodes, of another size each.
func (r *rig) fleet(nodes []int, value func(node int) float64) {
	r.t.Helper()
	r.batch.Reset()
	r.batch.Source, r.batch.Arrival = r.store.Source("a", r.now()), r.now()
	points := make([]point, 0, len(nodes))
	for _, n := range nodes {
		v := value(n)
		ts := tags.Of("name", "sps", "atlas.dstype", "gauge", "node", fmt.Sprintf("n-%03d", n))
		points = append(points, point{ts, v})
		ref, err := r.store.Resolve(r.store.HashTags(store.Hash{}, ts.AppendKey(nil)), 0, ts, r.now())
		if err != nil {
			r.t.Fatal(err)
		}
		r.batch.Add(ref, r.now(), v)
	}
	r.store.Append(&r.batch, r.now())
	if r.tape != nil {
		r.tape.events = append(r.tape.events, event{source: "a", at: r.now(), now: r.now(), points: points})
	}
}

// TestFirstStateIsLarge: the first state of a rule with very much of it is not stored
// in one go, since others wait for their pages meanwhile; all of it is in the end.
func TestFirstStateIsLarge(t *testing.T) {
	const groups, most = 8_000, 14 << 20
	r := newTapedRig(t, 10_000)
	points := make([]point, groups)
	for i := range points {
		points[i] = p(100, "name", "sps", "node", fmt.Sprintf("%01800d", i))
	}
	r.at(9_700)
	r.send("a", points...)
	r.at(10_100)
	r.put(`{"id":"wide","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"double-exponential"}}`)
	r.at(19_700)
	r.send("a", points...)
	r.at(30_050)
	r.engine.Advance(r.now())
	s := r.engine.Stats()
	if s.Closed != 1 || s.Groups != groups || s.SavedBytes == 0 || s.SavedBytes > most {
		t.Fatalf("at once %d bytes, want at most %d: %+v", s.SavedBytes, most, s)
	}
	for last := int64(0); s.SavedBytes > last; s = r.engine.Stats() {
		last = s.SavedBytes
		r.at(r.now() - epoch + 2)
		r.engine.Advance(r.now())
	}
	if s.SavedBytes <= most {
		t.Errorf("%d bytes in all: too few to tell", s.SavedBytes)
	}
	want := r.engine.State()
	r.tape.events = r.tape.events[:0]
	r.recover()
	if !bytes.Equal(want, r.engine.State()) {
		t.Error("the detectors differ after a restart")
	}
}

// TestSavedStates: a rule of many groups is stored in parts, whole at first and then
// as differences; a restart from what is stored, with or without the marks after it,
// changes no state, whatever groups come and go.
func TestSavedStates(t *testing.T) {
	const step = 60_000
	r := newTapedRig(t, step)
	r.put(`{"id":"auto","expr":"name,sps,:eq,:sum,(,node,),:by,4,:rolling-max","detector":{"kind":"auto"}}`)
	r.put(`{"id":"plain","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"double-exponential"}}`)
	var wrote []int64
	before := int64(0)
	for i := int64(1); i <= 1900; i++ {
		r.at(i*step - 300)
		var nodes []int
		for n := range 300 {
			if n%10 != 3 || i < 200 { // a tenth is gone, for more than a day in the end
				nodes = append(nodes, n)
			}
		}
		if i > 500 {
			nodes = append(nodes, 400, 401)
		}
		r.fleet(nodes, func(n int) float64 {
			return math.Round(1000 + float64(n)*math.Sin(float64(i)/200) + float64((i*int64(n+7))%23))
		})
		r.to(i*step + 50)
		if i%317 == 0 || i == 1899 {
			if err := r.engine.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			now := r.engine.Stats().SavedBytes
			wrote = append(wrote, now-before)
			before = now
		}
		if i%317 == 100 || i == 634 || i == 1900 {
			want := r.engine.State()
			r.tape.events = r.tape.events[max(0, len(r.tape.events)-2500):]
			r.recover()
			if !bytes.Equal(want, r.engine.State()) {
				t.Fatalf("step %d: the detectors differ after a restart", i)
			}
			before = 0
		}
	}
	if got := r.engine.Stats().Groups; got != 2*272 {
		t.Errorf("%d groups, want those that are not gone", got)
	}
	t.Log(wrote)
}
