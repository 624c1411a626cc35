package notify_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"pulse/detect/notify"
)

// TestStanding: what a notification waits for is told as it is.
func TestStanding(t *testing.T) {
	bubble(t, notify.Options{PerMinute: 2}, func(r *rig) {
		r.put("a")
		start := time.Now()
		want := func(incident, what string, until time.Duration) {
			t.Helper()
			got := ""
			list := r.svc.Standing(incident)
			for _, x := range list {
				got += x.Receiver + " " + x.Why
				if x.Until != 0 {
					got += fmt.Sprint(" ", time.UnixMilli(x.Until).Sub(start))
				}
			}
			if until != 0 {
				what += fmt.Sprint(" ", until)
			}
			if got != what {
				t.Errorf("at %s: %s stands %q, want %q", time.Since(start), incident, got, what)
			}
		}
		want("x", "", 0)
		slow := &notify.Group{Key: "slow", Wait: 10_000, Interval: 60_000, Repeat: 3_600_000, Labels: map[string]string{"team": "a"}}
		r.enqueue(in(slow, "a", firing("x")))
		want("x", "a group", 10*time.Second)
		after(11 * time.Second)
		want("x", "a told repeatedly", 10*time.Second+time.Hour)
		if x := r.svc.Standing("x")[0]; x.Group["team"] != "a" || x.Quiet != nil || x.Notification != "x-firing" {
			t.Errorf("got %+v", x)
		}
		r.quiet("x", "silence s")
		if x := r.svc.Standing("x")[0]; len(x.Quiet) != 1 {
			t.Errorf("got %+v", x)
		}
		r.enqueue(in(slow, "a", firing("y")))
		want("y", "a group", 70*time.Second)
		r.answersStatus(503)
		r.enqueue(in(nil, "a", firing("z")))
		after(time.Second)
		if x := r.svc.Standing("z"); len(x) != 1 || x[0].Why != notify.StandingRetry || x[0].Attempts == 0 || x[0].LastError != "status 503" {
			t.Errorf("got %+v", x)
		}
		r.enqueue(in(nil, "a", firing("v")))
		after(time.Second)
		want("v", "a rate", 70*time.Second)
		after(10 * time.Second)
		want("v", "a counted", 0)
	})
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answersStatus(410)
		r.enqueue(in(nil, "a", firing("x")))
		after(time.Second)
		if x := r.svc.Standing("x"); len(x) != 1 || x[0].Why != notify.StandingDisabled {
			t.Errorf("got %+v", x)
		}
	})
	bubble(t, notify.Options{BreakerAfter: 1}, func(r *rig) {
		r.put("a")
		r.answersStatus(0)
		r.enqueue(in(nil, "a", firing("x")))
		after(100 * time.Millisecond)
		if x := r.svc.Standing("x"); len(x) != 1 || x[0].Why != notify.StandingHost || x[0].Until <= time.Now().UnixMilli() {
			t.Errorf("got %+v", x)
		}
		r.answers(func(call, int) (int, http.Header) { return -1, nil })
		after(6 * time.Second)
		if x := r.svc.Standing("x"); len(x) != 1 || x[0].Why != notify.StandingInFlight {
			t.Errorf("got %+v", x)
		}
	})
}
