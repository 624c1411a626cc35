package notify_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// putGrouping puts a receiver that is told of a group in one message.
func (r *rig) putGrouping(name string) {
	r.t.Helper()
	err := r.svc.PutReceiver(notify.Receiver{Name: name, Format: "alertmanager", URL: secret.NewURL("https://" + name + ".example.com/hook")})
	if err != nil {
		r.t.Fatal(err)
	}
}

var slowly = &notify.Group{Key: "{}:{region=eu}", Labels: map[string]string{"region": "eu"}, Wait: 10_000, Interval: 60_000}

// in returns a notification to a receiver in a group.
func in(g *notify.Group, receiver string, n notify.Notification) notify.Notification {
	n.To = append(n.To, notify.Target{Receiver: receiver, Group: g})
	return n
}

// groupPost is a message about a group.
type groupPost struct {
	GroupKey        string
	GroupLabels     map[string]string
	Status          string
	TruncatedAlerts int
	Alerts          []struct {
		Status string
		Pulse  struct{ ID string }
	}
}

// inMinutes returns calls as "minutes: ids", in order of the ids where the time is one.
func inMinutes(t *testing.T, calls []call, start time.Time) []string {
	t.Helper()
	slices.SortStableFunc(calls, func(x, y call) int {
		return cmp.Or(cmp.Compare(int(x.at.Sub(start).Minutes()), int(y.at.Sub(start).Minutes())), cmp.Compare(x.id, y.id))
	})
	out := groupPosts(t, calls, start)
	for i, c := range calls {
		_, ids, _ := strings.Cut(out[i], ": ")
		out[i] = fmt.Sprintf("%d: %s", int(c.at.Sub(start).Minutes()), ids)
	}
	return out
}

// groupPosts returns calls as "seconds: ids".
func groupPosts(t *testing.T, calls []call, start time.Time) []string {
	t.Helper()
	out := []string{}
	for _, c := range calls {
		ids := []string{}
		var post groupPost
		if c.id != "" {
			ids = append(ids, c.id)
		} else if err := json.Unmarshal(c.body, &post); err != nil {
			t.Fatal(err)
		}
		for _, a := range post.Alerts {
			ids = append(ids, a.Pulse.ID)
		}
		out = append(out, fmt.Sprintf("%g: %s", c.at.Sub(start).Seconds(), strings.Join(ids, " ")))
	}
	return out
}

// stored counts what is kept of receiver a beside its dead letters.
func (r *rig) stored() map[string]int {
	out := map[string]int{}
	r.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("notify")).Bucket([]byte("outbox")).Bucket([]byte("a"))
		for _, name := range []string{"pending", "bodies", "open", "members", "groups", "links"} {
			if n := b.Bucket([]byte(name)).Stats().KeyN; n > 0 {
				out[name] = n
			}
		}
		return nil
	})
	return out
}

func TestGroupsWaitAndGather(t *testing.T) {
	for _, test := range []struct {
		name string
		put  func(r *rig)
		want []string
	}{
		{"one message", func(r *rig) { r.putGrouping("a") }, []string{
			"10: a-firing b-firing",
			"70: a-firing b-firing c-firing",
			"130: b-firing c-firing a-resolved",
			"190: b-resolved c-resolved",
			"210: e-firing",
		}},
		{"a message for each", func(r *rig) { r.put("a") }, []string{
			"10: a-firing", "10: b-firing", "70: c-firing", "130: a-resolved", "190: b-resolved", "190: c-resolved", "210: e-firing",
		}},
	} {
		for _, restart := range []bool{false, true} {
			bubble(t, notify.Options{}, func(r *rig) {
				start := time.Now()
				test.put(r)
				at := func(seconds int, list ...notify.Notification) {
					after(time.Until(start.Add(time.Duration(seconds) * time.Second)))
					for i := range list {
						list[i] = in(slowly, "a", list[i])
					}
					r.enqueue(list...)
					if restart {
						r.stop()
						r.start()
					}
				}
				at(0, firing("a"))
				at(5, firing("b"))
				at(20, firing("c"), firing("d"))
				at(30, resolved("d")) // was not told of
				at(80, resolved("a"))
				at(131, resolved("b"))
				at(150, resolved("c"))
				at(200, firing("e"))
				at(215)
				calls := r.made()
				slices.SortStableFunc(calls, func(x, y call) int { // attempts of one moment are in no order
					return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.id, y.id))
				})
				equal(t, fmt.Sprint(test.name, ", restart ", restart), groupPosts(t, calls, start), test.want)
				if n := len(r.svc.Attempts("b")); n != 2 {
					t.Errorf("%s: the timeline has %d attempts", test.name, n)
				}
				at(300, resolved("e"))
				at(400)
				if left := r.stored(); len(left) > 0 {
					t.Errorf("%s, restart %v: left %v", test.name, restart, left)
				}
				var post groupPost
				if calls[0].id == "" {
					if err := json.Unmarshal(calls[0].body, &post); err != nil || post.GroupKey != slowly.Key || post.GroupLabels["region"] != "eu" || post.Status != "firing" {
						t.Errorf("%s: %+v, %v", test.name, post, err)
					}
				}
			})
		}
	}
}

// A group of which all is over before it is told of is not told of.
func TestGroupThatIsOverInTime(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putGrouping("a")
		r.enqueue(in(slowly, "a", firing("a")), in(slowly, "a", firing("b")))
		after(5 * time.Second)
		r.enqueue(in(slowly, "a", resolved("a")), in(slowly, "a", resolved("b")))
		after(time.Hour)
		if left := r.stored(); len(r.made()) > 0 || len(left) > 0 {
			t.Errorf("told %q, left %v", r.seen(), left)
		}
	})
}

// What was attempted together is attempted again together and under the same name, over
// restarts and kills too; what comes meanwhile waits for it.
func TestGroupKeepsItsName(t *testing.T) {
	for _, end := range []string{"", "stop", "kill"} {
		bubble(t, notify.Options{}, func(r *rig) {
			start := time.Now()
			soon := *slowly
			soon.Wait, soon.Interval = 0, 0
			r.putGrouping("a")
			r.answersStatus(-1)
			r.enqueue(in(&soon, "a", firing("a")), in(&soon, "a", firing("b")))
			after(time.Second)
			r.enqueue(in(&soon, "a", firing("c")))
			after(time.Second)
			switch end {
			case "stop":
				r.stop()
			case "kill":
				r.kill()
			}
			r.answersStatus(200)
			if end != "" {
				r.start()
			}
			after(time.Minute)
			calls := r.made()
			if got := groupPosts(t, calls, start); len(got) != 3 || !strings.HasSuffix(got[0], ": a-firing b-firing") || !strings.HasSuffix(got[1], ": a-firing b-firing") || !strings.HasSuffix(got[2], ": a-firing b-firing c-firing") {
				t.Fatalf("%s: %q", end, got)
			}
			id := func(i int) string { return calls[i].header.Get("Webhook-Id") }
			if id(0) != id(1) || id(2) == id(1) || id(0) == "" || string(calls[0].body) != string(calls[1].body) {
				t.Errorf("%s: names %q, %q, %q", end, id(0), id(1), id(2))
			}
		})
	}
}

// A newer state takes its part out of what is attempted again.
func TestGroupTellsTheNewestState(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		start := time.Now()
		soon := *slowly
		soon.Wait, soon.Interval = 0, 0
		r.putGrouping("a")
		r.answersStatus(503)
		r.enqueue(in(&soon, "a", firing("a")), in(&soon, "a", firing("b")))
		after(500 * time.Millisecond)
		r.enqueue(in(&soon, "a", resolved("a")))
		r.answersStatus(200)
		after(time.Minute)
		equal(t, "told", groupPosts(t, r.made(), start), []string{"0: a-firing b-firing", "1: b-firing a-resolved"})
	})
}

func TestGroupInAStormIsOneMessage(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putGrouping("a")
		var list []notify.Notification
		for i := range 500 {
			list = append(list, in(slowly, "a", firing(fmt.Sprintf("i%03d", i))))
		}
		r.enqueue(list...)
		after(time.Minute)
		var post groupPost
		if calls := r.made(); len(calls) != 1 || json.Unmarshal(calls[0].body, &post) != nil || len(post.Alerts) != 500 {
			t.Errorf("%d messages, %d alerts", len(calls), len(post.Alerts))
		}
		for i := range list {
			list[i] = in(slowly, "a", resolved(fmt.Sprintf("i%03d", i)))
		}
		r.enqueue(list...)
		after(time.Hour)
		if calls, left := r.made(), r.stored(); len(calls) != 2 || len(left) > 0 {
			t.Errorf("%d messages, left %v", len(calls), left)
		}
	})
}

// Many groups beyond the rate are counted, and what is counted is in no group.
func TestManyGroupsAreCounted(t *testing.T) {
	bubble(t, notify.Options{PerMinute: 10}, func(r *rig) {
		r.putGrouping("a")
		var list, ends []notify.Notification
		for i := range 100 {
			g := *slowly
			g.Key = fmt.Sprint("g", i/2)
			list = append(list, in(&g, "a", firing(fmt.Sprintf("i%03d", i))))
			ends = append(ends, in(&g, "a", resolved(fmt.Sprintf("i%03d", i))))
		}
		r.enqueue(list...)
		after(time.Minute)
		alerts, summaries := 0, 0
		for _, c := range r.made() {
			var post groupPost
			json.Unmarshal(c.body, &post)
			for _, a := range post.Alerts {
				if strings.HasPrefix(a.Pulse.ID, "summary") {
					summaries++
				} else {
					alerts++
				}
			}
		}
		if summaries != 1 || alerts != 20 {
			t.Errorf("%d alerts and %d summaries, want 20 and 1", alerts, summaries)
		}
		r.enqueue(ends...)
		after(time.Hour)
		if left := r.stored(); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	})
}

func TestGroupOfADisabledReceiver(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putGrouping("a")
		r.enqueue(in(slowly, "a", firing("a")))
		after(time.Minute)
		r.answersStatus(410)
		r.enqueue(in(slowly, "a", firing("b")))
		after(5 * time.Minute)
		r.answersStatus(200)
		n := len(r.made())
		r.enqueue(in(slowly, "a", resolved("a")), in(slowly, "a", firing("c")))
		after(time.Hour)
		if len(r.made()) != n {
			t.Errorf("told while it is disabled")
		}
		start := time.Now()
		r.putGrouping("a")
		after(time.Hour)
		equal(t, "told once it is back", groupPosts(t, r.made()[n:], start), []string{"0: b-firing", "60: b-firing c-firing a-resolved"})
	})
}

func TestTargets(t *testing.T) {
	for _, test := range []struct {
		name   string
		to     []notify.Target
		notify []string
		want   map[string]int
	}{
		{"nil is what Notify says", nil, []string{"a"}, map[string]int{"a": 1}},
		{"nil and no names is everybody", nil, nil, map[string]int{"a": 1, "b": 1}},
		{"an empty list is nobody", []notify.Target{}, []string{"a"}, map[string]int{}},
		{"everybody", []notify.Target{{}}, nil, map[string]int{"a": 1, "b": 1}},
		{"named twice", []notify.Target{{Receiver: "b"}, {Receiver: "b", Group: slowly}}, nil, map[string]int{"b": 1}},
		{"one", []notify.Target{{Receiver: "b"}}, []string{"a"}, map[string]int{"b": 1}},
	} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.put("a")
			r.put("b")
			n := firing("i")
			n.To, n.Notify = test.to, test.notify
			r.enqueue(n)
			after(time.Minute)
			got := map[string]int{}
			for _, c := range r.made() {
				got[strings.TrimSuffix(c.host, ".example.com")]++
			}
			equal(t, test.name, got, test.want)
		})
	}
}

// A group that is refused goes to the dead letters, each alert for itself.
func TestRefusedGroup(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putGrouping("a")
		r.answers(func(call, int) (int, http.Header) { return 404, nil })
		r.enqueue(in(slowly, "a", firing("a")), in(slowly, "a", firing("b")))
		after(time.Minute)
		dead, err := r.svc.DeadLetters("a", 10)
		if left := r.stored(); err != nil || len(dead) != 2 || len(r.made()) != 2 || len(left) > 0 {
			t.Errorf("%d dead letters after %d attempts, left %v, %v", len(dead), len(r.made()), left, err)
		}
	})
}

// What waits for its group waits once more at most, and not for the clock to get there.
func TestGroupsWhenTheClockIsSetBack(t *testing.T) {
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
			r.putGrouping("a")
			r.enqueue(in(slowly, "a", firing("a")))
			after(time.Second)
			setBack()
			after(20 * time.Second)
			if n := len(r.made()); n != 1 {
				t.Errorf("restart %v: %d messages once the group has waited", restart, n)
			}
			r.enqueue(in(slowly, "a", firing("b")))
			after(time.Second)
			setBack()
			after(121 * time.Second)
			if n := len(r.made()); n != 2 {
				t.Errorf("restart %v: %d messages after the interval", restart, n)
			}
		})
	}
}

// A group that waits takes the room of one message when a storm comes.
func TestRoomBesideAGroup(t *testing.T) {
	bubble(t, notify.Options{PerMinute: 20}, func(r *rig) {
		r.putGrouping("a")
		var list []notify.Notification
		for i := range 15 {
			list = append(list, in(slowly, "a", firing(fmt.Sprint("g", i))))
		}
		r.enqueue(list...)
		after(time.Second)
		list = nil
		for i := range 30 {
			list = append(list, firing(fmt.Sprint("i", i)))
		}
		r.enqueue(list...)
		after(time.Second)
		if n := len(r.made()); n != 20 { // 19 and a summary
			t.Errorf("%d messages at once, want a summary and all but one of those that a minute has", n)
		}
	})
}

// The outbox of an older release has neither members nor groups.
func TestOutboxOfAnOlderRelease(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putGrouping("a")
		r.answersStatus(503)
		r.enqueue(firing("i"))
		after(time.Second)
		r.stop()
		db, err := bbolt.Open(r.path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("notify")).Bucket([]byte("outbox")).Bucket([]byte("a"))
			return errors.Join(b.DeleteBucket([]byte("members")), b.DeleteBucket([]byte("groups")), b.DeleteBucket([]byte("links")))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		r.answersStatus(200)
		r.start()
		r.enqueue(in(slowly, "a", firing("j")), in(slowly, "a", resolved("i")))
		after(time.Hour)
		r.enqueue(in(slowly, "a", resolved("j")))
		after(time.Hour)
		if left := r.stored(); len(left) > 0 || r.svc.Stats().Accepted < 3 {
			t.Errorf("left %v, %+v", left, r.svc.Stats())
		}
	})
}
