package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// storm is n alerts that begin together, i0000 and so on.
func storm(n int) (begin, end []notify.Notification) {
	for i := range n {
		id := fmt.Sprintf("i%04d", i)
		begin, end = append(begin, firing(id)), append(end, resolved(id))
	}
	return begin, end
}

// told adds up of how many alerts calls speak, and checks that no key comes twice.
func told(t *testing.T, calls []call) (pages, counted int) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range calls {
		if seen[c.host+c.id] {
			t.Errorf("%s came twice", c.id)
		}
		seen[c.host+c.id] = true
		switch c.kind {
		case notify.TypeFiring:
			pages++
		case notify.TypeSummary:
			var body struct{ Count int }
			if err := json.Unmarshal(c.body, &body); err != nil {
				t.Fatal(err)
			}
			counted += body.Count
		}
	}
	return pages, counted
}

// TestStormIsToldAtOnce: more alerts in a transaction than a receiver gets in a
// minute are counted in a summary that goes at once. That they are over a moment
// later takes nothing of it back, and ends come for those only that were sent.
func TestStormIsToldAtOnce(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.put("b")
		begin, end := storm(1000)
		r.enqueue(begin...)
		after(0)
		calls := r.made()
		if pages, counted := told(t, calls); pages != 120 || counted != 2*940 {
			t.Errorf("%d pages and %d counted", pages, counted)
		}
		r.enqueue(end...)
		if s := r.svc.Stats(); s.Folded != 2*940 || s.NeverSent != 2*940 {
			t.Errorf("stats %+v", s)
		}
		after(5 * time.Minute)
		ends := 0
		for _, c := range r.made()[len(calls):] {
			if c.kind != notify.TypeResolved || c.id >= "i0060" {
				t.Errorf("sent %s %s", c.kind, c.id)
			}
			ends++
		}
		if ends != 120 {
			t.Errorf("%d ends", ends)
		}
	})
}

// TestStormThatIsOverBeforeItIsTold: what begins and ends in one transaction is no
// part of a summary.
func TestStormThatIsOverBeforeItIsTold(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		begin, end := storm(300)
		r.enqueue(append(begin, end[100:]...)...)
		after(2 * time.Minute)
		if pages, counted := told(t, r.made()); pages != 60 || counted != 40 {
			t.Errorf("%d pages and %d counted, want 60 and 40", pages, counted)
		}
	})
}

// TestKilledStorm: a kill at any moment after the commit loses nothing of it.
func TestKilledStorm(t *testing.T) {
	for _, answered := range []int{0, 1, 30, 61} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.put("a")
			r.answers(func(_ call, n int) (int, http.Header) {
				if n > answered {
					return -1, nil
				}
				return 200, nil
			})
			begin, _ := storm(200)
			r.enqueue(begin...)
			after(0)
			before := r.made()
			r.kill()
			r.answersStatus(200)
			r.start()
			after(2 * time.Minute)
			accepted := map[string]bool{}
			for _, c := range append(before[:min(answered, len(before))], r.made()[len(before):]...) {
				accepted[c.id] = true
			}
			if len(accepted) != 61 {
				t.Errorf("killed after %d answers: %d of 61 were accepted", answered, len(accepted))
			}
		})
	}
}

// TestSecondStormWaits: one summary a minute is enough, and the next has all that
// came meanwhile and is still on.
func TestSecondStormWaits(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		begin, end := storm(600)
		r.enqueue(begin[:200]...)
		after(time.Second)
		r.enqueue(begin[200:400]...)
		after(time.Second)
		r.enqueue(begin[400:]...)
		after(10 * time.Second)
		if pages, counted := told(t, r.made()); pages != 60 || counted != 140 {
			t.Errorf("%d pages and %d counted, want 60 and 140", pages, counted)
		}
		r.enqueue(end[500:]...)
		after(time.Minute)
		perMinute(t, r.made())
		if pages, counted := told(t, r.made()); pages+counted != 500 {
			t.Errorf("%d pages and %d counted of the 500 that are on", pages, counted)
		}
	})
}

// TestSecondStormIsCounted: storms within a minute of a summary take the room of one
// item each, whatever their size, also over a restart.
func TestSecondStormIsCounted(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		begin, _ := storm(4000)
		for i := range 4 {
			r.enqueue(begin[i*1000 : (i+1)*1000]...)
			after(time.Second)
		}
		if n := r.svc.Stats().Receivers[0].Queued; n > 3 {
			t.Errorf("%d items wait", n)
		}
		r.kill()
		r.start()
		after(time.Minute)
		perMinute(t, r.made())
		if pages, counted := told(t, r.made()); pages != 60 || counted != 3940 {
			t.Errorf("%d pages and %d counted of 4000", pages, counted)
		}
	})
}

// TestHeldStormThatIsOver: of storms that are over before their summary may go nothing
// is said.
func TestHeldStormThatIsOver(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		begin, end := storm(400)
		r.enqueue(begin[:100]...)
		after(time.Second)
		r.enqueue(begin[100:]...)
		after(time.Second)
		r.enqueue(end[100:]...)
		after(3 * time.Minute)
		if pages, counted := told(t, r.made()); pages != 60 || counted != 40 {
			t.Errorf("%d pages and %d counted, want 60 and 40", pages, counted)
		}
	})
}

// TestEndsGetTheirShare: ends do not wait for as long as alerts go on to begin, one
// after the other and as many as may be sent.
func TestEndsGetTheirShare(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		begin, end := storm(400)
		for i := range begin {
			if i == 100 {
				r.enqueue(end[:40]...)
			}
			r.enqueue(begin[i])
			after(time.Second)
		}
		after(0)
		ends := 0
		for _, c := range r.made() {
			if c.kind == notify.TypeResolved {
				ends++
			}
		}
		if ends != 40 {
			t.Errorf("%d of 40 ends in five minutes of beginnings", ends)
		}
		perMinute(t, r.made())
	})
}

// TestPageAfterAStorm: the ends of a storm, which are many too, do not hold up the
// next page.
func TestPageAfterAStorm(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		begin, end := storm(200)
		r.enqueue(begin...)
		after(time.Second)
		r.enqueue(end...)
		after(62 * time.Second)
		n := len(r.made())
		r.enqueue(firing("next"))
		after(0)
		if calls := r.made()[n:]; len(calls) != 1 || calls[0].id != "next-firing" {
			t.Errorf("sent %+v", calls)
		}
		after(3 * time.Minute)
		perMinute(t, r.made())
		if calls := r.made(); len(calls) != 61+60+1 {
			t.Errorf("%d calls, want the storm, its ends and a page", len(calls))
		}
	})
}

// TestStormAmongEnds: the ends of a storm leave pages of the next their room.
func TestStormAmongEnds(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		begin, end := storm(300)
		r.enqueue(begin[:200]...)
		after(time.Second)
		r.enqueue(end[:200]...)
		after(62 * time.Second)
		n := len(r.made())
		r.enqueue(begin[200:]...)
		after(0)
		if pages, counted := told(t, r.made()[n:]); pages != 15 || counted != 85 {
			t.Errorf("%d pages and %d counted, want 15 and 85", pages, counted)
		}
		after(3 * time.Minute)
		perMinute(t, r.made())
	})
}

// TestUnknownReceiverOfAStorm: a name that no receiver has keeps nobody else's
// notifications back.
func TestUnknownReceiverOfAStorm(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		begin, _ := storm(100)
		for i := range begin {
			begin[i].Notify = []string{"nobody", "a", "a"}
		}
		r.enqueue(begin...)
		after(time.Second)
		if pages, counted := told(t, r.made()); pages != 60 || counted != 40 {
			t.Errorf("%d pages and %d counted", pages, counted)
		}
		if s := r.svc.Stats(); s.Unrouted != 100 {
			t.Errorf("%d unrouted", s.Unrouted)
		}
	})
}

// gated is a receiver that answers when the gate is open.
type gated struct {
	gate chan struct{}
	came chan string
}

func (g gated) RoundTrip(req *http.Request) (*http.Response, error) {
	g.came <- req.Header.Get("Webhook-Id")
	<-g.gate
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// TestSlowDatabaseKeepsNobodyWaiting: while the outcomes of attempts cannot be
// stored, others begin, but only so many that a crash repeats few.
func TestSlowDatabaseKeepsNobodyWaiting(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const all, most = 200, 64
	g := gated{make(chan struct{}), make(chan string, all)}
	svc, err := notify.New(notify.Options{DB: db, Clock: bubbleClock{}, Transport: g, Resolver: names{}, Log: zerolog.Nop(), PerMinute: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com/hook")}); err != nil {
		t.Fatal(err)
	}
	begin, _ := storm(all)
	if err := db.Update(func(tx *bbolt.Tx) error {
		if refused := svc.EnqueueAll(tx, begin); refused != nil {
			return refused[0]
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()

	var n atomic.Int64
	next := func() {
		t.Helper()
		select {
		case <-g.came:
			n.Add(1)
		case <-time.After(time.Minute):
			t.Fatalf("no attempt after %d", n.Load())
		}
	}
	for range 4 {
		next()
	}
	busy, err := db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	close(g.gate)
	for range most - 4 {
		next()
	}
	if got := svc.Stats(); got.Attempts > most {
		t.Errorf("%d attempts, and none of them stored", got.Attempts)
	}
	if err := busy.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range all - most {
		next()
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := svc.Stats(); got.Accepted != all {
		t.Errorf("%d of %d accepted", got.Accepted, all)
	}
}
