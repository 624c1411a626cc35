package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pulse/store/disk"
	"pulse/store/disk/faulty"
	"pulse/store/wal"
)

// newFaulty returns a log on a disk that fails on command, with n records of a
// segment in it, all synced.
func newFaulty(t *testing.T, n int, o wal.Options) (*faulty.FS, *wal.Log) {
	t.Helper()
	f := faulty.New(1)
	l := open(t, f, o)
	for i := range n {
		_, err := l.Write(text(i + 1))
		must(t, err)
	}
	must(t, l.Sync())
	return f, l
}

func text(lsn int) []byte { return fmt.Appendf(nil, "record %d", lsn) }

// wantRecords fails unless the folder holds the records text(1) to text(n), in as many
// segments as said.
func wantRecords(t *testing.T, f *faulty.FS, n, segments int) wal.Report {
	t.Helper()
	l := open(t, f, wal.Options{})
	got, report := replay(t, l, 1)
	if len(got) != n || report.Segments != segments {
		t.Errorf("%d records in %d segments, want %d in %d: %+v", len(got), report.Segments, n, segments, report)
	}
	for i := 1; i <= n; i++ {
		if !bytes.Equal(got[wal.LSN(i)], text(i)) {
			t.Errorf("record %d is %q", i, got[wal.LSN(i)])
		}
	}
	return report
}

func TestFailedSyncIsWrittenAgain(t *testing.T) {
	f, l := newFaulty(t, 3, wal.Options{})
	must(t, second(l.Write(text(4), text(5))))
	f.Inject(faulty.Fault{Op: faulty.OpSync, Err: syscall.EIO})
	synced := map[string]int{}
	f.Trace(func(op faulty.Op, name string) {
		if op == faulty.OpSync {
			synced[name]++
		}
	})
	must(t, l.Sync())
	must(t, second(l.Write(text(6))))
	must(t, l.Sync())
	if s := l.Stats(); s.Replaced != 1 || s.Synced != 6 || s.UnsyncedBytes != 0 || s.Files != 2 {
		t.Errorf("%+v", s)
	}
	if n := synced["wal/0000000000000001.tmp"]; n != 1 { // the name that it was made with
		t.Errorf("the file that failed was synced %d times", n)
	}
	for seed := range uint64(20) { // whatever became of the first file's end
		report := wantRecords(t, f.Kill(0).Crash(seed), 6, 1)
		if report.Lost > 0 || len(report.Skipped) > 0 || report.Tail.Bytes > 0 {
			t.Fatalf("%+v", report)
		}
	}
}

func TestFailedSyncOfAllThereIs(t *testing.T) {
	f := faulty.New(1)
	l := open(t, f, wal.Options{})
	must(t, second(l.Write(text(1))))
	f.Inject(faulty.Fault{Op: faulty.OpSync, Err: syscall.EIO})
	must(t, l.Sync())
	must(t, second(l.Write(text(2))))
	must(t, l.Sync())
	if s := l.Stats(); s.Files != 1 || s.Bytes != int64(len(f.Content("wal/0000000000000001.wal"))) {
		t.Errorf("%+v", s)
	}
	wantRecords(t, f.Crash(3), 2, 1)
}

func TestReadOnlyUntilResumed(t *testing.T) {
	f, l := newFaulty(t, 3, wal.Options{})
	must(t, second(l.Write(text(4))))
	f.Inject(faulty.Fault{Op: faulty.OpSync, Times: -1, Err: syscall.EIO})
	if err := l.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync = %v", err)
	}
	for name, err := range map[string]error{"Err": l.Err(), "Write": second(l.Write(text(9))), "Begin": second(l.Begin(1)), "Sync": l.Sync()} {
		if !errors.Is(err, wal.ErrReadOnly) || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s = %v", name, err)
		}
	}
	if err := l.Resume(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Resume of a sick disk = %v", err)
	}
	if l.Synced() != 3 {
		t.Errorf("%d is synced", l.Synced())
	}
	f.Heal()
	must(t, l.Resume())
	if l.Err() != nil || l.Synced() != 4 {
		t.Errorf("after Resume: %v, %d is synced", l.Err(), l.Synced())
	}
	must(t, second(l.Write(text(5))))
	must(t, l.Sync())
	wantRecords(t, f.Crash(1), 5, 1)
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, nil} {
		f, l := newFaulty(t, 3, wal.Options{})
		before := f.Content("wal/0000000000000001.wal")
		f.Inject(faulty.Fault{Op: faulty.OpWrite, Times: 3, Err: cause})
		for range 3 {
			_, err := l.Write(make([]byte, 3000), make([]byte, 50_000))
			if err == nil || errors.Is(err, wal.ErrUncertain) || cause != nil && !errors.Is(err, cause) {
				t.Fatalf("Write = %v, want %v", err, cause)
			}
			if disk.IsFull(err) != (cause == syscall.ENOSPC || cause == syscall.EDQUOT) {
				t.Errorf("IsFull(%v) = %v", err, disk.IsFull(err))
			}
			if !bytes.Equal(f.Content("wal/0000000000000001.wal"), before) {
				t.Fatal("something is left")
			}
		}
		wantRecords(t, f.Kill(1), 3, 1)
	}
	f, l := newFaulty(t, 3, wal.Options{})
	f.SetSpace(int64(len(f.Content("wal/0000000000000001.wal"))) + 40)
	if err := second(l.Write(make([]byte, 3000))); !disk.IsFull(err) || l.Err() != nil {
		t.Fatalf("Write on a full disk = %v, Err = %v", err, l.Err())
	}
	f.SetSpace(-1)
	must(t, second(l.Write(text(4))))
	must(t, l.Sync())
	wantRecords(t, f.Crash(1), 4, 1)
}

func TestWriteThatCannotBeCutOff(t *testing.T) {
	f, l := newFaulty(t, 3, wal.Options{})
	must(t, second(l.Write(text(4)))) // not synced yet
	f.Inject(faulty.Fault{Op: faulty.OpWrite, Err: syscall.EIO})
	f.Inject(faulty.Fault{Op: faulty.OpTruncate, Times: -1, Err: syscall.EIO})
	if err := second(l.Write(make([]byte, 5000))); !errors.Is(err, syscall.EIO) || errors.Is(err, wal.ErrUncertain) {
		t.Fatalf("Write = %v", err)
	}
	if s := l.Stats(); s.Replaced != 1 || s.Synced != 4 {
		t.Errorf("%+v", s)
	}
	must(t, second(l.Write(text(5))))
	must(t, l.Sync())
	wantRecords(t, f.Kill(1), 5, 1)

	f, l = newFaulty(t, 3, wal.Options{})
	f.Inject(faulty.Fault{Op: faulty.OpAny, Times: -1, Err: syscall.EIO})
	err := second(l.Write(make([]byte, 5000)))
	if !errors.Is(err, wal.ErrUncertain) || !errors.Is(err, syscall.EIO) || l.Err() == nil {
		t.Fatalf("Write = %v, Err = %v", err, l.Err())
	}
	f.Heal()
	must(t, l.Resume())
	must(t, second(l.Write(text(4))))
	wantRecords(t, f.Kill(1), 4, 1)
}

func TestFullDiskAtTheEndOfASegment(t *testing.T) {
	f, l := newFaulty(t, 3, wal.Options{SegmentBytes: 200})
	f.SetSpace(int64(len(f.Content("wal/0000000000000001.wal"))) + 10)
	if _, err := l.Begin(100); !disk.IsFull(err) {
		t.Fatalf("Begin = %v", err)
	}
	if names, _ := f.List("wal"); len(names) != 1 {
		t.Errorf("left over: %v", names)
	}
	f.SetSpace(-1)
	fresh, err := l.Begin(100)
	if !fresh || err != nil {
		t.Fatalf("Begin = %v, %v", fresh, err)
	}
	if fresh, err := l.Begin(100); !fresh || err != nil {
		t.Fatalf("Begin again = %v, %v", fresh, err)
	}
	l.Rotate() // there is nothing to rotate
	if fresh, err := l.Begin(0); !fresh || err != nil || l.Stats().Files != 2 {
		t.Fatalf("Begin after Rotate = %v, %v", fresh, err)
	}
	must(t, second(l.Write(text(4))))
	if fresh, err := l.Begin(10); fresh || err != nil {
		t.Fatalf("Begin = %v, %v", fresh, err)
	}
	l.Rotate()
	if fresh, err := l.Begin(10); !fresh || err != nil {
		t.Fatalf("Begin after Rotate = %v, %v", fresh, err)
	}
	wantRecords(t, f.Kill(1), 4, 3)
}

// TestSickDiskAtOpen covers the start on a disk that cannot be written: the log
// can be read, and resumes by writing again what an earlier process left.
func TestSickDiskAtOpen(t *testing.T) {
	f, l := newFaulty(t, 3, wal.Options{})
	must(t, second(l.Write(text(4)))) // killed before it was synced
	f = f.Kill(1)
	f.Inject(faulty.Fault{Op: faulty.OpSync, Times: 2, Err: syscall.EIO})
	l = open(t, f, wal.Options{})
	if got, _ := replay(t, l, 1); len(got) != 4 {
		t.Fatalf("%d records", len(got))
	}
	if !errors.Is(l.Err(), wal.ErrReadOnly) || l.Synced() != 0 {
		t.Fatalf("Err = %v, %d is synced", l.Err(), l.Synced())
	}
	if err := l.Resume(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Resume = %v", err)
	}
	must(t, l.Resume())
	if fresh, err := l.Begin(1); !fresh || err != nil {
		t.Fatalf("Begin = %v, %v", fresh, err)
	}
	must(t, second(l.Write(text(5))))
	must(t, l.Sync())
	wantRecords(t, f.Crash(7), 5, 2)

	f = faulty.New(1)
	f.Inject(faulty.Fault{Op: faulty.OpAny, Times: -1, Err: syscall.EROFS})
	l = open(t, f, wal.Options{})
	if got, _ := replay(t, l, 1); len(got) != 0 || !errors.Is(l.Err(), syscall.EROFS) {
		t.Errorf("%d records, Err = %v", len(got), l.Err())
	}
	f.Heal()
	must(t, l.Resume())
	must(t, second(l.Write(text(1))))
	must(t, l.Close())
	wantRecords(t, f.Crash(1), 1, 1)
}

// TestSegmentThatMayExist covers an error so late in the beginning of a segment that
// its file may be there: what is written to the old one would be ignored then.
func TestSegmentThatMayExist(t *testing.T) {
	for _, op := range []faulty.Op{faulty.OpRename, faulty.OpSyncDir} {
		for seed := range uint64(10) {
			f := faulty.New(seed)
			l := open(t, f, wal.Options{})
			must(t, second(l.Write(text(1))))
			l.Rotate()
			f.Inject(faulty.Fault{Op: op, Err: syscall.EIO})
			if _, err := l.Begin(1); !errors.Is(err, syscall.EIO) {
				t.Fatalf("Begin = %v", err)
			}
			if err := second(l.Write(text(2))); !errors.Is(err, wal.ErrReadOnly) {
				t.Fatalf("Write = %v", err)
			}
			must(t, l.Resume())
			must(t, second(l.Begin(1)))
			must(t, second(l.Write(text(2))))
			must(t, l.Sync())
			if report := wantRecords(t, f.Crash(seed), 2, 2); report.Lost > 0 {
				t.Fatalf("%+v", report)
			}
		}
	}
}

// TestLeftOverIsNotUsedAgain covers a new file that could neither be synced nor be
// removed: another sync of it proves nothing.
func TestLeftOverIsNotUsedAgain(t *testing.T) {
	for seed := range uint64(30) {
		f := faulty.New(seed)
		l := open(t, f, wal.Options{})
		must(t, second(l.Write(text(1))))
		must(t, l.Sync())
		l.Rotate()
		f.Inject(faulty.Fault{Op: faulty.OpSync, Err: syscall.EIO})
		f.Inject(faulty.Fault{Op: faulty.OpRemove, After: 1, Times: 2, Err: syscall.EIO})
		attempts := 1
		for ; second(l.Begin(1)) != nil; attempts++ {
		}
		if attempts < 2 || attempts > 3 {
			t.Fatalf("%d attempts", attempts)
		}
		must(t, second(l.Write(text(2))))
		must(t, l.Sync())
		f = f.Crash(seed)
		wantRecords(t, f, 2, 2)
		must(t, wal.Verify(f, "wal", func(i wal.Item) {
			if !i.Whole {
				t.Errorf("seed %d: the head of %s is damaged", seed, i.File)
			}
		}))
	}
}

// during calls do in the middle of every sync, when the bytes are durable and
// nobody knows it yet.
type during struct {
	*faulty.FS
	do func()
}

type duringFile struct {
	disk.File
	fs *during
}

func (d *during) Create(name string) (disk.File, error) {
	f, err := d.FS.Create(name)
	return duringFile{f, d}, err
}

func (f duringFile) Sync() error {
	err := f.File.Sync()
	if do := f.fs.do; do != nil {
		f.fs.do = nil
		do()
	}
	return err
}

func TestWriteDuringSync(t *testing.T) {
	f := &during{FS: faulty.New(1)}
	l := open(t, f, wal.Options{})
	must(t, second(l.Write(text(1))))
	f.do = func() { must(t, second(l.Write(text(2)))) }
	must(t, l.Sync())
	if l.Synced() != 1 || l.Next() != 3 {
		t.Errorf("%d is synced, %d is next", l.Synced(), l.Next())
	}
	must(t, second(l.Write(text(3))))
	f.Inject(faulty.Fault{Op: faulty.OpSync, Err: syscall.EIO})
	f.do = func() { must(t, second(l.Write(text(4)))) }
	must(t, l.Sync()) // fails, and the new file has what was written meanwhile
	if l.Synced() != 4 {
		t.Errorf("%d is synced", l.Synced())
	}
	wantRecords(t, f.Crash(1), 4, 1)
}

// TestUnsyncedIsBounded writes without a sync and expects the log to do it.
func TestUnsyncedIsBounded(t *testing.T) {
	f := faulty.New(1)
	l := open(t, f, wal.Options{UnsyncedBytes: 10_000})
	for range 100 {
		must(t, second(l.Write(make([]byte, 1000))))
		if s := l.Stats(); s.UnsyncedBytes > 10_000 {
			t.Fatalf("%d bytes are kept", s.UnsyncedBytes)
		}
	}
	must(t, second(l.Write(make([]byte, 50_000)))) // one that is larger on its own
	if s := l.Stats(); s.Syncs < 10 || s.Records != 101 || s.Groups != 101 || s.Rotations != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWriterAndSyncer(t *testing.T) {
	f := faulty.New(1)
	for k := range 20 {
		f.Inject(faulty.Fault{Op: faulty.OpSync, After: 5 * k, Err: syscall.EIO})
		f.Inject(faulty.Fault{Op: faulty.OpWrite, After: 37 * k, Err: syscall.ENOSPC})
	}
	l := open(t, f, wal.Options{SegmentBytes: 20_000})
	const records = 3000
	done := make(chan struct{})
	var syncer sync.WaitGroup
	syncer.Go(func() {
		for {
			before := l.Next() - 1
			err := l.Sync()
			if err == nil && l.Synced() < before {
				t.Errorf("Sync returned, %d of %d is synced", l.Synced(), before)
			}
			if err != nil {
				_ = l.Resume()
			}
			_ = l.Stats()
			if before := l.Synced() / 2; before > 100 {
				_ = l.RemoveBefore(1) // removes nothing
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for n := 1; n <= records; {
		if _, err := l.Begin(100); err != nil {
			continue
		}
		if first, err := l.Write(text(n)); err == nil {
			if first != wal.LSN(n) {
				t.Errorf("record %d is %d", n, first)
			}
			n++
		}
	}
	close(done)
	syncer.Wait()
	f.Heal()
	must(t, l.Resume())
	must(t, l.Close())
	l = open(t, f.Crash(1), wal.Options{})
	if got, report := replay(t, l, 1); len(got) != records || report.Lost > 0 || len(report.Skipped) > 0 {
		t.Errorf("%d records of %d, %+v", len(got), records, report)
	}
}

func TestMisuse(t *testing.T) {
	f := faulty.New(1)
	for _, o := range []wal.Options{{SegmentBytes: -1}, {SegmentBytes: 2 << 30}, {UnsyncedBytes: -1}} {
		if _, err := wal.Open(f, "wal", o); err == nil {
			t.Errorf("Open takes %+v", o)
		}
	}
	l := open(t, f, wal.Options{})
	if _, err := l.Write(make([]byte, wal.MaxPayload+1)); !errors.Is(err, wal.ErrTooLong) {
		t.Errorf("Write of too much = %v", err)
	}
	if first, err := l.Write(); first != 1 || err != nil {
		t.Errorf("Write of nothing = %d, %v", first, err)
	}
	must(t, l.Close())
	must(t, l.Close())
	for name, err := range map[string]error{"Write": second(l.Write(nil)), "Begin": second(l.Begin(1)), "Sync": l.Sync(), "Resume": l.Resume()} {
		if !errors.Is(err, wal.ErrClosed) {
			t.Errorf("%s after Close = %v", name, err)
		}
	}
	stop := errors.New("stop")
	l = open(t, f, wal.Options{})
	must(t, second(l.Write(text(1), text(2))))
	calls := 0
	_, err := l.Replay(1, func(wal.LSN, []byte) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 || !strings.Contains(err.Error(), "record 1") {
		t.Errorf("Replay = %v after %d calls", err, calls)
	}
	if err := l.RemoveBefore(100); err != nil {
		t.Error(err)
	}
	if _, err := f.Open("wal/0000000000000001.wal"); errors.Is(err, fs.ErrNotExist) {
		t.Error("the newest segment was removed")
	}
}

func second[T any](_ T, err error) error { return err }
