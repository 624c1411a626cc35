package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// fails returns what receivers were told of others that fail, as
// "receiver: type of whom".
func (r *rig) fails() []string {
	r.t.Helper()
	out := []string{}
	for _, c := range r.made() {
		var n notify.Notification
		if len(c.body) == 0 {
			continue
		}
		if err := n.UnmarshalJSON(c.body); err != nil {
			r.t.Fatal(err)
		}
		if n.Rule == notify.RuleFailing {
			out = append(out, fmt.Sprintf("%s: %s of %s", c.host[:strings.Index(c.host, ".")], strings.TrimPrefix(n.Type, "alert."), n.Labels["receiver"]))
		}
	}
	return out
}

// answersOf has receivers answer with a status each, all others with 200.
func (r *rig) answersOf(statuses map[string]int) {
	r.answers(func(c call, _ int) (int, http.Header) {
		if status, ok := statuses[c.host[:strings.Index(c.host, ".")]]; ok {
			return status, nil
		}
		return 200, nil
	})
}

// TestFailingReceiverIsTold: whatever a receiver fails by is told to another, once, also
// over a restart, and so is that it works again.
func TestFailingReceiverIsTold(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		pages  int
		within time.Duration // it is told
		not    time.Duration // but not before
		reason string
	}{
		{"gone", 410, 1, time.Second, 0, "it answered 410 Gone"},
		{"refuses", 404, 1, 3 * time.Second, 0, "a notification is given up: refused with status 404"},
		{"fails", 429, 1, 5*time.Minute + 15*time.Second, 5 * time.Minute, "a notification is not accepted: status 429"},
		{"is down", 0, 8, 90 * time.Second, 55 * time.Second, "its host is down: "},
		{"hangs", -1, 8, 2 * time.Minute, 55 * time.Second, "its host is down: no answer within 10s"},
	} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.put("bad")
			r.put("good")
			r.answersOf(map[string]int{"bad": test.status})
			r.burst("bad", test.pages)
			after(test.not)
			if got := r.fails(); test.not > 0 && len(got) > 0 {
				t.Errorf("%s: told of at once: %v", test.name, got)
			}
			after(test.within - test.not)
			equal(t, test.name, r.fails(), []string{"good: firing of bad"})
			x, err := r.svc.Receiver("bad")
			if err != nil || x.Status.Failing == nil || !strings.HasPrefix(x.Status.Failing.Reason, test.reason) || r.svc.Stats().Failing != 1 {
				t.Fatalf("%s: status %+v, %v", test.name, x.Status, err)
			}
			incident := x.Status.Failing.Incident
			if list := r.svc.Attempts(incident); len(list) != 1 || list[0].Receiver != "good" || list[0].Outcome != notify.OutcomeAccepted {
				t.Errorf("%s: timeline %+v", test.name, list)
			}
			r.burst("bad", 3)
			after(time.Hour)
			r.kill()
			r.start()
			after(time.Hour)
			equal(t, test.name+", told once", r.fails(), []string{"good: firing of bad"})

			r.answersStatus(200)
			r.put("bad")
			r.enqueue(to("bad", "last"))
			after(10 * time.Minute)
			equal(t, test.name+", and over", r.fails(), []string{"good: firing of bad", "good: resolved of bad"})
			if x, err := r.svc.Receiver("bad"); err != nil || x.Status.Failing != nil || r.svc.Stats().Failing != 0 {
				t.Errorf("%s: status %+v, %v", test.name, x.Status, err)
			}
			r.kill()
			r.start()
			after(time.Hour)
			if got := r.fails(); len(got) != 2 {
				t.Errorf("%s: told again after a restart: %v", test.name, got)
			}
		})
	}
}

// TestFailingBody: what is said of a receiver that fails, and nothing that is secret.
func TestFailingBody(t *testing.T) {
	bubble(t, notify.Options{Link: "http://pulse:7101/"}, func(r *rig) {
		if err := r.svc.PutReceiver(notify.Receiver{Name: "bad", URL: secret.NewURL("https://bad.example.com/path-canary?key=canary"), Username: "canary-user", Password: secret.New("canary")}); err != nil {
			t.Fatal(err)
		}
		r.put("good")
		r.answersOf(map[string]int{"bad": 404})
		start := time.Now()
		r.enqueue(to("bad", "i1"))
		after(2 * time.Minute)
		calls := r.made()
		var body map[string]any
		if err := json.Unmarshal(calls[len(calls)-1].body, &body); err != nil {
			t.Fatal(err)
		}
		if text := string(calls[len(calls)-1].body); strings.Contains(text, "canary") {
			t.Errorf("a secret is in %s", text)
		}
		equal(t, "type", []any{body["type"], body["status"], body["rule"], body["severity"], body["labels"], body["link"], body["graph"], body["expected"], body["endsAt"]},
			[]any{"alert.firing", "firing", "pulse.receiver-failing", "page", map[string]string{"receiver": "bad"}, "http://pulse:7101/receivers", "http://pulse:7101/", nil, nil})
		equal(t, "summary", body["annotations"].(map[string]any)["summary"], "receiver bad fails: a notification is given up: refused with status 404")
		if at, err := time.Parse(time.RFC3339, body["startsAt"].(string)); err != nil || at.Before(start) || at.After(start.Add(2*time.Second)) {
			t.Errorf("began %v, %v", at, err)
		}
		if body["id"] != body["incident"].(string)+"-firing" {
			t.Errorf("id %v of %v", body["id"], body["incident"])
		}
	})
}

// TestFailingIsToldToThoseThatAreMeant: to receivers with meta, or else to all others that
// deliver; and never to itself.
func TestFailingIsToldToThoseThatAreMeant(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		put := func(name string, meta, disabled bool) {
			t.Helper()
			if err := r.svc.PutReceiver(notify.Receiver{Name: name, URL: secret.NewURL("https://" + name + ".example.com/hook"), Meta: meta, Disabled: disabled}); err != nil {
				t.Fatal(err)
			}
		}
		put("a", true, false)
		put("b", false, false)
		put("c", true, false)
		put("d", true, true)
		r.answersOf(map[string]int{"a": 404, "b": 404})
		r.enqueue(to("b", "i1"))
		after(10 * time.Second)
		told := r.fails()
		slices.Sort(told)
		equal(t, "b fails", told, []string{"a: firing of b", "a: firing of b", "c: firing of b"})
		if x, err := r.svc.Receiver("a"); err != nil || x.Status.Failing != nil {
			t.Errorf("what is told of a receiver that fails is a reason to tell of another: %+v", x.Status.Failing)
		}
		r.enqueue(to("a", "i2"))
		after(10 * time.Second)
		equal(t, "a fails", r.fails()[3:], []string{"c: firing of a"})
		put("c", false, false)
		put("a", false, false)
		put("d", false, true)
		r.answersOf(map[string]int{"c": 404})
		r.enqueue(to("a", "i3"), to("b", "i4"))
		after(5 * time.Minute)
		n := len(r.fails())
		r.enqueue(to("c", "i5"))
		after(10 * time.Second)
		last := r.fails()[n:]
		slices.Sort(last)
		equal(t, "nobody is meant", last, []string{"a: firing of c", "b: firing of c"})
	})
}

// TestAllReceiversFail: when all are down, each is told of to the others once, and what
// is told of them makes no more of it.
func TestAllReceiversFail(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		names := []string{"a", "b", "c"}
		for _, name := range names {
			r.put(name)
		}
		r.answersStatus(404)
		for _, name := range names {
			r.enqueue(to(name, name))
		}
		after(26 * time.Hour)
		seen := map[string]bool{}
		for _, line := range r.fails() {
			seen[line] = true
		}
		if len(seen) != 6 || len(r.fails()) != 12 { // twice each, then they are dead letters
			t.Errorf("told %v", r.fails())
		}
		if s := r.svc.Stats(); s.Failing != 3 || s.DeadLetters != 9 {
			t.Errorf("%d fail, %d dead letters", s.Failing, s.DeadLetters)
		}
		r.answersStatus(200)
		for _, name := range names {
			r.enqueue(to(name, name+"2"))
		}
		after(10 * time.Minute)
		if s := r.svc.Stats(); s.Failing != 0 {
			t.Errorf("%d fail", s.Failing)
		}
	})
}

// TestFailingEndsWithItsReceiver: the end is told when a receiver is deleted or disabled
// by hand, and a test that it answers shows that it works.
func TestFailingEndsWithItsReceiver(t *testing.T) {
	for how, end := range map[string]func(r *rig) error{
		"is deleted": func(r *rig) error { return r.svc.DeleteReceiver("bad") },
		"is disabled": func(r *rig) error {
			return r.svc.PutReceiver(notify.Receiver{Name: "bad", URL: secret.NewURL("https://bad.example.com/hook"), Disabled: true})
		},
		"works again": func(r *rig) error {
			r.answersStatus(200)
			_, err := r.svc.Test(context.Background(), "bad")
			return err
		},
	} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.put("bad")
			r.put("good")
			r.answersOf(map[string]int{"bad": 400})
			r.enqueue(to("bad", "i1"))
			after(time.Minute)
			if err := end(r); err != nil {
				t.Fatal(err)
			}
			after(2 * time.Minute)
			equal(t, how, r.fails(), []string{"good: firing of bad", "good: resolved of bad"})
			calls := r.made()
			if body := string(calls[len(calls)-1].body); !strings.Contains(body, "receiver bad "+how) {
				t.Errorf("%s: %s", how, body)
			}
		})
	}
}

// TestFailingAndWorkingByTurns: a receiver that refuses every second page is told of as
// often as it stays well for a minute.
func TestFailingAndWorkingByTurns(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("bad")
		r.put("good")
		r.answers(func(c call, _ int) (int, http.Header) {
			if c.host == "bad.example.com" && strings.HasPrefix(c.id, "odd") {
				return 422, nil
			}
			return 200, nil
		})
		for i := range 20 {
			r.enqueue(to("bad", fmt.Sprint("odd", i)))
			after(10 * time.Second)
			r.enqueue(to("bad", fmt.Sprint("even", i)))
			after(10 * time.Second)
		}
		after(2 * time.Minute)
		equal(t, "by turns", r.fails(), []string{"good: firing of bad", "good: resolved of bad"})
	})
}
