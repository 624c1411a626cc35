package notify

import (
	"context"
	"testing"

	"go.etcd.io/bbolt"

	"pulse/detect/secret"
)

// Hosts counts the hosts that are remembered.
func Hosts(s *Service) int { return len(s.hosts.byHost) }

// TestOutcomeOfAnotherReceiver: what came of an attempt at a receiver that was deleted
// says nothing of the one that has its name now.
func TestOutcomeOfAnotherReceiver(t *testing.T) {
	s := idleService(t, hookOf("a"), hookOf("b"))
	s.enqueueAlone(t, alert(TypeFiring, "x"))
	old := s.channel("a")
	it := old.queue.items[0]
	if err := s.DeleteReceiver("a"); err != nil {
		t.Fatal(err)
	}
	if err := s.PutReceiver(hookOf("a")); err != nil {
		t.Fatal(err)
	}
	now := s.o.Clock.Now().UnixMilli()
	s.record([]ended{{old, it, s.judgeAttempt(it, answer{verdict: hopeless, status: 400}, false, now), now}})
	if n := len(s.channel("b").queue.items); n != 0 {
		t.Errorf("%d were told to the other", n)
	}
	err := s.o.DB.View(func(tx *bbolt.Tx) error {
		f, err := failingOf(tx, "a")
		if f != nil {
			t.Errorf("stored %+v", f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestProbeOfAReceiverThatLeaves: a receiver that has left takes no probe along that
// others of its host need.
func TestProbeOfAReceiverThatLeaves(t *testing.T) {
	s := idleService(t, Receiver{Name: "a", Kind: KindAlertmanager, URL: secret.NewURL("https://am.example.com")})
	c, host := s.channel("a"), s.channel("a").host()
	now := s.o.Clock.Now().UnixMilli()
	c.queue.keep(&member{Incident: "x", Type: TypeResolved, Until: now + 1000, sent: 1})
	c.own(owner{File: "a.yaml", Leaving: 1})
	host.since = 1
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.dispatch(&running{ctx: ctx, attempts: ctx}, c)
	if s.channel("a") != nil {
		t.Fatal("it has not left")
	}
	if ok, probe, _ := host.enter("b", now); !ok || !probe {
		t.Errorf("no probe for another: %+v", host)
	}
}
