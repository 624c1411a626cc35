package notify_test

import (
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
// lost answer lies between.
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
	seen := make(map[string]*sim) // host/id
	crashes := 0
	faulty := true
	answer := func(c call, _ int) (int, http.Header) {
		key := c.host + "/" + c.id
		n := seen[key]
		if n == nil {
			n = &sim{body: string(c.body)}
			seen[key] = n
		}
		n.attempted++
		if n.body != string(c.body) || c.header.Get("Webhook-Id") != c.id {
			t.Errorf("%s changed between attempts", key)
		}
		incident, state, _ := strings.Cut(c.id, "-")
		begin := seen[c.host+"/"+incident+"-firing"]
		if state == "resolved" && begin == nil && crashes == 0 {
			t.Errorf("%s came without any attempt of its beginning", key)
		}
		if end := seen[c.host+"/"+incident+"-resolved"]; state == "firing" && end != nil {
			t.Errorf("%s was attempted after its end", key)
		}
		if !faulty {
			n.accepted++
			return 200, nil
		}
		switch faults.IntN(8) {
		case 0:
			return 503, nil
		case 1:
			return 429, http.Header{"Retry-After": {fmt.Sprint(faults.IntN(20))}}
		case 2:
			n.lost++
			n.accepted++
			return -1, nil // accepted, but the answer never comes
		case 3:
			return 0, nil
		}
		n.accepted++
		return 200, nil
	}
	r.answers(answer)
	r.put("a")
	r.put("b")
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
			r.enqueue(firing(incident))
		default:
			for incident := range began {
				if !ended[incident] && incident == fmt.Sprint("i", rng.IntN(len(began))) {
					ended[incident] = true
					r.enqueue(resolved(incident))
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
	for _, host := range []string{"a", "b"} {
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
	for key, n := range seen {
		if n.accepted > 1+n.lost+crashes {
			t.Errorf("%s was accepted %d times with %d lost answers and %d crashes", key, n.accepted, n.lost, crashes)
		}
	}
}
