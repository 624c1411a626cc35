package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/clock"
	"pulse/store/disk/faulty"
)

// Snapshots that fail again and again are told, until one succeeds.
func TestFailingSnapshotsAreUnhealthy(t *testing.T) {
	s, err := store.Open(archOptions, store.Durable{FS: faulty.New(1), Mode: store.Sync, Clock: clock.NewManual(time.UnixMilli(start)), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var fails error
	s.OnSnapshot(store.SnapshotHooks{Checkpoint: func() error { return fails }})
	if _, err := s.Replay(context.Background(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	take := func() {
		t.Helper()
		if err := s.Mark([]byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Snapshot(context.Background()); !errors.Is(err, fails) {
			t.Fatal(err)
		}
	}
	fails = errors.New("no place for a checkpoint")
	for i := range 5 {
		take()
		h := s.Health()
		if h.Refusing || h.Degraded != (i >= 2) || h.Degraded && !strings.Contains(h.Reason, fails.Error()) {
			t.Errorf("after %d failures: %+v", i+1, h)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Snapshot(ended); err == nil {
		t.Error("a snapshot that was called off was taken")
	}
	fails = nil
	take()
	if h := s.Health(); h.Degraded || !h.Ready {
		t.Errorf("after one that succeeded: %+v", h)
	}
}

// However long the log is, half of the budget is for files.
func TestLogLeavesHalfOfTheBudget(t *testing.T) {
	free := newArchivist(t, archOptions, faulty.New(1), 50)
	free.feed(2 * block.Size)
	free.rest()
	size := free.Stats().Archive.Bytes / int64(free.Stats().Archive.Files)

	fs := faulty.New(2)
	fs.Put("wal/0000000000000001.wal", make([]byte, 20*size))
	a := newArchivist(t, archOptions, fs, 50, 8*size+size)
	a.feed(8 * block.Size)
	a.rest()
	if st := a.Stats().Archive; st.Files != 4 || st.Used < 20*size {
		t.Errorf("%+v", st)
	}
}
