package detect_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pulse/bench/testkit"
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
		ref, err := r.store.Resolve(r.store.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, r.now())
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
	groups := 300
	if testkit.Race {
		groups = 40 // one part each
	}
	r := newTapedRig(t, step)
	r.put(`{"id":"auto","expr":"name,sps,:eq,:sum,(,node,),:by,4,:rolling-max","detector":{"kind":"auto"}}`)
	r.put(`{"id":"plain","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"double-exponential"}}`)
	var wrote []int64
	before := int64(0)
	for i := int64(1); i <= 1900; i++ {
		r.at(i*step - 300)
		var nodes []int
		for n := range groups {
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
	if got := r.engine.Stats().Groups; got != 2*(groups-groups/10+2) {
		t.Errorf("%d groups, want those that are not gone", got)
	}
	t.Log(wrote)
}

// TestSavedInPortions: rules go on while the state of one with very many groups is stored
// part by part; whenever the process ends in between, nothing is lost, whatever points come
// late, and groups and alerts come and go.
func TestSavedInPortions(t *testing.T) {
	runs := uint64(2)
	if testing.Short() {
		runs = 1
	}
	for seed := range runs {
		random := rand.New(rand.NewPCG(seed, 1))
		plain, killed := newTapedRig(t, 1000), newTapedRig(t, 1000)
		both := []*rig{plain, killed}
		for _, r := range both {
			r.put(`{"id":"wide","expr":"name,sps,:eq,:sum,(,node,),:by,3,:rolling-max","detector":{"kind":"exponential","train":"20s"},"for":"2s","keep":"5s","absence_after":"7s"}`)
			r.put(`{"id":"zero","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"for":"3s","no_data":"alert"}`)
		}
		portions := 0
		for s := int64(1); s <= 80; s++ {
			var nodes []int
			for n := range int(400 + 3*s) {
				if n%7 != int(s/20)%7 {
					nodes = append(nodes, n)
				}
			}
			low, late, kill := random.IntN(900), random.IntN(4) == 0, random.IntN(12) == 0
			for _, r := range both {
				r.at(s*1000 - 300)
				r.fleet(nodes, func(n int) float64 {
					if n%900 == low || n%97 == int(s/10) {
						return 10
					}
					return float64(100 + (n*int(s))%7)
				})
				r.to(s*1000 + 50)
				if late {
					r.at(s*1000 + 400)
					r.fleet(nodes[:20], func(n int) float64 { return 300 })
				}
			}
			if s%10 == 0 {
				killed.engine.SavePortions(1)
				killed.engine.SaveBegin()
			}
			if more, err := killed.engine.SavePortion(); err != nil {
				t.Fatal(err)
			} else if more {
				portions++
			}
			if kill {
				killed.recover()
			}
			if x, y := plain.engine.State(), killed.engine.State(); !bytes.Equal(x, y) {
				t.Fatalf("seed %d, %d s, killed %v: %s", seed, s, kill, difference(x, y))
			}
		}
		if x, y := texts(plain.took()), texts(killed.took()); !slices.Equal(x, y) {
			t.Errorf("seed %d: %s", seed, firstDifference(x, y))
		}
		if portions < 10 {
			t.Errorf("seed %d: %d portions", seed, portions)
		}
		_ = plain.engine.Close()
		_ = killed.engine.Close()
	}
}

// TestDifferencesStaySmall: what is written of a detector between two whole states is
// about a kilobyte per group and 120 steps at most, until the end of the day, but where a
// choice is made anew; a restart from a row of differences changes no state.
func TestDifferencesStaySmall(t *testing.T) {
	if testkit.Race {
		t.Skip("there is one goroutine")
	}
	const step, groups, every = 10_000, 10, 120
	r := newTapedRig(t, step)
	r.put(`{"id":"auto","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"auto"}}`)
	random := rand.New(rand.NewPCG(1, 1))
	nodes := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	before, long, whole := int64(0), 0, 0
	for i := int64(1); i <= 2*8640; i++ {
		r.at(i*step - 300)
		day := 1000 + 600*math.Sin(float64(i)/8640*2*math.Pi)
		r.fleet(nodes, func(int) float64 { return math.Round(day + math.Sqrt(day)*random.NormFloat64()) })
		r.to(i*step + 50)
		if i%every != 0 {
			continue
		}
		now := r.engine.Stats().SavedBytes // stored at every 120th step
		wrote := (now - before) / groups
		if before = now; wrote > 5_000 {
			whole++
		} else if wrote > 1_050 { // with the head
			long++
		}
		r.tape.events = r.tape.events[max(0, len(r.tape.events)-2*every):]
	}
	if whole == 0 || whole > 3 || long > 2 || before < 50_000*groups {
		t.Errorf("%d whole states and %d long differences in two days, %d bytes in all", whole, long, before)
	}
	want := r.engine.State()
	r.recover()
	if !bytes.Equal(want, r.engine.State()) {
		t.Error("the detectors differ after a restart")
	}
}
