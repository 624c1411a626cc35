package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/clock"
	"pulse/store/disk/faulty"
	"pulse/store/match"
	"pulse/store/tags"
)

// reopened opens and replays a folder.
func reopened(t *testing.T, o store.Options, fs *faulty.FS, mode store.Durability, now int64) *store.Store {
	t.Helper()
	s, err := store.Open(o, store.Durable{FS: fs, Mode: mode, Clock: clock.NewManual(time.UnixMilli(now)), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Replay(context.Background(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// What the first run of a folder took under its age limits stays when the next
// has shorter ones, before there was any snapshot.
func TestAgeLimitsOfFirstRun(t *testing.T) {
	o := store.Options{Step: 1000, Retention: 1000 * archBlock, MaxPast: 600_000, NewSeriesRate: -1}
	fs := faulty.New(1)
	s := reopened(t, o, fs, store.Sync, start)
	ref := resolve(t, s, start, tags.Of("name", "old", "atlas.dstype", "gauge"))
	b := store.Batch{Arrival: start}
	b.Add(ref, start, 2)
	b.Add(ref, start-500_000, 1)
	if r, err := s.Commit(&b, start); err != nil || r.Stored != 2 {
		t.Fatal(r, err)
	}
	want := s.Dump(0)
	fs = fs.Kill(1)
	o.MaxPast = 5000
	if got := reopened(t, o, fs, store.Sync, start).Dump(0); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A series that is new after a restart has nothing of one that only files know.
func TestNewSeriesIsEmpty(t *testing.T) {
	for _, mode := range []store.Durability{store.None, store.Sync} {
		t.Run(mode.String(), func(t *testing.T) {
			fs := faulty.New(1)
			a := logged(t, fs, mode, 100)
			a.commit(3 * block.Size)
			a.TendArchives()
			if names := list(t, fs, archFolder); len(names) == 0 {
				t.Fatal("no files")
			}
			fs = fs.Kill(2)
			if mode == store.Sync {
				names, _ := fs.List("wal")
				for _, name := range names {
					if err := fs.Remove("wal/" + name); err != nil {
						t.Fatal(err)
					}
				}
			}
			var s *store.Store
			for run := range 3 {
				s = reopened(t, archOptions, fs, mode, a.now)
				b := store.Batch{Arrival: a.now}
				for i := range 300 {
					b.Add(resolve(t, s, a.now, tags.Of("name", "fresh", "id", fmt.Sprint(run, i))), a.now, 1)
				}
				if _, err := s.Commit(&b, a.now); err != nil {
					t.Fatal(err)
				}
				if run == 1 {
					if err := s.Snapshot(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				fs = fs.Kill(3)
			}
			lines, _, err := s.Scan(context.Background(), store.Scan{Query: match.True, Agg: store.AggAll, Start: start, End: a.now - archStep})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				for i, v := range l.Values {
					if v == v {
						t.Fatalf("%s has %v at step %d", l.Tags, v, i)
					}
				}
			}
		})
	}
}

var edgeTiers = []store.Tier{{Step: 1000, Retention: 20 * 120_000}, {Step: 10_000, Retention: 100 * 120_000}}

// coarse returns the sums of the second tier from start on.
func coarse(t *testing.T, s *store.Store, step int64) []float64 {
	t.Helper()
	from := start / step * step
	lines, _, err := s.Scan(context.Background(), store.Scan{Query: match.True, Agg: store.AggAll, Tier: 1, Field: store.FieldSum, Start: from, End: from + 240*step})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1 {
		t.Fatalf("%d lines", len(lines))
	}
	return lines[0].Values
}

// A sealed block that only a snapshot has is in the coarser tiers, too, however
// it came there.
func TestCoarseAfterSnapshot(t *testing.T) {
	o := store.Options{Step: 1000, Retention: edgeTiers[0].Retention, NewSeriesRate: -1, Tiers: edgeTiers}
	fs := faulty.New(1)
	s := reopened(t, o, fs, store.Sync, start)
	set := tags.Of("name", "m", "atlas.dstype", "gauge")
	ref := resolve(t, s, start, set)
	now := int64(start)
	feed := func(s *store.Store, ref store.Ref, until int64) {
		for now < until {
			now += 1000
			b := store.Batch{Arrival: now}
			b.Add(ref, now, 1)
			if _, err := s.Commit(&b, now); err != nil {
				t.Fatal(err)
			}
			s.Advance(now)
		}
	}
	feed(s, ref, start+15*120_000)
	for range 200 {
		s.Advance(now)
		s.TendArchives()
	}
	at := int64(start+60_000) / 10_000 * 10_000
	if _, err := s.Import(&store.ImportBatch{Lines: []store.ImportLine{{Ref: ref, Times: []int64{at}, Values: []float64{1000}}}}, now); err != nil {
		t.Fatal(err)
	}
	if err := s.Snapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	fs = fs.Kill(1)
	s = reopened(t, o, fs, store.Sync, now)
	ref = resolve(t, s, now, set)
	feed(s, ref, now+60_000)
	for range 200 {
		s.Advance(now)
		s.TendArchives()
	}
	i := int((at-start/10_000*10_000)/10_000) - 1
	if got := coarse(t, s, 10_000)[i]; got != 1009 {
		t.Errorf("the coarse step that has the import is %v, want 1009", got)
	}
}

// Blocks of a tier that only a snapshot has are not taken for those of another
// step when the tiers have changed.
func TestSnapshotOfOtherTiers(t *testing.T) {
	o := store.Options{Step: 1000, Retention: edgeTiers[0].Retention, NewSeriesRate: -1, Tiers: edgeTiers}
	fs := faulty.New(1)
	s := reopened(t, o, fs, store.Sync, start)
	set := tags.Of("name", "m", "atlas.dstype", "gauge")
	now := int64(start) + 90*120_000
	s.Advance(now)
	time.Sleep(20 * time.Millisecond) // files are tended once more, and not after the import
	ref := resolve(t, s, now, set)
	at := now - 60*120_000 // only the second tier goes back so far
	if _, err := s.Import(&store.ImportBatch{Lines: []store.ImportLine{{Ref: ref, Step: 10_000, Times: []int64{at}, Values: []float64{7}}}}, now); err != nil {
		t.Fatal(err)
	}
	if err := s.Snapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	values := func(s *store.Store, step, start, end int64) (n int) {
		lines, _, err := s.Scan(context.Background(), store.Scan{Query: match.True, Agg: store.AggAll, Tier: 1, Field: store.FieldSum, Start: start / step * step, End: end / step * step})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			for _, v := range l.Values {
				if v == v {
					n++
				}
			}
		}
		return n
	}
	if n := values(reopened(t, o, fs.Kill(1), store.Sync, now), 10_000, start, now); n != 1 {
		t.Errorf("%d values after a restart, want 1", n)
	}
	o.Tiers = []store.Tier{edgeTiers[0], {Step: 60_000, Retention: edgeTiers[1].Retention}}
	other := reopened(t, o, fs.Kill(1), store.Sync, now)
	if n := values(other, 60_000, 5*start, 7*start); n != 0 {
		t.Errorf("%d values of another tier", n)
	}
	if to := other.Tiers()[1].To; to > now {
		t.Errorf("the second tier goes to %d, now is %d", to, now)
	}
}

// A record whose points reach back further than the next run allows is taken
// whole when that run reads it.
func TestOldPointsOfFirstRun(t *testing.T) {
	o := store.Options{Step: 1000, Retention: 1000 * archBlock, MaxPast: 9 * archBlock, NewSeriesRate: -1}
	fs := faulty.New(1)
	s := reopened(t, o, fs, store.Sync, start)
	ref := resolve(t, s, start, tags.Of("name", "old", "atlas.dstype", "sum"))
	b := store.Batch{Arrival: start}
	for i := range int64(36) {
		b.Add(ref, start-(i%9)*archBlock-i*1000, 1)
	}
	for n := range int64(3) {
		if r, err := s.Commit(&b, start+n*5000); err != nil || r.Stored != 36 {
			t.Fatal(r, err)
		}
		s.Advance(start + n*5000)
	}
	want := s.Dump(0)
	o.MaxPast = 5000
	if got := reopened(t, o, fs.Kill(1), store.Sync, start+20_000).Dump(0); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A record that came while the clock was far ahead drops no files when it is
// read again.
func TestRecordFromTheFuture(t *testing.T) {
	fs := faulty.New(1)
	a := logged(t, fs, store.Sync, 10)
	a.commit(5 * block.Size)
	a.TendArchives()
	want := len(list(t, fs, archFolder))
	b := store.Batch{Arrival: a.now}
	b.Add(a.refs[0], a.now, 1)
	if _, err := a.Commit(&b, a.now+100*365*86400_000); err != nil {
		t.Fatal(err)
	}
	a.commit(1)
	fs = fs.Kill(1)
	s := reopened(t, archOptions, fs, store.Sync, a.now)
	s.Advance(a.now)
	if got := len(list(t, fs, archFolder)); want == 0 || got < want {
		t.Errorf("%d files, want %d", got, want)
	}
}
