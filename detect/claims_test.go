package detect_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/algo"
	"pulse/detect/notify"
	"pulse/store/tags"
)

// What runs when -seeds says nothing, and how many steps scenes have then and
// otherwise.
const (
	claimSeeds = 50
	shortScene = 100
	longScene  = 260
)

// eachScene runs f with a scene per seed.
func eachScene(t *testing.T, f func(t *testing.T, s *scene, r *rand.Rand)) {
	n, length := uint64(claimSeeds), int64(shortScene)
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "seeds" {
			n, length = *seeds, longScene
		}
	})
	if testing.Short() {
		n = min(n, 5)
	}
	for seed := *first; seed < *first+n; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 21))
			f(t, newScene(t, r, length), r)
		})
	}
}

// plainly runs a scene without any restart.
func (s *scene) plainly(t *testing.T) *rig {
	r := newTapedRig(t, s.step)
	s.play(r, func() {}, r.to)
	return r
}

// TestRestartAnywhere: kills between any two events and in the middle of a close,
// checkpoints and plain restarts change neither what the detectors know, nor how far
// alerts have come, nor what is sent.
func TestRestartAnywhere(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene, r *rand.Rand) {
		plain, cut := newTapedRig(t, s.step), newTapedRig(t, s.step)
		states := map[int64][]byte{}
		s.play(plain, func() {}, func(ms int64) {
			if plain.to(ms); s.allClosed(ms) {
				states[ms] = plain.engine.State()
			}
		})
		s.play(cut, func() { cut.maybeRestart(r) }, func(ms int64) {
			cut.lookAndDie(ms, r)
			if want := states[ms]; want != nil && !bytes.Equal(want, cut.engine.State()) {
				t.Fatalf("at %d ms, step %d ms: %s", ms, s.step, difference(want, cut.engine.State()))
			}
		})
		if want, got := texts(plain.took()), texts(cut.took()); !slices.Equal(want, got) {
			t.Errorf("step %d ms: %s\n%s", s.step, firstDifference(want, got), s.ruleOf(want, got))
		}
		_ = plain.engine.Close()
		_ = cut.engine.Close()
	})
}

// allClosed reports whether every step that is over by ms is closed then. It is
// asked of every fourth step.
func (s *scene) allClosed(ms int64) bool { return ms%(4*s.step) == 2*s.grace }

// maybeRestart kills or restarts the engine now and then.
func (r *rig) maybeRestart(random *rand.Rand) {
	r.t.Helper()
	switch random.IntN(300) {
	case 0:
		r.recover()
	case 1:
		if err := r.engine.Checkpoint(); err != nil {
			r.t.Fatal(err)
		}
	case 2:
		if err := r.engine.Close(); err != nil {
			r.t.Fatal(err)
		}
		r.recover()
	}
}

// lookAndDie does what is due at ms, and sometimes is killed when something is
// marked or stored.
func (r *rig) lookAndDie(ms int64, random *rand.Rand) {
	r.t.Helper()
	if random.IntN(60) > 0 {
		r.to(ms)
		return
	}
	if random.IntN(2) == 0 {
		r.tape.cut = func([]byte) bool { return true }
	} else {
		r.engine.OnCommit(func() { panic(errKilled) })
	}
	died := r.dies(func() { r.to(ms) })
	if r.tape.cut = nil; died {
		r.recover()
	}
	r.engine.OnCommit(nil)
	r.to(ms)
}

// difference shows where two states differ.
func difference(want, got []byte) string {
	for i := range want {
		if i >= len(got) || want[i] != got[i] {
			return fmt.Sprintf("the detectors differ at byte %d of %d (now %d): %q", i, len(want), len(got), want[max(0, i-200):i])
		}
	}
	return "the detectors differ"
}

// texts has everything that a transition says, in an order that depends on
// nothing else.
func texts(sent []notify.Notification) []string {
	var out []string
	for _, n := range sent {
		out = append(out, fmt.Sprintf("%s %v %d-%d %s %s value %x expected %x in %x-%x score %x %s",
			n.Rule, n.Tags, max(0, n.StartsAt-epoch), max(0, n.EndsAt-epoch), n.Type, n.Incident, n.Value, n.Expected, n.Lower, n.Upper, n.Score, n.Cause))
	}
	slices.Sort(out)
	return out
}

func firstDifference(want, got []string) string {
	for i := range max(len(want), len(got)) {
		a, b := "nothing", "nothing"
		if i < len(want) {
			a = want[i]
		}
		if i < len(got) {
			b = got[i]
		}
		if a != b {
			return fmt.Sprintf("%d and %d lines; line %d:\n%s\n%s", len(want), len(got), i, a, b)
		}
	}
	return "no difference"
}

// TestOneAnswer: where nothing comes after the close of its step, what the live
// rules sent, their bands from anywhere, back-tests of them and `pulse score` of
// the values agree to the last bit.
func TestOneAnswer(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene, r *rand.Rand) {
		s.punctual()
		rig := s.plainly(t)
		sent := rig.took()
		for _, rule := range s.rules {
			groups, err := rig.engine.Band(context.Background(), rule.id, 0, epoch+s.end, nil)
			if err != nil {
				t.Fatal(err)
			}
			later := epoch + s.end - r.Int64N(shortScene*s.step)
			some, err := rig.engine.Band(context.Background(), rule.id, later, epoch+s.end, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range groups {
				s.checkScore(t, rule, &groups[i])
				s.checkRows(t, rule, &groups[i], some)
			}
			s.checkSent(t, rule, groups, sent)
			live := told(sent, rule.id)
			for _, as := range []string{rule.id, "another"} {
				b := detect.Backtest{Rule: mustRule(t, rule.body), Start: epoch + rule.put, End: epoch + s.end}
				b.Rule.ID = as
				if got := pageTexts(rig.backtest(b).Pages); !slices.Equal(live, got) {
					t.Errorf("step %d ms, back-test as %s of %s put at %d ms: %s", s.step, as, rule.body, rule.put, firstDifference(live, got))
				}
			}
		}
		_ = rig.engine.Close()
	})
}

// punctual makes what comes in the grace or later come in time, all sources begin before the
// rules, and holes of rates so long that no report reaches back over them to a step that
// is closed. After which silence there is no data is said: how often sources used to send
// is not kept.
func (s *scene) punctual() {
	begun := map[string]bool{}
	from := s.end
	for i := range s.deliveries {
		d := &s.deliveries[i]
		if from = min(from, d.at); !begun[d.source] {
			begun[d.source] = true
			s.deliveries = append(s.deliveries, delivery{from - 1, from, d.source, d.points, true})
		}
		if d = &s.deliveries[i]; d.now >= d.at { // nobody waits for a source that came back
			d.now = d.at - 1
		}
	}
	s.inOrder()
	s.widenHoles()
	for i := range s.rules {
		if r := &s.rules[i]; !strings.Contains(r.body, "absence_after") && r.id != "absence" {
			r.body = strings.Replace(r.body, "{", fmt.Sprintf(`{"absence_after":%q,`, ms(max(3*r.step, 60_000))), 1)
		}
		s.rules[i].put = max(s.rules[i].put, from+20*s.step+s.step/2)
	}
}

// widenHoles leaves out the reports of a rate that come after fewer steps than it takes to
// begin anew.
func (s *scene) widenHoles() {
	last := map[string]int64{}
	for i := range s.deliveries {
		d := &s.deliveries[i]
		d.points = slices.DeleteFunc(slices.Clone(d.points), func(x point) bool {
			if kind, _ := x.tags.Get("atlas.dstype"); kind != "rate" {
				return false
			}
			if gap := d.at - last[d.source]; gap > s.step && gap < 3*s.step {
				return true
			}
			last[d.source] = d.at
			return false
		})
	}
}

// checkScore compares a band from its beginning with what `pulse score` says about
// its values. A rule that compares is not scored.
func (s *scene) checkScore(t *testing.T, rule sceneRule, g *detect.BandGroup) {
	t.Helper()
	rows := g.Rows
	for len(rows) > 0 && math.IsNaN(rows[0].Value) {
		rows = rows[1:]
	}
	if len(rows) == 0 || rule.spec.Kind == "compare" {
		return
	}
	in, want, got := "timestamp,value\n", []byte(algo.Header), bytes.Buffer{}
	for i := range rows {
		in += fmt.Sprintf("%d,%v\n", rows[i].T, rows[i].Value)
		want = rows[i].AppendCSV(want)
	}
	opts := algo.ScoreOptions{Step: rule.step, Origin: &rows[0].T}
	if err := algo.Score(&got, strings.NewReader(in), rule.spec, opts); err != nil {
		t.Fatal(err)
	}
	if x, y := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n"); !slices.Equal(x, y) {
		t.Errorf("%s %s: band and score: %s", rule.body, g.Tags, firstDifference(x, y))
	}
}

// checkRows compares rows of bands from different starts.
func (s *scene) checkRows(t *testing.T, rule sceneRule, whole *detect.BandGroup, some []detect.BandGroup) {
	t.Helper()
	for i := range some {
		if some[i].Tags.Compare(whole.Tags) != 0 {
			continue
		}
		var x, y []string
		rows := some[i].Rows
		for j := range rows {
			x = append(x, string(whole.Rows[len(whole.Rows)-len(rows)+j].AppendCSV(nil)))
			y = append(y, string(rows[j].AppendCSV(nil)))
		}
		if !slices.Equal(x, y) {
			t.Errorf("%s %s: bands from the beginning and from later: %s", rule.body, whole.Tags, firstDifference(x, y))
		}
	}
}

// checkSent compares what was sent when an alert fired with the band.
func (s *scene) checkSent(t *testing.T, rule sceneRule, groups []detect.BandGroup, sent []notify.Notification) {
	t.Helper()
	for _, n := range sent {
		if n.Rule != rule.id || n.Type != notify.TypeFiring {
			continue
		}
		for i := range groups {
			if groups[i].Tags.Compare(tags.FromMap(n.Tags)) != 0 {
				continue
			}
			for _, row := range groups[i].Rows {
				live := detect.BandRow{T: n.StartsAt, Value: n.Value, Verdict: row.Verdict}
				live.Expected, live.Lower, live.Upper, live.Score = n.Expected, n.Lower, n.Upper, n.Score
				if math.IsNaN(n.Value) {
					live.Score = row.Score // no score is told of no data
				}
				if x, y := string(live.AppendCSV(nil)), string(row.AppendCSV(nil)); row.T == n.StartsAt && x != y {
					t.Errorf("%s %s: sent %s, band %s", rule.body, groups[i].Tags, x, y)
				}
			}
		}
	}
}

// TestAnyBatching: what arrives before a step is over may come in any pieces, in
// any order and at any moment: the transitions are the same, with their numbers.
func TestAnyBatching(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene, r *rand.Rand) {
		plain := s.plainly(t)
		want := texts(plain.took())
		other := s.rebatched(r).plainly(t)
		if got := texts(other.took()); !slices.Equal(want, got) {
			t.Errorf("step %d ms: %s\n%s", s.step, firstDifference(want, got), s.ruleOf(want, got))
		}
		_ = other.engine.Close()
		_ = plain.engine.Close()
	})
}

// ruleOf is the rule of the first line that differs.
func (s *scene) ruleOf(want, got []string) string {
	for i := range max(len(want), len(got)) {
		line := ""
		switch {
		case i < len(want) && i < len(got) && want[i] == got[i]:
			continue
		case i < len(want):
			line = want[i]
		default:
			line = got[i]
		}
		for _, r := range s.rules {
			if strings.HasPrefix(line, r.id+" ") {
				return r.body
			}
		}
	}
	return ""
}
