package wal_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"pulse/store/disk/faulty"
	"pulse/store/wal"
)

// model is what a log may and must hold.
type model struct {
	must    map[wal.LSN][]byte   // acknowledged: written, and synced
	may     map[wal.LSN][][]byte // written, or in the middle of it
	unknown map[wal.LSN][][]byte // refused with ErrUncertain, until the log resumes
	removed wal.LSN              // records before it may be missing
}

func newModel() *model {
	return &model{must: map[wal.LSN][]byte{}, may: map[wal.LSN][][]byte{}, unknown: map[wal.LSN][][]byte{}}
}

// settle notes that what was written up to lsn is acknowledged.
func (m *model) settle(lsn wal.LSN) {
	for at, p := range m.may {
		if at <= lsn && m.must[at] == nil && len(p) > 0 {
			m.must[at] = p[0]
		}
	}
}

// check compares what a log gave back with what it has to.
func (m *model) check(found map[wal.LSN][]byte) error {
	for lsn, p := range m.must {
		got, ok := found[lsn]
		if !ok && lsn >= m.removed {
			return fmt.Errorf("acknowledged record %d is lost", lsn)
		}
		if ok && !bytes.Equal(got, p) {
			return fmt.Errorf("acknowledged record %d is another one", lsn)
		}
	}
	for lsn, p := range found {
		known := false
		for _, q := range append(m.may[lsn][:len(m.may[lsn]):len(m.may[lsn])], m.unknown[lsn]...) {
			known = known || bytes.Equal(p, q)
		}
		if !known {
			return fmt.Errorf("record %d was refused or never written", lsn)
		}
	}
	return nil
}

// adopt makes what an opened log has the whole truth, and what it could sync
// acknowledged.
func (m *model) adopt(found map[wal.LSN][]byte, synced bool) {
	clear(m.may)
	clear(m.unknown)
	if synced {
		clear(m.must)
		m.removed = 0
	}
	for lsn, p := range found {
		m.may[lsn] = [][]byte{p}
		if synced {
			m.must[lsn] = p
		}
	}
}

var smallSegments = wal.Options{SegmentBytes: 6 << 10, UnsyncedBytes: 50 << 10}

// life is a process with a log.
type life struct {
	fs    *faulty.FS
	model *model
	log   *wal.Log
	rng   *rand.Rand
	harm  bool // faults are injected
	heads bool // a damaged head of a file is a finding
}

// start opens the log and compares it with the model. A crash on the way is no
// error.
func (l *life) start() (crashed bool, err error) {
	l.log, err = wal.Open(l.fs, "wal", smallSegments)
	if errors.Is(err, faulty.ErrCrashed) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	found := map[wal.LSN][]byte{}
	last := wal.LSN(0)
	_, err = l.log.Replay(0, func(lsn wal.LSN, payload []byte) error {
		if lsn <= last {
			return fmt.Errorf("record %d comes after record %d", lsn, last)
		}
		last = lsn
		found[lsn] = bytes.Clone(payload)
		return nil
	})
	if errors.Is(err, faulty.ErrCrashed) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if err := l.model.check(found); err != nil {
		return false, err
	}
	if l.log.Next() <= last {
		return false, fmt.Errorf("the next record is %d, the last one %d", l.log.Next(), last)
	}
	l.model.adopt(found, l.log.Err() == nil)
	if !l.heads || errors.Is(l.log.Err(), faulty.ErrCrashed) {
		return false, nil
	}
	return false, l.verify()
}

// verify wants the head of every file whole: a file has its name only once it
// is durable.
func (l *life) verify() error {
	var bad error
	err := wal.Verify(l.fs, "wal", func(i wal.Item) {
		if !i.Whole {
			bad = fmt.Errorf("the head of %s is damaged", i.File)
		}
	})
	if errors.Is(err, faulty.ErrCrashed) {
		return nil
	}
	return errors.Join(err, bad)
}

// run does random things until they are done, or the power fails.
func (l *life) run(steps int) error {
	for range steps {
		crashed, err := l.step()
		if crashed || err != nil {
			return err
		}
		if l.log.Synced() >= l.log.Next() {
			return fmt.Errorf("record %d is synced, %d is next", l.log.Synced(), l.log.Next())
		}
		l.model.settle(l.log.Synced())
	}
	return nil
}

func (l *life) step() (crashed bool, err error) {
	switch k := l.rng.IntN(20); {
	case k < 11:
		err = l.write()
	case k < 15:
		err = l.log.Sync()
	case k == 15:
		l.log.Rotate()
	case k == 16:
		before := 1 + l.rng.Uint64N(l.log.Synced()+1)
		l.model.removed = max(l.model.removed, before)
		err = l.log.RemoveBefore(before)
	case k == 17 && l.harm:
		l.inject()
	case k == 18:
		l.fs.Heal()
		l.fs.SetSpace(-1)
	default:
		if err = l.log.Resume(); err == nil {
			clear(l.model.unknown)
		}
	}
	return errors.Is(err, faulty.ErrCrashed), l.expected(err)
}

// expected passes on only those errors that nobody caused.
func (l *life) expected(err error) error {
	if err == nil || errors.Is(err, faulty.ErrCrashed) || l.harm {
		return nil
	}
	return err
}

func (l *life) inject() {
	errs := []error{syscall.EIO, syscall.EIO, syscall.ENOSPC, syscall.EROFS}
	f := faulty.Fault{
		Op:    []faulty.Op{faulty.OpAny, faulty.OpWrite, faulty.OpWrite, faulty.OpSync, faulty.OpSync, faulty.OpTruncate, faulty.OpRename, faulty.OpSyncDir, faulty.OpCreate, faulty.OpRemove}[l.rng.IntN(10)],
		After: l.rng.IntN(6),
		Times: []int{1, 1, 2, -1}[l.rng.IntN(4)],
		Err:   errs[l.rng.IntN(len(errs))],
	}
	if f.Op == faulty.OpWrite && l.rng.IntN(3) == 0 {
		f.Err = nil // short
	}
	l.fs.Inject(f)
	if l.rng.IntN(4) == 0 {
		l.fs.SetSpace(int64(l.rng.IntN(40 << 10)))
	}
}

func (l *life) write() error {
	var group [][]byte
	size := 0
	for range 1 + l.rng.IntN(4) {
		n := []int{0, 9, 60, 700, 1500}[l.rng.IntN(5)]
		if l.rng.IntN(40) == 0 {
			n = []int{20 << 10, 33 << 10, 70 << 10}[l.rng.IntN(3)]
		}
		p := make([]byte, 8+n) // no two are equal
		for i := 0; i+8 <= len(p); i += 8 {
			copy(p[i:], fmt.Sprintf("%08x", l.rng.Uint32()))
		}
		group = append(group, p)
		size += len(p)
	}
	if l.rng.IntN(8) > 0 {
		if _, err := l.log.Begin(size); err != nil {
			return err
		}
	}
	next := l.log.Next()
	first, err := l.log.Write(group...)
	switch {
	case err == nil && first != next:
		return fmt.Errorf("record %d was announced, %d was written", next, first)
	case err == nil:
		for i, p := range group {
			l.model.may[first+uint64(i)] = [][]byte{p}
		}
		return nil
	case errors.Is(err, faulty.ErrCrashed):
		for i, p := range group {
			l.model.may[next+uint64(i)] = append(l.model.may[next+uint64(i)], p)
		}
	case errors.Is(err, wal.ErrUncertain):
		for i, p := range group {
			l.model.unknown[next+uint64(i)] = append(l.model.unknown[next+uint64(i)], p)
		}
	}
	return err
}

// rig runs a workload again and again, each time to another crash.
type rig struct {
	seed  uint64
	steps int
	harm  bool
	skip  func(f *faulty.FS)
	kill  bool // the first end is that of the process only
	heads bool // a file has its name before it is durable: a finding of its own
}

// life returns the first process of the workload; the same one for every call.
func (r rig) life() *life {
	f := faulty.New(r.seed)
	if r.skip != nil {
		r.skip(f)
	}
	return &life{fs: f, model: newModel(), rng: rand.New(rand.NewPCG(r.seed, 7)), harm: r.harm, heads: r.heads}
}

// until runs the workload with a crash at operation n and returns the process
// and whether it got that far.
func (r rig) until(n int) (*life, bool, error) {
	l := r.life()
	l.fs.CrashAt(n)
	crashed, err := l.start()
	if err == nil && !crashed {
		err = l.run(r.steps)
	}
	return l, l.fs.Ops() > n, err
}

// next returns the process after l, on what the crash left; the disk may still
// fail it.
func (r rig) next(l *life, salt uint64) *life {
	f := l.fs.Crash(r.seed*1e6 + salt)
	after := &life{fs: f, model: l.model.clone(), rng: rand.New(rand.NewPCG(r.seed, salt)), harm: r.harm, heads: r.heads}
	if r.harm && after.rng.IntN(3) == 0 {
		after.inject()
	}
	return after
}

func (m *model) clone() *model {
	c := newModel()
	for lsn, p := range m.must {
		c.must[lsn] = p
	}
	for lsn, p := range m.may {
		c.may[lsn] = p
	}
	for lsn, p := range m.unknown {
		c.unknown[lsn] = p
	}
	c.removed = m.removed
	return c
}

// everywhere crashes at every operation; then again at every operation of the
// recovery and of a short time after it; then looks a last time.
func (r rig) everywhere() error {
	for n := 0; ; n++ {
		l, reached, err := r.until(n)
		if err != nil {
			return fmt.Errorf("seed %d, operation %d: %w", r.seed, n, err)
		}
		if r.kill {
			l.keepAllWritten()
			l.fs = l.fs.Kill(r.seed)
			l.log = nil
			if err := r.killed(l); err != nil {
				return fmt.Errorf("seed %d, killed at operation %d: %w", r.seed, n, err)
			}
		} else if err := r.recovered(l, uint64(n)); err != nil {
			return fmt.Errorf("seed %d, operation %d: %w", r.seed, n, err)
		}
		if !reached {
			return nil
		}
	}
}

// keepAllWritten makes every write that succeeded one that must be there.
func (l *life) keepAllWritten() {
	if l.log != nil {
		l.model.settle(l.log.Next() - 1)
	}
}

// killed opens what a killed process left, and cuts the power after that: what
// the second process has found is durable.
func (r rig) killed(l *life) error {
	crashed, err := l.start()
	if crashed || err != nil {
		return err
	}
	again := r.next(l, 1)
	_, err = again.start()
	return err
}

func (r rig) recovered(l *life, salt uint64) error {
	for n := 0; ; n++ {
		again := r.next(l, salt)
		again.fs.CrashAt(n)
		crashed, err := again.start()
		if err == nil && !crashed {
			err = again.run(6)
		}
		if err != nil {
			return fmt.Errorf("second crash %d: %w", n, err)
		}
		last := r.next(again, salt)
		if _, err := last.start(); err != nil {
			return fmt.Errorf("after second crash %d: %w", n, err)
		}
		if again.fs.Ops() <= n {
			return nil
		}
	}
}

var (
	seeds = flag.Uint64("seeds", 1, "how many seeds the crashes run through")
	first = flag.Uint64("first", 1, "the first of them")
)

func everySeed(t *testing.T, r rig) {
	for r.seed = *first; r.seed < *first+*seeds; r.seed++ {
		must(t, r.everywhere())
	}
}

func TestCrashAtEveryOperation(t *testing.T) { everySeed(t, rig{steps: 30, heads: true}) }

func TestCrashWithFaults(t *testing.T) { everySeed(t, rig{steps: 35, harm: true, heads: true}) }

func TestKillAtEveryOperation(t *testing.T) { everySeed(t, rig{steps: 40, kill: true, heads: true}) }

// TestRigNoticesMissingSync takes each sync of the log away, one at a time: a
// rig that stays green then proves nothing.
func TestRigNoticesMissingSync(t *testing.T) {
	cases := []struct {
		name  string
		skip  func(f *faulty.FS)
		harm  bool
		kill  bool
		heads bool
	}{
		{name: "of what was written", skip: func(f *faulty.FS) { f.Skip(faulty.OpSync, "(*Log).sync", "(*Log).Sync") }},
		{name: "before the next segment", skip: func(f *faulty.FS) { f.Skip(faulty.OpSync, "(*Log).sync", "(*Log).rotate") }},
		{name: "of a new file", skip: func(f *faulty.FS) { f.Skip(faulty.OpSync, "(*Log).create") }, harm: true},
		{name: "of a new file before its name", skip: func(f *faulty.FS) { f.Delay(faulty.OpSync, "(*Log).create") }, heads: true},
		{name: "of the folder", skip: func(f *faulty.FS) { f.Skip(faulty.OpSyncDir, "(*Log).begin") }},
		{name: "of what was cut off", skip: func(f *faulty.FS) { f.Skip(faulty.OpSync, "(*Log).cut") }, harm: true},
		{name: "of an inherited file", skip: func(f *faulty.FS) { f.Skip(faulty.OpSync, "(*Log).inherit") }, kill: true},
		{name: "of an inherited folder", skip: func(f *faulty.FS) { f.Skip(faulty.OpSyncDir, "(*Log).inherit") }, kill: true},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			for seed := range uint64(math.MaxUint16) {
				r := rig{seed: 3004 + seed, steps: 40, harm: c.harm, kill: c.kill, heads: c.heads, skip: c.skip}
				if err := r.everywhere(); err != nil {
					t.Logf("noticed: %v", err)
					return
				}
				if seed == 200 {
					t.Fatal("not noticed")
				}
			}
		})
	}
}
