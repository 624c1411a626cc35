package notify_test

import (
	"errors"
	"testing"
	"time"

	"pulse/detect/notify"
)

// TestResend: dead letters go again under their keys, and their ends follow; beginnings
// of what is over stay.
func TestResend(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answersStatus(404)
		r.enqueue(firing("on"), firing("over"), firing("other"))
		after(time.Minute)
		r.enqueue(resolved("over"))
		after(time.Minute)
		on := func(incident string) bool { return incident != "over" }
		r.answersStatus(200)
		before := len(r.made())
		if got, err := r.svc.Resend("a", "on-firing", on); err != nil || got != (notify.Resent{Sent: 1}) {
			t.Errorf("one: %+v, %v", got, err)
		}
		after(time.Second)
		r.kill()
		r.start()
		if got, err := r.svc.Resend("a", "", on); err != nil || got != (notify.Resent{Sent: 1, Over: 1}) {
			t.Errorf("all: %+v, %v", got, err)
		}
		after(time.Second)
		r.enqueue(resolved("on"))
		after(time.Second)
		equal(t, "sent", r.seen()[before:], []string{"firing on-firing", "firing other-firing", "resolved on-resolved"})
		dead, err := r.svc.DeadLetters("a", 10)
		if err != nil || len(dead) != 1 || dead[0].Incident != "over" {
			t.Errorf("dead letters %+v, %v", dead, err)
		}
		if _, err := r.svc.Resend("b", "", on); !errors.Is(err, notify.ErrUnknownReceiver) {
			t.Errorf("unknown: %v", err)
		}
	})
}

// TestResendOfAnEnd: an end that was given up is sent again, and one whose beginning
// stays a dead letter too is not told first.
func TestResendOfAnEnd(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putPager("")
		r.enqueue(firing("x"))
		after(time.Second)
		r.answersStatus(400)
		r.enqueue(resolved("x"))
		after(time.Second)
		r.answersStatus(200)
		if got, err := r.svc.Resend("pager", "", func(string) bool { return false }); err != nil || got != (notify.Resent{Sent: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
		after(time.Second)
		equal(t, "sent", r.seenActions(), []string{"trigger", "resolve", "resolve"})
	})
}

func (r *rig) seenActions() (out []string) {
	for _, e := range r.events() {
		out = append(out, e.Action)
	}
	return out
}

// TestResendOfASummary: one that opens something is not sent again when all that it
// counts is over, since nobody would resolve it.
func TestResendOfASummary(t *testing.T) {
	bubble(t, notify.Options{PerMinute: 1}, func(r *rig) {
		r.putPager("")
		r.answersStatus(400)
		begin, end := storm(10)
		r.enqueue(begin...)
		after(time.Minute)
		r.enqueue(end...)
		after(time.Minute)
		r.answersStatus(200)
		n := len(r.made())
		if got, err := r.svc.Resend("pager", "", func(string) bool { return false }); err != nil || got.Sent != 0 || got.Over != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		after(time.Minute)
		if got := r.seenActions()[n:]; len(got) > 0 {
			t.Errorf("sent %v", got)
		}
	})
}
