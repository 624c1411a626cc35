package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pulse/store/archive"
	"pulse/store/disk"
	"pulse/store/field"
)

// Sections of a snapshot. Partitions come first and everything that must not
// be older than they are behind them.
const (
	snapshotFirst   = 16 // of partition 0
	snapshotSources = 128
	snapshotNotes   = 129
	snapshotHead    = 130
)

// Versions of a snapshot; the last one is written.
//
//	1  an open block as one of blocks, words of 8 bytes
//	2  an open block by 15 steps, mini-blocks of as many as they are
//	3  the same with as many steps as a mini-block has
const (
	snapshotWhole = 1 + iota
	snapshotByEighth
	snapshotByMini
)

const (
	snapshotSuffix = ".snap"
	keptSnapshots  = 2
)

// A snapshot is taken earlier than after Durable.SnapshotEvery when a start would
// have this much of the log to read, which takes some seconds.
const (
	snapshotBytes = 64 << 20
	snapshotPause = 30 * time.Second
)

// snapshots is a store's use of snapshots.
type snapshots struct {
	taking sync.Mutex // held while one is taken
	kept   []snapshot // valid ones, ascending
	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}

	last  time.Time // when the last one was begun, or the store was opened
	saved int64     // bytes written to the log by then; less than 0 for what it had when it was opened
	count atomic.Int64
	bytes atomic.Int64 // of the last one
	took  atomic.Int64 // ms
	fails atomic.Int64

	failing trouble // why none was taken, after several failures in a row
	row     int     // failures
}

// snapshotTries is how many snapshots may fail in a row until the store says so:
// the log grows then, and with it what a start has to read.
const snapshotTries = 3

// snapshot is what the head of a snapshot says.
type snapshot struct {
	version uint64

	lsn    uint64 // the last record that is in it in full: nothing in it is newer
	floor  uint64 // up to this record everything is in it
	step   int64
	rules  rules
	series int
	buried int64 // end of the last burial
	faded  int64 // and its recent
}

func snapshotName(lsn uint64) string {
	return path.Join(snapshotDir, fmt.Sprintf("%016x%s", lsn, snapshotSuffix))
}

// listSnapshots returns the numbers of the snapshots that are there, valid or
// not, ascending.
func listSnapshots(fs disk.FS) ([]uint64, error) {
	names, err := fs.List(snapshotDir)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, snapshotSuffix)
		lsn, err := strconv.ParseUint(digits, 16, 64)
		if ok && err == nil && len(digits) == 16 {
			out = append(out, lsn)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Snapshot writes all that recovery would otherwise have to read from the log,
// and removes the part of the log that no snapshot needs any more. Commits wait
// only while one partition at a time is copied. It is taken by Advance, too,
// when it is due.
func (s *Store) Snapshot(ctx context.Context) error {
	f := s.folder
	switch {
	case f == nil:
		return errors.New("a store in memory takes no snapshots")
	case !f.ready.Load():
		return ErrNotReady
	}
	f.snapshots.taking.Lock()
	defer f.snapshots.taking.Unlock()
	err := s.takeSnapshot(ctx)
	if err == nil {
		f.snapshots.row = 0
		f.snapshots.failing.set(nil)
		return nil
	}
	f.snapshots.fails.Add(1)
	err = fmt.Errorf("take snapshot: %w", err)
	if ctx.Err() == nil {
		if f.snapshots.row++; f.snapshots.row >= snapshotTries {
			f.snapshots.failing.set(fmt.Errorf("%d failures in a row: %w", f.snapshots.row, err))
		}
	}
	return err
}

// takeSnapshot is called with snapshots.taking held.
func (s *Store) takeSnapshot(ctx context.Context) error {
	f := s.folder
	t := &f.snapshots
	began := f.Clock.Now()
	t.last, t.saved = began, f.log.Stats().Written
	if f.journal == nil {
		// Without a log every snapshot counts as a record, so that they have an order.
		s.applying.Lock()
		lsn := s.finished.Add(1)
		for i := range s.parts { // so that what is sealed from now on holds against the snapshot
			p := &s.parts[i]
			p.mu.Lock()
			p.applied = lsn
			p.mu.Unlock()
		}
		s.applying.Unlock()
	} else if n := len(t.kept); n > 0 && t.kept[n-1].lsn == s.finished.Load() {
		return nil
	}
	w, err := archive.Create(f.FS, path.Join(snapshotDir, "next"), archive.Snapshot)
	if err != nil {
		return err
	}
	head, err := s.writeSnapshot(ctx, w)
	if err != nil {
		w.Abort()
		return err
	}
	if err := w.CommitAs(snapshotName(head.lsn)); err != nil {
		return err
	}
	t.kept = append(t.kept, head)
	t.count.Add(1)
	t.bytes.Store(w.Size())
	t.took.Store(f.Clock.Now().Sub(began).Milliseconds())
	return s.prune()
}

// writeSnapshot writes all sections.
func (s *Store) writeSnapshot(ctx context.Context, w *archive.Writer) (snapshot, error) {
	f := s.folder
	head := snapshot{step: s.options.Step, floor: ^uint64(0)}
	taker := taker{store: s, sealer: sealer{grid: s.grid}}
	for i := range s.parts {
		if err := ctx.Err(); err != nil {
			return head, err
		}
		s.freeze()
		taker.take(i)
		section := taker.encode()
		s.thaw()
		head.floor = min(head.floor, taker.lsn)
		head.series += len(taker.slots)
		if err := w.Section(uint32(snapshotFirst+i), section); err != nil {
			return head, err
		}
	}
	s.applying.Lock()
	head.lsn, head.rules = s.finished.Load(), s.rules
	head.buried, head.faded = s.burials.Load(), s.fadings.Load()
	buf := s.sources.appendTo(nil)
	s.applying.Unlock()
	if err := w.Section(snapshotSources, buf); err != nil {
		return head, err
	}
	// What is remembered of requests comes after the sync that answers those whose
	// points are in the snapshot, so that none of them is missing.
	if err := s.settleLog(); err != nil {
		return head, err
	}
	var notes []byte
	if f.hooks.Notes != nil {
		notes = f.hooks.Notes(nil)
	}
	if err := w.Section(snapshotNotes, notes); err != nil {
		return head, err
	}
	if f.hooks.Checkpoint != nil {
		if err := f.hooks.Checkpoint(); err != nil {
			return head, fmt.Errorf("checkpoint: %w", err)
		}
	}
	if err := s.settleLog(); err != nil { // nothing in a snapshot may be missing in the log
		return head, err
	}
	return head, w.Section(snapshotHead, head.appendTo(nil))
}

// prune removes snapshots beyond the two newest, and the log before them.
func (s *Store) prune() error {
	f := s.folder
	t := &f.snapshots
	names, err := listSnapshots(f.FS)
	if err != nil {
		return err
	}
	if n := len(t.kept) - keptSnapshots; n > 0 {
		t.kept = slices.Delete(t.kept, 0, n)
	}
	for _, lsn := range names {
		if lsn < t.kept[0].lsn {
			if err := f.FS.Remove(snapshotName(lsn)); err != nil {
				return err
			}
		}
	}
	if len(t.kept) < keptSnapshots || f.journal == nil {
		return nil
	}
	return f.log.RemoveBefore(min(t.kept[0].floor, t.kept[1].floor) + 1)
}

func (h snapshot) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, snapshotByMini)
	dst = binary.AppendUvarint(dst, h.lsn)
	dst = binary.AppendUvarint(dst, h.floor)
	dst = binary.AppendVarint(dst, h.step)
	dst = binary.AppendUvarint(dst, uint64(h.series))
	dst = binary.AppendVarint(dst, h.buried)
	dst = binary.AppendVarint(dst, h.faded)
	return h.rules.appendTo(dst)
}

// readHead reads the head of a snapshot.
func readHead(src []byte) (snapshot, error) {
	b := field.Reader{Rest: src}
	version := b.Uvarint()
	if (version < snapshotWhole || version > snapshotByMini) && !b.Bad {
		return snapshot{}, fmt.Errorf("%w: snapshot of version %d", archive.ErrVersion, version)
	}
	h := snapshot{version: version, lsn: b.Uvarint(), floor: b.Uvarint(), step: b.Varint(), series: int(b.Uvarint()), buried: b.Varint(), faded: b.Varint()}
	if b.Bad || h.floor > h.lsn {
		return h, errSnapshot
	}
	e, err := readEvent(b.Rest)
	r, ok := e.(rules)
	if err != nil || !ok {
		return h, errSnapshot
	}
	h.rules = r
	return h, nil
}

var errSnapshot = fmt.Errorf("%w: not a snapshot", archive.ErrCorrupt)

// startSnapshots begins to take snapshots when Advance says that one is due.
func (s *Store) startSnapshots() {
	t := &s.folder.snapshots
	ctx, cancel := context.WithCancel(context.Background())
	t.wake, t.cancel, t.ended = make(chan struct{}, 1), cancel, make(chan struct{})
	t.last, t.saved = s.folder.Clock.Now(), -s.folder.log.Bytes()
	go func() {
		defer close(t.ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.wake:
			}
			if err := s.Snapshot(ctx); err != nil && ctx.Err() == nil {
				s.folder.Log.Warn().Err(err).Msg("no snapshot was taken; the log is kept until one is")
			}
		}
	}()
}

// snapshotDue wakes the taker of snapshots when it is time.
func (s *Store) snapshotDue() {
	f := s.folder
	if f == nil || !f.ready.Load() || f.snapshots.wake == nil {
		return
	}
	t := &f.snapshots
	if !t.taking.TryLock() {
		return
	}
	since := f.Clock.Now().Sub(t.last)
	due := since >= f.SnapshotEvery || since >= snapshotPause && f.log.Stats().Written-t.saved >= snapshotBytes
	t.taking.Unlock()
	if due {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}
