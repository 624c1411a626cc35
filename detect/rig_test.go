package detect_test

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/clock"
	"pulse/store/tags"
)

// epoch is where the rig's time begins: 2026-01-01T00:00:00Z, in ms.
const epoch = 1_767_225_600_000

// rig is a store, a hub, a database and an engine under a manual clock.
type rig struct {
	t      testing.TB
	clock  *clock.Manual
	store  *store.Store
	db     *bbolt.DB
	outbox *outbox
	svc    *notify.Service // in its place, when set
	engine *detect.Engine
	step   int64
	batch  store.Batch
	tape   *tape   // nil: no log
	watch  *costly // nil: the engine takes no time
	groups int     // that a rule may have; 0: the default
	hub    *stream.Hub

	receivers []string // that routes may name; nil: any
	log       zerolog.Logger
}

// outbox remembers what was enqueued by transactions that were committed.
type outbox struct {
	mu    sync.Mutex
	sent  []notify.Notification
	quiet []notify.Quiet
	woken int
	// refuse, when set, is what EnqueueAll answers for each.
	refuse error
	// tries are what Attempts answers for each incident.
	tries []notify.Attempt
}

func (o *outbox) EnqueueAll(tx *bbolt.Tx, list []notify.Notification) (refused []error) {
	if o.refuse != nil {
		return slices.Repeat([]error{o.refuse}, len(list))
	}
	list = slices.Clone(list)
	tx.OnCommit(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.sent = append(o.sent, list...)
	})
	return nil
}

func (o *outbox) Quiet(tx *bbolt.Tx, list []notify.Quiet) error {
	tx.OnCommit(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.quiet = append(o.quiet, list...)
	})
	return nil
}

func (o *outbox) Withdraw(*bbolt.Tx, []string) ([]notify.Withdrawn, error) { return nil, nil }

func (o *outbox) Wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.woken++
}

func (o *outbox) Attempts(string) []notify.Attempt { return o.tries }

func newRig(t testing.TB, step int64) *rig {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &rig{t: t, clock: clock.NewManual(time.UnixMilli(epoch)), db: db, outbox: &outbox{}, step: step}
	r.newStore()
	r.start()
	return r
}

// brokenDB returns a database that can neither be read nor written, for UseDB.
func brokenDB(t testing.TB) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "broken.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return db
}

func (r *rig) newStore() {
	r.t.Helper()
	s, err := store.New(store.Options{Step: r.step, Retention: 1440 * r.step})
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = s
}

// start starts an engine over what the rig has.
func (r *rig) start() {
	r.t.Helper()
	r.hub = stream.NewHub(r.store)
	o := detect.Options{
		Store: r.store, Hub: r.hub, DB: r.db, Notify: r.outbox, Clock: r.clock,
		Log: r.log, BaseURL: "http://pulse", MaxGroups: r.groups,
	}
	if r.svc != nil {
		o.Notify = r.svc
	}
	if r.receivers != nil {
		o.Receivers = func() []string { return r.receivers }
	}
	if r.watch != nil {
		o.Clock = r.watch
	}
	if r.tape != nil {
		o.Marks, o.Replay = r.tape, true
	}
	e, err := detect.New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.engine = e
}

// restart closes the engine as a shutdown does, or drops it as a kill does,
// and starts one over an empty store.
func (r *rig) restart(clean bool) {
	r.t.Helper()
	if clean {
		if err := r.engine.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	r.newStore()
	r.start()
}

func (r *rig) now() int64 { return r.clock.Now().UnixMilli() }

// to moves the clock to ms after the epoch and does what is due.
func (r *rig) to(ms int64) {
	r.clock.Set(time.UnixMilli(epoch + ms))
	r.store.Advance(r.now())
	r.engine.Advance(r.now())
}

// at moves the clock without looking at what is due.
func (r *rig) at(ms int64) { r.clock.Set(time.UnixMilli(epoch + ms)) }

// point is one datapoint of a batch.
type point struct {
	tags  tags.Tags
	value float64
}

func p(value float64, pairs ...string) point { return point{tags.Of(pairs...), value} }

// send publishes points of one source, stamped with the clock.
func (r *rig) send(source string, points ...point) { r.sendAt(source, r.now(), points...) }

func (r *rig) sendAt(source string, at int64, points ...point) {
	r.t.Helper()
	r.publish(source, at, r.now(), points...)
}

func (r *rig) publish(source string, at, now int64, points ...point) {
	r.t.Helper()
	if r.tape != nil {
		r.tape.events = append(r.tape.events, event{source: source, at: at, now: now, points: points})
	}
	r.batch.Reset()
	r.batch.Source, r.batch.Arrival = r.store.Source(source, now), now
	for _, x := range points {
		t := x.tags
		if _, ok := t.Get("atlas.dstype"); !ok {
			t = t.With("atlas.dstype", "sum")
		}
		h := r.store.HashTags(store.Hash{}, t.AppendKey(nil))
		ref, ok := r.store.Find(h)
		if !ok {
			var err error
			if ref, err = r.store.Resolve(h, t, now); err != nil {
				r.t.Fatal(err)
			}
		}
		r.batch.Add(ref, at, x.value)
	}
	r.store.Append(&r.batch, now)
}

func (r *rig) put(body string) {
	r.t.Helper()
	rule, err := detect.ParseRuleJSON([]byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.engine.PutRule(rule, r.now()); err != nil {
		r.t.Fatal(err)
	}
}

// took returns what was sent since the last call.
func (r *rig) took() []notify.Notification {
	r.outbox.mu.Lock()
	defer r.outbox.mu.Unlock()
	out := r.outbox.sent
	r.outbox.sent = nil
	return out
}

// alerts returns the alerts of a state.
func (r *rig) alerts(state string) []detect.Alert {
	r.t.Helper()
	out, err := r.engine.Alerts(state)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// one returns the only notification since the last call.
func (r *rig) one(kind string) notify.Notification {
	r.t.Helper()
	sent := r.took()
	if len(sent) != 1 || sent[0].Type != kind {
		r.t.Fatalf("at %d s: sent %s, want one %s", (r.now()-epoch)/1000, brief(sent), kind)
	}
	return sent[0]
}

func (r *rig) none() {
	r.t.Helper()
	if sent := r.took(); len(sent) != 0 {
		r.t.Fatalf("at %d s: sent %s, want nothing", (r.now()-epoch)/1000, brief(sent))
	}
}

func brief(sent []notify.Notification) string {
	text := "["
	for _, n := range sent {
		text += " " + n.Type + " " + tags.FromMap(n.Tags).String()
	}
	return text + " ]"
}
