package detect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/algo"
	"pulse/detect/notify"
	"pulse/store/tags"
)

// stream of starts per second: a level with noise, and an outage.
func starts(i int, r *rand.Rand) float64 {
	v := 1000 + 100*math.Sin(float64(i)/40) + 10*r.NormFloat64()
	if i >= 700 && i < 760 {
		v *= 0.3
	}
	return math.Round(v)
}

const holt = `{"id":"sps","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"double-exponential","train":"60s","width":5,"hold":"2s"}}`

// TestBandEqualsScore: the band of a live rule, asked for as CSV, is byte for
// byte what scoring the same values offline gives, from any start.
func TestBandEqualsScore(t *testing.T) {
	r := newRig(t, 1000)
	r.put(holt)
	rnd := rand.New(rand.NewPCG(1, 2))
	const n = 900
	var input strings.Builder
	input.WriteString("timestamp,value\n")
	var live []detect.Alert
	for i := range n {
		s := int64(i + 1)
		r.at(s*1000 - 300)
		v := starts(i, rnd)
		if i == 300 || i == 301 { // the source is silent
			fmt.Fprintf(&input, "%d,\n", epoch+s*1000)
		} else {
			r.send("a", p(v, "name", "sps", "region", "eu"))
			fmt.Fprintf(&input, "%d,%v\n", epoch+s*1000, v)
		}
		r.to(s*1000 + 50)
		if got := r.alerts("firing"); len(got) > 0 {
			live = append(live, got[0])
		}
	}
	r.to((n + 2) * 1000)
	rule, _ := r.engine.Rule("sps")
	var want bytes.Buffer
	origin := int64(epoch + 1000)
	if err := algo.Score(&want, strings.NewReader(input.String()), rule.Detector, algo.ScoreOptions{Step: 1000, Origin: &origin}); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(want.String(), "\n")
	if r.engine.Checkpoints("sps") < 7 {
		t.Errorf("%d checkpoints", r.engine.Checkpoints("sps"))
	}
	for _, from := range []int{0, 1, 119, 120, 121, 500, 719, 899} {
		groups, err := r.engine.Band(context.Background(), "sps", epoch+int64(from)*1000, epoch+n*1000, tags.Of("region", "eu"))
		if err != nil || len(groups) != 1 {
			t.Fatalf("band from %d: %v, %d groups", from, err, len(groups))
		}
		var got []byte
		for i := range groups[0].Rows {
			got = groups[0].Rows[i].AppendCSV(got)
		}
		if string(got) != strings.Join(lines[1+from:], "") {
			t.Fatalf("band from row %d differs from the score", from)
		}
	}
	fired := r.took()
	if len(fired) == 0 || fired[0].StartsAt < epoch+701_000 || fired[0].StartsAt > epoch+760_000 {
		t.Errorf("the outage at 701 s: sent %s", brief(fired))
	}
	checkLive(t, r, live)
}

// checkLive compares what was shown live with the band of the same steps.
func checkLive(t *testing.T, r *rig, live []detect.Alert) {
	t.Helper()
	if len(live) == 0 {
		t.Fatal("nothing fired")
	}
	for _, a := range live {
		at := a.EvaluatedAt / 1000 * 1000
		groups, err := r.engine.Band(context.Background(), "sps", at-1000, at, nil)
		if err != nil || len(groups) != 1 || len(groups[0].Rows) != 1 {
			t.Fatalf("band at %d: %v", at, err)
		}
		row := groups[0].Rows[0]
		if row.Value != a.Value || row.Expected != a.Expected || row.Lower != a.Lower || row.Upper != a.Upper || row.Score != a.Score {
			t.Fatalf("step %d: live %v %v %v, band %v %v %v", at, a.Value, a.Expected, a.Score, row.Value, row.Expected, row.Score)
		}
	}
}

// TestBandWithLatePoints: points that arrive after their step's close change
// nothing of what was judged, but the band is that of all values, and checkpoints
// go on once the live state agrees again.
func TestBandWithLatePoints(t *testing.T) {
	r := newRig(t, 1000)
	r.put(`{"id":"sps","expr":"name,sps,:eq,:sum","detector":{"kind":"double-exponential","train":"60s","hold":"1s"}}`)
	rnd := rand.New(rand.NewPCG(7, 8))
	var input strings.Builder
	input.WriteString("timestamp,value\n")
	const n = 1000
	for i := range n {
		s := int64(i + 1)
		v := math.Round(1000 + 10*rnd.NormFloat64())
		fmt.Fprintf(&input, "%d,%v\n", epoch+s*1000, v)
		late := i == 0 || i == 300 || i == 301 || i == 650
		r.at(s*1000 - 300)
		if !late {
			r.send("a", p(v, "name", "sps", "node", "a"))
		}
		r.to(s*1000 + 50)
		if late {
			r.to(s*1000 + 1900) // the close is put off at most once
			r.sendAt("a", epoch+s*1000, p(v, "name", "sps", "node", "a"))
		}
	}
	r.to((n + 2) * 1000)
	rule, _ := r.engine.Rule("sps")
	var want bytes.Buffer
	origin := int64(epoch + 1000)
	if err := algo.Score(&want, strings.NewReader(input.String()), rule.Detector, algo.ScoreOptions{Step: 1000, Origin: &origin}); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(want.String(), "\n")
	for _, from := range []int{0, 290, 640, 900} {
		groups, err := r.engine.Band(context.Background(), "sps", epoch+int64(from)*1000, epoch+n*1000, nil)
		if err != nil || len(groups) != 1 {
			t.Fatalf("band: %v", err)
		}
		var got []byte
		for i := range groups[0].Rows {
			got = groups[0].Rows[i].AppendCSV(got)
		}
		if string(got) != strings.Join(lines[1+from:], "") {
			t.Errorf("band from row %d differs from the score", from)
		}
	}
	if got := r.stats(); got.Incomplete == 0 {
		t.Errorf("nothing was late: %+v", got)
	}
	if r.engine.Checkpoints("sps") < 6 {
		t.Errorf("%d checkpoints", r.engine.Checkpoints("sps"))
	}
}

// TestWarmStart: a rule made when history is there judges at once, and its band
// begins with that history.
func TestWarmStart(t *testing.T) {
	r := newRig(t, 1000)
	rnd := rand.New(rand.NewPCG(3, 4))
	send := func(s int64, v float64) {
		r.at(s*1000 - 300)
		r.send("a", p(v, "name", "sps", "region", "eu"))
		r.to(s*1000 + 50)
	}
	for s := int64(1); s <= 600; s++ {
		send(s, starts(int(s), rnd))
	}
	r.put(holt)
	for s := int64(601); s <= 620; s++ {
		send(s, starts(int(s), rnd))
	}
	r.none()
	for s := int64(621); s <= 650; s++ {
		send(s, 5)
	}
	if n := r.took(); len(n) == 0 || n[0].Type != notify.TypeFiring || !(n[0].Expected > 500) {
		t.Errorf("sent %s: %+v", brief(n), n)
	}
	groups, err := r.engine.Band(context.Background(), "sps", epoch+500_000, epoch+650_000, nil)
	if err != nil || len(groups) != 1 || len(groups[0].Rows) != 150 {
		t.Fatalf("band: %v, %+v", err, groups)
	}
	if math.IsNaN(groups[0].Rows[0].Expected) {
		t.Error("the band knows nothing at 500 s")
	}
}

// TestCheckpointSurvives: detectors go on after a clean restart over the same
// store exactly where they were, and a killed engine goes on from its last
// stored checkpoint through history.
func TestCheckpointSurvives(t *testing.T) {
	run := func(restart func(r *rig)) []byte {
		r := newRig(t, 1000)
		r.put(holt)
		rnd := rand.New(rand.NewPCG(5, 6))
		for s := int64(1); s <= 900; s++ {
			r.at(s*1000 - 300)
			r.send("a", p(starts(int(s), rnd), "name", "sps", "region", "eu"))
			r.to(s*1000 + 50)
			if s == 800 && restart != nil {
				restart(r)
			}
		}
		groups, err := r.engine.Band(context.Background(), "sps", epoch+850_000, epoch+900_000, nil)
		if err != nil || len(groups) != 1 {
			t.Fatalf("band: %v", err)
		}
		var out []byte
		for i := range groups[0].Rows {
			out = groups[0].Rows[i].AppendCSV(out)
		}
		return out
	}
	want := run(nil)
	if got := run(func(r *rig) { r.engine.Close(); r.start() }); !bytes.Equal(got, want) {
		t.Error("a clean restart changed scores")
	}
	if got := run(func(r *rig) { r.start() }); !bytes.Equal(got, want) {
		t.Error("a kill changed scores")
	}
}

func TestBandErrors(t *testing.T) {
	r := newRig(t, 1000)
	r.put(holt)
	if _, err := r.engine.Band(context.Background(), "nope", 0, 1, nil); err == nil {
		t.Error("unknown rule: no error")
	}
	if _, err := r.engine.Band(context.Background(), "sps", 5000, 5000, nil); err == nil {
		t.Error("empty range: no error")
	}
	if groups, err := r.engine.Band(context.Background(), "sps", math.MinInt64, math.MaxInt64, nil); err != nil || len(groups) != 0 {
		t.Errorf("all of time before any close: %v, %d groups", err, len(groups))
	}
}

// TestBandRowsOfLateGroups: rows from before a group appeared count towards the
// limit of a band as all others do.
func TestBandRowsOfLateGroups(t *testing.T) {
	r := newRig(t, 1000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
	r.at(700)
	r.many(1, 100, nil)
	r.to(2000)
	r.to(900_000)
	r.at(900_700)
	r.many(600, 100, nil)
	r.to(903_000)
	groups, err := r.engine.Band(context.Background(), "low", epoch, epoch+901_000, nil)
	if !errors.Is(err, detect.ErrRange) {
		t.Errorf("a band of %d groups over 901 steps: %v", len(groups), err)
	}
}
