package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store"
	"pulse/store/clock"
	"pulse/store/disk"
	"pulse/store/tags"
)

// rig drives a store in a data folder and, beside it, a plain one in memory
// that is given what was acknowledged.
type rig struct {
	t    testing.TB
	rng  *rand.Rand
	opts store.Options
	mode store.Durability
	fs   disk.FS
	clk  *clock.Manual
	s    *store.Store
	twin *store.Store

	now     int64
	names   int           // series that were thought of so far
	used    map[int]int64 // when each was sent last
	back    bool          // some come back after all of their values are gone; the twin may have kept more or less of those
	mu      sync.Mutex    // guards marks and skipped: snapshots are taken in the background, too
	marks   []string      // in order; one that failed may be the last
	synced  int           // of them, which must come back
	skipped int           // of them, which need not: a checkpoint was taken
	spared  int           // what skipped was when the store was opened
	seen    []string      // that came back
	doubt   func()        // what the twin does if the operation that failed is there after all
	left    func()        // what a refused request left behind, for the twin; a store that is opened anew has lost it
	noteNo  int
	lastGot store.Recovery
	during  func() // happens while a snapshot is taken

	commit        func(b *store.Batch, now int64) (store.Result, error) // nil: the store's
	afterSnapshot func(*store.Store)
}

// rigOptions are small times, so that blocks are sealed, archived and dropped
// all the time.
func rigOptions() store.Options {
	return store.Options{
		Step: 1000, Retention: 6 * 120_000, MaxPast: 5000, MaxFuture: 2000, NewSeriesRate: -1,
		Tiers: []store.Tier{{Step: 1000, Retention: 6 * 120_000}},
	}
}

func newRig(t testing.TB, fs disk.FS, seed uint64) *rig {
	r := &rig{
		used: map[int]int64{}, t: t, rng: rand.New(rand.NewPCG(seed, 1)), opts: rigOptions(), mode: store.Sync, fs: fs, now: start,
		clk: clock.NewManual(time.UnixMilli(start)),
	}
	var err error
	if r.twin, err = store.New(r.opts); err != nil {
		t.Fatal(err)
	}
	return r
}

// goOn lets the twin have what a refused request left behind, since the store
// that refused it lives on.
func (r *rig) goOn() {
	if r.left != nil {
		r.left()
		r.left = nil
	}
}

// open opens and replays the folder.
func (r *rig) open() error {
	r.left = nil
	s, err := store.Open(r.opts, store.Durable{FS: r.fs, Mode: r.mode, Clock: r.clk, Log: zerolog.Nop(), SegmentBytes: 8 << 10})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.seen, r.spared = nil, r.skipped
	r.mu.Unlock()
	s.OnSnapshot(store.SnapshotHooks{
		Checkpoint: func() error {
			if r.during != nil {
				r.during()
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.skipped = len(r.marks)
			return nil
		},
	})
	r.lastGot, err = s.Replay(context.Background(), store.Hooks{
		Mark: func(m []byte) { r.seen = append(r.seen, string(m)) },
	})
	if err != nil {
		_ = s.Close()
		return err
	}
	r.s = s
	return nil
}

// tagsOf returns the tags of the n-th series that was thought of.
func tagsOf(n int) tags.Tags {
	dstype := []string{"rate", "counter", "gauge", "sum"}[n%4]
	return tags.Of("name", fmt.Sprintf("m%d", n%7), "id", fmt.Sprint(n), "atlas.dstype", dstype)
}

// points is a request: what is sent, before it is known where it goes.
type points struct {
	source  string
	now     int64
	amount  bool
	series  []int
	times   []int64
	values  []float64
	noteTxt string
}

// request thinks of a request.
func (r *rig) request() points {
	rng := r.rng
	q := points{source: fmt.Sprintf("10.0.0.%d", rng.IntN(4)), now: r.now - rng.Int64N(300), amount: rng.IntN(2) == 0}
	if rng.IntN(3) == 0 {
		r.noteNo++
		q.noteTxt = fmt.Sprint("note", r.noteNo)
	}
	r.names = max(r.names, 4)
	for range 1 + rng.IntN(60) {
		n := rng.IntN(r.names)
		if rng.IntN(20) == 0 {
			n = r.names
			r.names++
		} else if r.names > 60 && rng.IntN(4) > 0 {
			n = r.names - 1 - rng.IntN(40) // most old ones fall silent
		}
		if !r.back && r.now-r.used[n] > r.opts.Retention/3 && r.used[n] != 0 {
			n = r.names
			r.names++
		}
		r.used[n] = r.now
		at := q.now - rng.Int64N(1500)
		switch rng.IntN(12) {
		case 0:
			at = q.now - rng.Int64N(9000) // some too late
		case 1:
			at = q.now + rng.Int64N(3000)
		case 2:
			at = r.now / 1000 * 1000
		}
		v := float64(rng.IntN(2000)) / 8
		switch rng.IntN(10) {
		case 0:
			v = rng.NormFloat64() * 1e6
		case 1:
			v = 0
		}
		if n%4 == 1 {
			v = float64(at-start)/7 + float64(n)
		}
		q.series, q.times, q.values = append(q.series, n), append(q.times, at), append(q.values, v)
	}
	return q
}

// batch finds or makes the series of a request.
func (q *points) batch(s *store.Store) (*store.Batch, error) {
	b := &store.Batch{Source: s.Source(q.source, q.now), Arrival: q.now, Amount: q.amount, Note: []byte(q.noteTxt)}
	for i, n := range q.series {
		ref, err := resolveIn(s, tagsOf(n), q.now)
		if err != nil {
			return nil, err
		}
		b.Add(ref, q.times[i], q.values[i])
	}
	return b, nil
}

// applyTo has the twin take a request.
func (q *points) applyTo(t testing.TB, s *store.Store) store.Result {
	b, err := q.batch(s)
	if err != nil {
		t.Fatal(err)
	}
	return s.Append(b, q.now)
}

// publish sends a request to both. A request that was refused is not the
// twin's; one without an answer may be.
func (r *rig) publish() error {
	r.goOn()
	q := r.request()
	hold := r.s.Hold()
	defer hold.Release()
	b, err := q.batch(r.s)
	if err != nil {
		return err
	}
	commit := r.commit
	if commit == nil {
		commit = r.s.Commit
	}
	got, err := commit(b, q.now)
	if err != nil {
		r.doubt = func() { q.applyTo(r.t, r.twin) }
		if refused(err) {
			r.left = func() { _, _ = q.batch(r.twin) }
		}
		return err
	}
	if want := q.applyTo(r.t, r.twin); got != want {
		r.t.Fatalf("the answer is %+v, the twin's %+v", got, want)
	}
	r.synced = len(r.marks)
	return nil
}

// backfill imports values for steps that are over, some of them sealed.
func (r *rig) backfill() error {
	r.goOn()
	type line struct {
		n      int
		times  []int64
		values []float64
	}
	var list []line
	for range 1 + r.rng.IntN(4) {
		l := line{n: r.names - 1 - r.rng.IntN(min(r.names, 30))}
		r.used[l.n] = r.now
		at := (r.now - 2000 - r.rng.Int64N(r.opts.Retention/2)) / 1000 * 1000
		for range 1 + r.rng.IntN(20) {
			if at >= r.now-1000 {
				break
			}
			l.times, l.values = append(l.times, at), append(l.values, float64(r.rng.IntN(5000))/16)
			at += 1000
		}
		list = append(list, l)
	}
	batch := func(s *store.Store) (*store.ImportBatch, error) {
		b := &store.ImportBatch{}
		for _, l := range list {
			ref, err := resolveIn(s, tagsOf(l.n), r.now)
			if err != nil {
				return nil, err
			}
			b.Lines = append(b.Lines, store.ImportLine{Ref: ref, Times: l.times, Values: l.values})
		}
		return b, nil
	}
	hold := r.s.Hold()
	defer hold.Release()
	b, err := batch(r.s)
	if err != nil {
		return err
	}
	now := r.now
	twin := func() store.ImportResult {
		b, err := batch(r.twin)
		if err != nil {
			r.t.Fatal(err)
		}
		got, err := r.twin.Import(b, now)
		if err != nil {
			r.t.Fatal(err)
		}
		return got
	}
	got, err := r.s.Import(b, now)
	if err != nil {
		r.doubt = func() { twin() }
		return err
	}
	r.synced = len(r.marks)
	if want := twin(); got.Accepted != want.Accepted || got.Rejected != want.Rejected {
		r.t.Fatalf("the import's answer is %+v, the twin's %+v", got, want)
	}
	return nil
}

func resolveIn(s *store.Store, t tags.Tags, now int64) (store.Ref, error) {
	h := s.HashTags(store.Hash{}, t.AppendKey(nil))
	if ref, ok := s.Find(h); ok {
		return ref, nil
	}
	return s.Resolve(h, t, now)
}

func (r *rig) mark() error {
	m := fmt.Sprint("mark", r.now, len(r.marks))
	r.mu.Lock()
	r.marks = append(r.marks, m)
	r.mu.Unlock()
	return r.s.Mark([]byte(m), nil)
}

// pass lets time go by, on both.
func (r *rig) pass(ms int64) {
	r.goOn()
	r.now += ms
	r.clk.Advance(time.Duration(ms) * time.Millisecond)
	r.s.Advance(r.now)
	r.twin.Advance(r.now)
}

// equal compares the two stores.
func (r *rig) equal(when string) {
	r.t.Helper()
	r.goOn()
	if r.back {
		return
	}
	if got, want := r.dump(r.s), r.dump(r.twin); got != want {
		r.t.Fatalf("%s: %s", when, firstDifference(got, want))
	}
}

func (r *rig) dump(s *store.Store) string { return s.Dump(r.now - r.opts.Retention + 120_000) }

// checkMarks compares the marks that came back with those that were made.
func (r *rig) checkMarks() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	from := r.spared
	if len(r.seen) > 0 {
		from = slices.Index(r.marks, r.seen[0])
	}
	if from < 0 || from > r.spared || from+len(r.seen) > len(r.marks) || from+len(r.seen) < r.synced ||
		!slices.Equal(r.marks[from:from+len(r.seen)], r.seen) {
		r.t.Fatalf("marks %q came back of %q, of which %d were passed over by a checkpoint and %d are durable", r.seen, r.marks, r.spared, r.synced)
	}
	r.marks = r.marks[:from+len(r.seen)]
	r.skipped = min(r.skipped, len(r.marks))
}

func firstDifference(got, want string) string {
	g, w := lines(got), lines(want)
	for i := range max(len(g), len(w)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			after := "(nothing)"
			if n := min(i, len(g)); n > 0 {
				after = g[n-1]
			}
			return fmt.Sprintf("line %d\n got %s\nwant %s\nafter %s", i, a, b, after)
		}
	}
	return "equal"
}

func lines(text string) []string {
	var out []string
	for len(text) > 0 {
		i := slices.Index([]byte(text), '\n')
		if i < 0 {
			i = len(text) - 1
		}
		out = append(out, text[:i+1])
		text = text[i+1:]
	}
	return out
}

var errRefused = []error{store.ErrFull, store.ErrUnavailable}

func refused(err error) bool {
	return slices.ContainsFunc(errRefused, func(e error) bool { return errors.Is(err, e) }) && !errors.Is(err, store.ErrUncertain)
}
