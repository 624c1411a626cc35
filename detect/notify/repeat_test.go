package notify_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// hourly is a group that is told of again.
var hourly = &notify.Group{Key: "hourly", Interval: 60_000, Repeat: 3_600_000}

func (r *rig) quiet(incident string, by ...string) {
	r.t.Helper()
	err := r.db.Update(func(tx *bbolt.Tx) error {
		return r.svc.Quiet(tx, []notify.Quiet{{Receiver: "a", Incident: incident, By: by}})
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestGroupsAreToldOfAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		put  func(r *rig)
		want []string
	}{
		{"one message", func(r *rig) { r.putGrouping("a") }, []string{
			"0: a-firing b-firing",
			"60: a-firing-r1 b-firing",
			"90: a-firing b-firing c-firing",
			"150: a-firing-r2 b-firing c-firing",
			"155: b-firing c-firing a-resolved",
			"215: b-firing-r3 c-firing",
			"275: b-firing-r4",
			"370: c-firing-r5",
			"430: c-firing-r6",
			"440: b-resolved c-resolved",
		}},
		{"a message for each", func(r *rig) { r.put("a") }, []string{
			"0: a-firing", "0: b-firing",
			"60: a-firing-r1", "60: b-firing-r1",
			"90: c-firing",
			"150: a-firing-r2", "150: b-firing-r2", "150: c-firing-r2",
			"155: a-resolved",
			"215: b-firing-r3", "215: c-firing-r3",
			"275: b-firing-r4",
			"370: c-firing-r5",
			"430: c-firing-r6",
			"440: b-resolved", "440: c-resolved",
		}},
	} {
		for _, restart := range []bool{false, true} {
			bubble(t, notify.Options{}, func(r *rig) {
				start := time.Now()
				test.put(r)
				at := func(minutes int, list ...notify.Notification) {
					after(time.Until(start.Add(time.Duration(minutes) * time.Minute)))
					for i := range list {
						list[i] = in(hourly, "a", list[i])
					}
					r.enqueue(list...)
					if restart {
						r.stop()
						r.start()
					}
				}
				at(0, firing("a"), firing("b"))
				at(90, firing("c"))
				at(155, resolved("a"))
				at(220)
				r.quiet("c", "silence:1")
				at(280)
				r.quiet("b", "inhibit:x by y")
				at(370)
				r.quiet("c")
				at(371)
				at(440, resolved("b"), resolved("c"))
				after(5 * time.Hour)
				got := r.made()
				equal(t, fmt.Sprint(test.name, ", restart ", restart), inMinutes(t, got, start), test.want)
				if left := r.stored(); len(left) > 0 {
					t.Errorf("left %v", left)
				}
				ids := map[string]bool{}
				for _, c := range got {
					ids[c.header.Get("Webhook-Id")] = true
				}
				if len(ids) != len(got) {
					t.Errorf("%s: %d names of %d messages", test.name, len(ids), len(got))
				}
			})
		}
	}
}

// A receiver that is down for long gets one repeat when it is back, and one that refuses
// them is left alone for as long as ever.
func TestRepeatsToReceiversThatFail(t *testing.T) {
	for _, test := range []struct {
		status, attempts int
		back             int
	}{{503, 140, 1}, {404, 12, 0}} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.putGrouping("a")
			r.enqueue(in(hourly, "a", firing("a")))
			after(time.Minute)
			r.answersStatus(test.status)
			after(6*time.Hour + 10*time.Minute)
			n := len(r.made())
			if n < 4 || n > test.attempts+1 {
				t.Errorf("status %d: %d attempts in six hours", test.status, n)
			}
			r.answersStatus(200)
			after(6 * time.Minute)
			if got := len(r.made()) - n; got != test.back {
				t.Errorf("status %d: %d once it is back", test.status, got)
			}
		})
	}
}

// A repeat never takes the place of an end that was stored a moment before.
func TestRepeatAndEndAtOnce(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		start := time.Now()
		for _, name := range []string{"a", "b"} {
			if err := r.svc.PutReceiver(notify.Receiver{Name: name, URL: secret.NewURL("https://a.example.com")}); err != nil {
				t.Fatal(err)
			}
		}
		g := *hourly
		g.Interval = 0
		n := in(&g, "a", firing("a"))
		n.To = append(n.To, notify.Target{Receiver: "b", Group: &g})
		r.enqueue(n)
		time.Sleep(time.Hour) // the timers of both fire now, and nobody has run yet
		end := resolved("a")
		end.To = n.To
		if err := r.db.Update(func(tx *bbolt.Tx) error { return errors.Join(r.svc.EnqueueAll(tx, []notify.Notification{end})...) }); err != nil {
			t.Fatal(err)
		}
		after(3 * time.Hour)
		got := inMinutes(t, r.made(), start)
		if last := got[len(got)-1]; last != "60: a-resolved" || len(got) > 6 {
			t.Errorf("told %q", got)
		}
	})
}
