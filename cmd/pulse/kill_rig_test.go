package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// killRig is servers on one data folder, one after the other, and everything
// around them.
type killRig struct {
	t         *testing.T
	random    *rand.Rand
	data      string
	rules     map[string]string // by id, without labels
	receivers map[string]string // by name, what they have beside URL and secret
	truth     *truth
	book      *killBook
	hooks     *hooks
	keys      []streamKey // of the streams that leave their band

	victim   *victim
	target   atomic.Pointer[string] // its URL, nil while there is none
	http     http.Client
	asking   sync.WaitGroup // a change that nobody waits for
	revision int
	memory   int64 // most that a process has held, bytes
}

// newKillRig returns a rig whose rules judge a stream per node.
func newKillRig(t *testing.T, seed uint64, rules, receivers map[string]string) *killRig {
	t.Helper()
	tr := &truth{changes: map[streamKey][]int64{}}
	k := &killRig{t: t, random: rand.New(rand.NewPCG(seed, 1)), data: t.TempDir(), rules: rules, receivers: receivers, truth: tr, book: newKillBook(tr)}
	k.hooks = newHooks(t, k.book, seed)
	k.http.Timeout = killWait
	p := &pusher{truth: tr, target: &k.target}
	p.http.Timeout = killWait
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if rule == quietRule {
			continue
		}
		for _, node := range []string{"x", "y"} {
			s := killStream{key: streamKey{rule, node}, dstype: "gauge", in: 100, out: 10}
			if rule == "sum" {
				s.dstype = "sum"
			}
			if rule == "above" {
				s.in, s.out = 10, 100
			}
			p.streams = append(p.streams, s)
			k.keys = append(k.keys, s.key)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { p.run(ctx) })
	work.Go(func() { k.watch(ctx) })
	t.Cleanup(func() {
		cancel()
		work.Wait()
		if k.victim != nil {
			k.victim.kill()
		}
	})
	return k
}

// watch asks for the alerts all the time.
func (k *killRig) watch(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.alerts()
		case <-ctx.Done():
			return
		}
	}
}

// alerts returns the list of alerts, nil when no server answers.
func (k *killRig) alerts() []killAlert {
	since := k.book.asks()
	list := []killAlert{}
	if k.ask(http.MethodGet, "/api/v1/alerts", "", &list) != nil {
		return nil
	}
	k.book.asked(since, list, time.Now().UnixMilli())
	return list
}

// ask sends a request to the server and reads its answer into v, unless v is nil.
func (k *killRig) ask(method, path, body string, v any) error {
	target := k.target.Load()
	if target == nil {
		return fmt.Errorf("%s %s: there is no server", method, path)
	}
	req, err := http.NewRequest(method, *target+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := k.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return &statusError{method, path, res.StatusCode}
	}
	if v == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(v)
}

// statusError is an answer that says no.
type statusError struct {
	method, path string
	status       int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s: status %d", e.method, e.path, e.status)
}

// start starts a server and waits until it is ready.
func (k *killRig) start() {
	k.t.Helper()
	k.launch()
	select {
	case <-k.victim.served:
	case <-k.victim.ended:
		k.t.Fatalf("the server did not start:\n%s", k.victim.said())
	case <-time.After(killWait):
		k.t.Fatalf("the server did not start within %s:\n%s", killWait, k.victim.said())
	}
	k.target.Store(&k.victim.url)
	k.until("the server is ready", func() string {
		if err := k.ask(http.MethodGet, "/ready", "", nil); err != nil {
			return err.Error()
		}
		return ""
	})
}

// launch starts a server and does not wait for anything.
func (k *killRig) launch() {
	k.t.Helper()
	v, err := startVictim(k.data)
	must(k.t, err)
	k.victim = v
}

// kill ends the server with SIGKILL and checks what it left.
func (k *killRig) kill() {
	k.t.Helper()
	k.memory = max(k.memory, highWater(k.victim.cmd.Process.Pid))
	k.book.killing(time.Now().UnixMilli())
	k.target.Store(nil)
	k.victim.kill()
	k.asking.Wait()
	k.book.killing(time.Now().UnixMilli())
	if said := k.victim.said(); strings.Contains(said, "panic") || strings.Contains(said, "BUG") || strings.Contains(said, "DATA RACE") {
		k.t.Errorf("the server said:\n%s", said)
	}
	k.victim = nil
	k.state(func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				k.t.Errorf("state.db is damaged: %v", err)
			}
			if tx.Size() > killState {
				k.t.Errorf("state.db has %d bytes, want at most %d", tx.Size(), killState)
			}
			return nil
		})
	})
}

// state opens state.db between two servers.
func (k *killRig) state(f func(db *bbolt.DB) error) {
	k.t.Helper()
	name := filepath.Join(k.data, "state.db")
	if _, err := os.Stat(name); os.IsNotExist(err) {
		return // killed before it was made
	}
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{Timeout: killWait})
	if err != nil {
		k.t.Fatalf("state.db does not open: %v", err)
	}
	err = f(db)
	must(k.t, db.Close())
	must(k.t, err)
}

// until waits until f returns "".
func (k *killRig) until(what string, f func() string) {
	k.t.Helper()
	limit := time.Now().Add(killWait)
	text := f()
	for ; text != "" && time.Now().Before(limit); text = f() {
		time.Sleep(20 * time.Millisecond)
	}
	if text != "" {
		k.t.Fatalf("not within %s: %s: %s\nfaults: %s", killWait, what, text, strings.Join(k.book.found(), "\n"))
	}
}
