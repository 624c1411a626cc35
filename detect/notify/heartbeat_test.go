package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// engine is how far one says it has come, in the clock of a bubble.
type engine struct{ at, through atomic.Int64 } // ms before now, -1: not at all

func (e *engine) judged() (at, through int64) {
	now := time.Now().UnixMilli()
	if e.at.Load() < 0 {
		return 0, 0
	}
	return now - e.at.Load(), now - e.through.Load()
}

func (r *rig) putHeartbeat(method string) {
	r.t.Helper()
	if err := r.svc.PutReceiver(notify.Receiver{Name: "beat", URL: secret.NewURL("https://beat.example.com/ping"), Heartbeat: "1m", Method: method}); err != nil {
		r.t.Fatal(err)
	}
}

// beats counts the heartbeats in d from now.
func (r *rig) beats(d time.Duration) (n int) {
	before := len(r.made())
	after(d)
	for _, c := range r.made()[before:] {
		if c.host == "beat.example.com" {
			n++
		}
	}
	return n
}

func (r *rig) heartbeat() notify.HeartbeatStats {
	r.t.Helper()
	x, err := r.svc.Receiver("beat")
	if err != nil || x.Status.Heartbeat == nil {
		r.t.Fatalf("receiver %+v, %v", x, err)
	}
	return *x.Status.Heartbeat
}

// TestHeartbeat: one a minute while the engine judges; none when it stands still, is
// behind or has not begun, and again when it has caught up.
func TestHeartbeat(t *testing.T) {
	e := &engine{}
	e.at.Store(-1)
	bubble(t, notify.Options{Judged: e.judged}, func(r *rig) {
		r.putHeartbeat("")
		if n, h := r.beats(10*time.Minute), r.heartbeat(); n != 0 || h.Silent == "" || h.Last != 0 {
			t.Errorf("%d heartbeats before anything was judged: %+v", n, h)
		}
		e.at.Store(2)
		after(10 * time.Second)
		if n, h := r.beats(10*time.Minute), r.heartbeat(); n != 10 || h.Silent != "" || h.EveryMs != 60_000 {
			t.Errorf("%d heartbeats in 10 minutes: %+v", n, h)
		}
		for _, halt := range []func(){func() { e.at.Store(61_000) }, func() { e.through.Store(61_000) }} {
			halt()
			if n, h := r.beats(10*time.Minute), r.heartbeat(); n != 0 || h.Silent == "" {
				t.Errorf("%d heartbeats of an engine that stands still: %+v", n, h)
			}
			e.at.Store(2)
			e.through.Store(0)
			after(10 * time.Second)
			if n := r.beats(5 * time.Minute); n != 5 {
				t.Errorf("%d heartbeats in 5 minutes when it has caught up", n)
			}
		}
		if log := r.logged(); strings.Count(log, "no heartbeat is sent") != 3 || strings.Count(log, "heartbeats are sent again") != 3 {
			t.Errorf("log %s", log)
		}
		c := r.made()[0]
		var body map[string]any
		if err := json.Unmarshal(c.body, &body); err != nil || body["type"] != "alert.heartbeat" || body["receiver"] != "beat" || body["every"] != "1m" || body["id"] != c.header.Get("Webhook-Id") {
			t.Errorf("body %s, %v", c.body, err)
		}
	})
}

// TestHeartbeatNeedsTheDatabase: none is sent while nothing can be stored.
func TestHeartbeatNeedsTheDatabase(t *testing.T) {
	e := &engine{}
	bubble(t, notify.Options{Judged: e.judged}, func(r *rig) {
		r.putHeartbeat("")
		after(30 * time.Second)
		if n := r.beats(10 * time.Minute); n != 10 {
			t.Fatalf("%d heartbeats", n)
		}
		if err := r.db.Update(func(tx *bbolt.Tx) error { // what is stored has no place any more
			return errors.Join(tx.Bucket([]byte("notify")).Delete([]byte("beat")), func() error {
				_, err := tx.Bucket([]byte("notify")).CreateBucket([]byte("beat"))
				return err
			}())
		}); err != nil {
			t.Fatal(err)
		}
		if n, h := r.beats(10*time.Minute), r.heartbeat(); n > 1 || !strings.Contains(h.Silent, "database") {
			t.Errorf("%d heartbeats while nothing can be stored: %+v", n, h)
		}
	})
}

// TestHeartbeatNeedsTheDispatchers: none is sent while somebody's queue is stuck.
func TestHeartbeatNeedsTheDispatchers(t *testing.T) {
	e := &engine{}
	c := &stuckClock{}
	bubble(t, notify.Options{Judged: e.judged, Clock: c}, func(r *rig) {
		r.putHeartbeat("")
		r.put("a")
		after(30 * time.Second)
		if n := r.beats(5 * time.Minute); n != 5 {
			t.Fatalf("%d heartbeats", n)
		}
		c.hold = make(chan struct{})
		c.stuck.Store(true)
		r.enqueue(to("a", "i1")) // its dispatcher asks for the time, and waits for it
		after(0)
		c.stuck.Store(false)
		if n, h := r.beats(10*time.Minute), r.heartbeat(); n > 1 || !strings.Contains(h.Silent, "the queue of receiver a") {
			t.Errorf("%d heartbeats while a dispatcher is stuck: %+v", n, h)
		}
		close(c.hold)
		after(20 * time.Second)
		if n := r.beats(5 * time.Minute); n != 5 {
			t.Errorf("%d heartbeats when it goes on", n)
		}
	})
}

// stuckClock keeps whom it wakes while it is stuck.
type stuckClock struct {
	bubbleClock
	stuck atomic.Bool
	hold  chan struct{}
}

func (c *stuckClock) Now() time.Time {
	if c.stuck.Load() && dispatching() {
		<-c.hold
	}
	return time.Now()
}

// dispatching reports whether it is a dispatcher that asks.
func dispatching() bool {
	pc := make([]uintptr, 3)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	frame, _ := frames.Next()
	return strings.HasSuffix(frame.Function, ".dispatch")
}

// TestHeartbeatReceiver: it gets nothing else, by the method it wants, and says so when it
// fails. One that is not heard is tried again soon.
func TestHeartbeatReceiver(t *testing.T) {
	e := &engine{}
	bubble(t, notify.Options{Judged: e.judged}, func(r *rig) {
		r.putHeartbeat("GET")
		r.put("a")
		r.enqueue(firing("i1"), to("beat", "i2"))
		after(30 * time.Second)
		if s := r.svc.Stats(); s.Unrouted != 1 || s.Accepted != 1 || s.Heartbeats != 1 {
			t.Errorf("stats %+v", s)
		}
		for _, c := range r.made() {
			if c.host == "beat.example.com" && len(c.body) > 0 {
				t.Errorf("a GET with body %s", c.body)
			}
		}
		if got, err := r.svc.Test(context.Background(), "beat"); err != nil || !got.OK {
			t.Errorf("test %+v, %v", got, err)
		}
		r.answersOf(map[string]int{"beat": 500})
		if n := r.beats(10 * time.Minute); n < 55 || n > 60 {
			t.Errorf("%d heartbeats in 10 minutes that are not accepted", n)
		}
		equal(t, "a heartbeat that fails", r.fails(), []string{"a: firing of beat"})
		r.answersStatus(200)
		after(2 * time.Minute)
		equal(t, "and works again", r.fails(), []string{"a: firing of beat", "a: resolved of beat"})
		r.answersOf(map[string]int{"beat": 410})
		after(2 * time.Minute)
		if x, err := r.svc.Receiver("beat"); err != nil || !x.Disabled || r.beats(time.Hour) != 0 {
			t.Errorf("after 410: %+v, %v", x, err)
		}
	})
}

// TestHeartbeatSettings: what goes with heartbeat and what does not.
func TestHeartbeatSettings(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		for text, want := range map[string]string{
			`"heartbeat":"1m"`:                         "",
			`"heartbeat":"10s","method":"GET"`:         "",
			`"heartbeat":"9s"`:                         "heartbeat",
			`"heartbeat":"25h"`:                        "heartbeat",
			`"heartbeat":"soon"`:                       "heartbeat",
			`"method":"GET"`:                           "method",
			`"heartbeat":"1m","method":"PUT"`:          "method",
			`"heartbeat":"1m","format":"alertmanager"`: "format",
			`"heartbeat":"1m","meta":true`:             "meta",
			`"heartbeat":"1m","kind":"slack"`:          "heartbeat",
		} {
			x, err := notify.ParseReceiver([]byte(`{"name":"beat","url":"https://beat.example.com/x",` + text + `}`))
			if err == nil {
				err = r.svc.PutReceiver(x)
			}
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %v", text, err)
			}
		}
		after(time.Minute)
		if n := len(r.made()); n != 0 { // nobody judges anything
			t.Errorf("%d heartbeats", n)
		}
	})
}
