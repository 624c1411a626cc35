package store_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/bench/gen"
	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/block"
	"pulse/store/clock"
	"pulse/store/disk/faulty"
	"pulse/store/match"
)

// A fleet of 20,000 series in small: blocks of the mix take as many bytes as they
// should, whatever the seed, and a store that was killed with steps in files, in
// mini-blocks and columns of a snapshot and in the log answers as before, to the bit.
func TestFleet(t *testing.T) {
	n, steps := 20_000, block.Size+50
	if testing.Short() || testkit.Race {
		n = 2200
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := gen.NewFleet(seed, gen.FleetOptions{Series: n, PerNode: 1000, Step: 60_000, Steps: steps, Courses: 11_000})
	fs := faulty.New(seed)
	s := openFleet(t, fs)
	refs := make([]store.Ref, n)
	for i := range refs {
		refs[i] = resolve(t, s, start, f.Tags(i))
	}
	source, samples := s.Source("fleet", start), 0
	first := start / (block.Size * 60_000) * block.Size * 60_000 // the end of a block
	now := first
	for k := range steps {
		now += 60_000
		batch := store.Batch{Source: source, Arrival: now}
		for i, ref := range refs {
			if v := f.Value(i, now); !math.IsNaN(v) {
				batch.Add(ref, now, v)
			}
		}
		if k < block.Size {
			samples += len(batch.Refs)
		}
		if r, err := s.Commit(&batch, now); err != nil || r.Late > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		s.Advance(now)
		if k == steps-6 { // the rest is in the log only
			if err := s.Snapshot(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	st := s.Stats()
	if each := float64(st.BlockBytes) / float64(samples); math.Abs(each-1.095) > 0.02*1.095 || st.Blocks < n*9/10 {
		t.Errorf("%d blocks, %.4f bytes a sample", st.Blocks, each)
	} else {
		t.Logf("%d samples, %.4f bytes each; %.1f bytes of the head a series", samples, each, float64(st.HeadBytes)/float64(n))
	}
	queries := []store.Scan{
		{Query: match.True, Start: first, End: now},
		{Query: match.True, By: []string{"name"}, Start: first, End: now},
		{Query: match.True, By: []string{"nf.app"}, Agg: store.AggMax, Start: first, End: now},
		{Query: &match.Equal{Key: "endpoint", Value: "endpoint-007"}, Agg: store.AggAll, Start: first, End: now},
	}
	var before [][]store.Line
	for _, q := range queries {
		before = append(before, scan(t, s, q))
	}
	killed := fs.Kill(seed)
	_ = s.Close()
	again := openFleet(t, killed)
	defer again.Close()
	for i, q := range queries {
		sameLines(t, q, before[i], scan(t, again, q))
	}
}

func openFleet(t *testing.T, fs *faulty.FS) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Step: 60_000, NewSeriesRate: -1}, store.Durable{FS: fs, Mode: store.Interval, Clock: clock.NewManual(time.UnixMilli(start)), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replay(context.Background(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// sameLines compares values bit by bit.
func sameLines(t *testing.T, q store.Scan, want, got []store.Line) {
	t.Helper()
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%+v: %d lines, want %d and some", q, len(got), len(want))
	}
	for i := range want {
		if want[i].Tags.Compare(got[i].Tags) != 0 || len(want[i].Values) != len(got[i].Values) {
			t.Fatalf("%+v: line %v, want %v", q, got[i].Tags, want[i].Tags)
		}
		for k, v := range want[i].Values {
			if math.Float64bits(v) != math.Float64bits(got[i].Values[k]) {
				t.Fatalf("%+v: %v has %v at step %d, want %v", q, want[i].Tags, got[i].Values[k], k, v)
			}
		}
	}
}
