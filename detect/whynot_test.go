package detect_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/store/tags"
)

const lowFor3 = `{"id":"low","owner":"team-a","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":10},"for":"3s","severity":"page","notify":["oncall"]}`

// whyNot asks about region at a second after the epoch.
func (r *rig) whyNot(region string, s int64) *detect.WhyNot {
	r.t.Helper()
	w, err := r.engine.WhyNot(r.t.Context(), "low", tags.Of("region", region), epoch+s*second)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := json.Marshal(w); err != nil {
		r.t.Fatal(err)
	}
	return w
}

// wantReason asks and wants the reason, and words in the last sentence or one before.
func (r *rig) wantReason(region string, s int64, reason string, words ...string) *detect.WhyNot {
	r.t.Helper()
	w := r.whyNot(region, s)
	all := strings.Join(w.Sentences, "\n") + "\n" + w.Text
	if w.Reason != reason || !strings.HasSuffix(w.Text, ".") {
		r.t.Errorf("%s at %d s: %s, want %s\n%s", region, s, w.Reason, reason, all)
	}
	for _, word := range words {
		if !strings.Contains(all, word) {
			r.t.Errorf("%s at %d s: %q is missing in\n%s", region, s, word, all)
		}
	}
	return w
}

// quiet is a rule that was put at 0 s whose region eu is out of band for two seconds
// from 11 s, and from 21 s to 30 s, up to 40 s.
func quiet(t *testing.T) *rig {
	r := newRig(t, second)
	r.to(0)
	r.put(lowFor3)
	for s := int64(1); s <= 40; s++ {
		eu := 100.0
		if s == 11 || s == 12 || s >= 21 && s <= 30 {
			eu = 1
		}
		r.feed(s, s, map[string]float64{"eu": eu, "us": 100})
	}
	return r
}

// TestWhyNot asks about every part of the life of an alert.
func TestWhyNot(t *testing.T) {
	r := quiet(t)
	r.wantReason("eu", -5, detect.ReasonNoRule, "put at 2026-01-01T00:00:00.000Z")
	w := r.wantReason("eu", 5, detect.ReasonInBand, "took that for in band", "in band: 100, not below 10")
	if w.T != epoch+5*second || w.Judged != "judged" || w.Seen == nil || float64(w.Seen.Value) != 100 || w.Phase != "inactive" || w.Detector != "in" {
		t.Errorf("got %+v", w)
	}
	w = r.wantReason("eu", 12, detect.ReasonPending, "pending since 2026-01-01T00:00:11.000Z", "for had run 1 s of 3 s", "at 2026-01-01T00:00:13.000Z it was back in band")
	if w.Phase != "pending" || w.For == nil || *w.For != (detect.Wait{Needs: 3000, Passed: 1000}) || !w.Seen.Out {
		t.Errorf("got %+v", w)
	}
	w = r.wantReason("eu", 22, detect.ReasonPending, "fired at 2026-01-01T00:00:24.000Z")
	if len(w.Alerts) != 1 || w.Phase != "pending" {
		t.Errorf("got %+v", w)
	}
	incident := w.Alerts[0].Incident
	w = r.wantReason("eu", 24, detect.ReasonQueued, "queued for oncall", incident)
	if w.Phase != "firing" || !w.Alerts[0].Queued || w.Alerts[0].StartsAt != epoch+24*second {
		t.Errorf("got %+v", w)
	}
	r.wantReason("eu", 35, detect.ReasonInBand, "No alert of the group was on")
	r.wantReason("us", 24, detect.ReasonInBand)
	w = r.wantReason("ap", 24, detect.ReasonNoGroup, "it has such as", "eu")
	if w.Seen != nil {
		t.Errorf("got %+v", w)
	}
	r.wantReason("eu", 99, detect.ReasonFuture, "has not ended")
	r.to(45_900)
	r.wantReason("eu", 41, detect.ReasonNoData, "no_data auto", "no-data alert begins")
}

// TestWhyNotAsked: who asks about nothing or too much is told so.
func TestWhyNotAsked(t *testing.T) {
	r := quiet(t)
	if _, err := r.engine.WhyNot(t.Context(), "nope", nil, epoch); !errors.Is(err, detect.ErrUnknownRule) {
		t.Errorf("unknown rule: %v", err)
	}
	if _, err := r.engine.WhyNot(t.Context(), "low", nil, epoch+5*second); !errors.Is(err, detect.ErrGroups) || !strings.Contains(err.Error(), "2 of rule") {
		t.Errorf("two groups: %v", err)
	}
	for _, at := range []int64{0, 1, 253_402_300_799_999} {
		if w, err := r.engine.WhyNot(t.Context(), "low", tags.Of("region", "eu"), at); err != nil || w.Text == "" {
			t.Errorf("at %d: %+v, %v", at, w, err)
		}
	}
}

// TestWhyNotDelivered: what became of the page is the reason once the alert fired.
func TestWhyNotDelivered(t *testing.T) {
	try := func(receiver string, number int, outcome, failure string) notify.Attempt {
		return notify.Attempt{T: epoch + 24_600, Type: notify.TypeFiring, Receiver: receiver, Number: number, Outcome: outcome, Error: failure}
	}
	for _, c := range []struct {
		name, reason, words string
		tries               []notify.Attempt
		at                  int64
	}{
		{"accepted", detect.ReasonPaged, "oncall took the page", []notify.Attempt{try("oncall", 1, notify.OutcomeRetry, "status 500"), try("oncall", 2, notify.OutcomeAccepted, "")}, 24},
		{"before", detect.ReasonFiring, "was firing already", []notify.Attempt{try("oncall", 1, notify.OutcomeAccepted, "")}, 27},
		{"one of two", detect.ReasonPaged, "chat took the page", []notify.Attempt{try("oncall", 9, notify.OutcomeDead, "gone"), try("chat", 1, notify.OutcomeAccepted, "")}, 24},
		{"again", detect.ReasonRetrying, "it is tried again", []notify.Attempt{try("oncall", 1, notify.OutcomeRetry, "connection refused")}, 24},
		{"dead", detect.ReasonDead, "not accepted within 24 hours", []notify.Attempt{try("oncall", 0, notify.OutcomeDead, "not accepted within 24 hours")}, 24},
		{"folded", detect.ReasonSummary, "counted in a summary", []notify.Attempt{try("oncall", 0, notify.OutcomeDropped, "counted in a summary")}, 24},
		{"over", detect.ReasonOverBefore, "over before its beginning", []notify.Attempt{try("oncall", 0, notify.OutcomeDropped, "over before its beginning could be accepted")}, 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := quiet(t)
			r.outbox.tries = c.tries
			w := r.wantReason("eu", c.at, c.reason, c.words)
			if len(w.Alerts) != 1 || len(w.Alerts[0].Attempts) != len(c.tries) {
				t.Errorf("got %+v", w.Alerts)
			}
			r.restart(true) // over an empty store
			r.outbox.tries = c.tries
			if got := r.whyNot("eu", c.at); got.Reason != c.reason {
				t.Errorf("after a restart: %s", got.Text)
			}
		})
	}
}

// TestWhyNotSilenced: a silence is named while it holds an alert back, and after.
func TestWhyNotSilenced(t *testing.T) {
	r := newRig(t, second)
	r.to(0)
	r.put(lowFor3)
	s := r.silence(`{region="eu"}`, "")
	r.feed(1, 9, map[string]float64{"eu": 100})
	r.feed(10, 20, map[string]float64{"eu": 1})
	w := r.wantReason("eu", 15, detect.ReasonSilenced, "silence "+s.ID, "of ann", "is held back")
	if len(w.Silences) != 1 || w.Silences[0].ID != s.ID || len(w.Alerts) != 1 || w.Alerts[0].Queued {
		t.Errorf("got %+v", w)
	}
	if err := r.engine.ExpireSilence(s.ID, "bob", r.now()); err != nil {
		t.Fatal(err)
	}
	r.feed(22, 25, map[string]float64{"eu": 1})
	r.wantReason("eu", 15, detect.ReasonSilenced, "it was told at")
	r.wantReason("eu", 24, detect.ReasonQueued, "told now")
}

// TestWhyNotDown: steps that nobody judged in their time, and a rule whose detector
// holds or trains, are reasons of their own.
func TestWhyNotDown(t *testing.T) {
	r := quiet(t)
	if err := r.engine.Close(); err != nil {
		t.Fatal(err)
	}
	r.at(60_100)
	r.newStore()
	r.start()
	r.feed(61, 64, map[string]float64{"eu": 100, "us": 100})
	r.wantReason("eu", 50, detect.ReasonSkipped, "the server was down")
	r.wantReason("eu", 63, detect.ReasonInBand)
	r.wantReason("eu", 24, detect.ReasonQueued) // its record is there
}

func TestWhyNotDetector(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(falling)
	r.starts(0, 2060)
	r.one(notify.TypeFiring)
	r.wantReason("eu", 30, detect.ReasonTraining, "training")
	band := r.band("low", 1700, 2060, "eu")
	for _, row := range band {
		w := r.whyNot("eu", (row.T-epoch)/1000)
		if w.Seen == nil || float64(w.Seen.Expected) != row.Expected || float64(w.Seen.Value) != row.Value || float64(w.Seen.Score) != row.Score || w.Seen.Out != row.Out {
			t.Fatalf("step %d s: %+v, in the band %+v", (row.T-epoch)/1000, w.Seen, row)
		}
	}
}

// TestWhyNotHold: an excursion shorter than the detector's hold is a reason of its own.
func TestWhyNotHold(t *testing.T) {
	r := newRig(t, second)
	r.to(0)
	r.put(strings.Replace(lowFor3, `"below":10`, `"below":10,"hold":"4s"`, 1))
	r.feed(1, 9, map[string]float64{"eu": 100})
	r.feed(10, 12, map[string]float64{"eu": 1})
	r.feed(13, 20, map[string]float64{"eu": 100})
	w := r.wantReason("eu", 11, detect.ReasonHold, "2 s of 4 s", "the detector's hold wants")
	if w.Hold == nil || *w.Hold != (detect.Wait{Needs: 4000, Passed: 2000}) || w.Detector != "hold" {
		t.Errorf("got %+v", w)
	}
	r.wantReason("eu", 15, detect.ReasonInBand)
}
