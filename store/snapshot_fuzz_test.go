package store

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store/archive"
	"pulse/store/clock"
	"pulse/store/disk"
	"pulse/store/disk/faulty"
	"pulse/store/tags"
)

// snapshotSections returns the sections of a partition and of the senders of a
// snapshot of a store with some of everything.
func snapshotSections(t testing.TB) (o Options, partition int, series, senders, head []byte) {
	o = Options{Step: 1000, Retention: 600_000, NewSeriesRate: -1}
	fs := faulty.New(1)
	now := int64(1_440_000_000_000)
	s, err := Open(o, Durable{FS: fs, Mode: Sync, Clock: clock.NewManual(time.UnixMilli(now)), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Replay(context.Background(), Hooks{}); err != nil {
		t.Fatal(err)
	}
	want := tags.Of("name", "m", "id", "0", "atlas.dstype", "counter").Hash() >> 58
	for round := range int64(150) {
		at := now + round*1000
		b := &Batch{Source: s.Source([]string{"a", "b"}[round%2], at), Arrival: at}
		for i := range 400 {
			set := tags.Of("name", "m", "id", string(rune('0'+i)), "atlas.dstype", []string{"counter", "gauge", "sum", "rate"}[i%4])
			if set.Hash()>>58 != want {
				continue
			}
			ref, err := s.Resolve(s.HashTags(Hash{}, set.AppendKey(nil)), set, at)
			if err != nil {
				t.Fatal(err)
			}
			b.Add(ref, at, float64(round*7)/4)
		}
		if _, err := s.Commit(b, at); err != nil {
			t.Fatal(err)
		}
		s.Advance(at)
	}
	if err := s.Snapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	section := sectionsOf(t, fs)
	return o, int(want), section(uint32(snapshotFirst + int(want))), section(snapshotSources), section(snapshotHead)
}

// sectionsOf returns what reads a section of the newest snapshot in a folder.
func sectionsOf(t testing.TB, fs disk.FS) func(id uint32) []byte {
	names, err := listSnapshots(fs)
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	file, err := archive.Open(fs, snapshotName(slices.Max(names)), archive.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(file.Release)
	return func(id uint32) []byte {
		b, err := file.Section(id)
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte(nil), b...)
	}
}

// keptSection returns the longest section of a partition in a folder of testdata.
func keptSection(t testing.TB, version string) (longest []byte) {
	dir := filepath.Join(t.TempDir(), version)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", version, "data"))); err != nil {
		t.Fatal(err)
	}
	fs, err := disk.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	section := sectionsOf(t, fs)
	for i := range partitions {
		if b := section(uint32(snapshotFirst + i)); len(b) > len(longest) {
			longest = b
		}
	}
	return longest
}

// FuzzSnapshot reads arbitrary bytes as the sections of a snapshot. Whatever
// they are, nothing panics or grows beyond them, and what was read can be
// wiped and written again.
func FuzzSnapshot(f *testing.F) {
	o, part, series, senders, head := snapshotSections(f)
	f.Add(uint8(0), series)
	f.Add(uint8(1), senders)
	f.Add(uint8(2), head)
	f.Add(uint8(3), keptSection(f, "v1"))
	f.Add(uint8(4), keptSection(f, "v2"))
	f.Fuzz(func(t *testing.T, what uint8, src []byte) {
		version := uint64(snapshotByMini)
		switch what {
		case 3:
			version = snapshotWhole
		case 4:
			version = snapshotByEighth
		}
		if what == 2 {
			if h, err := readHead(src); err == nil && h.floor > h.lsn {
				t.Fatalf("%+v", h)
			}
			return
		}
		o := o
		o.MaxSources = 16
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if what == 1 {
			if s.sources.load(src, 4096) == nil {
				s.sources.appendTo(nil)
			}
			return
		}
		l, err := s.loadSeries(version, part, src)
		if err == nil {
			err = l.rest()
			for _, a := range l.kept {
				a.hold.Release()
			}
		}
		if err == nil {
			taker := taker{store: s, sealer: sealer{grid: s.grid}}
			taker.take(part)
			if again := taker.encode(); len(again) > 16*len(src)+4096 {
				t.Fatalf("%d bytes became %d", len(src), len(again))
			}
		}
		s.wipe(0)
		if st := s.Stats(); st.Series != 0 || st.Keys != 0 {
			t.Fatalf("wiped: %+v", st)
		}
	})
}
