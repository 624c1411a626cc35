package notify_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

func nodata(incident string) notify.Notification {
	n := firing(incident)
	n.ID, n.Type, n.Status = incident+"-nodata", notify.TypeNoData, "nodata"
	return n
}

func again(incident string) notify.Notification {
	n := firing(incident)
	n.ID = incident + "-again"
	return n
}

func TestNewestStateWins(t *testing.T) {
	down := func(call, int) (int, http.Header) { return 503, nil }
	refuses := func(call, int) (int, http.Header) { return 404, nil }
	fine := func(call, int) (int, http.Header) { return 200, nil }
	hangs := func(call, int) (int, http.Header) { return -1, nil }
	type step struct {
		answer func(call, int) (int, http.Header)
		send   []notify.Notification
		pass   time.Duration
		paused bool // sent while the receiver is disabled
	}
	for _, test := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"never attempted and over: nothing",
			[]step{{fine, []notify.Notification{firing("i"), resolved("i")}, time.Hour, true}}, ""},
		{"no-data never attempted and over: nothing",
			[]step{{fine, []notify.Notification{nodata("i"), resolved("i")}, time.Hour, true}}, ""},
		{"resolve of an incident that was never announced: nothing",
			[]step{{fine, []notify.Notification{resolved("i")}, time.Hour, false}}, ""},
		{"accepted, then over",
			[]step{{fine, []notify.Notification{nodata("i")}, time.Minute, false}, {fine, []notify.Notification{resolved("i")}, time.Hour, false}},
			"nodata i-nodata, resolved i-resolved"},
		{"attempted while down, then over: the resolve alone",
			[]step{{down, []notify.Notification{firing("i")}, time.Second / 2, false}, {fine, []notify.Notification{resolved("i")}, time.Hour, false}},
			"firing i-firing, resolved i-resolved"},
		{"in flight when over: the resolve waits",
			[]step{{hangs, []notify.Notification{firing("i")}, time.Second, false}, {fine, []notify.Notification{resolved("i")}, time.Hour, false}},
			"firing i-firing, resolved i-resolved"},
		{"refused twice, then over: no resolve",
			[]step{{refuses, []notify.Notification{firing("i")}, time.Minute, false}, {fine, []notify.Notification{resolved("i")}, time.Hour, false}},
			"firing i-firing, firing i-firing"},
		{"unsure, then refused, then over: a resolve",
			[]step{{down, []notify.Notification{firing("i")}, time.Second / 2, false}, {refuses, nil, time.Minute, false}, {fine, []notify.Notification{resolved("i")}, time.Hour, false}},
			"firing i-firing, firing i-firing, firing i-firing, resolved i-resolved"},
		{"told twice before the first attempt: the newer",
			[]step{{fine, []notify.Notification{firing("i"), again("i")}, time.Hour, true}}, "firing i-again"},
		{"resolve refused, then over again: the second firing stands alone",
			[]step{{fine, []notify.Notification{firing("i")}, time.Minute, false}, {refuses, []notify.Notification{resolved("i")}, time.Minute, false}, {fine, []notify.Notification{resolved("i")}, time.Hour, false}},
			"firing i-firing, resolved i-resolved, resolved i-resolved"},
	} {
		bubble(t, notify.Options{}, func(r *rig) {
			for _, s := range test.steps {
				r.answers(s.answer)
				hook := notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com"), Disabled: s.paused}
				if err := r.svc.PutReceiver(hook); err != nil {
					t.Fatal(err)
				}
				r.enqueue(s.send...)
				r.put("a")
				after(s.pass)
			}
			if got := strings.Join(r.seen(), ", "); got != test.want {
				t.Errorf("%s\n got %s\nwant %s\n%s", test.name, got, test.want, r.logged())
			}
			if s := r.svc.Stats(); s.Receivers[0].Queued != 0 {
				t.Errorf("%s: %d still wait", test.name, s.Receivers[0].Queued)
			}
		})
	}
}

func TestDropsAreLoggedAndRemembered(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		if err := r.svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com"), Disabled: true}); err != nil {
			t.Fatal(err)
		}
		r.enqueue(firing("i"), resolved("i"))
		after(time.Second)
		list := r.svc.Attempts("i")
		if len(list) != 2 || list[0].Outcome != notify.OutcomeDropped || list[0].Number != 0 || !strings.Contains(list[0].Detail(), "over before") {
			t.Errorf("attempts %+v", list)
		}
		if s := r.svc.Stats(); s.NeverSent != 2 || strings.Count(r.logged(), "notification not delivered") != 2 {
			t.Errorf("stats %+v, log %s", s, r.logged())
		}
	})
}

func TestRestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.put("a")
			r.answersStatus(503)
			r.enqueue(firing("i1"))
			after(5 * time.Second) // attempts at 0, 1, 3 s
			if clean {
				r.stop()
			} else {
				r.kill()
			}
			r.answersStatus(200)
			after(time.Second)
			r.start()
			after(time.Minute)
			calls := r.made()
			if len(calls) != 4 {
				t.Fatalf("clean %v: %q", clean, r.seen())
			}
			for _, c := range calls {
				if c.header.Get("Idempotency-Key") != "i1-firing" || string(c.body) != string(calls[0].body) {
					t.Errorf("clean %v: %s with %s", clean, c.header.Get("Idempotency-Key"), c.body)
				}
			}
			equal(t, fmt.Sprint("clean ", clean), gaps(calls), []float64{1, 2, 4})
			if n := len(r.svc.Attempts("i1")); n != 4 {
				t.Errorf("clean %v: %d attempts are remembered", clean, n)
			}
			r.stop()
			r.start()
			r.enqueue(resolved("i1"))
			after(time.Minute)
			equal(t, "the resolve after another restart", r.seen()[4:], []string{"resolved i1-resolved"})
		})
	}
}

// A clean stop knows what was never attempted; a crash does not, so that the
// resolve goes out.
func TestRestartBeforeTheFirstAttempt(t *testing.T) {
	for _, clean := range []bool{true, false} {
		bubble(t, notify.Options{}, func(r *rig) {
			hook := notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com"), Disabled: true}
			if err := r.svc.PutReceiver(hook); err != nil {
				t.Fatal(err)
			}
			r.enqueue(firing("i1"))
			after(time.Second)
			if clean {
				r.stop()
			} else {
				r.kill()
			}
			r.start()
			r.enqueue(resolved("i1"))
			r.put("a")
			after(time.Hour)
			want := []string{}
			if !clean {
				want = []string{"resolved i1-resolved"}
			}
			equal(t, fmt.Sprint("clean ", clean), r.seen(), want)
		})
	}
}

// A crash after a resolve was stored for a receiver that was never told of its
// incident leaves it at that.
func TestRestartWithResolveOfWhatWasNeverSent(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		hook := notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com"), Disabled: true}
		if err := r.svc.PutReceiver(hook); err != nil {
			t.Fatal(err)
		}
		r.kill()
		db, err := bbolt.Open(r.path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		svc, err := notify.New(notify.Options{DB: db, Clock: bubbleClock{}})
		if err == nil {
			err = db.Update(func(tx *bbolt.Tx) error { return svc.Enqueue(tx, resolved("i1")) })
		}
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		r.start()
		r.put("a")
		after(time.Hour)
		equal(t, "attempts", r.seen(), []string{})
	})
}

func TestStopLetsAttemptsFinishAndThenCutsThemOff(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answersStatus(-1)
		r.enqueue(firing("i1"))
		after(time.Second)
		began := time.Now()
		r.stop()
		if d := time.Since(began); d < 3*time.Second || d > 3100*time.Millisecond {
			t.Errorf("stopped after %v, want 3s and the time to store it", d)
		}
		r.answersStatus(200)
		r.start()
		after(time.Second)
		equal(t, "after the restart", r.seen(), []string{"firing i1-firing", "firing i1-firing"})
	})
}

func TestQueueIsBounded(t *testing.T) {
	for _, o := range []notify.Options{{QueueLimit: 5}, {QueueBytes: 5 * 400}} {
		bubble(t, o, func(r *rig) {
			if err := r.svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com"), Disabled: true}); err != nil {
				t.Fatal(err)
			}
			for i := range 12 {
				r.enqueue(firing(fmt.Sprintf("i%02d", i)))
			}
			after(time.Second)
			s := r.svc.Stats()
			dead, err := r.svc.DeadLetters("a", 100)
			if err != nil || int64(len(dead)) != s.Overflowed || s.Receivers[0].Queued+len(dead) != 12 || s.Receivers[0].Queued > 5 || s.Receivers[0].Queued < 3 {
				t.Fatalf("stats %+v, %d dead letters, %v", s, len(dead), err)
			}
			if last := dead[len(dead)-1]; last.ID != "i00-firing" || last.Reason != "queue is full" || !strings.Contains(string(last.Body), "rule-i00") {
				t.Errorf("the oldest did not go first: %+v", last)
			}
			left := s.Receivers[0].Queued
			r.stop()
			r.start()
			if n := r.svc.Stats().Receivers[0].Queued; n != left {
				t.Errorf("after a restart %d wait, want %d", n, left)
			}
		})
	}
}

func TestDeadLettersAreBounded(t *testing.T) {
	bubble(t, notify.Options{QueueLimit: 1}, func(r *rig) {
		if err := r.svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com"), Disabled: true}); err != nil {
			t.Fatal(err)
		}
		var list []notify.Notification
		for i := range 1500 {
			list = append(list, firing(fmt.Sprintf("i%04d", i)))
		}
		r.enqueue(list...)
		after(time.Second)
		dead, err := r.svc.DeadLetters("a", 5000)
		if err != nil || len(dead) != 1000 || dead[0].Incident != "i1498" {
			t.Errorf("%d dead letters, %v", len(dead), err)
		}
	})
}

func TestGivenUpAfterADay(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answersStatus(503)
		r.enqueue(firing("i1"))
		after(23*time.Hour + 50*time.Minute)
		if s := r.svc.Stats(); s.DeadLetters != 0 || s.Receivers[0].Queued != 1 {
			t.Errorf("too early: %+v", s)
		}
		after(20 * time.Minute)
		n := len(r.made())
		dead, _ := r.svc.DeadLetters("a", 10)
		if len(dead) != 1 || dead[0].Reason != "not accepted within 24 hours" || dead[0].Attempts != n {
			t.Errorf("dead letters %+v", dead)
		}
		after(time.Hour)
		if len(r.made()) != n {
			t.Error("it is still attempted")
		}
	})
}

func TestStormBecomesASummary(t *testing.T) {
	bubble(t, notify.Options{Link: "http://pulse/"}, func(r *rig) {
		r.put("a")
		var list []notify.Notification
		for i := range 200 {
			list = append(list, firing(fmt.Sprintf("i%03d", i)))
		}
		r.enqueue(list...)
		after(0)
		calls := r.made()
		if len(calls) != 61 {
			t.Fatalf("%d calls, want a summary and 60", len(calls))
		}
		first := calls[slices.IndexFunc(calls, func(c call) bool { return c.kind == notify.TypeSummary })]
		if !strings.Contains(string(first.body), `"count":140,"rules":["rule-i060",`) ||
			!strings.Contains(string(first.body), `"link":"http://pulse/alerts"`) || first.id == "" {
			t.Errorf("summary %s", first.body)
		}
		for _, c := range calls {
			if c.kind == notify.TypeFiring && c.id >= "i060" {
				t.Errorf("%s was sent, and not the first 60", c.id)
			}
		}
		if list := r.svc.Attempts("i199"); len(list) != 1 || list[0].Outcome != notify.OutcomeDropped {
			t.Errorf("history of a counted alert: %+v", list)
		}

		// Incidents that were counted resolve in silence, the others do not.
		for i := range 200 {
			r.enqueue(resolved(fmt.Sprintf("i%03d", i)))
		}
		after(10 * time.Minute)
		perMinute(t, r.made())
		resolves := 0
		for _, c := range r.made()[61:] {
			if c.kind != notify.TypeResolved || c.id >= "i060" {
				t.Errorf("sent %s %s", c.kind, c.id)
			}
			resolves++
		}
		if resolves != 60 {
			t.Errorf("%d resolves", resolves)
		}
	})
}

// perMinute checks that no minute has more than 60 notifications and one
// summary.
func perMinute(t *testing.T, calls []call) {
	t.Helper()
	for i, first := range calls {
		n, summaries := 0, 0
		for _, c := range calls[i:] {
			if c.at.Sub(first.at) >= time.Minute {
				break
			}
			if c.kind == notify.TypeSummary {
				summaries++
			} else {
				n++
			}
		}
		if n > 60 || summaries > 1 {
			t.Errorf("%d notifications and %d summaries in the minute from call %d", n, summaries, i)
			return
		}
	}
}

func TestLongStormStaysWithinTheRate(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		for i := range 600 {
			r.enqueue(firing(fmt.Sprintf("i%03d", i)))
			after(500 * time.Millisecond)
		}
		after(10 * time.Minute)
		calls := r.made()
		perMinute(t, calls)
		told := 0
		for _, c := range calls {
			if c.kind != notify.TypeSummary {
				told++
				continue
			}
			var n int
			if _, err := fmt.Sscanf(string(c.body[strings.Index(string(c.body), `"count":`):]), `"count":%d`, &n); err != nil {
				t.Fatal(err)
			}
			told += n
		}
		if told != 600 {
			t.Errorf("told of %d of 600", told)
		}
	})
}

func TestDownReceiverIsOnlyProbed(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answersStatus(503)
		for i := range 30 {
			r.enqueue(firing(fmt.Sprint("i", i)))
		}
		after(time.Hour)
		if n := len(r.made()); n > 80 {
			t.Errorf("%d attempts in an hour at a receiver that is down", n)
		}
		r.answersStatus(200)
		after(61 * time.Second)
		if s := r.svc.Stats(); s.Accepted != 30 {
			t.Errorf("accepted %d of 30 soon after it is back", s.Accepted)
		}
	})
}

func TestAttemptsAreBounded(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answersStatus(503)
		r.enqueue(firing("i1"))
		after(12 * time.Hour)
		check := func(when string) {
			list := r.svc.Attempts("i1")
			if len(list) != 50 || list[0].Number != 1 || list[9].Number != 10 || list[49].Number < 100 {
				t.Errorf("%s: %d attempts, %+v", when, len(list), list[len(list)-1])
			}
		}
		check("before a restart")
		r.stop()
		r.start()
		check("after a restart")
	})
}

func TestDeletedReceiver(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answersStatus(-1)
		r.enqueue(firing("i1"))
		after(time.Second)
		if err := r.svc.DeleteReceiver("a"); err != nil {
			t.Fatal(err)
		}
		r.put("a")
		r.answersStatus(200)
		r.enqueue(resolved("i1"), firing("i2"))
		after(time.Minute)
		equal(t, "the new receiver gets what is its own", r.seen(), []string{"firing i1-firing", "firing i2-firing"})
		if err := r.svc.DeleteReceiver("b"); err == nil {
			t.Error("deleted an unknown receiver")
		}
	})
}
