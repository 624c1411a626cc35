package notify_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse/detect/notify"
)

// The bounds that no answer of a receiver moves.
const (
	mostTaken = 8 << 20 // bytes on one connection: 64 KiB and what the system holds on the way
	mostMade  = 1 << 20 // bytes allocated for one attempt, both sides and the log
)

var everyFault = flag.Bool("faults", false, "meet every kind of receiver with every fault, not only with some")

// incidents are those of a story.
var incidents = []string{"ia", "ib", "ic", "id", "ie", "if"}

// TestHostileReceivers: whatever a receiver does, each alert arrives when it is over or
// is a dead letter that says why, its keys are the same every time, no end comes before
// its beginning, and the other receiver is told before any time has passed.
func TestHostileReceivers(t *testing.T) {
	p := newPaper(t)
	faults, encrypted, mails := httpFaults(t), tlsFaults(t, p), mailFaults(t, p)
	for _, kind := range notify.Kinds() {
		if foeReceivers[kind] == "" || receiversAt("")[kind] == "" && kind != notify.KindEmail {
			t.Errorf("kind %s has met nobody", kind)
		}
	}
	for i, kind := range []string{"webhook", "v4", "alertmanager", "pagerduty", "opsgenie", "slack", "teams", "email"} {
		t.Run(kind, func(t *testing.T) {
			n := 6
			switch {
			case *everyFault, kind == "webhook" && !testing.Short(): // the others differ by what they say and how they read an answer
				n = 1
			case testing.Short() && kind != "webhook":
				n = 20
			}
			if kind == "email" {
				stories(t, kind, p, false, some(mails, i, n))
				return
			}
			stories(t, kind, p, false, some(faults, i, n))
			stories(t, kind, p, true, some(encrypted, i, n))
		})
	}
}

// some returns every n-th fault, beginning with another for each i.
func some(all []fault, i, n int) (out []fault) {
	for i %= n; i < len(all); i += n {
		out = append(out, all[i])
	}
	return out
}

// stories tells one of each fault.
func stories(t *testing.T, kind string, p *paper, encrypted bool, faults []fault) {
	for _, x := range faults {
		if encrypted {
			x.what = "encrypted: " + x.what
		}
		t.Run(x.what, func(t *testing.T) {
			s := besiege(t, kind, p, encrypted)
			defer s.end()
			if kind == "slack" && x.comes == notify.OutcomeAccepted {
				x.comes = notify.OutcomeRetry // whose answer must be ok
			}
			s.story(&x)
		})
	}
}

// story has six alerts: the first ends after the fault, the second in it, the third
// after it too, and the others go on.
func (s *siege) story(x *fault) {
	t := s.t
	s.foe.does(x)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.enqueue(firing("ia"))
	s.drive("the first attempts", func() bool { return len(s.attempts("ia")) >= 3 || s.idle() || s.stats("foe").Disabled })
	s.enqueue(firing("ib"), firing("ic"), firing("id"))
	s.enqueue(firing("ie"), firing("if"))
	s.drive("attempts in the fault", func() bool { return len(s.attempts(incidents...)) >= 12 || s.idle() || s.stats("foe").Disabled })
	s.enqueue(resolved("ib"))
	s.drive("attempts of an end", func() bool { return len(s.attempts(incidents...)) >= 20 || s.idle() || s.stats("foe").Disabled })
	runtime.ReadMemStats(&after)
	made := s.attempts(incidents...)
	s.judge(x, made)
	if each := (after.TotalAlloc - before.TotalAlloc) / uint64(max(1, len(made))); each > mostMade {
		t.Errorf("an attempt takes %d bytes", each)
	}

	s.foe.does(nil)
	if s.stats("foe").Disabled {
		s.putJSON(s.put)
	}
	s.drive("what waited", s.idle)
	s.enqueue(resolved("ia"), resolved("ic"))
	s.drive("the ends", s.idle)
	for _, incident := range incidents {
		s.arrived(incident, slices.Index(incidents, incident) < 3)
	}
	s.ordered()
	s.foe.mu.Lock()
	if s.foe.most > mostTaken || s.foe.followed > 0 {
		t.Errorf("%d bytes taken, %d redirects followed", s.foe.most, s.foe.followed)
	}
	s.foe.mu.Unlock()
	for _, word := range []string{"inside", "canary", "Y2FuYXJ5"} {
		if at := strings.Index(s.shown(), word); at >= 0 {
			t.Errorf("%s stands in %s", word, s.shown()[max(0, at-300):at+50])
		}
	}
}

// judge holds the attempts during a fault against what it should come to.
func (s *siege) judge(x *fault, made []notify.Attempt) {
	if len(made) == 0 {
		s.t.Error("nothing was tried")
	}
	for _, a := range made {
		want := a.Outcome == x.comes || x.comes == notify.OutcomeDead && a.Outcome == notify.OutcomeRetry && a.Number == 1
		if a.Outcome == notify.OutcomeDropped {
			continue
		}
		if !want || x.status > 0 && a.Status != x.status || x.status == 0 && a.Error == "" && a.Outcome != notify.OutcomeAccepted || !strings.Contains(a.Error, x.says) {
			s.t.Errorf("%+v, want %s, status %d, %q", a, x.comes, x.status, x.says)
		}
	}
	if x.most > 0 {
		pause := time.Duration(made[0].Next-made[0].T) * time.Millisecond
		if pause < x.floor || pause > x.most {
			s.t.Errorf("the next attempt is after %v, want %v to %v", pause, x.floor, x.most)
		}
	}
}

// arrived wants that an alert, and its end if it has ended, was taken, or is a dead
// letter with a cause; or else that it was over before anybody could know of it.
func (s *siege) arrived(incident string, over bool) {
	var asked, begun, ended, buried, buriedEnd bool
	for _, x := range s.foe.heard() {
		if x.ident == incident {
			asked = asked || !x.resolved
			begun = begun || x.taken && !x.resolved
			ended = ended || x.taken && x.resolved
		}
	}
	for _, d := range s.dead() {
		if d.Incident == incident {
			buried = buried || d.Type == notify.TypeFiring
			buriedEnd = buriedEnd || d.Type == notify.TypeResolved
			if d.Reason == "" || d.Attempts == 0 || len(d.Body) == 0 {
				s.t.Errorf("dead letter %+v", d)
			}
		}
	}
	dropped, accepted := 0, 0
	for _, a := range s.attempts(incident) {
		switch {
		case a.Outcome == notify.OutcomeDropped && a.Error != "":
			dropped++
		case a.Outcome == notify.OutcomeAccepted:
			accepted++
		}
	}
	switch {
	case !over && (begun || buried || accepted > 0):
	case over && (begun || accepted > 0 || asked) && (ended || buriedEnd || accepted > 1):
	case over && buried:
	case over && !asked && dropped == 2:
	default:
		s.t.Errorf("%s: asked %v, taken %v, end taken %v, dead %v, end dead %v, dropped %d; attempts %+v", incident, asked, begun, ended, buried, buriedEnd, dropped, s.attempts(incident))
	}
}

// ordered wants that no end is told before its beginning, and everything by one key.
func (s *siege) ordered() {
	keys := map[string]string{}
	ended := map[string]bool{}
	for _, x := range s.foe.heard() {
		if ended[x.ident] && !x.resolved && s.foe.kind != "alertmanager" {
			s.t.Errorf("the beginning of %s comes after its end", x.ident)
		}
		if ended[x.ident] = ended[x.ident] || x.resolved; x.resolved && len(s.attempts(x.ident)) < 2 {
			s.t.Errorf("the end of %s comes, and nobody has tried to tell its beginning", x.ident)
		}
		what := fmt.Sprint(x.ident, x.resolved)
		if was, ok := keys[what]; ok && was != x.key {
			s.t.Errorf("%s has the keys %q and %q", what, was, x.key)
		}
		keys[what] = x.key
	}
}
