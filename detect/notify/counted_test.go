package notify_test

import (
	"strings"
	"testing"
	"time"

	"pulse/detect/notify"
)

// TestSummaryCountsWhatIsOn: a summary that waits counts none of those that have ended
// until it goes, also when that is after a restart.
func TestSummaryCountsWhatIsOn(t *testing.T) {
	for _, kill := range []string{"before the ends", "between", "after"} {
		bubble(t, notify.Options{}, func(r *rig) {
			restart := func(at string) {
				if at == kill {
					r.kill()
					r.start()
				}
			}
			r.put("a")
			begin, end := storm(500)
			r.enqueue(begin[:100]...)
			after(time.Second)
			r.enqueue(begin[100:]...)
			after(time.Second)
			restart("before the ends")
			r.enqueue(end[100:200]...)
			after(time.Second)
			restart("between")
			r.enqueue(end[200:300]...)
			after(time.Second)
			restart("after")
			after(3 * time.Minute)
			if pages, counted := told(t, r.made()); pages != 60 || counted != 240 {
				t.Errorf("killed %s: %d pages and %d counted, want 60 and 240", kill, pages, counted)
			}
			r.enqueue(end[300:]...)
			after(time.Minute)
			if s := r.svc.Stats(); s.Receivers[0].Queued != 0 {
				t.Errorf("killed %s: %d wait", kill, s.Receivers[0].Queued)
			}
		})
	}
}

// TestSummaryIsResolved: what a summary opened at PagerDuty is resolved once, when the
// last alert is over that it counts.
func TestSummaryIsResolved(t *testing.T) {
	for _, kill := range []bool{false, true} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.putPager("")
			restart := func() {
				if kill {
					r.kill()
					r.start()
				}
			}
			begin, end := storm(200)
			r.enqueue(begin...)
			after(time.Minute)
			restart()
			r.enqueue(end[:199]...)
			after(5 * time.Minute)
			restart()
			of := func() (list []string) {
				for _, e := range r.events() {
					if strings.HasPrefix(e.Key, "summary-") {
						list = append(list, e.Action)
					}
				}
				return list
			}
			equal(t, "while one is on", of(), []string{"trigger"})
			r.enqueue(end[199])
			after(time.Minute)
			restart()
			after(5 * time.Minute)
			equal(t, "when all are over", of(), []string{"trigger", "resolve"})
			keys := map[string]int{}
			for _, e := range r.events() {
				if keys[e.Key]++; e.Action == "trigger" {
					continue
				}
				if keys[e.Key] != 2 {
					t.Errorf("%s is resolved and was not opened", e.Key)
				}
			}
			if len(keys) != 61 {
				t.Errorf("%d keys", len(keys))
			}
			if list := r.svc.Attempts(keyOf(keys)); len(list) != 2 {
				t.Errorf("timeline %+v", list)
			}
		})
	}
}

func keyOf(keys map[string]int) string {
	for key := range keys {
		if strings.HasPrefix(key, "summary-") {
			return key
		}
	}
	return ""
}

// TestSummaryThatWasNotTold: of a storm that is over before its summary could be sent
// nothing is said, neither trigger nor resolve.
func TestSummaryThatWasNotTold(t *testing.T) {
	bubble(t, notify.Options{PerMinute: 1}, func(r *rig) {
		r.putPager("")
		begin, end := storm(10)
		r.enqueue(begin[:3]...)
		after(time.Second)
		n := len(r.made())
		r.enqueue(begin[3:]...) // waits for its minute
		after(time.Second)
		r.enqueue(end[3:]...)
		after(10 * time.Minute)
		for _, e := range r.events()[n:] {
			t.Errorf("sent %+v", e)
		}
		r.enqueue(end[:3]...)
		after(10 * time.Minute)
		if s := r.svc.Stats(); s.Receivers[0].Queued != 0 {
			t.Errorf("%d wait", s.Receivers[0].Queued)
		}
	})
}

// TestFoldedSummaryIsResolved: the same for one that took in others while it waited.
func TestFoldedSummaryIsResolved(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putPager("")
		begin, end := storm(600)
		r.enqueue(begin[:200]...)
		after(time.Second)
		r.enqueue(begin[200:400]...)
		after(time.Second)
		r.enqueue(begin[400:]...)
		after(5 * time.Minute)
		r.kill()
		r.start()
		r.enqueue(end...)
		after(time.Hour)
		open := map[string]int{}
		for _, e := range r.events() {
			if e.Action == "trigger" {
				open[e.Key]++
			} else {
				open[e.Key]--
			}
		}
		for key, n := range open {
			if n != 0 {
				t.Errorf("%s: %d open", key, n)
			}
		}
		if len(open) != 62 {
			t.Errorf("%d keys, want 60 alerts and two summaries", len(open))
		}
	})
}
