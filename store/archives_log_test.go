package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/clock"
	"pulse/store/disk/faulty"
)

// logged is an archivist with a data folder, where series are the same every
// time.
func logged(t *testing.T, fs *faulty.FS, mode store.Durability, n int) *archivist {
	t.Helper()
	return loggedWith(t, fs, mode, n, store.SnapshotHooks{})
}

func loggedWith(t *testing.T, fs *faulty.FS, mode store.Durability, n int, hooks store.SnapshotHooks) *archivist {
	t.Helper()
	s, err := store.Open(archOptions, store.Durable{FS: fs, Mode: mode, Clock: clock.NewManual(time.UnixMilli(start)), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	s.OnSnapshot(hooks)
	if _, err := s.Replay(context.Background(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	a := &archivist{Store: s, t: t, o: archOptions, fs: fs, now: start}
	for i := range n {
		a.refs = append(a.refs, resolve(t, s, start, archTags(i)))
	}
	a.source = s.Source("a", start)
	return a
}

// commit is feed through the log.
func (a *archivist) commit(steps int) {
	a.t.Helper()
	b := store.Batch{Source: a.source, Amount: true}
	for range steps {
		a.now += archStep
		b.Refs, b.Times, b.Values = b.Refs[:0], b.Times[:0], b.Values[:0]
		for i, ref := range a.refs {
			b.Add(ref, a.now, float64((a.now/archStep*int64(i+3))%1000))
		}
		b.Arrival = a.now
		if _, err := a.Commit(&b, a.now); err != nil {
			a.t.Fatal(err)
		}
		a.Advance(a.now)
	}
}

// What a damaged file had comes back from the log as long as that has it, bit
// for bit, and is written again.
func TestLogRestoresDamagedFile(t *testing.T) {
	for _, where := range []string{"head", "middle", "end"} {
		t.Run(where, func(t *testing.T) {
			fs := faulty.New(1)
			a := logged(t, fs, store.Interval, 100)
			a.commit(2*block.Size + 100)
			a.TendArchives()
			want := a.lines()
			names := list(t, fs, archFolder)
			if len(names) != 2 {
				t.Fatalf("files %v", names)
			}
			fs = fs.Kill(2)
			if err := a.Close(); err == nil {
				t.Log("closed although killed")
			}
			name := archFolder + "/" + names[1]
			size := int64(len(fs.Content(name)))
			fs.Flip(name, 8*map[string]int64{"head": 100, "middle": size / 2, "end": size - 5}[where])
			b := logged(t, fs, store.Interval, 100)
			defer b.Close()
			if got := b.lines(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Error("values differ after the restart")
			}
			b.now = a.now
			b.commit(2 * block.Size)
			b.TendArchives()
			for id, values := range b.lines() {
				if !same(values[:2*block.Size+100], want[id][:2*block.Size+100]) {
					t.Fatalf("series %s differs later on", id)
				}
			}
			if st := b.Stats().Archive; st.Quarantined != 1 || len(list(t, fs, "quarantine")) != 2 {
				t.Errorf("%+v, quarantine holds %v", st, list(t, fs, "quarantine"))
			}
		})
	}
}

// Without a log a file holds against a snapshot that was taken while its blocks
// were open.
func TestFileHoldsAgainstSnapshot(t *testing.T) {
	fs := faulty.New(1)
	a := logged(t, fs, store.None, 100)
	for _, steps := range []int{block.Size + 30, 60} { // two snapshots, so that one was there at the start
		a.commit(steps)
		if err := a.Snapshot(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	a.commit(2 * block.Size)
	a.TendArchives()
	want := a.lines()
	if names := list(t, fs, archFolder); len(names) != 3 {
		t.Fatalf("files %v", names)
	}
	fs = fs.Kill(2)
	_ = a.Close()
	b := logged(t, fs, store.None, 100)
	defer b.Close()
	for id, values := range b.lines() {
		if !same(values[:3*block.Size], want[id][:3*block.Size]) {
			t.Fatalf("series %s differs", id)
		}
	}
}

// Others store what they have come to before there is a file: a start has the file from
// the beginning, with values that came after marks, over which these are not replayed.
func TestCheckpointBeforeFile(t *testing.T) {
	fs := faulty.New(1)
	var fine atomic.Bool
	var calls atomic.Int64
	files := func() int {
		names, _ := fs.List(archFolder)
		return len(names)
	}
	a := loggedWith(t, fs, store.Interval, 100, store.SnapshotHooks{Checkpoint: func() error {
		if !fine.Load() {
			return errors.New("no place for a checkpoint")
		}
		if n := files(); calls.Add(1) == 1 && n > 0 {
			t.Errorf("%d files before the checkpoint", n)
		}
		return nil
	}})
	defer a.Close()
	a.commit(block.Size + 100)
	a.TendArchives()
	if n := files(); n != 0 {
		t.Errorf("%d files without a checkpoint", n)
	}
	fine.Store(true)
	a.commit(10) // what failed rests for some seconds
	a.TendArchives()
	if n := files(); calls.Load() != 1 || n != 1 {
		t.Errorf("%d checkpoints and %d files", calls.Load(), n)
	}
}
