package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"pulse/detect/notify"
)

// event is what PagerDuty gets.
type event struct {
	Action  string `json:"event_action"`
	Key     string `json:"dedup_key"`
	Payload struct{ Summary, Severity string }
}

func (r *rig) events() (list []event) {
	r.t.Helper()
	for _, c := range r.made() {
		var e event
		if err := json.Unmarshal(c.body, &e); err != nil {
			r.t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

func (r *rig) putPager(more string) {
	r.t.Helper()
	r.putJSON(`{"name":"pager","kind":"pagerduty","routing_key":"0123456789abcdef0123456789abcdef"` + more + `}`)
}

// TestUnwantedEndsTakeNoRoom: ends that a receiver does not want neither wait nor count,
// and one whose beginning is under way goes no further than that.
func TestUnwantedEndsTakeNoRoom(t *testing.T) {
	bubble(t, notify.Options{PerMinute: 4}, func(r *rig) {
		r.putJSON(`{"name":"a","url":"https://a.example.com/hook","send_resolved":false}`)
		for i := range 3 {
			r.enqueue(firing(fmt.Sprint("i", i)))
		}
		after(0)
		for i := range 3 {
			r.enqueue(resolved(fmt.Sprint("i", i)))
		}
		after(0)
		if s := r.svc.Stats(); s.Receivers[0].Queued != 0 || s.Accepted != 3 || s.Attempts != 3 {
			t.Errorf("%d wait, %d accepted, %d attempts", s.Receivers[0].Queued, s.Accepted, s.Attempts)
		}
		after(2 * time.Minute)
		r.answersStatus(-1)
		r.enqueue(firing("late"))
		after(time.Second)
		r.enqueue(resolved("late"))
		after(time.Hour)
		list := r.svc.Attempts("late")
		if a := list[len(list)-1]; a.Type != notify.TypeResolved || a.Outcome != notify.OutcomeDropped || a.Error != "send_resolved is false" {
			t.Errorf("attempts %+v", list)
		}
		if s := r.svc.Stats(); s.Receivers[0].Queued != 0 || len(r.made()) != 4 {
			t.Errorf("%d wait, %d calls", s.Receivers[0].Queued, len(r.made()))
		}
		r.kill()
		r.start()
		r.answersStatus(200)
		after(time.Hour)
		if len(r.made()) != 4 {
			t.Errorf("after a restart: %v", r.seen())
		}
	})
}

// TestEndsThatAreWantedNoMore: what waits goes when the receiver changes its mind.
func TestEndsThatAreWantedNoMore(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.enqueue(firing("i"))
		after(time.Second)
		r.answersStatus(503)
		r.enqueue(resolved("i"))
		after(time.Second)
		r.putJSON(`{"name":"a","url":"https://a.example.com/hook","send_resolved":false}`)
		after(time.Second)
		if s := r.svc.Stats(); s.Receivers[0].Queued != 0 {
			t.Errorf("%d wait", s.Receivers[0].Queued)
		}
	})
}

// TestHopelessIsTriedOnce: PagerDuty says of a 400 that it must not be sent again.
func TestHopelessIsTriedOnce(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putPager("")
		r.answersStatus(400)
		r.enqueue(firing("i"))
		after(time.Hour)
		dead, err := r.svc.DeadLetters("pager", 10)
		if err != nil || len(dead) != 1 || dead[0].Attempts != 1 || len(r.made()) != 1 {
			t.Errorf("%d calls, dead letters %+v, %v", len(r.made()), dead, err)
		}
	})
}

// TestTestIsResolved: what a test opens is closed by it.
func TestTestIsResolved(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putPager("")
		if got, err := r.svc.Test(context.Background(), "pager"); err != nil || !got.OK || got.Error != "" {
			t.Errorf("test %+v, %v", got, err)
		}
		list := r.events()
		if len(list) != 2 || list[0].Action != "trigger" || list[1].Action != "resolve" || list[0].Key == "" || list[0].Key != list[1].Key || list[0].Payload.Severity != "info" {
			t.Errorf("events %+v", list)
		}
		r.answers(func(_ call, n int) (int, http.Header) {
			if n > 3 {
				return 500, nil
			}
			return 202, nil
		})
		if got, err := r.svc.Test(context.Background(), "pager"); err != nil || !got.OK || got.Error != "what the test opened was not resolved: status 500" {
			t.Errorf("test %+v, %v", got, err)
		}
	})
}
