package notify_test

import (
	"net/http"
	"testing"
	"time"

	"pulse/detect/notify"
)

// What keeps an alert from being told again may be said before the receiver has accepted
// it, or while it does; when nothing keeps it any more, it is told at once if its time
// has passed.
func TestQuietBeforeAcceptance(t *testing.T) {
	for name, say := range map[string]func(r *rig){
		"while it waits":  func(r *rig) { after(5 * time.Second); r.quiet("a", "silence s") },
		"while it is put": func(r *rig) { r.quiet("a", "silence s"); after(5 * time.Second) },
		"and changed":     func(r *rig) { r.quiet("a", "silence s"); r.quiet("a"); r.quiet("a", "silence s") },
	} {
		for _, down := range []bool{false, true} {
			bubble(t, notify.Options{}, func(r *rig) {
				r.put("a")
				if down {
					r.answersStatus(503)
				}
				group := &notify.Group{Key: "slow", Wait: 10_000, Interval: 60_000, Repeat: 600_000}
				n := in(group, "a", firing("a"))
				n.To[0].Receiver = "a"
				r.enqueue(n)
				say(r)
				after(20 * time.Second)
				if down {
					r.answersStatus(200)
				}
				after(10 * time.Minute)
				told := len(r.made())
				if !down && told != 1 {
					t.Fatalf("%s, down %v: %q, want one", name, down, r.seen())
				}
				after(time.Hour)
				if got := len(r.made()); got != told {
					t.Fatalf("%s, down %v: told again while it is quiet: %q", name, down, r.seen())
				}
				r.quiet("a")
				after(time.Second)
				if got := len(r.made()); got != told+1 {
					t.Fatalf("%s, down %v: not told again at once: %q", name, down, r.seen())
				}
				r.enqueue(in(group, "a", resolved("a")))
				after(time.Hour)
				if got := len(r.made()); got != told+2 {
					t.Fatalf("%s, down %v: %q", name, down, r.seen())
				}
			})
		}
	}
}

// What is said while the acceptance is on its way counts too.
func TestQuietWhileAttempted(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		once := false
		r.answers(func(c call, n int) (int, http.Header) {
			if !once {
				once = true
				r.quiet("a", "mute night")
			}
			return 200, nil
		})
		r.enqueue(in(hourly, "a", firing("a")))
		after(5 * time.Hour)
		if got := len(r.made()); got != 1 || !once {
			t.Fatalf("told %q", r.seen())
		}
	})
}
