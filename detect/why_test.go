package detect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/store/tags"
)

const falling = `{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"double-exponential","hold":"40s"},"for":"20s",
 "annotations":{"summary":"{{.Cause}}: {{.Why}}"}}`

// explain works off everything that waits to be explained.
func (r *rig) explain() {
	for r.engine.Explain(context.Background()) {
	}
}

func (r *rig) why(id string) *detect.Why {
	r.t.Helper()
	a, err := r.engine.AlertByID(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	if a.Why == nil {
		r.t.Fatalf("alert %s has no why", id)
	}
	return a.Why
}

// starts feeds the steps after one second up to another: region eu has two
// devices, of which tv falls by nine tenths from 2000 s to 2400 s, region us one.
func (r *rig) starts(after, upTo int64) {
	for s := after + 10; s <= upTo; s += 10 {
		r.at(s*1000 - 500)
		tv := 600 + float64(s*7919%50)
		if s > 2000 && s < 2400 {
			tv = 60
		}
		r.send("a",
			p(tv, "name", "sps", "region", "eu", "device", "tv", "node", "1"), p(300, "name", "sps", "region", "eu", "device", "phone", "node", "2"),
			p(1000+float64(s*6151%70), "name", "sps", "region", "us", "device", "tv", "node", "3"))
		r.to(s*1000 + 100)
	}
}

func kinds(w *detect.Why) string {
	var out []string
	for _, d := range w.Decisions {
		out = append(out, fmt.Sprintf("%s@%d", d.Kind, (d.T-epoch)/1000))
	}
	return strings.Join(out, " ")
}

func factOf(t *testing.T, w *detect.Why, s *detect.JudgedStep, name string) float64 {
	t.Helper()
	at := slices.Index(w.Facts, name)
	if at < 0 || len(s.Facts) != len(w.Facts) {
		t.Fatalf("step %d has no fact %q: %v of %v", (s.T-epoch)/1000, name, s.Facts, w.Facts)
	}
	return float64(s.Facts[at])
}

// TestWhy follows an alert through its life: each decision is there with what it
// was made on, the steps around it are those of the live rule, and all of it is
// the same after a restart and when the data is gone.
func TestWhy(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(falling)
	r.starts(0, 2060)
	n := r.one(notify.TypeFiring)
	words := regexp.MustCompile(`^drop: 6[01] % below what was expected for .*: 360, expected 9\d\d.* from the last 3\d minutes; completeness 1/1; all of the change is device=tv$`)
	if n.Cause != "drop" || !words.MatchString(n.Annotations["summary"]) {
		t.Errorf("firing: cause %q, summary %q", n.Cause, n.Annotations["summary"])
	}
	if len(n.Contributors) != 1 || n.Contributors[0].Tags["device"] != "tv" {
		t.Errorf("contributors %+v", n.Contributors)
	}
	band := r.band("low", 1700, 2060, "eu")
	r.explain()
	w := r.why(n.Incident)
	began, beginning := w.Decisions[0].T, kinds(w)
	if want := fmt.Sprintf("pending@%d firing@%d", (n.StartsAt-epoch)/1000-20, (n.StartsAt-epoch)/1000); beginning != want {
		t.Errorf("decisions %s, want %s", beginning, want)
	}
	fired := &w.Decisions[len(w.Decisions)-1]
	if fired.For == nil || *fired.For != (detect.Wait{Needs: 20_000, Passed: 20_000}) || fired.Reported != 1 || fired.Sources != 1 || !fired.Out || fired.Cause != "drop" ||
		float64(fired.Value) != 360 || factOf(t, w, &fired.JudgedStep, "threshold") != 0.999 || factOf(t, w, &fired.JudgedStep, "hold") != 4 {
		t.Errorf("firing decided on %+v of %v", fired, w.Facts)
	}
	r.starts(2060, 2600)
	if m := r.one(notify.TypeResolved); m.Cause != "drop" {
		t.Errorf("resolved: cause %q", m.Cause)
	}
	r.explain()
	w = r.why(n.Incident)
	if got := kinds(w); !strings.HasPrefix(got, beginning+" resolved@24") || !strings.Contains(w.Text, "; over after ") {
		t.Errorf("decisions %s, %q", got, w.Text)
	}
	if first, last := w.Steps[0].T, w.Steps[len(w.Steps)-1].T; first != began-300_000 || last != w.Decisions[2].T || len(w.Steps) > 128 {
		t.Errorf("%d steps from %d s to %d s", len(w.Steps), (first-epoch)/1000, (last-epoch)/1000)
	}
	for i := range w.Steps {
		s := &w.Steps[i]
		at := slices.IndexFunc(band, func(row detect.BandRow) bool { return row.T == s.T })
		if at >= 0 && (float64(s.Expected) != band[at].Expected || float64(s.Value) != band[at].Value || float64(s.Score) != band[at].Score) {
			t.Errorf("step %d s: %+v, in the band %+v", (s.T-epoch)/1000, s, band[at])
		}
		live := s.T >= began && s.T <= n.StartsAt+300_000 || s.T == w.Decisions[2].T
		if live == s.Again {
			t.Errorf("step %d s: judged again is %v", (s.T-epoch)/1000, s.Again)
		}
		factOf(t, w, s, "level")
	}
	want := text(t, w)
	r.restart(true) // over an empty store
	if got := text(t, r.why(n.Incident)); got != want {
		t.Errorf("after a restart\n%s\nbefore\n%s", got, want)
	}
	if err := r.engine.DeleteRule("low", r.now()); err != nil {
		t.Fatal(err)
	}
	if got := r.why(n.Incident); len(got.Steps) != len(w.Steps) || kinds(got) != kinds(w) {
		t.Errorf("without its rule: %s and %d steps", kinds(got), len(got.Steps))
	}
}

// whysStored returns of how many alerts it is stored what they were decided on.
func (r *rig) whysStored() (n int) {
	err := r.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("detect")).Bucket([]byte("whys")).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func text(t *testing.T, w *detect.Why) string {
	t.Helper()
	body, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// band returns the rows of one region.
func (r *rig) band(id string, from, to int64, region string) []detect.BandRow {
	r.t.Helper()
	groups, err := r.engine.Band(context.Background(), id, epoch+from*1000, epoch+to*1000, tags.Of("region", region))
	if err != nil || len(groups) != 1 {
		r.t.Fatalf("band: %v, %d groups", err, len(groups))
	}
	return groups[0].Rows
}

// TestWhyKilled: what was not stored when the process died is judged again from
// what the store has.
func TestWhyKilled(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(falling)
	r.starts(0, 2100)
	id := r.one(notify.TypeFiring).Incident
	r.start() // a new engine over the same store and database
	r.starts(2100, 2200)
	w := r.why(id)
	if len(w.Steps) < 40 || len(w.Decisions) != 1 || w.Decisions[0].Kind != "firing" || w.Note == "" || !strings.Contains(w.Text, " % below what was expected") {
		t.Errorf("%d steps, %s, note %q, %q", len(w.Steps), kinds(w), w.Note, w.Text)
	}
}

// TestWhyPutOff: a decision that waited for a source says so.
func TestWhyPutOff(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":150}}`)
	for s := int64(10); s <= 200; s += 10 {
		r.at(s*1000 - 500)
		r.send("a", p(100, "name", "sps", "node", "a"))
		if s < 200 {
			r.send("b", p(100, "name", "sps", "node", "b"))
		}
		for _, late := range []int64{100, 10_100, 20_100} {
			if s == 200 || late == 100 {
				r.to(s*1000 + late)
			}
		}
	}
	w := r.why(r.one(notify.TypeFiring).Incident)
	d := w.Decisions[0]
	if d.PutOff == nil || d.PutOff.T != epoch+200_000 || d.PutOff.Reported != 1 || d.PutOff.Sources != 2 || d.Reported != 1 || d.Sources != 2 {
		t.Fatalf("decision %+v, put off %+v", d, d.PutOff)
	}
	for _, part := range []string{"100 is below the limit of 150; completeness", "completeness 1/2, without ", "judged only after waiting for "} {
		if !strings.Contains(w.Text, part) {
			t.Errorf("%q lacks %q", w.Text, part)
		}
	}
	if g, err := r.engine.Groups("low", nil, 0); err != nil || g.PutOff == nil || g.PutOff.T < d.T || g.Sources != 2 {
		t.Errorf("groups: %v %+v", err, g)
	}
}

// TestWhyNoData: the no-data alert is explained too.
func TestWhyNoData(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
	for s := int64(10); s <= 100; s += 10 {
		r.at(s*1000 - 500)
		r.send("a", p(100, "name", "sps"))
		r.to(s*1000 + 100)
	}
	for s := int64(110); s <= 200; s += 10 {
		r.to(s*1000 + 10_000)
	}
	n := r.one(notify.TypeNoData)
	w := r.why(n.Incident)
	if n.Cause != "missing" || len(w.Decisions) != 1 || w.Decisions[0].Absent == nil || w.Decisions[0].Absent.Passed < 60_000 || !strings.HasPrefix(w.Text, "no data for 1 min") {
		t.Errorf("cause %q, %+v, %q", n.Cause, w.Decisions, w.Text)
	}
}

// TestWhyOfMany: when more alerts begin in one step than what is kept, all of
// them are sent in that step, the others are counted, and say so.
func TestWhyOfMany(t *testing.T) {
	const groups, kept = 3_000, 1_000
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
	for s := int64(10); s <= 60; s += 10 {
		r.at(s*1000 - 500)
		var points []point
		for i := range groups {
			v := 100.0
			if s == 60 {
				v = 10
			}
			points = append(points, p(v, "name", "sps", "node", fmt.Sprint(i)))
		}
		r.send("a", points...)
		r.to(s*1000 + 100)
	}
	sent := r.took()
	if len(sent) != groups || r.engine.Stats().Unexplained != 2*(groups-kept) {
		t.Fatalf("%d sent, %d decisions unexplained", len(sent), r.engine.Stats().Unexplained)
	}
	r.explain()
	noted := 0
	for _, n := range sent[kept-20 : kept+10] {
		w := r.why(n.Incident)
		if w.Note != "" {
			noted++
		}
		if len(w.Steps) < 5 || !strings.HasPrefix(w.Text, "10 is below the limit of 50") {
			t.Fatalf("%v: %q, %d steps", n.Tags, w.Text, len(w.Steps))
		}
	}
	if noted != 10 {
		t.Errorf("%d of 30 say that not everything was kept, want 10", noted)
	}
}

// TestWhyForgotten: a pending alert that ends without a page leaves nothing, not
// even when it was stored meanwhile.
func TestWhyForgotten(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50},"for":"10m"}`)
	for s := int64(10); s <= 600; s += 10 {
		r.at(s*1000 - 500)
		v := 100.0
		if s > 70 && s <= 500 {
			v = 10
		}
		r.send("a", p(v, "name", "sps"))
		r.to(s*1000 + 100)
		r.explain()
		want := 0
		if s >= 380 && s <= 500 { // 30 steps after its beginning
			want = 1
		}
		if n := r.whysStored(); n != want {
			t.Fatalf("at %d s: %d stored, want %d", s, n, want)
		}
	}
}

// TestExplained: a band with facts is the band, with what the detector knew.
func TestExplained(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(falling)
	r.starts(0, 2100)
	plain := r.band("low", 1900, 2100, "eu")
	groups, err := r.engine.Explained(context.Background(), "low", epoch+1_900_000, epoch+2_100_000, tags.Of("region", "eu"))
	if err != nil || len(groups) != 1 || len(groups[0].Rows) != len(plain) {
		t.Fatalf("%v, %+v", err, groups)
	}
	held := slices.Index(groups[0].Facts, "held")
	if held < 0 {
		t.Fatalf("facts %v", groups[0].Facts)
	}
	var grown []float64
	for i, row := range groups[0].Rows {
		if row.T != plain[i].T || row.Expected != plain[i].Expected || row.Out != plain[i].Out || row.Cause != plain[i].Cause || len(row.Facts) != len(groups[0].Facts) {
			t.Errorf("row %+v, in the band %+v", row, plain[i])
		}
		if row.T >= epoch+2_000_000 && row.T <= epoch+2_040_000 {
			grown = append(grown, row.Facts[held])
		}
		if row.Out != (row.Cause != 0) {
			t.Errorf("row %+v is out without a cause, or not", row)
		}
	}
	if fmt.Sprint(grown) != "[0 1 2 3 4]" {
		t.Errorf("the hold came to %v", grown)
	}
}

// TestGroups: alerts first, then the others; a filter by all tags or by some.
func TestGroups(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":500,"hold":"40s"},"for":"20s"}`)
	r.starts(0, 2050)
	g, err := r.engine.Groups("low", nil, 1)
	if err != nil || g.Total != 2 || !g.More || len(g.Groups) != 1 || g.Closed != epoch+2_050_000 || g.Reported != 1 || g.Sources != 1 {
		t.Fatalf("%v %+v", err, g)
	}
	eu := g.Groups[0]
	if eu.Tags["region"] != "eu" || eu.State != "pending" || eu.For == nil || *eu.For != (detect.Wait{Needs: 20_000, Passed: 10_000}) ||
		eu.Hold == nil || *eu.Hold != (detect.Wait{Needs: 40_000, Passed: 40_000}) || eu.Cause != "limit" || float64(eu.Facts["below"]) != 500 || eu.Incident == "" {
		t.Errorf("%+v", eu)
	}
	for _, filter := range []tags.Tags{tags.Of("region", "us"), tags.Of("region", "nowhere")} {
		g, err := r.engine.Groups("low", filter, 0)
		if v, _ := filter.Get("region"); err != nil || (len(g.Groups) == 1) != (v == "us") || g.More {
			t.Errorf("%v: %v %+v", filter, err, g)
		}
	}
	if _, err := r.engine.Groups("nope", nil, 0); err == nil {
		t.Error("a rule that is not there has groups")
	}
}

// TestGroupsByUrgency: what fires comes before what has no data, is pending, or is well.
func TestGroupsByUrgency(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":500},"for":"5m","absence_after":"60s"}`)
	for s := int64(10); s <= 600; s += 10 {
		r.at(s*1000 - 500)
		for i, begins := range []int64{700, 500, 700, 100} { // "b" is pending in the end, "d" fires
			v, region := 600.0, "abcd"[i:i+1]
			if s > begins {
				v = 60
			}
			if region != "c" || s < 400 {
				r.send(region, p(v, "name", "sps", "region", region))
			}
		}
		r.to(s*1000 + 100)
	}
	g, err := r.engine.Groups("low", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range g.Groups {
		got = append(got, x.Tags["region"]+" "+x.State)
	}
	if want := []string{"d firing", "c inactive", "b pending", "a inactive"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestBreakdown: of several keys the one is named whose values carry the change
// with the fewest values.
func TestBreakdown(t *testing.T) {
	f := func(name string, lost func(region, device, node string) bool, want, text string) {
		t.Helper()
		r := newRig(t, 10_000)
		r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":2300}}`)
		for s := int64(10); s <= 400; s += 10 {
			r.at(s*1000 - 300)
			var points []point
			for i := range 24 {
				region, device, node := []string{"eu", "us", "ap"}[i%3], []string{"tv", "phone"}[i/3%2], fmt.Sprint("n", i)
				v := 100.0
				if s > 350 && lost(region, device, node) {
					v = 10
				}
				points = append(points, p(v, "name", "sps", "region", region, "device", device, "node", node))
			}
			r.send("a", points...)
			r.to(s*1000 + 50)
		}
		n := r.one(notify.TypeFiring)
		var got []string
		for _, c := range n.Contributors {
			got = append(got, fmt.Sprintf("%s %.0f %.2f", tags.FromMap(c.Tags), c.Delta, c.Share))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
		if w := r.why(n.Incident); !strings.Contains(w.Text, text) {
			t.Errorf("%s: %q lacks %q", name, w.Text, text)
		}
	}
	f("a region", func(region, _, _ string) bool { return region == "eu" }, "[region=eu -720 1.00]", "all of the change is region=eu")
	f("two regions", func(region, _, _ string) bool { return region != "ap" }, "[region=eu -720 0.50 region=us -720 0.50]", "region=eu and region=us")
	f("a node", func(_, _, node string) bool { return node == "n7" || node == "n8" }, "[node=n7 -90 0.50 node=n8 -90 0.50]", "node=n7 and node=n8")
	f("all", func(_, _, _ string) bool { return true }, "[device=phone -1080 0.50 device=tv -1080 0.50]", "no tag value stands out")
}

// TestNumberJSON: numbers come back as they were.
func TestNumberJSON(t *testing.T) {
	for _, x := range []float64{0, 1.5, -1e300, 0.1, math.NaN()} {
		body, err := json.Marshal(detect.Number(x))
		if err != nil {
			t.Fatal(err)
		}
		var back detect.Number
		if err := json.Unmarshal(body, &back); err != nil || float64(back) != x && !(math.IsNaN(x) && string(body) == "null" && math.IsNaN(float64(back))) {
			t.Errorf("%v: %s, back %v, %v", x, body, back, err)
		}
	}
}
