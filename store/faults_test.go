package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store"
	"pulse/store/disk/faulty"
)

// opened returns a rig whose store has taken some requests.
func opened(t *testing.T, fs *faulty.FS, seed uint64) *rig {
	t.Helper()
	r := newRig(t, fs, seed)
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	r.some(20)
	return r
}

// some sends n requests.
func (r *rig) some(n int) {
	r.t.Helper()
	for range n {
		if err := r.publish(); err != nil {
			r.t.Fatal(err)
		}
		r.pass(700)
	}
}

// again closes the store and opens what the folder has then.
func (r *rig) again(fs *faulty.FS) {
	r.t.Helper()
	_ = r.s.Close()
	r.fs = fs
	if err := r.open(); err != nil {
		r.t.Fatal(err)
	}
	r.pass(0)
}

// eventually waits for the journal's other goroutine, whose clock it moves.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		r.clk.Advance(time.Second)
		time.Sleep(time.Millisecond)
	}
	r.t.Fatalf("never: %s", what)
}

// TestFullDisk fills the disk: requests are refused and leave nothing, values
// are read on, and when there is space again requests are taken without
// anybody's help.
func TestFullDisk(t *testing.T) {
	fs := faulty.New(1)
	r := opened(t, fs, 1)
	fs.SetSpace(0)
	for range 30 {
		err := r.publish()
		if err == nil {
			t.Fatal("a request was taken by a full disk")
		}
		if !errors.Is(err, store.ErrFull) {
			t.Fatalf("a full disk gave %v", err)
		}
		r.pass(50)
	}
	before := fs.Ops()
	for range 20 {
		_ = r.publish()
	}
	if n := fs.Ops() - before; n > 4 {
		t.Errorf("a full disk was asked %d times at one moment", n)
	}
	if h := r.s.Health(); !h.Ready || !h.Degraded || !strings.Contains(h.Reason, "disk full") {
		t.Errorf("health of a full disk: %+v", h)
	}
	if err := r.s.Mark([]byte("m"), nil); !errors.Is(err, store.ErrFull) {
		t.Errorf("a mark on a full disk: %v", err)
	}
	if err := r.s.Snapshot(context.Background()); err == nil {
		t.Error("a snapshot on a full disk")
	}
	r.equal("while the disk is full")
	fs.SetSpace(-1)
	r.eventually("the store is well when there is space again", func() bool { return !r.s.Health().Degraded })
	r.some(10)
	r.equal("when there is space again")
	r.again(fs.Crash(7))
	r.equal("after a power cut")
}

// TestOpenOnFullDisk opens a folder on a disk without a free byte: everything
// is there to be read, and requests are taken as soon as there is space.
func TestOpenOnFullDisk(t *testing.T) {
	fs := faulty.New(2)
	r := opened(t, fs, 2)
	if err := r.s.Snapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.some(10)
	fs = fs.Crash(3)
	fs.SetSpace(0)
	r.again(fs)
	r.equal("opened on a full disk")
	if err := r.publish(); !errors.Is(err, store.ErrFull) {
		t.Fatalf("a full disk gave %v", err)
	}
	fs.SetSpace(-1)
	r.eventually("the store is well when there is space again", func() bool { return !r.s.Health().Degraded })
	r.clk.Advance(time.Second)
	r.some(5)
	r.equal("when there is space again")
}

// TestFailedWrites has single writes fail: the request is refused, nothing of
// it is kept, and the next ones are taken.
func TestFailedWrites(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, nil} {
		fs := faulty.New(3)
		r := opened(t, fs, 3)
		refusals := 0
		for i := range 10 {
			fs.Inject(faulty.Fault{Op: faulty.OpWrite, Name: "wal/", After: i % 3, Err: cause})
			for range 5 {
				if err := r.publish(); err != nil {
					refusals++
					if !refused(err) {
						t.Fatalf("a write that fails with %v gave %v", cause, err)
					}
				}
				r.pass(200)
			}
		}
		if refusals < 5 {
			t.Errorf("%d requests were refused by writes that failed with %v", refusals, cause)
		}
		r.equal("after failed writes")
		r.again(fs.Crash(9))
		r.equal(fmt.Sprintf("after writes that failed with %v and a power cut", cause))
	}
}

// TestFailedSync has the sync of the log fail once: what it should have saved
// is written again and nobody notices.
func TestFailedSync(t *testing.T) {
	fs := faulty.New(4)
	r := opened(t, fs, 4)
	for range 5 {
		fs.Inject(faulty.Fault{Op: faulty.OpSync, Name: "wal/", Err: syscall.EIO})
		r.some(5)
	}
	r.again(fs.Crash(1))
	r.equal("after syncs that failed and a power cut")
}

// TestDeadDisk has every sync fail: the request that waited has no certain
// answer, later ones are refused, health says so, and when the disk works
// again so does the store.
func TestDeadDisk(t *testing.T) {
	fs := faulty.New(5)
	r := opened(t, fs, 5)
	fs.Inject(faulty.Fault{Op: faulty.OpSync, Times: -1, Err: syscall.EIO})
	fs.Inject(faulty.Fault{Op: faulty.OpCreate, Times: -1, Err: syscall.EIO})
	if err := r.publish(); !errors.Is(err, store.ErrUncertain) {
		t.Fatalf("a sync that fails for good gave %v", err)
	}
	r.doubt() // it is in memory, and will be in the log
	for range 5 {
		if err := r.publish(); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("a dead disk gave %v", err)
		}
		r.pass(300)
	}
	if h := r.s.Health(); !h.Degraded || h.Reason == "" {
		t.Errorf("health of a dead disk: %+v", h)
	}
	r.equal("while the disk is dead")
	fs.Heal()
	r.eventually("the store is well when the disk is", func() bool { return !r.s.Health().Degraded })
	r.some(5)
	r.equal("when the disk is well")
	r.again(fs.Crash(2))
	r.equal("after a power cut")
}

// TestDamagedSnapshot flips a bit in the newest snapshot: the one before it
// and the log give the same, and the damaged one is kept aside.
func TestDamagedSnapshot(t *testing.T) {
	for seed := range uint64(12) {
		fs := faulty.New(seed)
		r := opened(t, fs, seed)
		for range 3 {
			if err := r.s.Snapshot(context.Background()); err != nil {
				t.Fatal(err)
			}
			r.some(8)
		}
		if err := r.s.Close(); err != nil {
			t.Fatal(err)
		}
		names, _ := fs.List("snapshot")
		if len(names) != 2 {
			t.Fatalf("snapshots %v, want two", names)
		}
		newest := "snapshot/" + names[1]
		size, _ := fs.Size(newest)
		fs.Flip(newest, r.rng.Int64N(size*8))
		r.again(fs)
		if r.lastGot.Damaged != 1 || r.lastGot.Snapshot == 0 {
			t.Errorf("seed %d: recovery %+v, want one damaged snapshot and the one before it", seed, r.lastGot)
		}
		r.equal(fmt.Sprintf("seed %d, after damage of the newest snapshot", seed))
		if kept, _ := fs.List("quarantine"); len(kept) == 0 {
			t.Errorf("seed %d: the damaged snapshot is not in quarantine", seed)
		}
		r.some(3)
		if err := r.s.Snapshot(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.again(fs.Crash(seed))
		r.equal("after the next snapshot and a power cut")
	}
}

// TestDamagedLog flips a bit in the middle of the log: the record that has it
// is lost and told of, or those up to the next page, and every other is there.
func TestDamagedLog(t *testing.T) {
	for seed := range uint64(8) {
		fs := faulty.New(seed)
		r := newRig(t, fs, seed)
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		var sent []points
		for range 40 {
			q := r.request()
			b, err := q.batch(r.s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.s.Commit(b, q.now); err != nil {
				t.Fatal(err)
			}
			sent = append(sent, q)
		}
		_ = r.s.Close()
		names, _ := fs.List("wal")
		name := "wal/" + names[0]
		size, _ := fs.Size(name)
		fs.Flip(name, (40+r.rng.Int64N(size*2/3))*8)
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		lost := int(r.lastGot.Lost)
		if lost == 0 || r.lastGot.Places == 0 || lost == 1 && r.lastGot.Orphans != 0 {
			t.Errorf("seed %d: recovery %+v, want a lost record, or those of one page", seed, r.lastGot)
		}
		if lost > 1 {
			_ = r.s.Close()
			continue // the head of a record, in a log that is shorter than a page
		}
		found := false
		for skip := range len(sent) {
			if found {
				break
			}
			twin, _ := store.New(r.opts)
			for i, q := range sent {
				if i != skip {
					q.applyTo(t, twin)
				}
			}
			found = r.dump(r.s) == r.dump(twin)
		}
		if !found {
			t.Errorf("seed %d: the store is not what it would be without one of the requests", seed)
		}
		_ = r.s.Close()
	}
}

// TestTornTail puts bytes behind the log's end that nobody acknowledged, and
// takes some away.
func TestTornTail(t *testing.T) {
	for seed := range uint64(6) {
		fs := faulty.New(seed)
		r := opened(t, fs, seed)
		_ = r.s.Close()
		names, _ := fs.List("wal")
		name := "wal/" + names[len(names)-1]
		f, err := fs.OpenWrite(name)
		if err != nil {
			t.Fatal(err)
		}
		garbage := make([]byte, 1+r.rng.IntN(500))
		for i := range garbage {
			garbage[i] = byte(r.rng.Uint32())
		}
		if _, err := f.Write(garbage); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		r.again(fs)
		if r.lastGot.CutBytes == 0 || r.lastGot.Lost != 0 {
			t.Errorf("seed %d: recovery %+v, want a tail that was cut off", seed, r.lastGot)
		}
		r.equal("after a torn tail")
		r.some(3)
		r.again(fs.Crash(seed))
		r.equal("after the next records and a power cut")
	}
}

// TestMissingSegment starts without the newest file of the log, and with an
// empty one: the numbers of what the snapshot has are not given out again.
func TestMissingSegment(t *testing.T) {
	for _, empty := range []bool{false, true} {
		fs := faulty.New(8)
		r := opened(t, fs, 8)
		if err := r.s.Snapshot(context.Background()); err != nil {
			t.Fatal(err)
		}
		_ = r.s.Close()
		names, _ := fs.List("wal")
		for _, name := range names {
			if err := fs.Remove("wal/" + name); err != nil {
				t.Fatal(err)
			}
			if empty {
				fs.Put("wal/"+name, nil)
			}
		}
		r.again(fs)
		r.equal("without a log")
		r.some(10)
		r.again(fs.Crash(1))
		r.equal("after the next records and a power cut")
	}
}

// TestRefusals opens folders that this store cannot continue.
func TestRefusals(t *testing.T) {
	fs := faulty.New(1)
	r := opened(t, fs, 1)
	open := func(o store.Options) error {
		s, err := store.Open(o, store.Durable{FS: fs, Mode: store.Sync, Clock: r.clk, Log: zerolog.Nop()})
		if err == nil {
			_ = s.Close()
		}
		return err
	}
	if err := open(r.opts); err == nil || !strings.Contains(err.Error(), "process ") {
		t.Errorf("a folder in use: %v", err)
	}
	_ = r.s.Close()
	other := r.opts
	other.Step, other.Tiers = 2000, nil
	if err := open(other); err == nil || !strings.Contains(err.Error(), "1000 ms") || !strings.Contains(err.Error(), "2000 ms") {
		t.Errorf("another step: %v", err)
	}
	for text, want := range map[string]string{
		`{"format":99,"step":1000}`: "later version",
		`{"format":0,"step":1000}`:  "no version",
		`{`:                         "meta.json",
	} {
		fs.Put("meta.json", []byte(text))
		if err := open(r.opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("meta.json %s: %v", text, err)
		}
	}
	fs.Put("meta.json", []byte(`{"format":1,"step":1000,"dropped":{"1000":5000}}`))
	if err := open(r.opts); err != nil {
		t.Errorf("a folder of an earlier format: %v", err)
	}
	file, err := fs.Open("meta.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if text, err := io.ReadAll(file); err != nil || string(text) != `{"format":2,"step":1000,"dropped":{"1000":5000}}`+"\n" {
		t.Errorf("a folder of an earlier format is marked %s, %v", text, err)
	}
}

// TestNotReady asks a store that has not replayed its log.
func TestNotReady(t *testing.T) {
	r := newRig(t, faulty.New(1), 1)
	s, err := store.Open(r.opts, store.Durable{FS: r.fs, Mode: store.Sync, Clock: r.clk, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(&store.Batch{}, start); !errors.Is(err, store.ErrNotReady) {
		t.Errorf("commit: %v", err)
	}
	if err := s.Mark(nil, nil); !errors.Is(err, store.ErrNotReady) {
		t.Errorf("mark: %v", err)
	}
	if h := s.Health(); h.Ready {
		t.Errorf("health: %+v", h)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Replay(ctx, store.Hooks{}); !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("replay: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Commit(&store.Batch{}, start); err == nil {
		t.Error("a closed store took a batch")
	}
}
