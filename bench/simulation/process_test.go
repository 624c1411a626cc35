package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/ingest"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/clock"
	"pulse/store/disk/faulty"
)

// process is one life of the server: the parts that its command wires together, over
// the disk and the database that the one before left.
type process struct {
	w        *world
	fs       *faulty.FS
	db       *database
	store    *store.Store
	pipeline *ingest.Pipeline
	notify   *notify.Service
	engine   *detect.Engine
	line     *line
	stop     context.CancelFunc // nil: nothing is delivered yet
	stopped  chan error
	inMark   bool // a goroutine of the store is at work for the engine

	began time.Duration
	engAt time.Duration // when the engine wants to look again
	ageAt time.Duration // when the store does
}

// errKilled is what ends the life of a process in the middle of something.
var errKilled = errors.New("killed")

// dies reports whether f ends with a kill.
func dies(f func()) (died bool) {
	defer func() {
		if v := recover(); v != nil {
			if v != any(errKilled) {
				panic(v)
			}
			died = true
		}
	}()
	f()
	return false
}

// names resolves every name to a public address.
type names struct{}

func (names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
}

// engineClock is the engine's. A process may die whenever the engine looks at it.
type engineClock struct {
	*virtual
	p *process
}

func (c engineClock) Now() time.Time {
	c.p.w.point("anywhere")
	return c.virtual.Now()
}

// marks is the log as the engine sees it.
type marks struct{ p *process }

func (m marks) Mark(mark []byte, at func()) error {
	w := m.p.w
	w.point("before a mark")
	m.p.inMark = true
	err := m.p.store.Mark(mark, at)
	m.p.inMark = false
	w.alive()
	w.point("after a mark")
	return err
}

// outbox is the service as the engine sees it.
type outbox struct {
	*notify.Service
	p *process
}

func (o outbox) EnqueueAll(tx *bbolt.Tx, list []notify.Notification) []error {
	w := o.p.w
	w.point("before the outbox")
	list = slices.Clone(list)
	tx.OnCommit(func() { w.book.committed(list) }) // before anybody hears of them
	refused := o.Service.EnqueueAll(tx, list)
	for _, err := range refused {
		w.fail("refused: %v", err)
	}
	w.point("before the commit")
	return refused
}

func (o outbox) Withdraw(tx *bbolt.Tx, incidents []string) ([]notify.Withdrawn, error) {
	list, err := o.Service.Withdraw(tx, incidents)
	tx.OnCommit(func() { o.p.w.book.withdrawn(list) })
	return list, err
}

func (o outbox) Wake() {
	o.Service.Wake()
	if o.p.inMark { // the driver waits
		return
	}
	synctest.Wait()
	w := o.p.w
	if w.random.IntN(20) == 0 && w.faulty { // a slow disk
		w.clock.to(w.clock.since() + time.Duration(w.random.IntN(3000))*time.Millisecond)
	}
	w.point("after the commit")
}

// start begins a process. It may die in it.
func (w *world) start() {
	w.decided, w.waiting = w.clock.ms(), false
	p := &process{w: w, fs: w.fs, began: w.clock.since(), stopped: make(chan error, 1), line: &line{&w.network, make(chan struct{})}}
	w.process = p
	var err error
	if p.db, err = openDatabase(w.dbPath); err != nil {
		panic(err)
	}
	p.store, err = store.Open(
		store.Options{Step: w.step, Retention: 240 * w.step, NewSeriesRate: -1, Tiers: []store.Tier{{Step: w.step, Retention: 240 * w.step}}},
		store.Durable{FS: p.fs, Mode: w.mode, Clock: w.clock, Log: zerolog.Nop(), SnapshotEvery: time.Duration(40*w.step) * time.Millisecond, SegmentBytes: 32 << 10})
	w.alive()
	w.must(err)
	p.pipeline = ingest.New(p.store, ingest.Options{})
	hub := stream.NewHub(p.store)
	log := zerolog.New(w).With().Logger()
	p.notify, err = notify.New(notify.Options{DB: p.db.DB, Clock: w.clock, Transport: p.line, Resolver: names{}, Log: log, Rand: w.jitter, PerMinute: w.perMinute, QueueLimit: w.queueLimit})
	w.must(err)
	p.engine, err = detect.New(detect.Options{
		Store: p.store, Hub: hub, DB: p.db.DB, Notify: outbox{p.notify, p}, Clock: engineClock{w.clock, p}, Log: log,
		BaseURL: "http://pulse", Marks: marks{p}, Replay: true, Receivers: p.notify.Names,
	})
	w.must(err)
	p.store.OnSnapshot(store.SnapshotHooks{
		Checkpoint: p.checkpoint, Notes: p.pipeline.AppendNotes,
		Restore: func(notes []byte) { w.must(p.pipeline.RestoreNotes(notes)) },
	})
	_, err = p.store.Replay(context.Background(), store.Hooks{Mark: p.engine.ReplayMark, Note: p.pipeline.Remember})
	w.alive()
	w.must(err)
	p.engine.Resume(w.clock.ms())
	if w.owes {
		w.paid = append(w.paid, w.clock.ms())
	}
	w.owes = false
	p.engine.ReleaseFiles()
	p.notify.ReleaseFiles()
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go func() { p.stopped <- p.notify.Run(ctx) }()
	synctest.Wait()
	p.engAt, p.ageAt = w.clock.since(), w.clock.since()
	w.lives++
}

// checkpoint is the engine's, in the goroutine of the store that takes a snapshot while
// the driver waits.
func (p *process) checkpoint() error {
	p.inMark = true
	defer func() { p.inMark = false }()
	return p.engine.Checkpoint()
}

// alive ends the process when its disk has been cut off.
func (w *world) alive() {
	if _, err := w.process.fs.List("."); errors.Is(err, faulty.ErrCrashed) {
		w.tracef("process", "killed in the disk")
		panic(errKilled)
	}
}

// point is a place where a process may die.
func (w *world) point(where string) {
	if w.doom == nil || w.process != nil && w.process.inMark || w.doom.where != where && w.doom.where != "at any point" {
		return
	}
	if w.doom.count--; w.doom.count < 0 {
		w.tracef("process", "killed %s", where)
		w.deaths[where]++
		w.doom = nil
		panic(errKilled)
	}
}

// kill ends a process as kill -9 does: nothing more is sent or stored by it.
func (w *world) kill() {
	p := w.process
	w.process, w.doom = nil, nil
	w.kills++
	if p.db != nil {
		w.owes = w.owes || p.db.failing
		w.must(p.db.end())
	}
	for _, r := range w.network.cut() {
		w.take(r)
		w.tracef(r.to.name, "%s arrives after the end of its sender", r.id)
		r.to.unrecorded(r.id)
	}
	w.book.killed()
	close(p.line.dead)
	if p.stop != nil {
		p.stop()
		<-p.stopped
	}
	seed := w.random.Uint64()
	if w.powerLoss {
		w.fs = p.fs.Crash(seed)
	} else {
		w.fs = p.fs.Kill(seed)
	}
	if p.store != nil {
		_ = p.store.Close()
	}
	synctest.Wait()
	w.clock.forget()
}

// shutDown ends a process in order.
func (w *world) shutDown() {
	p := w.process
	w.must(p.engine.Close())
	p.stop()
	for w.process == p { // or it was killed after all
		synctest.Wait()
		select {
		case err := <-p.stopped:
			p.stop = nil
			if !p.db.failing {
				w.must(err)
			}
			err = p.store.Close()
			w.alive()
			w.must(err)
			w.must(p.db.end())
			w.network.cut()
			close(p.line.dead)
			synctest.Wait()
			w.process = nil
			w.clock.forget()
			w.fs = p.fs
			return
		default:
			w.turn(w.clock.since() + time.Hour)
		}
	}
}

func (w *world) must(err error) {
	if err != nil {
		w.fail("%v", err)
		panic(errStop)
	}
}

// Write takes a line of the server's log.
func (w *world) Write(line []byte) (int, error) {
	if strings.Contains(string(line), `"level":"error"`) {
		w.errorsLogged++
	}
	return len(line), nil
}

var _ clock.Clock = engineClock{}

var errStop = errors.New("the run has failed")

func (w *world) tracef(of, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprintf("%9.3f %s: %s", w.clock.since().Seconds(), of, fmt.Sprintf(format, args...))
	h := w.trace[of]
	for _, c := range []byte(text) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	w.trace[of] = h
	if w.last = append(w.last, text); len(w.last) > keepLines {
		w.last = w.last[len(w.last)-keepLines/2:]
	}
}
