package notify_test

import (
	"fmt"
	"testing"
	"time"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// TestChangedReceiverBeginsAnew: what failed before a receiver was put again is no reason
// to tell of it.
func TestChangedReceiverBeginsAnew(t *testing.T) {
	e := &engine{}
	beat := func(every string, disabled bool) notify.Receiver {
		return notify.Receiver{Name: "bad", URL: secret.NewURL("https://bad.example.com/hook"), Heartbeat: every, Disabled: disabled}
	}
	for _, test := range []struct {
		name  string
		forms []notify.Receiver // one after the other
	}{
		{"heartbeat, then alerts", []notify.Receiver{beat("1m", false), beat("", false)}},
		{"heartbeat that was disabled", []notify.Receiver{beat("1m", false), beat("1m", true), beat("1m", false)}},
		{"alerts, then heartbeat", []notify.Receiver{beat("", false), beat("1m", false)}},
		{"alerts that were disabled", []notify.Receiver{beat("", false), beat("", true), beat("", false)}},
	} {
		bubble(t, notify.Options{Judged: e.judged}, func(r *rig) {
			put := func(x notify.Receiver) {
				if err := r.svc.PutReceiver(x); err != nil {
					t.Fatal(err)
				}
			}
			r.put("good")
			put(test.forms[0])
			r.answersOf(map[string]int{"bad": 429})
			r.enqueue(to("bad", "i"))
			after(4 * time.Minute)
			for i, x := range test.forms[1:] {
				if i == len(test.forms)-2 {
					r.answersStatus(200)
				}
				put(x)
				after(4 * time.Minute)
			}
			after(26 * time.Hour)
			if got := r.fails(); len(got) > 0 {
				t.Errorf("%s: told %v", test.name, got)
			}
			if x, err := r.svc.Receiver("bad"); err != nil || x.Status.Queued != 0 || x.Status.Failing != nil {
				t.Errorf("%s: status %+v, %v", test.name, x.Status, err)
			}
		})
	}
}

// TestRefusedReceiverLeavesNothing: a receiver beyond the most there may be is not kept in
// memory.
func TestRefusedReceiverLeavesNothing(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		for i := range 100 {
			r.put(fmt.Sprint("r", i))
		}
		if err := r.svc.PutReceiver(notify.Receiver{Name: "more", URL: secret.NewURL("https://more.example.com/hook")}); err == nil {
			t.Error("one too many was taken")
		}
		if n := notify.Hosts(r.svc); n != 100 {
			t.Errorf("%d hosts are known", n)
		}
	})
}
