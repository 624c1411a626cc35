package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// TestHoldBook holds the book against stories in which something holds an alert back.
// The stream of the story leaves its band at 1000 and is back at 2000.
func TestHoldBook(t *testing.T) {
	fired, over := told("i", "firing", 1000, 0), told("i", "resolved", 1000, 2000)
	all := func(streamKey) bool { return true }
	source := func(s *story, seen, end int64) {
		key := streamKey{"source", "x"}
		s.truth.changes[key] = []int64{500, end}
		s.holds.inhibits = map[string]string{"r": "source"}
		n := told("s", "firing", 500, 0)
		n.Rule = "source"
		s.list(seen, n)
	}
	for _, x := range []struct {
		name, want string
		tell       func(s *story)
	}{
		{"told when the hold is over", "", func(s *story) {
			s.lift(s.hold("a silence", "", 900, all), 1500)
			s.list(1100, fired)
			s.hook(fired, 1510, false)
			s.hook(over, 2010, false)
			s.finish()
		}},
		{"over while held back, and never told", "", func(s *story) {
			s.hold("a silence", "", 900, all)
			s.list(1100, fired)
			s.list(2100, over)
			s.finish()
		}},
		{"began before the hold", "", func(s *story) {
			s.hold("a silence", "", 1050, all)
			s.hook(fired, 1100, false)
			s.hook(over, 2010, false)
			s.finish()
		}},
		{"a hold of another receiver", "", func(s *story) {
			s.hold("a mute", "b", 900, all)
			s.hook(fired, 1010, false)
			s.hook(over, 2010, false)
			s.finish()
		}},
		{"a hold of other alerts", "", func(s *story) {
			s.hold("a silence", "", 900, func(k streamKey) bool { return k.node == "y" })
			s.hook(fired, 1010, false)
		}},
		{"the source has ended", "", func(s *story) {
			source(s, 900, 1200)
			s.hook(fired, 1300, false)
		}},
		{"the source was not seen before", "", func(s *story) {
			source(s, 1100, 1900)
			s.hook(fired, 1200, false)
		}},
		{"for who is meant", "", func(s *story) {
			s.holds.route = map[string][]string{"r": {"b", "a"}}
			s.hook(fired, 1010, false)
		}},

		{"told while held back", "which a silence holds back", func(s *story) {
			s.hold("a silence", "", 900, all)
			s.hook(fired, 1010, false)
		}},
		{"told after a kill while held back", "which a mute holds back", func(s *story) {
			s.hold("a mute", "a", 900, all)
			s.kill(1020)
			s.hook(fired, 1300, false)
		}},
		{"the end is told while held back", "which a silence holds back", func(s *story) {
			s.hold("a silence", "", 900, all)
			s.list(1100, fired)
			s.kill(1200)
			s.hook(over, 2010, false)
		}},
		{"told after it was over while held back", "which was over while a silence held it back", func(s *story) {
			h := s.hold("a silence", "", 900, all)
			s.list(1100, fired)
			s.list(2100, over)
			s.lift(h, 2200)
			s.hook(fired, 2300, false)
			s.hook(over, 2400, false)
			s.finish()
		}},
		{"told while inhibited", "which incident s of {source x} holds back", func(s *story) {
			source(s, 900, 1900)
			s.hook(fired, 1200, false)
		}},
		{"for somebody else", "a was told of {r x}, which is not for it", func(s *story) {
			s.holds.route = map[string][]string{"r": {"b"}}
			s.hook(fired, 1010, false)
		}},
	} {
		s := newStory()
		x.tell(s)
		if got := strings.Join(s.found(), "\n"); x.want == "" && got != "" || !strings.Contains(got, x.want) {
			t.Errorf("%s: found %q, want %q", x.name, got, x.want)
		}
	}
	s := newStory()
	s.holds.route = map[string][]string{"r": {"a"}}
	if got := s.untold([]killAlert{fired}); !strings.Contains(got, "a does not know") {
		t.Errorf("untold: %q", got)
	}
	held := fired
	held.SilencedBy = []string{"z"}
	if got := s.untold([]killAlert{held}); got != "" {
		t.Errorf("held back: %q", got)
	}
}

// TestAlertKillRigGoesRed undoes what was acknowledged behind the back of the rig, and
// wants it to notice.
func TestAlertKillRigGoesRed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	key := streamKey{"page", "x"}
	for _, plant := range []struct {
		name, want string
		undo       func(k *alertRig, s *silenceNote)
	}{
		{"silence lost", "and it was acknowledged", func(k *alertRig, _ *silenceNote) {
			k.kill()
			k.state(func(db *bbolt.DB) error {
				return db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("silences")) })
			})
			k.start()
			k.recall()
		}},
		{"told in a silence", "which the silence work 1 holds back", func(k *alertRig, s *silenceNote) {
			must(k.t, k.ask(http.MethodDelete, "/api/v1/silences/"+s.id, "", nil))
			k.fires(key)
			k.everyoneTold()
		}},
		{"told in a mute", "which the mute shift holds back", func(k *alertRig, _ *silenceNote) {
			k.mute(true)
			k.later()
			must(k.t, k.ask(http.MethodPut, "/api/v1/mute/shift", shiftOff, nil))
			k.fires(streamKey{"chat", "y"})
			k.everyoneTold()
		}},
		{"told while inhibited", "of {cluster y} holds back", func(k *alertRig, _ *silenceNote) {
			must(k.t, k.ask(http.MethodDelete, "/api/v1/inhibit/cluster-down", "", nil))
			k.fires(streamKey{"cluster", "y"})
			k.fires(streamKey{"host", "y"})
			k.everyoneTold()
		}},
		{"told to somebody else", "which is not for it", func(k *alertRig, _ *silenceNote) {
			must(k.t, k.ask(http.MethodDelete, "/api/v1/routes", "", nil))
			k.fires(streamKey{"slow", "y"})
			k.everyoneTold()
		}},
	} {
		t.Run(plant.name, func(t *testing.T) {
			t.Parallel()
			k := newAlertRig(t, 1)
			k.hooks.healthy.Store(true)
			k.begin()
			note := k.silence(key, time.Hour)
			k.later()
			plant.undo(k, note)
			found := k.book.found()
			if !slices.ContainsFunc(found, func(text string) bool { return strings.Contains(text, plant.want) }) {
				t.Errorf("found %q, want %q", found, plant.want)
			}
		})
	}
}
