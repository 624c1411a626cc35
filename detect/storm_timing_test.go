package detect_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/detect/secret"
	"pulse/store"
	"pulse/store/tags"
)

// BenchmarkStorm is one closed step in which every group of twenty rules begins to
// fire, with a receiver for each rule: how long until the transaction is durable,
// until the first webhook leaves, and until the last summary has left.
func BenchmarkStorm(b *testing.B) { benchmarkStorm(b, func(*stormRig) {}) }

// BenchmarkRoutedStorm is the same with receivers chosen by a thousand routes, with
// alerts that are told one by one or in groups, and with an inhibit rule and a mute.
func BenchmarkRoutedStorm(b *testing.B) {
	for name, c := range map[string]struct{ options, more string }{
		"alone":   {``, ``},
		"grouped": {`,"group_by":["rule"]`, ``},
		"held":    {``, `{"name":"none","source":["alertname=none"],"target":["severity=page"],"equal":["group"]}`},
	} {
		b.Run(name, func(b *testing.B) {
			benchmarkStorm(b, func(s *stormRig) {
				list := make([]string, 1000)
				for i := range list {
					list[i] = fmt.Sprintf(`{"matchers":["team=t%d","severity=~\"page|warn\""],"receiver":"w0"}`, i)
					if i >= 980 {
						s.put(stormRule(i-980, ""))
						list[i] = fmt.Sprintf(`{"matchers":["rule=r%d"],"receiver":"w%d"%s}`, i-980, i-980, c.options)
					}
				}
				routes := "[" + strings.Join(list, ",") + "]"
				if c.more == "" {
					s.routes(routes)
				} else {
					s.routes(routes, c.more, night)
				}
			})
		})
	}
}

func benchmarkStorm(b *testing.B, prepare func(*stormRig)) {
	const groups = 10_000
	s := newStormRig(b, 20, groups)
	defer s.end()
	prepare(s)
	for range 5 {
		s.step(100)
	}
	var committed, first, summaries time.Duration
	for b.Loop() {
		b.StopTimer()
		s.clock.minutes.Add(3)
		for range 3 {
			s.step(100)
		}
		s.wire.reset()
		s.publish(10)
		b.StartTimer()
		began := time.Now()
		s.advance()
		committed += time.Since(began)
		b.StopTimer()
		f, l := s.wire.wait(b, 20)
		first, summaries = first+f.Sub(began), summaries+l.Sub(began)
		b.StartTimer()
	}
	if got := s.engine.Stats(); got.Firing != groups {
		b.Fatalf("stats %+v", got)
	}
	for unit, d := range map[string]time.Duration{"ms/commit": committed, "ms/first": first, "ms/summaries": summaries} {
		b.ReportMetric(d.Seconds()*1000/float64(b.N), unit)
	}
}

// stormRig is a rig whose engine and receivers work on the machine's clock and with a
// database that is synced.
type stormRig struct {
	*rig
	clock *aheadClock
	wire  *wire
	refs  []store.Ref
	steps int64
	end   func()
}

func newStormRig(b *testing.B, rules, groups int) *stormRig {
	b.Helper()
	s := &stormRig{rig: newRig(b, 1000), clock: &aheadClock{}, wire: &wire{changed: make(chan struct{}, 1)}}
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "synced.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	svc, err := notify.New(notify.Options{
		DB: db, Clock: s.clock, Transport: s.wire, EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: zerolog.Nop(),
	})
	if err != nil {
		b.Fatal(err)
	}
	if s.engine, err = detect.New(detect.Options{
		Store: s.store, Hub: s.hub, DB: db, Notify: svc, Clock: s.clock, Log: zerolog.Nop(), BaseURL: "http://127.0.0.1:7101",
	}); err != nil {
		b.Fatal(err)
	}
	for i := range rules {
		if err := svc.PutReceiver(notify.Receiver{Name: fmt.Sprint("w", i), URL: secret.NewURL(fmt.Sprintf("http://127.0.0.1:1/%d", i))}); err != nil {
			b.Fatal(err)
		}
		s.put(stormRule(i, fmt.Sprintf(`,"notify":["w%d"]`, i)))
	}
	for i := range groups {
		t := tags.Of("name", "starts", "atlas.dstype", "sum", "rule", fmt.Sprint("r", i%rules), "group", fmt.Sprintf("g%05d", i), "nf.node", "node-1")
		ref, err := s.store.Resolve(s.store.HashTags(store.Hash{}, t.AppendKey(nil)), t, s.now())
		if err != nil {
			b.Fatal(err)
		}
		s.refs = append(s.refs, ref)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	s.end = func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		db.Close()
	}
	return s
}

func stormRule(i int, more string) string {
	return fmt.Sprintf(`{"id":"r%d","flap":"off","expr":"name,starts,:eq,rule,r%d,:eq,:and,:sum,(,group,),:by","detector":{"kind":"static","below":50},"severity":"page"%s}`, i, i, more)
}

// publish sends a value of every group, a moment before the step closes.
func (s *stormRig) publish(v float64) {
	s.steps++
	s.at(s.steps*1000 - 300)
	s.batch.Reset()
	s.batch.Source, s.batch.Arrival = s.store.Source("a", s.now()), s.now()
	for _, ref := range s.refs {
		s.batch.Add(ref, s.now(), v)
	}
	s.store.Append(&s.batch, s.now())
	s.at(s.steps*1000 + 50)
}

func (s *stormRig) step(v float64) {
	s.publish(v)
	s.advance()
}

func (s *stormRig) advance() {
	for s.engine.Advance(s.now()) <= s.now() {
	}
}

// aheadClock is the clock, so many minutes ahead.
type aheadClock struct {
	minutes atomic.Int64
}

func (c *aheadClock) Now() time.Time {
	return time.Now().Add(time.Duration(c.minutes.Load()) * time.Minute)
}

func (c *aheadClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// wire accepts every webhook and notes when the first one came, and the last summary.
type wire struct {
	mu        sync.Mutex
	first     time.Time
	last      time.Time
	summaries int
	changed   chan struct{}
}

func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first, w.summaries = time.Time{}, 0
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	at := time.Now()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	firing, summary := bytes.Contains(body, []byte(notify.TypeFiring)), bytes.Contains(body, []byte(notify.TypeSummary))
	if w.first.IsZero() && (firing || summary) {
		w.first = at
	}
	if summary {
		w.summaries++
		w.last = at
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// wait returns when the first webhook and the last of n summaries came.
func (w *wire) wait(b *testing.B, n int) (first, last time.Time) {
	b.Helper()
	for limit := time.After(time.Minute); ; {
		w.mu.Lock()
		first, last = w.first, w.last
		all := w.summaries == n
		w.mu.Unlock()
		if all {
			return first, last
		}
		select {
		case <-w.changed:
		case <-limit:
			b.Fatalf("%d of %d summaries", w.summaries, n)
		}
	}
}
