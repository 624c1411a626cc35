package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// story tells a book what happens, a step every hundred milliseconds. Stream x of
// rule r leaves its band with step 1000 and is back with step 2000.
type story struct{ *killBook }

func newStory() *story {
	tr := &truth{next: 5000, changes: map[streamKey][]int64{{"r", "x"}: {1000, 2000}}}
	s := &story{newKillBook(tr)}
	for _, thing := range []string{"receiver a", "rule r"} {
		s.begin(thing, "1", 0)
		s.acknowledged(thing, "1")
	}
	return s
}

func told(incident, state string, start, end int64) killAlert {
	a := killAlert{Type: "alert." + state, ID: incident + "-" + state, Incident: incident, Rule: "r", State: state,
		Tags: map[string]string{"node": "x"}, StartsAt: time.UnixMilli(start)}
	if end != 0 {
		a.EndsAt = time.UnixMilli(end)
	}
	return a
}

// hook is a request at receiver a that is answered with 200, or not at all when lost.
func (s *story) hook(a killAlert, now int64, lost bool) {
	body, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	s.request(a.ID, body, now, lost)
}

func (s *story) request(key string, body []byte, now int64, lost bool) {
	h := http.Header{}
	h.Set("Webhook-Id", key)
	h.Set("Idempotency-Key", key)
	h.Set("Webhook-Timestamp", "1")
	h.Set("Webhook-Signature", demoSignature(key, "1", body))
	s.accept(s.arrived("a", "1", h, body, now), lost)
}

// list is the list of alerts as asked for and answered at once.
func (s *story) list(now int64, list ...killAlert) { s.asked(s.asks(), list, now) }

func (s *story) kill(now int64) {
	s.killing(now)
	s.killing(now)
}

// TestKillBook holds the book against stories with one broken promise each, and
// against honest ones.
func TestKillBook(t *testing.T) {
	fired, over := told("i", "firing", 1000, 0), told("i", "resolved", 1000, 2000)
	f := func(name, want string, tell func(s *story)) {
		t.Helper()
		s := newStory()
		tell(s)
		got := strings.Join(s.found(), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: found %q, want %q", name, got, want)
		}
	}
	f("one incident", "", func(s *story) {
		s.list(900, told("i", "pending", 0, 0))
		s.hook(fired, 1010, false)
		s.list(1100, fired)
		s.hook(over, 2010, false)
		s.list(2100, over)
		s.finish()
	})
	f("repeats after a kill and a lost answer", "", func(s *story) {
		s.hook(fired, 1010, false)
		s.kill(1020)
		s.list(1200, fired)
		s.hook(fired, 1300, true)
		s.hook(fired, 1400, false)
		s.hook(over, 2010, false)
		s.finish()
	})
	f("changes that nobody acknowledged", "", func(s *story) {
		s.begin("rule r", "2", 10)
		s.listed("rule", map[string]string{"r": "2"})
		s.begin("rule r", "", 10)
		s.listed("rule", map[string]string{})
		s.begin("rule r", "3", 10)
		s.listed("rule", map[string]string{})
	})
	f("a new page for a new rule", "", func(s *story) {
		s.hook(fired, 1010, false)
		s.begin("rule r", "", 1100)
		s.acknowledged("rule r", "")
		ended := told("i", "resolved", 1000, 1100)
		ended.Annotations = map[string]string{"reason": "the rule was deleted"}
		s.hook(ended, 1110, false)
		s.hook(told("j", "firing", 1200, 0), 1210, false)
	})

	f("a page on its way to a receiver that is deleted", "", func(s *story) {
		s.begin("receiver a", "", 1000)
		s.hook(fired, 1010, false)
		s.acknowledged("receiver a", "")
		s.begin("receiver a", "2", 1100)
		s.acknowledged("receiver a", "2")
		s.list(2100, over)
		s.finish()
	})

	f("lost rule", `rule r has revision "", acknowledged was ["1"]`, func(s *story) { s.listed("rule", map[string]string{}) })
	f("older rule", `rule r has revision "1", acknowledged was ["2"]`, func(s *story) {
		s.begin("rule r", "2", 10)
		s.acknowledged("rule r", "2")
		s.listed("rule", map[string]string{"r": "1"})
	})
	f("deleted receiver is back", `receiver a has revision "1", acknowledged was [""]`, func(s *story) {
		s.begin("receiver a", "", 10)
		s.acknowledged("receiver a", "")
		s.listed("receiver", map[string]string{"a": "1"})
	})
	f("a change undone after it was seen", `acknowledged was ["2"]`, func(s *story) {
		s.begin("rule r", "2", 10)
		s.listed("rule", map[string]string{"r": "2"})
		s.listed("rule", map[string]string{"r": "1"})
	})
	f("unknown rule", "rule z was never made", func(s *story) { s.listed("rule", map[string]string{"r": "1", "z": "1"}) })
	f("second page", "paged twice", func(s *story) {
		s.hook(fired, 1010, false)
		s.kill(1020)
		s.hook(told("j", "firing", 1300, 0), 1310, false)
	})
	f("second page seen in the list", "paged twice", func(s *story) {
		s.list(1100, fired)
		s.list(1400, fired, told("j", "firing", 1300, 0))
	})
	f("page in band", "fired at 900 while in band", func(s *story) { s.hook(told("i", "firing", 900, 0), 910, false) })
	f("resolve out of band", "resolved at 1500 while out of band", func(s *story) {
		s.hook(fired, 1010, false)
		s.hook(told("i", "resolved", 1000, 1500), 1510, false)
	})
	f("vanished", "has vanished", func(s *story) {
		s.list(1100, fired)
		s.kill(1200)
		s.list(1300)
	})
	f("vanished after a page", "has vanished", func(s *story) {
		s.hook(fired, 1010, false)
		s.list(1300)
	})
	f("back to pending", "had fired and is pending", func(s *story) {
		s.list(1100, fired)
		s.list(1300, told("i", "pending", 1000, 0))
	})
	f("back to firing", "was resolved and is firing", func(s *story) {
		s.list(2100, over)
		s.list(2200, fired)
	})
	f("another beginning", "began at 1000 and now at 1300", func(s *story) {
		s.list(1100, fired)
		s.list(1300, told("i", "firing", 1300, 0))
	})
	f("listed twice", "is listed twice", func(s *story) { s.list(2100, fired, over) })
	f("resolve before its firing", "came without its firing", func(s *story) { s.hook(over, 2010, false) })
	f("resolve before its firing, with a kill before both", "came without its firing", func(s *story) {
		s.kill(500)
		s.hook(over, 2010, false)
	})
	f("firing after its resolve", "came after its resolve", func(s *story) {
		s.kill(1500)
		s.hook(over, 2010, false)
		s.hook(fired, 2020, false)
	})
	f("resolve of what was before the receiver", "whose firing was before there was such a receiver", func(s *story) {
		s.begin("receiver a", "", 900)
		s.acknowledged("receiver a", "")
		s.list(1100, fired)
		s.begin("receiver a", "2", 1200)
		s.kill(1300)
		s.hook(over, 2010, false)
	})
	f("repeat for no reason", "came again", func(s *story) {
		s.kill(900)
		s.hook(fired, 1010, false)
		s.hook(fired, 1020, false)
	})
	f("another body", "and then", func(s *story) {
		s.hook(fired, 1010, true)
		other := fired
		other.Rule = "s"
		s.hook(other, 1020, false)
	})
	f("another key", `keys "k" and "k", id "i-firing"`, func(s *story) {
		body, _ := json.Marshal(fired)
		s.request("k", body, 1010, false)
	})
	f("never resolved for who accepted", "never got its resolve", func(s *story) {
		s.hook(fired, 1010, false)
		s.list(2100, over)
		s.finish()
	})
	f("never ended", "never ended", func(s *story) {
		s.list(1100, fired)
		s.finish()
	})
	f("never told", "was never told", func(s *story) { s.told("a", []killAlert{fired}) })
	f("wrong signature", "the signature is not", func(s *story) {
		body, _ := json.Marshal(fired)
		s.arrived("a", "1", http.Header{"Webhook-Id": {"i-firing"}, "Idempotency-Key": {"i-firing"}}, body, 1010)
	})
}

// TestKillRigGoesRed takes something out of state.db between a kill and the next
// start, as if it had never been synced, and wants the rig to notice.
func TestKillRigGoesRed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	empty := func(tx *bbolt.Tx, path ...string) error {
		b := tx.Bucket([]byte(path[0]))
		for _, name := range path[1 : len(path)-1] {
			b = b.Bucket([]byte(name))
		}
		last := []byte(path[len(path)-1])
		if err := b.DeleteBucket(last); err != nil {
			return fmt.Errorf("%v: %w", path, err)
		}
		_, err := b.CreateBucket(last)
		return err
	}
	for _, plant := range []struct {
		name, want string
		lose       func(tx *bbolt.Tx) error
	}{
		{"rule", "rule gauge has revision", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("detect")).Bucket([]byte("rules")).Delete([]byte("gauge"))
		}},
		{"receiver", "receiver a has revision", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("notify")).Bucket([]byte("receivers")).Delete([]byte("a"))
		}},
		{"incident", "had the body", func(tx *bbolt.Tx) error { return empty(tx, "detect", "incidents") }},
		{"resolve", "never got its resolve", func(tx *bbolt.Tx) error { return empty(tx, "notify", "outbox", "a", "pending") }},
	} {
		t.Run(plant.name, func(t *testing.T) {
			t.Parallel()
			k := newKillRig(t, 1, killRules, killReceivers)
			k.hooks.healthy.Store(true)
			k.begin()
			k.all(true)
			k.settled()
			k.delivered()
			if plant.name == "resolve" {
				k.hooks.refuses.Store(true)
				k.all(false)
				k.settled()
			}
			k.kill()
			k.state(func(db *bbolt.DB) error { return db.Update(plant.lose) })
			k.start()
			k.listed()
			if plant.name == "incident" || plant.name == "resolve" {
				k.settled()
				k.finish()
			}
			found := k.book.found()
			if !slices.ContainsFunc(found, func(text string) bool { return strings.Contains(text, plant.want) }) {
				t.Errorf("lost a %s and found %q, want %q", plant.name, found, plant.want)
			}
		})
	}
}
