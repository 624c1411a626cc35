package notify_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"pulse/detect/notify"
)

var (
	seeds = flag.Uint64("seeds", 30, "how many seeds the simulation runs")
	first = flag.Uint64("first", 0, "the first of them")
)

// TestSimulation drives incidents through receivers that fail in every way and
// a service that is stopped and killed at random, then lets everything work
// and checks the promises: every beginning is accepted or was replaced by its
// end, every end follows, none comes before its beginning, keys and bodies are
// equal over all attempts, and nothing is accepted twice unless a crash or a
// lost answer lies between. One receiver is told of groups alert by alert, one in one
// message, and one is told again of what fires.
func TestSimulation(t *testing.T) {
	for seed := *first; seed < *first+*seeds; seed++ {
		bubble(t, notify.Options{PerMinute: 1000}, func(r *rig) { simulate(t, r, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// sim is what the simulation knows of one receiver and notification.
type sim struct {
	body      string
	accepted  int
	lost      int // answers that the service never saw
	attempted int
}

func simulate(t *testing.T, r *rig, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	faults := rand.New(rand.NewPCG(seed, 2))
	// The rig's lock guards these and faults: answers are given under it.
	seen := make(map[string]*sim)     // host/id
	messages := make(map[string]*sim) // of groups
	crashes := 0
	faulty := true
	attempt := func(host, id, body string) *sim {
		key := host + "/" + id
		n := seen[key]
		if n == nil {
			n = &sim{body: body}
			seen[key] = n
		}
		n.attempted++
		if n.body != body {
			t.Errorf("%s changed between attempts", key)
		}
		incident, state, _ := strings.Cut(id, "-")
		begin := seen[host+"/"+incident+"-firing"]
		if state == "resolved" && begin == nil && crashes == 0 {
			t.Errorf("%s came without any attempt of its beginning", key)
		}
		if end := seen[host+"/"+incident+"-resolved"]; strings.HasPrefix(state, "firing") && end != nil {
			t.Errorf("%s was attempted after its end", key)
		}
		return n
	}
	all := func(parts []*sim, did func(n *sim)) {
		for _, n := range parts {
			did(n)
		}
	}
	answer := func(c call, _ int) (int, http.Header) {
		n := &sim{}
		var parts []*sim // alerts of a message
		switch c.host {
		case "g.example.com":
			id := c.header.Get("Webhook-Id")
			if n = messages[id]; n == nil {
				n = &sim{}
				messages[id] = n
			}
			var post groupPost
			if err := json.Unmarshal(c.body, &post); err != nil {
				t.Error(err)
			}
			for _, a := range post.Alerts {
				parts = append(parts, attempt(c.host, a.Pulse.ID, ""))
			}
		case "m.example.com":
			for _, a := range alertsOf(t, c) {
				id := strings.TrimPrefix(a.Labels["rule"], "rule-") + "-firing"
				if !a.EndsAt.After(c.at) {
					id = strings.TrimSuffix(id, "firing") + "resolved"
				}
				parts = append(parts, attempt(c.host, id, ""))
			}
		default:
			if n = attempt(c.host, c.id, string(c.body)); c.header.Get("Webhook-Id") != c.id {
				t.Errorf("%s is called %s", c.id, c.header.Get("Webhook-Id"))
			}
		}
		accept := func(n *sim) { n.accepted++ }
		if !faulty {
			all(parts, accept)
			n.accepted++
			return 200, nil
		}
		switch faults.IntN(8) {
		case 0:
			return 503, nil
		case 1:
			return 429, http.Header{"Retry-After": {fmt.Sprint(faults.IntN(20))}}
		case 2:
			all(parts, accept)
			n.lost++
			n.accepted++
			return -1, nil // accepted, but the answer never comes
		case 3:
			return 0, nil
		}
		all(parts, accept)
		n.accepted++
		return 200, nil
	}
	r.answers(answer)
	r.put("a")
	r.put("b")
	r.putGrouping("g")
	r.putAlertmanager("m")
	send := func(n notify.Notification) {
		var i int64
		fmt.Sscanf(n.Incident, "i%d", &i)
		g := &notify.Group{Key: fmt.Sprint("group ", i%3), Wait: i % 3 * 2000, Interval: i % 3 * 10_000, Repeat: i % 3 * 60_000}
		n.To = []notify.Target{{Receiver: "a"}, {Receiver: "b", Group: g}, {Receiver: "g", Group: g}, {Receiver: "m"}}
		r.enqueue(n)
	}
	began := make(map[string]bool)
	ended := make(map[string]bool)
	for range 60 {
		switch rng.IntN(8) {
		case 0:
			r.stop()
			r.start()
		case 1:
			r.mu.Lock()
			crashes++
			r.mu.Unlock()
			r.kill()
			r.start()
		case 2, 3, 4:
			incident := fmt.Sprint("i", len(began))
			began[incident] = true
			send(firing(incident))
		default:
			for incident := range began {
				if !ended[incident] && incident == fmt.Sprint("i", rng.IntN(len(began))) {
					ended[incident] = true
					send(resolved(incident))
					break
				}
			}
		}
		after(time.Duration(rng.IntN(3000)) * time.Millisecond)
	}
	r.mu.Lock()
	faulty = false
	r.mu.Unlock()
	after(30 * time.Minute)
	for _, c := range r.svc.Stats().Receivers {
		if c.Queued != 0 {
			t.Errorf("%s: %d still wait", c.Name, c.Queued)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, host := range []string{"a", "b", "g", "m"} {
		for incident := range began {
			begin, end := seen[host+".example.com/"+incident+"-firing"], seen[host+".example.com/"+incident+"-resolved"]
			if begin != nil && ended[incident] && (end == nil || end.accepted == 0) {
				t.Errorf("%s: %s began and ended, and the end was not delivered", host, incident)
			}
			if !ended[incident] && (begin == nil || begin.accepted == 0) {
				t.Errorf("%s: %s began, and nobody accepted it", host, incident)
			}
		}
	}
	for id, n := range messages {
		if n.accepted > 1+n.lost+crashes {
			t.Errorf("message %s was accepted %d times with %d lost answers and %d crashes", id, n.accepted, n.lost, crashes)
		}
	}
	for key, n := range seen {
		if host := key[:1]; (host == "a" || host == "b") && n.accepted > 1+n.lost+crashes {
			t.Errorf("%s was accepted %d times with %d lost answers and %d crashes", key, n.accepted, n.lost, crashes)
		}
	}
}
