package detect_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/detect/notify"
	"pulse/detect/silence"
)

// told returns what was sent since the last call, as words.
func (r *rig) told() string {
	var out []string
	for _, n := range r.took() {
		out = append(out, n.Tags["region"]+" "+n.Type)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (r *rig) wantTold(want string) {
	r.t.Helper()
	if got := r.told(); got != want {
		r.t.Fatalf("at %d s: told %q, want %q", (r.now()-epoch)/1000, got, want)
	}
}

// timeline returns the events of a kind of the newest incident of a region.
func (r *rig) timeline(region, kind string) string {
	r.t.Helper()
	for _, a := range r.alerts("") {
		if a.Tags["region"] != region {
			continue
		}
		one, err := r.engine.AlertByID(r.t.Context(), a.Incident)
		if err != nil {
			r.t.Fatal(err)
		}
		var out []string
		for _, x := range one.Timeline {
			if x.Kind == kind {
				out = append(out, x.Detail)
			}
		}
		return strings.Join(out, "\n")
	}
	r.t.Fatalf("no alert of %s", region)
	return ""
}

// TestHeldBack: what a silence means is not told, neither its beginning nor its end,
// and its timeline says why; everything else is told.
func TestHeldBack(t *testing.T) {
	r := newRig(t, second)
	r.put(regional)
	r.to(0)
	s := r.silence(`{region="eu"}`, "")
	r.feed(1, 3, map[string]float64{"eu": 1, "us": 1})
	r.wantTold("us alert.firing")
	if list := r.alerts("firing"); len(list) != 2 {
		t.Errorf("%d fire, want 2", len(list))
	}
	if text := r.timeline("eu", "silenced"); !strings.Contains(text, s.ID) || !strings.Contains(text, "of ann") || !strings.Contains(text, `"upgrade"`) || strings.Contains(text, "\n") {
		t.Errorf("timeline: %q", text)
	}
	if got, _ := r.engine.Silence(s.ID); got.Seen.Held != 1 {
		t.Errorf("the silence has held back %d", got.Seen.Held)
	}
	if n := r.engine.Stats().Silenced; n != 1 {
		t.Errorf("counted %d", n)
	}
	r.feed(4, 8, map[string]float64{"eu": 20, "us": 20})
	r.wantTold("us alert.resolved")
	if text := r.timeline("eu", "silenced"); !strings.HasSuffix(text, "nobody is told of its end") {
		t.Errorf("timeline: %q", text)
	}
	if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
		t.Fatal(err)
	}
	r.to(9_500)
	r.wantTold("")
	r.feed(10, 12, map[string]float64{"eu": 1, "us": 20})
	r.wantTold("eu alert.firing")
}

// TestSilenceEnds: however a silence ends, what still fires is told then, once, as it
// would have been, and over restarts before, at and after that.
func TestSilenceEnds(t *testing.T) {
	ends := map[string]func(r *rig, s silence.Silence){
		"time": func(r *rig, s silence.Silence) { r.to(20_000) },
		"hand": func(r *rig, s silence.Silence) {
			if err := r.engine.ExpireSilence(s.ID, "bob", r.now()); err != nil {
				r.t.Fatal(err)
			}
		},
		"other matchers": func(r *rig, s silence.Silence) {
			s.Matchers = r.silence("region=ap", "").Matchers
			if _, err := r.engine.PutSilence(s, r.now()); err != nil {
				r.t.Fatal(err)
			}
		},
		"sooner": func(r *rig, s silence.Silence) {
			s.EndsAt = r.now() + second
			if _, err := r.engine.PutSilence(s, r.now()); err != nil {
				r.t.Fatal(err)
			}
			r.to(7_000)
		},
	}
	for name, end := range ends {
		for _, restart := range []string{"", "before", "at", "after"} {
			for _, clean := range []bool{true, false} {
				if restart == "" && clean {
					continue
				}
				t.Run(fmt.Sprint(name, " ", restart, " ", clean), func(t *testing.T) {
					r := newRig(t, second)
					r.put(regional)
					r.to(0)
					s := r.silence(`{region="eu"}`, `,"endsAt":"now+20s"`)
					r.feed(1, 3, map[string]float64{"eu": 1})
					r.wantTold("")
					incident := r.alerts("firing")[0]
					if restart == "before" {
						r.restart(clean)
					}
					r.to(4_500)
					r.wantTold("")
					end(r, s)
					if restart == "at" {
						r.restart(clean)
					}
					r.to((r.now() - epoch) + 100)
					sent := r.took()
					if len(sent) != 1 || sent[0].Type != notify.TypeFiring || sent[0].Incident != incident.Incident || sent[0].ID != incident.ID || sent[0].StartsAt != incident.StartsAt {
						t.Fatalf("told %s, want the beginning of %s", brief(sent), incident.Incident)
					}
					if restart == "after" {
						r.restart(clean)
					}
					text := r.timeline("eu", "unsilenced")
					held := fmt.Sprintf("held back for %d s by silence %s of ann, \"upgrade\"", (r.now()-sent[0].StartsAt)/1000, s.ID)
					if !strings.HasSuffix(text, "it still fires, so it is told now: "+held) || sent[0].Annotations["held_back"] != held {
						t.Errorf("timeline: %q, annotations %v", text, sent[0].Annotations)
					}
					at := (r.now()-epoch)/1000 + 1
					r.feed(at, at+3, map[string]float64{"eu": 1})
					r.wantTold("")
					r.feed(at+4, at+9, map[string]float64{"eu": 20})
					r.wantTold("eu alert.resolved")
				})
			}
		}
	}
}

// TestToldBefore: a silence takes nothing back: of what was told, the end is told.
func TestToldBefore(t *testing.T) {
	r := newRig(t, second)
	r.put(regional)
	r.to(0)
	r.feed(1, 3, map[string]float64{"eu": 1})
	r.wantTold("eu alert.firing")
	s := r.silence(`{region="eu"}`, "")
	r.to(4_900)
	if text := r.timeline("eu", "silenced"); !strings.Contains(text, s.ID) {
		t.Errorf("timeline: %q", text)
	}
	if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
		t.Fatal(err)
	}
	r.to(5_000)
	r.silence(`{region="eu"}`, "")
	r.feed(6, 9, map[string]float64{"eu": 20})
	r.wantTold("eu alert.resolved")
	r.feed(10, 12, map[string]float64{"eu": 1})
	r.wantTold("")
}

// TestHeldBackAndDeleted: an alert that ends with its rule, held back, is not told.
func TestHeldBackAndDeleted(t *testing.T) {
	r := newRig(t, second)
	r.put(regional)
	r.to(0)
	r.silence(`{alertname="regional"}`, "")
	r.feed(1, 3, map[string]float64{"eu": 1})
	if err := r.engine.DeleteRule("regional", r.now()); err != nil {
		t.Fatal(err)
	}
	r.wantTold("")
	if list := r.alerts("resolved"); len(list) != 1 {
		t.Errorf("%d ended, want 1", len(list))
	}
}

// TestNoDataSilenced: alerts of missing data are meant by their type.
func TestNoDataSilenced(t *testing.T) {
	for matchers, want := range map[string]string{`{type="nodata"}`: "", `{type="alert"}`: "eu alert.nodata", `{region="eu"}`: ""} {
		r := newRig(t, second)
		r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by,10,:lt","absence_after":"5s"}`)
		r.to(0)
		r.silence(matchers, "")
		r.feed(1, 10, map[string]float64{"eu": 20})
		r.to(60_000)
		for s := int64(11); s <= 90; s++ {
			r.to(s * 1000)
		}
		if got := r.told(); got != want {
			t.Errorf("%s: told %q, want %q", matchers, got, want)
		}
		if len(r.alerts("nodata")) != 1 {
			t.Errorf("%s: no alert", matchers)
		}
	}
}

// TestEndsWhenNormal: a silence that ends of itself does so when what it held back has
// been over for as long as it says, however often that came back meanwhile, and not
// while the server is down.
func TestEndsWhenNormal(t *testing.T) {
	for _, restart := range []bool{false, true} {
		r := newRig(t, second)
		r.put(regional)
		r.to(0)
		s := r.silence(`{region="eu"}`, `,"endWhenNormalFor":"30s","endsAt":"now+10h"`)
		state := func(want silence.State) {
			t.Helper()
			if got, _ := r.engine.Silence(s.ID); got.State(r.now()) != want {
				t.Fatalf("restart %v, at %d s: the silence is %s, want %s: %+v", restart, (r.now()-epoch)/1000, got.State(r.now()), want, got)
			}
		}
		r.feed(1, 50, map[string]float64{"eu": 20})
		state(silence.Active) // it waits for an alert
		r.feed(51, 55, map[string]float64{"eu": 1})
		r.feed(56, 80, map[string]float64{"eu": 20})
		r.feed(81, 82, map[string]float64{"eu": 1}) // again
		if restart {
			r.restart(false)
		}
		r.feed(83, 150, map[string]float64{"eu": 1}) // and for long
		state(silence.Active)
		r.feed(151, 170, map[string]float64{"eu": 20})
		state(silence.Active)
		at := int64(171)
		if restart {
			r.restart(true)
			r.at(3_600_000)
			r.restart(true)
			at = 3_601
			r.feed(at, at+2, map[string]float64{"eu": 20})
			state(silence.Active) // nobody knows what was while it was down
			at += 3
		}
		r.feed(at, at+15, map[string]float64{"eu": 20})
		state(silence.Expired)
		if got, _ := r.engine.Silence(s.ID); got.EndedBy != "its alerts were over for 30s" || got.Seen.Held != 2 {
			t.Errorf("got %+v", got)
		}
		r.wantTold("")
		at += 16
		r.feed(at, at+2, map[string]float64{"eu": 1})
		r.wantTold("eu alert.firing")
	}
}

// TestDatabaseFailsAtRelease: a release that cannot be stored is not sent before it is,
// and then once.
func TestDatabaseFailsAtRelease(t *testing.T) {
	r := newRig(t, second)
	r.put(regional)
	r.to(0)
	r.silence(`{region="eu"}`, `,"endsAt":"now+10s"`)
	r.feed(1, 3, map[string]float64{"eu": 1})
	r.engine.UseDB(brokenDB(t))
	r.to(10_000)
	r.to(11_000)
	r.wantTold("")
	r.engine.UseDB(r.db)
	r.to(12_000)
	r.wantTold("eu alert.firing")
	r.to(13_000)
	r.restart(false)
	r.to(14_000)
	r.wantTold("")
}

// TestHoldingSimulation puts and ends silences at random while regions alert and the
// engine is restarted. Nothing is told while a silence means it, everything is told as
// soon as none does, once, and no end without its beginning.
func TestHoldingSimulation(t *testing.T) {
	for seed := *first; seed < *first+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { holdSilences(t, seed) })
	}
}

func holdSilences(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	taped := seed%2 == 1 // it has a log, and is killed in the middle
	r := newRig(t, second)
	if taped {
		r = newTapedRig(t, second)
	}
	r.put(regional)
	r.to(0)
	values := map[string]float64{"eu": 20, "us": 20, "ap": 20}
	begun, over := map[string]int{}, map[string]int{}
	var ids []string
	kills := 0
	for s := int64(1); s < 200; s++ {
		for region := range values {
			if random.IntN(10) == 0 {
				values[region] = 21 - values[region]
			}
		}
		switch random.IntN(12) {
		case 0, 1, 2:
			matchers := []string{`{region="eu"}`, `{region=~"us|ap"}`, `{team="playback",region!="us"}`}[random.IntN(3)]
			more := fmt.Sprintf(`,"startsAt":"now+%ds","endsAt":"now+%ds"`, random.IntN(5), 6+random.IntN(20))
			if random.IntN(2) == 0 {
				more += `,"endWhenNormalFor":"5s"`
			}
			ids = append(ids, r.silence(matchers, more).ID)
		case 3:
			if len(ids) > 0 {
				err := r.engine.ExpireSilence(ids[random.IntN(len(ids))], "", r.now())
				if err != nil && !errors.Is(err, silence.ErrUnknown) {
					t.Fatal(err)
				}
			}
		case 4:
			switch {
			case !taped:
				r.restart(random.IntN(2) == 0)
			case random.IntN(3) == 0:
				r.recover()
			case random.IntN(2) == 0:
				r.engine.OnCommit(func() { panic(errKilled) })
			default:
				r.tape.cut = func(mark []byte) bool { return mark[1] == 1 }
			}
		}
		r.at(s*second - 100)
		for region, v := range values {
			r.send("n-"+region, p(v, "name", "sps", "region", region))
		}
		if r.dies(func() { r.to(s*second + 500) }) {
			r.recover()
			kills++
		}
		if taped {
			r.tape.cut = nil
			r.engine.OnCommit(nil)
		}
		r.to(s*second + 900)
		silenced := map[string]bool{}
		for _, a := range r.alerts("firing") {
			silenced[a.Incident] = len(a.SilencedBy) > 0
		}
		for _, n := range r.took() {
			switch n.Type {
			case notify.TypeFiring:
				if begun[n.Incident]++; begun[n.Incident] > 1 || n.ID != n.Incident+"-firing" {
					t.Fatalf("seed %d at %d s: %s told %d times", seed, s, n.ID, begun[n.Incident])
				}
			case notify.TypeResolved:
				if over[n.Incident]++; over[n.Incident] > 1 || begun[n.Incident] == 0 {
					t.Fatalf("seed %d at %d s: the end of %s told %d times, its beginning %d times", seed, s, n.Incident, over[n.Incident], begun[n.Incident])
				}
			}
		}
		for id, by := range silenced {
			if !by && begun[id] == 0 {
				t.Fatalf("seed %d at %d s: %s fires, nothing silences it, and nobody was told", seed, s, id)
			}
		}
	}
	for _, a := range r.alerts("resolved") {
		if begun[a.Incident] != over[a.Incident] {
			t.Errorf("seed %d: %s: beginning told %d times, end %d times", seed, a.Incident, begun[a.Incident], over[a.Incident])
		}
	}
	if len(begun) == 0 || len(ids) == 0 {
		t.Fatalf("seed %d: nothing happened", seed)
	}
	var held int64
	for _, s := range r.engine.Silences(r.now()) {
		held += s.Seen.Held
	}
	if held == 0 || taped && kills == 0 {
		t.Errorf("seed %d: %d held back, %d kills", seed, held, kills)
	}
}
