package detect_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/algo"
	"pulse/store/tags"
)

const versus = `{"id":"canary","expr":"name,errors,:eq,role,canary,:eq,:and,:sum,(,app,),:by",
	"detector":{"kind":"compare","baseline":"name,errors,:eq,role,base,:eq,:and,:sum,(,app,),:by","direction":"above","error_rate":0.01}}`

func errorsOf(value float64, role, app string) point {
	return p(value, "name", "errors", "role", role, "app", app)
}

// The band of a rule that compares is what scoring values and baseline offline
// gives, byte for byte, and a back-test of it pages as it did. Groups are
// compared with the baseline of the same tags.
func TestCompareIsTheSameEverywhere(t *testing.T) {
	r := newRig(t, 1000)
	r.put(versus)
	random := rand.New(rand.NewPCG(1, 2))
	const n = 400
	var input strings.Builder
	input.WriteString("timestamp,baseline,value\n")
	for i := range n {
		s := int64(i + 1)
		r.at(s*1000 - 300)
		worse := 1.0
		if i > 150 {
			worse = 1.1
		}
		v, base := math.Round(500*worse+22*random.NormFloat64()), math.Round(500+22*random.NormFloat64())
		points := []point{errorsOf(v, "canary", "a"), errorsOf(base, "base", "a"), errorsOf(900, "canary", "b"), errorsOf(903, "base", "b"), errorsOf(5, "base", "c")}
		if i%50 == 7 {
			points = points[:1] // the baseline is late, and then comes after the close
		}
		r.send("x", points...)
		if i%50 == 7 {
			r.send("x", p(0, "name", "errors", "role", "base", "app", "a"), errorsOf(900, "canary", "b"), errorsOf(903, "base", "b"))
			base = 0
		}
		fmt.Fprintf(&input, "%d,%v,%v\n", epoch+s*1000, base, v)
		r.to(s*1000 + 50)
	}
	r.to((n + 2) * 1000)
	rule, _ := r.engine.Rule("canary")
	var want bytes.Buffer
	origin := int64(epoch + 1000)
	if err := algo.Score(&want, strings.NewReader(input.String()), rule.Detector, algo.ScoreOptions{Step: 1000, Origin: &origin}); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(want.String(), "\n")
	for _, from := range []int{0, 1, 119, 120, 200, 399} {
		groups, err := r.engine.Band(context.Background(), "canary", epoch+int64(from)*1000, epoch+n*1000, tags.Of("app", "a"))
		if err != nil || len(groups) != 1 {
			t.Fatalf("band from %d: %v, %d groups", from, err, len(groups))
		}
		var got []byte
		for i := range groups[0].Rows {
			got = groups[0].Rows[i].AppendCSV(got)
		}
		if string(got) != strings.Join(lines[1+from:], "") {
			t.Fatalf("band from %d differs from the score:\n%.300s\n%.300s", from, got, strings.Join(lines[1+from:], ""))
		}
	}
	pages := told(r.took(), "canary")
	if len(pages) != 1 || !strings.Contains(pages[0], "app=a") {
		t.Fatalf("pages: %v", pages)
	}
	out, err := r.engine.Backtest(context.Background(), detect.Backtest{Rule: rule, Start: epoch, End: epoch + n*1000})
	if err != nil {
		t.Fatal(err)
	}
	if got := pageTexts(out.Pages); !slices.Equal(got, pages) {
		t.Errorf("back-test:\n%v\nlive:\n%v", got, pages)
	}
	if out.Pages[0].Cause != "worse" || out.Judged != 2 {
		t.Errorf("%d groups, %+v", out.Judged, out.Pages[0])
	}
}

// A baseline without grouping serves all groups.
func TestOneBaselineForAllGroups(t *testing.T) {
	r := newRig(t, 1000)
	r.put(`{"id":"regions","expr":"name,errors,:eq,role,canary,:eq,:and,:sum,(,app,),:by",
		"detector":{"kind":"compare","baseline":"name,errors,:eq,role,base,:eq,:and,:sum","split":0.5}}`)
	random := rand.New(rand.NewPCG(3, 4))
	for s := int64(1); s <= 30; s++ {
		r.at(s*1000 - 300)
		noise := func(mean float64) float64 { return math.Round(mean + 20*random.NormFloat64()) }
		r.send("x", errorsOf(noise(500), "canary", "half"), errorsOf(noise(1000), "canary", "all"), errorsOf(noise(600), "base", "x"), errorsOf(noise(400), "base", "y"))
		r.to(s*1000 + 50)
	}
	firing := r.alerts("firing")
	if len(firing) != 1 || firing[0].Tags["app"] != "all" {
		t.Errorf("firing: %+v", firing)
	}
	if half := r.group(t, "regions", "app", "half"); half.Decision != "undecided" || half.Expected < 400 || half.Expected > 600 {
		t.Errorf("half: %+v", half)
	}
}

// group returns where one group of a rule stands.
func (r *rig) group(t *testing.T, rule string, pairs ...string) detect.GroupStatus {
	t.Helper()
	list, err := r.engine.Groups(rule, tags.Of(pairs...), 0)
	if err != nil || len(list.Groups) != 1 {
		t.Fatalf("groups of %s with %v: %v, %v", rule, pairs, list, err)
	}
	return list.Groups[0]
}

// A restart does not begin the comparison anew; a change of the rule does.
func TestComparisonOutlivesRestarts(t *testing.T) {
	r := newRig(t, 1000)
	r.put(versus)
	step := func(s int64) {
		r.at(s*1000 - 300)
		r.send("x", errorsOf(100, "canary", "a"), errorsOf(100, "base", "a"))
		r.to(s*1000 + 50)
	}
	for s := int64(1); s <= 20; s++ {
		step(s)
	}
	samples := func() float64 { return float64(r.group(t, "canary", "app", "a").Facts["samples"]) }
	before := samples()
	r.restart(true)
	for s := int64(21); s <= 40; s++ {
		step(s)
	}
	if got := samples(); before < 18 || got < before+15 {
		t.Errorf("%v samples before the restart, %v after", before, got)
	}
	r.put(strings.Replace(versus, `"above"`, `"both"`, 1))
	for s := int64(41); s <= 44; s++ {
		step(s)
	}
	if got := samples(); got > 4 {
		t.Errorf("%v samples after another rule", got)
	}
}

// absenceRig is a rule on absence with two groups, which report for a while.
func absenceRig(t *testing.T, rule string) *rig {
	r := newRig(t, 1000)
	r.put(rule)
	for s := int64(1); s <= 30; s++ {
		r.at(s*1000 - 300)
		r.send("a", p(1, "name", "up", "node", "a", "atlas.dstype", "gauge"))
		r.send("b", p(1, "name", "up", "node", "b", "atlas.dstype", "gauge"))
		r.to(s*1000 + 50)
	}
	r.none()
	return r
}

const absentNode = `{"id":"up","expr":"name,up,:eq,:max,(,node,),:by","detector":{"kind":"absence","after":"5s"}}`

// A group whose source dies raises one alert, that it is missing, and resolves
// when it is back; its neighbour and groups never seen do not.
func TestAbsencePagesForAGroupThatIsGone(t *testing.T) {
	r := absenceRig(t, absentNode)
	only := func(s int64, node string) {
		r.at(s*1000 - 300)
		r.send(node, p(1, "name", "up", "node", node, "atlas.dstype", "gauge"))
		r.at(s*1000 + 50)
		r.to(s*1000 + 2500)
	}
	for s := int64(31); s <= 120; s++ {
		only(s, "a")
		if s < 34 {
			r.none()
		}
		if s == 80 {
			break
		}
	}
	sent := r.took()
	if len(sent) != 1 || sent[0].Type != "alert.firing" || sent[0].Tags["node"] != "b" || sent[0].Cause != "missing" || !math.IsNaN(sent[0].Value) {
		t.Fatalf("sent %+v", sent)
	}
	if at := sent[0].StartsAt - epoch; at < 35_000 || at > 36_000 {
		t.Errorf("began at %d", at)
	}
	only(81, "b")
	only(82, "b")
	only(83, "b")
	sent = r.took()
	if len(sent) != 1 || sent[0].Type != "alert.resolved" || sent[0].Tags["node"] != "b" {
		t.Fatalf("sent %+v", sent)
	}
}

// A server that was away does not take its own silence for that of the senders.
func TestAbsenceIsNotThatOfTheServer(t *testing.T) {
	r := absenceRig(t, absentNode)
	if err := r.engine.Close(); err != nil {
		t.Fatal(err)
	}
	r.at(599_500)
	r.newStore()
	r.start()
	for s := int64(600); s <= 640; s++ {
		r.at(s*1000 - 300)
		if s >= 604 {
			r.send("a", p(1, "name", "up", "node", "a", "atlas.dstype", "gauge"))
		}
		r.to(s*1000 + 1500)
		if s <= 604 {
			r.none()
		}
	}
	sent := r.took()
	if len(sent) != 1 || sent[0].Type != "alert.firing" || sent[0].Tags["node"] != "b" || sent[0].Cause != "missing" {
		t.Fatalf("sent %+v", sent)
	}
}
