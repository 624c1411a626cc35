package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Bounds of a server that is killed again and again.
const (
	killMemory = 256 << 20 // most memory held, bytes
	killState  = 32 << 20  // size of state.db, bytes
	killWait   = 15 * time.Second
)

// quietRule judges a stream that falls silent instead of leaving its band.
const quietRule = "quiet"

var quietStream = streamKey{quietRule, ""}

// killRules are the rules, by id; each judges its stream per node. The rule goes
// is deleted and made again.
var killRules = map[string]string{
	"gauge": `"expr":"name,gauge,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"flap":"off"`,
	"sum":   `"expr":"name,sum,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"for":"300ms","notify":["a"],"flap":"off"`,
	"above": `"expr":"name,above,:eq,:max,(,node,),:by","detector":{"kind":"static","above":50},"keep":"300ms","flap":"off"`,
	"truth": `"expr":"name,truth,:eq,:sum,50,:lt,(,node,),:by","flap":"off"`,
	"goes":  `"expr":"name,goes,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"flap":"off"`,
	"quiet": `"expr":"name,quiet,:eq,:sum","detector":{"kind":"static","below":0},"absence_after":"1s","flap":"off"`,
}

// killReceivers are the receivers, by name, with what they have beside URL and secret.
var killReceivers = map[string]string{"a": "", "b": ""}

// change puts a new revision of a rule or receiver, or deletes it, and reports
// whether that was acknowledged.
func (k *killRig) change(kind, name string, remove bool) bool {
	revision, method, body := "", http.MethodDelete, ""
	if !remove {
		k.revision++
		revision, method = strconv.Itoa(k.revision), http.MethodPut
		body = fmt.Sprintf(`{"url":%q,"secret":%q%s}`, k.hooks.url(name, revision), demoSecret, k.receivers[name])
		if kind == "rule" {
			body = fmt.Sprintf(`{%s,"labels":{"revision":%q}}`, k.rules[name], revision)
		}
	}
	thing := kind + " " + name
	k.book.begin(thing, revision, time.Now().UnixMilli())
	err := k.ask(method, "/api/v1/"+kind+"s/"+name, body, nil)
	if status, ok := err.(*statusError); ok {
		k.book.refused(thing, status)
	}
	if err == nil {
		k.book.acknowledged(thing, revision)
	}
	return err == nil
}

// someChange chooses a change of a rule or receiver.
func (k *killRig) someChange() (kind, name string, remove bool) {
	switch k.random.IntN(6) {
	case 0:
		return "receiver", "a", false
	case 1:
		return "receiver", "b", k.book.exists("receiver b") != "" && k.random.IntN(2) == 0
	case 2, 3:
		return "rule", "goes", k.book.exists("rule goes") != "" && k.random.IntN(3) > 0
	}
	names := slices.Sorted(maps.Keys(k.rules))
	return "rule", names[k.random.IntN(len(names))], false
}

// listed checks that the rules and receivers are those that were acknowledged.
func (k *killRig) listed() {
	k.t.Helper()
	var rules []struct {
		ID     string
		Labels map[string]string
	}
	var receivers []struct{ Name, URL string }
	must(k.t, k.ask(http.MethodGet, "/api/v1/rules", "", &rules))
	must(k.t, k.ask(http.MethodGet, "/api/v1/receivers", "", &receivers))
	have := map[string]string{}
	for _, r := range rules {
		have[r.ID] = r.Labels["revision"]
	}
	k.book.listed("rule", have)
	have = map[string]string{}
	for _, r := range receivers {
		have[r.Name] = r.URL[strings.LastIndexByte(r.URL, '/')+1:]
	}
	k.book.listed("receiver", have)
}

// settled waits until exactly the streams that are out of band fire. A stream that
// fell silent before the server had seen it is not missed.
func (k *killRig) settled() {
	k.t.Helper()
	k.until("the alerts are those of the streams", func() string {
		list := k.alerts()
		if list == nil {
			return "no answer"
		}
		firing := map[streamKey]bool{}
		for _, a := range list {
			if a.State == "firing" || a.State == "nodata" {
				firing[a.stream()] = true
			}
		}
		for _, key := range append(slices.Clone(k.keys), quietStream) {
			want := k.truth.out(key) && k.book.exists("rule "+key.rule) != ""
			if want != firing[key] && !(want && key == quietStream) {
				return fmt.Sprintf("%v: firing is %v", key, firing[key])
			}
		}
		return ""
	})
}

// delivered waits until nothing waits for a receiver.
func (k *killRig) delivered() {
	k.t.Helper()
	k.until("everything is delivered", func() string {
		var status struct {
			Notify struct {
				Receivers []struct {
					Name   string
					Queued int
				}
			}
		}
		if err := k.ask(http.MethodGet, "/api/v1/status", "", &status); err != nil {
			return err.Error()
		}
		for _, r := range status.Notify.Receivers {
			if r.Queued > 0 {
				return fmt.Sprintf("%d wait for %s", r.Queued, r.Name)
			}
		}
		return ""
	})
}

// all brings every stream to one side.
func (k *killRig) all(out bool) {
	for _, key := range append(slices.Clone(k.keys), quietStream) {
		if k.truth.out(key) != out {
			k.truth.flip(key)
		}
	}
}

// act lets things happen for a while.
func (k *killRig) act(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		switch n := k.random.IntN(10); {
		case n < 6:
			k.truth.flip(k.keys[k.random.IntN(len(k.keys))])
		case n == 6:
			k.truth.flip(quietStream)
		default:
			k.change(k.someChange())
		}
		time.Sleep(time.Duration(20+k.random.IntN(150)) * time.Millisecond)
	}
}

// ms waits for less than n milliseconds.
func (k *killRig) ms(n int) { time.Sleep(time.Duration(k.random.IntN(n*1000)) * time.Microsecond) }

// moments are when a server is killed.
var moments = []struct {
	name string
	wait func(k *killRig)
}{
	{"at any time", func(k *killRig) { k.ms(100) }},
	{"after a change was acknowledged", func(k *killRig) { k.change(k.someChange()) }},
	{"during a change", func(k *killRig) {
		kind, name, remove := k.someChange()
		k.asking.Go(func() { k.change(kind, name, remove) })
		k.ms(8)
	}},
	{"during a delivery", func(k *killRig) {
		for _, key := range k.keys {
			k.truth.flip(key)
		}
		select {
		case <-k.hooks.came:
		default:
		}
		select {
		case <-k.hooks.came:
		case <-time.After(2 * time.Second):
		}
		k.ms(5)
	}},
	{"when an alert is seen to fire", func(k *killRig) {
		k.all(false)
		k.settled()
		k.truth.flip(k.keys[k.random.IntN(len(k.keys))])
		fires := func(a killAlert) bool { return a.State == "firing" }
		for range 200 {
			if slices.ContainsFunc(k.alerts(), fires) {
				return
			}
			k.ms(10)
		}
	}},
	{"while it starts", func(k *killRig) {
		k.kill()
		k.launch()
		k.ms(150)
	}},
}

// TestKillRounds kills a server with SIGKILL at random moments while its rules fire
// and resolve, its receivers misbehave and people change both, starts it again, and
// holds everything it says against the book. PULSE_KILL_ROUNDS is how often it is
// killed, PULSE_SEED repeats what was decided, though not the timing of processes.
func TestKillRounds(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	rounds, seed := fromEnv(t, "PULSE_KILL_ROUNDS", 3), fromEnv(t, "PULSE_SEED", uint64(time.Now().UnixNano()%1_000_000))
	t.Logf("PULSE_SEED=%d", seed)
	k := newKillRig(t, seed, killRules, killReceivers)
	k.begin()
	for round := range rounds {
		moment := moments[(seed+round)%uint64(len(moments))]
		began := time.Now()
		k.act(time.Duration(300+k.random.IntN(900)) * time.Millisecond)
		moment.wait(k)
		k.kill()
		k.start()
		k.listed()
		if k.random.IntN(2) == 0 {
			k.settled()
		}
		t.Logf("round %d: killed %s, %.1f s, %s", round+1, moment.name, time.Since(began).Seconds(), k.book)
		if len(k.book.found()) > 0 {
			break
		}
	}
	k.finish()
	k.report()
	t.Logf("%d rounds: %s, at most %d MiB", rounds, k.book, k.memory>>20)
}

func fromEnv(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// begin starts the first server and makes all rules and receivers.
func (k *killRig) begin() {
	k.t.Helper()
	k.start()
	for _, name := range slices.Sorted(maps.Keys(k.receivers)) {
		k.change("receiver", name, false)
	}
	for _, name := range slices.Sorted(maps.Keys(k.rules)) {
		k.change("rule", name, false)
	}
	k.settled()
}

// finish lets everything work, and wants every page and every resolve.
func (k *killRig) finish() {
	k.t.Helper()
	k.hooks.healthy.Store(true)
	k.hooks.refuses.Store(false)
	k.all(true)
	k.settled()
	k.delivered()
	k.book.told("a", k.alerts())
	k.all(false)
	k.settled()
	k.delivered()
	k.listed()
	k.book.finish()
	k.memory = max(k.memory, highWater(k.victim.cmd.Process.Pid))
	if k.memory > killMemory {
		k.t.Errorf("a server held %d MiB, want at most %d", k.memory>>20, killMemory>>20)
	}
}

// report fails the test with what the book found.
func (k *killRig) report() {
	for _, f := range k.book.found() {
		k.t.Error(f)
	}
	if k.t.Failed() {
		said := k.victim.said()
		k.t.Logf("the server said, last:\n%s", said[max(0, len(said)-4096):])
	}
}
