package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// putAt puts a receiver with a path of a host that others may be at, too.
func (r *rig) putAt(host string, names ...string) {
	r.t.Helper()
	for _, name := range names {
		if err := r.svc.PutReceiver(notify.Receiver{Name: name, URL: secret.NewURL("https://" + host + "/" + name)}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// to is a beginning for one receiver.
func to(receiver, incident string) notify.Notification {
	n := firing(incident)
	n.Notify = []string{receiver}
	return n
}

// burst enqueues n beginnings for one receiver.
func (r *rig) burst(receiver string, n int) {
	r.t.Helper()
	for i := range n {
		r.enqueue(to(receiver, fmt.Sprint(receiver, i)))
	}
}

// paths returns how many calls each path got.
func (r *rig) paths() map[string]int {
	out := map[string]int{}
	for _, c := range r.made() {
		out[c.url[strings.LastIndex(c.url, "/")+1:]]++
	}
	return out
}

// accepted counts the alerts of bursts that a receiver has accepted.
func (r *rig) accepted(receivers ...string) (n int) {
	for _, name := range receivers {
		for i := range 40 {
			for _, a := range r.svc.Attempts(fmt.Sprint(name, i)) {
				if a.Outcome == notify.OutcomeAccepted {
					n++
				}
			}
		}
	}
	return n
}

// breaker returns the state of the breaker that a receiver meets.
func (r *rig) breaker(name string) notify.BreakerStats {
	r.t.Helper()
	x, err := r.svc.Receiver(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return x.Status.Breaker
}

// TestBreaker: after five failures in a row a host is left alone by all receivers that
// are there but for a probe, after 5 s doubling to a minute. What waited goes once one
// was answered, and has not grown older than its own attempts.
func TestBreaker(t *testing.T) {
	for _, status := range []int{0, -1} { // no connection, no answer
		bubble(t, notify.Options{}, func(r *rig) {
			r.putAt("down.example.com", "a", "b")
			r.putAt("c.example.com", "c")
			r.answers(func(c call, _ int) (int, http.Header) {
				if c.host == "down.example.com" {
					return status, nil
				}
				return 200, nil
			})
			r.burst("a", 5)
			after(25 * time.Second)
			if got := r.breaker("a"); got.State == notify.BreakerClosed || got.Host != "down.example.com:443" || got.Failures < 5 || got.LastError == "" || got.Since == 0 {
				t.Fatalf("status %d: breaker %+v", status, got)
			}
			if got := r.breaker("c"); got != (notify.BreakerStats{Host: "c.example.com:443", State: notify.BreakerClosed}) {
				t.Errorf("status %d: breaker of another host %+v", status, got)
			}
			before := r.paths()
			r.burst("b", 20)
			r.burst("c", 20)
			after(20 * time.Minute)
			probes := r.paths()["a"] + r.paths()["b"] - before["a"] - before["b"]
			if probes > 26 || r.paths()["b"] < 5 || r.accepted("c") != 20 {
				t.Errorf("status %d: %d probes in 20 minutes, calls %v", status, probes, r.paths())
			}
			if s := r.svc.Stats(); s.HostsDown != 1 {
				t.Errorf("status %d: %d hosts are down", status, s.HostsDown)
			}
			r.answersStatus(200)
			after(73 * time.Second)
			if n, down := r.accepted("a", "b", "c"), r.svc.Stats().HostsDown; n != 45 || down != 0 {
				t.Errorf("status %d: accepted %d of 45 after a minute, %d hosts are down", status, n, down)
			}
			if log := r.logged(); strings.Count(log, `"message":"host is down`) != 1 || strings.Count(log, "host answers again") != 1 {
				t.Errorf("status %d: log\n%s", status, log)
			}
			first := 0
			for i := range 20 {
				if list := r.svc.Attempts(fmt.Sprint("b", i)); list[len(list)-1].Number == 1 {
					first++
				}
			}
			if first < 10 {
				t.Errorf("status %d: only %d of 20 were taken at their first attempt", status, first)
			}
		})
	}
}

// TestProbesOfABreaker: one attempt at a time, at bounded pauses, by turns.
func TestProbesOfABreaker(t *testing.T) {
	bubble(t, notify.Options{BreakerAfter: 3, BreakerFirst: 2 * time.Second, BreakerMost: 10 * time.Second, Rand: func() float64 { return 0 }}, func(r *rig) {
		r.putAt("down.example.com", "a", "b", "c")
		r.answersStatus(0)
		for _, name := range []string{"a", "b", "c"} {
			r.burst(name, 40)
		}
		after(time.Hour)
		calls := r.made()
		last := calls[len(calls)-30:]
		paths := map[string]int{}
		for i, c := range last {
			paths[c.url]++
			if i == 0 {
				continue
			}
			if gap := c.at.Sub(last[i-1].at); gap < 10*time.Second || gap > 13*time.Second {
				t.Errorf("%v between probes", gap)
			}
		}
		for url, n := range paths {
			if n < 8 {
				t.Errorf("%s has %d of 30 probes", url, n)
			}
		}
		if len(paths) != 3 {
			t.Errorf("probes %v", paths)
		}
	})
}

// TestBreakerIsForTheHost: answers that show a host at work close its breaker or leave it
// closed, and a path that answers 5xx keeps no other from its receiver.
func TestBreakerIsForTheHost(t *testing.T) {
	for _, test := range []struct {
		status int
		held   bool // the receiver itself
	}{{200, false}, {301, false}, {404, false}, {408, false}, {429, false}, {500, true}, {503, true}} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.putAt("half.example.com", "bad", "good")
			r.answers(func(c call, _ int) (int, http.Header) {
				if strings.HasSuffix(c.url, "/bad") {
					return test.status, nil
				}
				return 200, nil
			})
			r.burst("bad", 12)
			after(30 * time.Second)
			if held := r.breaker("bad").State != notify.BreakerClosed; held != test.held {
				t.Errorf("status %d: the receiver's breaker %+v", test.status, r.breaker("bad"))
			}
			if got := r.breaker("good").State; got != notify.BreakerClosed {
				t.Errorf("status %d: breaker of the other is %s", test.status, got)
			}
			r.burst("good", 1)
			after(0)
			if r.accepted("good") != 1 {
				t.Errorf("status %d: the other receiver was not told at once", test.status)
			}
			if held := r.breaker("bad").State != notify.BreakerClosed; held != test.held {
				t.Errorf("status %d: what the other was answered changed the breaker to %+v", test.status, r.breaker("bad"))
			}
		})
	}
}

// TestBreakerOfSeveral: a host that answers 5xx to more than one receiver is down for all.
func TestBreakerOfSeveral(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putAt("down.example.com", "a", "b", "c")
		r.answersStatus(502)
		r.burst("a", 4)
		r.burst("b", 1)
		after(time.Second)
		r.enqueue(to("c", "page"))
		after(0)
		if n := r.paths()["c"]; n != 0 || r.breaker("c").State != notify.BreakerOpen {
			t.Errorf("%d attempts, breaker %+v", n, r.breaker("c"))
		}
		r.answersStatus(200)
		after(7 * time.Second)
		if n := r.paths()["c"]; n != 1 || r.accepted("a", "b") != 5 {
			t.Errorf("%d attempts, %d accepted", n, r.accepted("a", "b"))
		}
	})
}

// TestBreakerHonoursRetryAfter: that a host answers again takes no receiver's own wish
// to be left alone from it.
func TestBreakerHonoursRetryAfter(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putAt("down.example.com", "a", "b")
		r.answers(func(c call, _ int) (int, http.Header) {
			if strings.HasSuffix(c.url, "/b") {
				return 503, http.Header{"Retry-After": {"1800"}}
			}
			return 0, nil
		})
		r.burst("b", 1)
		after(time.Second)
		r.burst("a", 5)
		after(time.Minute)
		r.answersStatus(200)
		after(5 * time.Minute)
		if got := r.paths()["b"]; got != 1 || r.breaker("a").State != notify.BreakerClosed {
			t.Errorf("%d attempts at a receiver that asked for half an hour, breaker %+v", got, r.breaker("a"))
		}
		after(30 * time.Minute)
		if got := r.accepted("a", "b"); got != 6 {
			t.Errorf("%d accepted", got)
		}
	})
}

// TestTestClosesABreaker: a test goes past a breaker, and closes it when it is answered.
func TestTestClosesABreaker(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putAt("down.example.com", "a", "b")
		r.answersStatus(0)
		r.burst("a", 8)
		after(10 * time.Minute)
		if got, err := r.svc.Test(context.Background(), "b"); err != nil || got.OK {
			t.Errorf("test %+v, %v", got, err)
		}
		r.answersStatus(200)
		if got, err := r.svc.Test(context.Background(), "b"); err != nil || !got.OK {
			t.Errorf("test %+v, %v", got, err)
		}
		after(0)
		if n, down := r.accepted("a"), r.svc.Stats().HostsDown; n != 8 || down != 0 {
			t.Errorf("%d accepted, %d hosts down", n, down)
		}
	})
}

// TestBreakerFollowsItsReceivers: a receiver that is put at another host is not held by
// the first, and one that is deleted takes the memory of its host along.
func TestBreakerFollowsItsReceivers(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putAt("down.example.com", "a")
		r.answers(func(c call, _ int) (int, http.Header) {
			if c.host == "down.example.com" {
				return 0, nil
			}
			return 200, nil
		})
		r.burst("a", 8)
		after(10 * time.Minute)
		r.putAt("up.example.com", "a")
		after(5 * time.Minute)
		if got := r.svc.Stats(); got.Accepted != 8 || got.HostsDown != 0 {
			t.Errorf("%d of 8 accepted at the new host, %d hosts down", got.Accepted, got.HostsDown)
		}
		r.putAt("down.example.com", "a")
		if got := r.breaker("a"); got.State != notify.BreakerClosed {
			t.Errorf("put back: %+v", got)
		}
		if err := r.svc.DeleteReceiver("a"); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPathThatFailsSharesNoBreaker: while a host is down for one receiver only, a failure
// of another there holds neither that one nor a third up.
func TestPathThatFailsSharesNoBreaker(t *testing.T) {
	for _, status := range []int{500, 0} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.putAt("half.example.com", "bad", "good", "third")
			blip := false
			r.answers(func(c call, _ int) (int, http.Header) {
				switch {
				case strings.HasSuffix(c.url, "/bad"):
					return 500, nil
				case strings.HasSuffix(c.url, "/good") && !blip:
					blip = true
					return status, nil
				}
				return 200, nil
			})
			r.burst("bad", 40)
			for range 600 { // until its probe is some time ahead
				after(time.Second)
				if r.breaker("bad").NextProbe > time.Now().Add(20*time.Second).UnixMilli() {
					break
				}
			}
			r.burst("good", 1)
			after(0)
			r.burst("third", 1)
			after(0)
			if n := r.accepted("third"); n != 1 {
				t.Errorf("status %d: the third is held by %+v", status, r.breaker("third"))
			}
			after(3 * time.Second)
			if n := r.accepted("good"); n != 1 {
				t.Errorf("status %d: one failure holds the other: %+v", status, r.breaker("good"))
			}
			if x := r.breaker("bad"); x.State == notify.BreakerClosed {
				t.Errorf("status %d: the path that fails: %+v", status, x)
			}
			r.answersStatus(status)
			r.enqueue(to("good", "good1"), to("good", "good2"), to("third", "third1"), to("third", "third2"), to("good", "good3"))
			after(time.Minute)
			if x := r.breaker("third"); x.State == notify.BreakerClosed {
				t.Errorf("status %d: the host is down for all: %+v", status, x)
			}
		})
	}
}
