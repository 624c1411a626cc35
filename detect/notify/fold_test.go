package notify

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/secret"
	"pulse/store/clock"
)

type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) { return nil, context.Canceled }
func (nobody) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
}

// idleService has receivers and does not deliver.
func idleService(t *testing.T, receivers ...Receiver) *Service {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := New(Options{DB: db, Clock: clock.NewManual(time.UnixMilli(1_700_000_000_000)), Transport: nobody{}, Resolver: nobody{}, PerMinute: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range receivers {
		if err := s.PutReceiver(r); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func hookOf(name string) Receiver {
	return Receiver{Name: name, URL: secret.NewURL("https://" + name + ".example.com/")}
}

func (s *Service) enqueueAlone(t *testing.T, list ...Notification) {
	t.Helper()
	for _, n := range list {
		if err := s.o.DB.Update(func(tx *bbolt.Tx) error { return s.Enqueue(tx, n) }); err != nil {
			t.Fatal(err)
		}
	}
}

func alert(kind, incident string) Notification {
	return Notification{ID: incident + kind, Incident: incident, Type: kind, Rule: "r", Notify: []string{"a"}}
}

// TestEndBesideAFold: an alert that ends, or is taken back, while it becomes part of a
// summary is counted by none that would wait for its end.
func TestEndBesideAFold(t *testing.T) {
	for _, late := range []bool{false, true} { // the queue hears of the end after the fold
		pager := Receiver{Name: "a", Kind: KindPagerDuty, RoutingKey: secret.New("0123456789abcdef0123456789abcdef")}
		s := idleService(t, pager)
		c := s.channel("a")
		for i := range 4 {
			s.enqueueAlone(t, alert(TypeFiring, fmt.Sprint("i", i)))
		}
		now := s.o.Clock.Now().UnixMilli()
		var items []*item
		items = append(items, c.queue.items[1:]...)
		end := alert(TypeResolved, "i2")
		if late {
			tx, err := s.o.DB.Begin(true)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Enqueue(tx, end); err != nil {
				t.Fatal(err)
			}
			tx.OnCommit(func() {}) // what the queue hears comes after this
			hooked := make(chan struct{})
			go func() { s.fold(c, items, now); close(hooked) }()
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			<-hooked
		} else {
			s.enqueueAlone(t, end)
			s.fold(c, items, now)
		}
		settleAll := func() {
			p := c.queue.plan(now)
			for _, st := range p.start {
				for _, it := range st.items {
					it.inFlight = false
				}
			}
			s.persistDrops(c, p.drops, now)
		}
		settleAll()
		if c.queue.isCounted("i2") {
			t.Errorf("late %v: what is over is counted", late)
		}
		s.enqueueAlone(t, alert(TypeResolved, "i1"), alert(TypeResolved, "i3"))
		settleAll()
		if n := len(c.queue.counted) + len(c.queue.tallies); n != 0 {
			t.Errorf("late %v: %v are counted, tallies %v", late, c.queue.counted, c.queue.tallies)
		}
	}
}

// TestWithdrawBesideAFold: what is taken back becomes no part of a summary, and what
// becomes a part of one is not taken back.
func TestWithdrawBesideAFold(t *testing.T) {
	s := idleService(t, hookOf("a"))
	c := s.channel("a")
	for i := range 4 {
		n := alert(TypeFiring, fmt.Sprint("i", i))
		n.Notify, n.To = nil, []Target{{Receiver: "a", Group: &Group{Key: n.Incident, Wait: 600_000, Interval: 600_000}}}
		s.enqueueAlone(t, n)
	}
	now := s.o.Clock.Now().UnixMilli()
	c.queue.sent = []sending{{at: now}}
	take := func(incident string) (list []Withdrawn) {
		err := s.o.DB.Update(func(tx *bbolt.Tx) (err error) {
			list, err = s.Withdraw(tx, []string{incident})
			if err == nil {
				err = context.Canceled // it fails at last, and is told late
			}
			return err
		})
		if err != context.Canceled {
			t.Fatal(err)
		}
		return list
	}
	if list := take("i1"); len(list) != 1 {
		t.Fatalf("took back %v", list)
	}
	c.queue.plan(now)
	p := c.queue.plan(now + summaryAfterMs)
	for _, it := range p.fold {
		if it.Incident == "i1" {
			t.Error("what is being taken back is folded")
		}
	}
	if len(p.fold) == 0 {
		t.Fatal("nothing is folded")
	}
	if list := take(p.fold[0].Incident); len(list) != 0 {
		t.Errorf("took back %v, which is being folded", list)
	}
}
