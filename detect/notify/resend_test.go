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
