package notify_test

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// bodies returns where the bodies of receiver a are.
func bodies(tx *bbolt.Tx) *bbolt.Bucket {
	return tx.Bucket([]byte("notify")).Bucket([]byte("outbox")).Bucket([]byte("a")).Bucket([]byte("bodies"))
}

// breaks makes the database refuse whatever removes the notifications of receiver a
// that wait now, until mend is called.
func (r *rig) breaks() (mend func()) {
	var keys [][]byte
	err := r.db.Update(func(tx *bbolt.Tx) error {
		b := bodies(tx)
		cursor := b.Cursor()
		for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
			keys = append(keys, append([]byte(nil), key...))
		}
		for _, key := range keys {
			if err := b.Delete(key); err != nil {
				return err
			}
			if _, err := b.CreateBucket(key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Error(err)
	}
	return func() {
		r.t.Helper()
		if err := r.db.Update(func(tx *bbolt.Tx) error {
			for _, key := range keys {
				if err := bodies(tx).DeleteBucket(key); err != nil {
					return err
				}
				if err := bodies(tx).Put(key, []byte(`{"type":"alert.firing","id":"i-firing"}`)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestOutcomeIsOwed: what the database did not take of an accepted page is stored with
// the next transaction, or when the service stops, so that it does not come back alone.
func TestOutcomeIsOwed(t *testing.T) {
	for _, over := range []bool{true, false} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.put("a")
			var mend func()
			r.answers(func(call, int) (int, http.Header) {
				if mend == nil {
					mend = r.breaks()
				}
				return 200, nil
			})
			r.enqueue(firing("i"))
			after(time.Second)
			if s := r.svc.Stats(); s.DatabaseErrors != 1 {
				t.Fatalf("%d errors of the database, want 1", s.DatabaseErrors)
			}
			mend()
			if over {
				r.enqueue(resolved("i"))
				after(time.Second)
				r.kill()
			} else {
				r.stop()
			}
			r.start()
			after(time.Hour)
			if !over {
				r.enqueue(resolved("i"))
				after(time.Second)
			}
			if got := strings.Join(r.seen(), ", "); got != "firing i-firing, resolved i-resolved" {
				t.Errorf("over %v: sent %s", over, got)
			}
		})
	}
}

// TestCleanEndAfterAKill: what may have been accepted before a kill may still have
// been after a restart in which it could not be tried again.
func TestCleanEndAfterAKill(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answers(func(call, int) (int, http.Header) { return -1, nil })
		r.enqueue(firing("i"))
		after(time.Second)
		r.kill()
		r.answersStatus(200)
		db, err := bbolt.Open(r.path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := r.o
		o.DB, o.Clock, o.Resolver = db, bubbleClock{}, names{}
		svc, err := notify.New(o) // which ends before it could try
		if err != nil {
			t.Fatal(err)
		}
		if err := svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com/hook"), Disabled: true}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := svc.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.enqueue(resolved("i"))
		r.put("a")
		after(time.Second)
		if got := strings.Join(r.seen(), ", "); got != "firing i-firing, resolved i-resolved" {
			t.Errorf("sent %s", got)
		}
	})
}

// late is a host that answers when the gate is open, and others that do at once.
type late struct {
	host   string
	status int
	came   chan string
	gate   chan struct{}
}

func (l late) RoundTrip(req *http.Request) (*http.Response, error) {
	l.came <- req.URL.Host + " " + req.Header.Get("Webhook-Id")
	status := 200
	if req.URL.Host == l.host {
		<-l.gate
		status = l.status
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// TestNameOfADeletedReceiver: what comes of an attempt for a receiver that was deleted
// meanwhile is none of the business of another one of its name.
func TestNameOfADeletedReceiver(t *testing.T) {
	for _, status := range []int{200, 404, 410, 503} {
		synctest.Test(t, func(t *testing.T) {
			db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			l := late{"a.example.com", status, make(chan string, 10), make(chan struct{})}
			o := notify.Options{DB: db, Clock: bubbleClock{}, Transport: l, Resolver: names{}, Log: zerolog.Nop()}
			svc, err := notify.New(o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- svc.Run(ctx) }()
			put := func(url string) {
				t.Helper()
				if err := svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL(url)}); err != nil {
					t.Fatal(err)
				}
			}
			put("https://a.example.com/hook")
			if err := db.Update(func(tx *bbolt.Tx) error { return svc.Enqueue(tx, firing("i")) }); err != nil {
				t.Fatal(err)
			}
			<-l.came
			if err := svc.DeleteReceiver("a"); err != nil {
				t.Fatal(err)
			}
			put("https://b.example.com/hook")
			close(l.gate)
			after(time.Second)
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			again, err := notify.New(o)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := again.Receiver("a"); err != nil || got.Disabled || got.URL.Reveal() != "https://b.example.com/hook" {
				t.Errorf("status %d: receiver %+v, %v", status, got, err)
			}
			if s := again.Stats(); s.Receivers[0].Queued != 0 {
				t.Errorf("status %d: %d wait", status, s.Receivers[0].Queued)
			}
			if dead, err := again.DeadLetters("a", 10); err != nil || len(dead) != 0 {
				t.Errorf("status %d: dead letters %+v, %v", status, dead, err)
			}
		})
	}
}

// TestToldAgainWhileOwed: what was accepted and could not be stored is not looked for all
// the time, and is told again once it is stored.
func TestToldAgainWhileOwed(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putAlertmanager("a")
		var mend func()
		r.answers(func(_ call, n int) (int, http.Header) {
			if n == 1 {
				mend = r.breaks()
			}
			return 200, nil
		})
		r.enqueue(firing("i"))
		after(5 * time.Minute)
		if n := len(r.made()); n != 1 {
			t.Errorf("%d posts of what is not stored", n)
		}
		mend()
		r.enqueue(firing("j")) // what is owed goes along
		after(5 * time.Minute)
		told := 0
		for _, c := range r.made() {
			for _, a := range alertsOf(t, c) {
				if a.Labels["rule"] == "rule-i" {
					told++
				}
			}
		}
		if told < 4 {
			t.Errorf("told %d times after it was stored", told)
		}
	})
}

// TestEndToldAgainWhileOwed: an end was accepted and could not be stored: nothing tells
// that the alert fires any more.
func TestEndToldAgainWhileOwed(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putAlertmanager("a")
		r.enqueue(firing("i"))
		after(30 * time.Second)
		r.answers(func(_ call, n int) (int, http.Header) {
			if n == 2 {
				r.breaks()
			}
			return 200, nil
		})
		r.enqueue(resolved("i"))
		after(10 * time.Minute)
		for i, c := range r.made() {
			if list := alertsOf(t, c); i > 1 && list[0].EndsAt.After(c.at) {
				t.Errorf("told that it fires, after its end")
			}
		}
	})
}
