package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"reflect"
	"testing"
	"time"
)

// changesAnswer is what has changed in the list of alerts.
type changesAnswer struct {
	Revision string
	Complete bool
	Alerts   []map[string]any
	Gone     []string
}

// follower keeps the list of alerts by what has changed in it.
type follower struct {
	revision string
	list     map[string]map[string]any // by incident
	bytes    int                       // of the last answer
	complete bool                      // the last answer had all
}

func (f *follower) poll(r *rig) {
	r.t.Helper()
	a := r.get("/api/v1/alerts/changes?since=" + url.QueryEscape(f.revision))
	got := decode[changesAnswer](r.t, a)
	if f.bytes, f.complete = len(a.body), got.Complete; got.Complete {
		f.list = map[string]map[string]any{}
	}
	for _, x := range got.Alerts {
		f.list[x["incident"].(string)] = x
	}
	for _, incident := range got.Gone {
		delete(f.list, incident)
	}
	f.revision = got.Revision
}

// figures are the members that are others with every step.
var figures = []string{"value", "expected", "lower", "upper", "score", "evaluatedAt", "dataAgeMs", "completeness"}

// listed returns the list of alerts by incident, and its bytes.
func (r *rig) listed() (map[string]map[string]any, int) {
	r.t.Helper()
	a := r.get("/api/v1/alerts")
	out := map[string]map[string]any{}
	for _, x := range decode[[]map[string]any](r.t, a) {
		out[x["incident"].(string)] = x
	}
	return out, len(a.body)
}

func without(list map[string]map[string]any, names []string) map[string]map[string]any {
	out := map[string]map[string]any{}
	for incident, a := range list {
		out[incident] = maps.Clone(a)
		for _, name := range names {
			delete(out[incident], name)
		}
	}
	return out
}

// crowdOfAlerts is a server with a rule over so many nodes; step publishes a value for
// each, of which those under 50 are out, and judges them.
func crowdOfAlerts(t testing.TB, nodes int) (r *rig, step func(value func(node int) float64)) {
	r = newRig(t, settings{})
	r.putRule("low", `{"expr":"name,sps,:eq,:sum,(,node,),:by","for":"1s","annotations":{"summary":"node {{.Tags.node}} is low"},"detector":{"kind":"static","below":50}}`)
	t0 := int64(epoch)
	return r, func(value func(node int) float64) {
		t0 += 1000
		r.move(time.Duration(t0-r.now()) * time.Millisecond)
		points := make([]string, nodes)
		for n := range nodes {
			points[n] = point(t0, value(n), "gauge", "sps", "node", fmt.Sprint("n", n))
		}
		r.publish(points...)
		r.move(500 * time.Millisecond)
		t0 = max(t0, r.now()/1000*1000)
	}
}

// TestAlertChanges: who asks for what has changed knows the list of alerts at any time,
// also when it asked last long ago.
func TestAlertChanges(t *testing.T) {
	for _, nodes := range []int{30, 300} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			r, step := crowdOfAlerts(t, nodes)
			often, seldom, random := &follower{}, &follower{}, rand.New(rand.NewPCG(1, 2))
			out := make([]bool, nodes)
			states := map[any]int{}
			for i := range 12 {
				for n := range out {
					if random.Float64() < 0.1 {
						out[n] = !out[n]
					}
					out[n] = out[n] || i == 5 // all of them
				}
				step(func(n int) float64 {
					if out[n] {
						return 10 + float64(i)
					}
					return 100 + float64(i)
				})
				if i == 7 {
					r.silence(`node=~"n1.*"`)
				}
				want, _ := r.listed()
				for _, f := range []*follower{often, seldom} {
					if f == seldom && i%4 != 0 {
						continue
					}
					f.poll(r)
					for _, a := range want {
						states[a["state"]]++
					}
					if got, want := without(f.list, figures), without(want, figures); !reflect.DeepEqual(got, want) {
						t.Fatalf("step %d: %d alerts are known, %d listed", i, len(got), len(want))
					}
					if stale := staleOf(f.list, want); len(want) < 100 && len(stale) > 0 {
						t.Fatalf("step %d: figures of %v are not those of the list", i, stale)
					}
					if first := f == seldom && i == 0 || f == often && i == 0; f.complete != first {
						t.Errorf("step %d: all alerts were sent: %v", i, f.complete)
					}
				}
			}
			if states["firing"] == 0 || states["pending"] == 0 || states["resolved"] == 0 {
				t.Errorf("states %v: not all were seen", states)
			}
			for _, revision := range []string{"x", "1-2", often.revision + "0", "-5"} {
				f := &follower{revision: revision}
				if f.poll(r); !f.complete || len(f.list) != len(often.list) {
					t.Errorf("since %s: %d of %d alerts, all: %v", revision, len(f.list), len(often.list), f.complete)
				}
			}
		})
	}
}

// staleOf returns the incidents whose figures are not those that are listed.
func staleOf(list, want map[string]map[string]any) (out []string) {
	for incident, a := range want {
		if !reflect.DeepEqual(list[incident], a) {
			out = append(out, incident)
		}
	}
	return out
}

// TestAlertChangesAreFew: while many alerts go on, an answer has the figures of the newest
// alone; one that changes is in the next.
func TestAlertChangesAreFew(t *testing.T) {
	const crowd = 3000
	r, step := crowdOfAlerts(t, crowd)
	for i := range 4 {
		step(func(int) float64 { return float64(i) })
	}
	f := &follower{}
	f.poll(r)
	all, size := r.listed()
	if len(all) != crowd || len(f.list) != crowd {
		t.Fatalf("%d alerts are listed, %d known", len(all), len(f.list))
	}
	for i := range 3 {
		step(func(int) float64 { return float64(10 + i) })
		f.poll(r)
		if now, _ := r.listed(); f.complete || f.bytes*20 > size || len(staleOf(f.list, now)) != crowd-100 {
			t.Errorf("%d bytes of %d were sent, %d of %d are not of the newest step", f.bytes, size, len(staleOf(f.list, now)), crowd)
		}
	}
	step(func(n int) float64 { return map[bool]float64{true: 100, false: 20}[n == 7] })
	step(func(n int) float64 { return map[bool]float64{true: 100, false: 20}[n == 7] })
	resolved := 0
	f.poll(r)
	for _, a := range f.list {
		if a["state"] == "resolved" {
			resolved++
		}
	}
	if resolved != 1 || f.complete || f.bytes*20 > size {
		text, _ := json.Marshal(f.list)
		t.Errorf("%d bytes, %d are over: %.300s", f.bytes, resolved, text)
	}
}

// BenchmarkPollOfAlerts is a poll while 10,000 alerts go on: of the whole list, and of
// what has changed.
func BenchmarkPollOfAlerts(b *testing.B) {
	r, step := crowdOfAlerts(b, 10_000)
	for i := range 3 {
		step(func(int) float64 { return float64(i) })
	}
	f := &follower{}
	f.poll(r)
	for what, path := range map[string]string{"list": "/api/v1/alerts", "changes": "/api/v1/alerts/changes?since=" + f.revision} {
		b.Run(what, func(b *testing.B) {
			size := 0
			for b.Loop() {
				size = len(r.get(path).body)
			}
			b.ReportMetric(float64(size), "bytes/poll")
		})
	}
}
