package notify_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"pulse/detect/notify"
)

// slowClock is that of the bubble, set back by so many ns.
type slowClock struct {
	bubbleClock
	back atomic.Int64
}

func (c *slowClock) Now() time.Time { return time.Now().Add(-time.Duration(c.back.Load())) }

// TestClockIsSetBack: what waits does not wait for the clock to get there once more:
// neither for the rate limit, nor for the next attempt, nor to be summed up; also when it
// is set back between two runs.
func TestClockIsSetBack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		c := &slowClock{}
		bubble(t, notify.Options{Clock: c}, func(r *rig) {
			setBack := func() {
				if restart {
					r.stop()
				}
				c.back.Add(int64(24 * time.Hour))
				if restart {
					r.start()
				}
			}
			r.put("a")
			begin, _ := storm(260)
			r.enqueue(begin[:60]...)
			after(2 * time.Minute)
			setBack()
			r.enqueue(begin[60])
			after(0)
			if pages, counted := told(t, r.made()); pages != 61 || counted != 0 {
				t.Errorf("restart %v: %d pages at once, %d counted", restart, pages, counted)
			}

			after(2 * time.Minute)
			r.enqueue(begin[61:160]...)
			after(10 * time.Second)
			r.enqueue(begin[160:259]...)
			after(0)
			setBack()
			after(2 * time.Minute)
			if pages, counted := told(t, r.made()); pages+counted != 259 {
				t.Errorf("restart %v: %d pages, %d counted", restart, pages, counted)
			}

			down := true
			r.answers(func(call, int) (int, http.Header) {
				if down {
					return 503, http.Header{"Retry-After": {"60"}}
				}
				return 200, nil
			})
			r.enqueue(begin[259])
			after(time.Second)
			setBack()
			down = false
			before := len(r.made())
			after(2 * time.Hour)
			if n := len(r.made()) - before; n != 1 {
				t.Errorf("restart %v: %d further attempts", restart, n)
			}
		})
	}
}

// TestClockIsSetAhead: what waits is not given up because the clock was wrong before.
func TestClockIsSetAhead(t *testing.T) {
	c := &slowClock{}
	bubble(t, notify.Options{Clock: c}, func(r *rig) {
		r.put("a")
		r.answersStatus(503)
		r.enqueue(firing("x"))
		after(10 * time.Second)
		c.back.Add(-int64(56 * 365 * 24 * time.Hour))
		r.answersStatus(200)
		after(10 * time.Minute)
		if s := r.svc.Stats(); s.Accepted != 1 || s.DeadLetters != 0 {
			t.Errorf("stats %+v", s)
		}
		r.answersStatus(503)
		r.enqueue(firing("y"))
		after(24*time.Hour + time.Minute)
		if s := r.svc.Stats(); s.DeadLetters != 1 {
			t.Errorf("a day later: stats %+v", s)
		}
	})
}
