package detect_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/query/stream"
	"pulse/store/clock"
)

// wall is a clock by the time package, which a synctest bubble controls.
type wall struct{}

func (wall) Now() time.Time                         { return time.Now() }
func (wall) After(d time.Duration) <-chan time.Time { return time.After(d) }

func parseFile(text string) (detect.File, error) { return detect.ParseRulesYAML([]byte(text)) }

// running returns an engine with one rule that runs by c, and what ends it.
func running(t *testing.T, path string, c clock.Clock) (*rig, *detect.Engine, func()) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: db, outbox: &outbox{}, step: 1000}
	r.newStore()
	e, err := detect.New(detect.Options{Store: r.store, Hub: stream.NewHub(r.store), DB: db, Notify: r.outbox, Clock: c, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	rule, err := detect.ParseRuleJSON([]byte(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.PutRule(rule, c.Now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, c) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); db.Close() })
	return r, e, stop
}

// TestRun: a complete step is judged within milliseconds of its end, and one
// that a report completes later within milliseconds of that report.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	synctest.Test(t, func(t *testing.T) {
		r, e, stop := running(t, path, wall{})

		report := func(v float64) {
			r.sendWall("a", v)
			e.Wake()
		}
		time.Sleep(500 * time.Millisecond)
		for range 10 {
			report(100)
			time.Sleep(time.Second)
		}
		report(10)
		time.Sleep(490 * time.Millisecond)
		synctest.Wait()
		if n := r.took(); len(n) != 0 {
			t.Errorf("paged before the step was over: %s", brief(n))
		}
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		n := r.took()
		if len(n) != 1 || n[0].Type != notify.TypeFiring {
			t.Errorf("sent %s", brief(n))
			return
		}
		if late := n[0].EvaluatedAt - n[0].StartsAt; late > 10 {
			t.Errorf("judged %d ms after the end of a complete step", late)
		}
		time.Sleep(1200 * time.Millisecond) // 210 ms after the end of the next step
		r.publish("a", time.Now().UnixMilli()-220, time.Now().UnixMilli(), p(100, "name", "sps"))
		e.Wake()
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if n := r.took(); len(n) != 1 || n[0].Type != notify.TypeResolved {
			t.Errorf("sent %s after the late report", brief(n))
		}
		stop()
		if err := e.DeleteRule("low", 0); !errors.Is(err, detect.ErrClosed) {
			t.Errorf("a closed engine: %v", err)
		}
	})
}

// sendWall publishes one value stamped with the bubble's time.
func (r *rig) sendWall(source string, v float64) {
	r.clock = nil
	now := time.Now().UnixMilli()
	r.publish(source, now, now, p(v, "name", "sps"))
}

// setBack is a clock whose time of day was set back; its timers run on.
type setBack struct {
	wall
	by *atomic.Int64 // ns
}

func (c setBack) Now() time.Time { return time.Now().Add(-time.Duration(c.by.Load())) }

// TestRunClockBack: when the clock is set back and nobody sends, the engine does
// not sleep until the old time is reached again.
func TestRunClockBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	synctest.Test(t, func(t *testing.T) {
		c := setBack{by: new(atomic.Int64)}
		_, e, stop := running(t, path, c)
		time.Sleep(10 * time.Second)
		c.by.Store(int64(time.Hour))
		time.Sleep(5 * time.Second)
		before := e.Stats().Closed
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := e.Stats().Closed - before; got < 9 {
			t.Errorf("%d steps judged in 10 s after the clock was set back", got)
		}
		stop()
	})
}
