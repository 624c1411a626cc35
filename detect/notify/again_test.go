package notify_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// posted is one alert as an Alertmanager got it.
type posted struct {
	Labels           map[string]string
	StartsAt, EndsAt time.Time
}

func (r *rig) putAlertmanager(name string) {
	r.t.Helper()
	err := r.svc.PutReceiver(notify.Receiver{Name: name, Kind: notify.KindAlertmanager, URL: secret.NewURL("https://" + name + ".example.com")})
	if err != nil {
		r.t.Fatal(err)
	}
}

func alertsOf(t *testing.T, c call) (list []posted) {
	t.Helper()
	if err := json.Unmarshal(c.body, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// postsOf returns the posts since the start of the test as "seconds: rule state, …".
func postsOf(t *testing.T, calls []call, start time.Time) []string {
	out := []string{}
	for _, c := range calls {
		var alerts []string
		for _, a := range alertsOf(t, c) {
			state := "over"
			if a.EndsAt.After(c.at) {
				state = "fires"
				if d := a.EndsAt.Sub(c.at); d != 4*time.Minute {
					t.Errorf("%s ends %v after the post", a.Labels["rule"], d)
				}
			}
			alerts = append(alerts, strings.TrimPrefix(a.Labels["rule"], "rule-")+" "+state)
		}
		out = append(out, fmt.Sprintf("%d: %s", int(c.at.Sub(start).Seconds()), strings.Join(alerts, ", ")))
	}
	return out
}

// An Alertmanager takes an alert that it does not hear of for over, and forgets ends
// that it was told of while it was down.
func TestAlertmanagerIsToldAgain(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		start := time.Now()
		r.putAlertmanager("am")
		r.put("hook")
		r.answers(func(call, int) (int, http.Header) { return 200, nil })
		r.enqueue(firing("a"))
		after(20 * time.Second)
		r.enqueue(firing("b"))
		after(130 * time.Second)
		r.enqueue(resolved("a"))
		after(5 * time.Second)
		r.stop()
		r.start()
		after(7 * time.Minute)
		r.enqueue(resolved("b"))
		after(time.Hour)
		var am []call
		hooks := 0
		for _, c := range r.made() {
			if c.host == "am.example.com" {
				am = append(am, c)
			} else {
				hooks++
			}
		}
		got := postsOf(t, am, start)
		// Every alert at least once a minute and a few seconds from beginning to end, its
		// end for five minutes, and nothing after that.
		last := map[string]int{}
		state := map[string]string{}
		for _, line := range got {
			var at int
			head, rest, _ := strings.Cut(line, ": ")
			fmt.Sscan(head, &at)
			for _, one := range strings.Split(rest, ", ") {
				name, now, _ := strings.Cut(one, " ")
				if before, known := last[name]; known && at-before > 66 {
					t.Errorf("%s: nothing from %d s to %d s", name, before, at)
				}
				if state[name] == "over" && now == "fires" {
					t.Errorf("%s fires again at %d s", name, at)
				}
				last[name], state[name] = at, now
			}
		}
		if state["a"] != "over" || state["b"] != "over" || last["a"] < 150+240 || last["a"] > 150+310 || last["b"] < 575+240 || last["b"] > 575+310 {
			t.Errorf("a was told of until %d s, b until %d s:\n%s", last["a"], last["b"], strings.Join(got, "\n"))
		}
		if hooks != 4 {
			t.Errorf("a webhook got %d", hooks)
		}
		if n := len(r.svc.Attempts("a")); n != 4 {
			t.Errorf("the timeline has %d attempts, want those of the beginning and the end", n)
		}
	})
}

// What is told again never overtakes the end, and the end of one incident does not end
// the next with the same labels.
func TestToldAgainInOrder(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putAlertmanager("am")
		start := time.Now()
		r.enqueue(firing("a"))
		after(30 * time.Second)
		r.answersStatus(-1) // what is told again hangs
		after(31 * time.Second)
		r.enqueue(resolved("a"))
		after(time.Second)
		if n := len(r.made()); n != 2 {
			t.Errorf("%d posts while one hangs that says that it fires: %s", n, postsOf(t, r.made(), start))
		}
		r.answersStatus(200)
		after(10 * time.Second)
		if got := postsOf(t, r.made()[2:3], start); !strings.HasSuffix(got[0], "a over") {
			t.Errorf("then comes %s", got)
		}
		next := firing("b")
		next.Rule, next.StartsAt = "rule-a", 3000
		r.enqueue(next)
		after(time.Second)
		n := len(r.made())
		after(10 * time.Minute)
		for _, c := range r.made()[n:] {
			if list := alertsOf(t, c); len(list) != 1 || !list[0].EndsAt.After(c.at) {
				t.Errorf("the next incident with these labels fires, and this was told: %s", postsOf(t, []call{c}, start))
			}
		}
		if len(r.made()) < n+9 {
			t.Errorf("told again %d times in ten minutes", len(r.made())-n)
		}
	})
}

func TestToldAgainWhenItIsBack(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putAlertmanager("am")
		for i := range 600 {
			if i%50 == 0 {
				after(time.Minute)
			}
			r.enqueue(firing(fmt.Sprint("i", i)))
		}
		after(2 * time.Minute)
		r.answersStatus(503)
		after(time.Hour)
		n := len(r.made())
		if n > 1200 {
			t.Errorf("%d posts", n)
		}
		r.answersStatus(200)
		after(6 * time.Minute)
		seen := map[string]bool{}
		for _, c := range r.made()[n:] {
			for _, a := range alertsOf(t, c) {
				seen[a.Labels["rule"]] = true
			}
		}
		if len(seen) != 600 {
			t.Errorf("%d of 600 are told of again when it is back", len(seen))
		}
		r.answersStatus(410)
		after(2 * time.Minute)
		n = len(r.made())
		after(time.Hour)
		if got := len(r.made()); got != n || !r.svc.Stats().Receivers[0].Disabled {
			t.Errorf("%d posts after it answered 410", got-n)
		}
	})
}

// TestTellingAgainInVainIsTold: an Alertmanager that took alerts once and takes them no
// more forgets them; whoever else there is hears of that.
func TestTellingAgainInVainIsTold(t *testing.T) {
	for _, status := range []int{0, 401, 404, 429, 503} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.putAlertmanager("am")
			r.put("good")
			r.enqueue(to("am", "x"))
			after(time.Minute)
			r.answersOf(map[string]int{"am": status})
			after(15 * time.Minute)
			told := func() (out []string) {
				for _, c := range r.made() {
					if c.host == "good.example.com" {
						out = append(out, c.kind)
					}
				}
				return out
			}
			equal(t, fmt.Sprint("status ", status), told(), []string{notify.TypeFiring})
			r.answersStatus(200)
			after(5 * time.Minute)
			equal(t, fmt.Sprint("status ", status, ", over"), told(), []string{notify.TypeFiring, notify.TypeResolved})
		})
	}
}
