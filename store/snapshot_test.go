package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pulse/store"
	"pulse/store/disk/faulty"
	"pulse/store/match"
	"pulse/store/tags"
)

// TestRequestsDuringSnapshot has requests come in while a snapshot is taken, many
// enough for the log to begin new files: none of them is lost with the old ones.
func TestRequestsDuringSnapshot(t *testing.T) {
	for seed := range uint64(4) {
		fs := faulty.New(seed)
		r := opened(t, fs, seed)
		for range 3 {
			began := r.s.Durability().Log.Rotations
			r.during = func() {
				for range 500 {
					if r.s.Durability().Log.Rotations >= began+2 {
						return
					}
					if err := r.publish(); err != nil {
						t.Fatal(err)
					}
				}
				t.Fatal("the log began no file")
			}
			if err := r.s.Snapshot(context.Background()); err != nil {
				t.Fatal(err)
			}
			r.pass(700)
		}
		r.during = nil
		r.again(fs.Crash(seed))
		r.equal("after a power cut")
	}
}

// TestRequestIsWholeInSnapshot has requests to all partitions come in while they are
// copied one after the other, and loses power before the log was ever synced for
// its own sake, or kills: of each request all is there, once, or nothing.
func TestRequestIsWholeInSnapshot(t *testing.T) {
	for seed := range uint64(40) {
		fs := faulty.New(seed)
		r := newRig(t, fs, seed)
		r.mode = store.Interval // the clock stands still, so nothing is synced
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		hold := r.s.Hold()
		b := store.Batch{Source: r.s.Source("all", r.now), Arrival: r.now, Amount: true}
		for i := range 300 {
			ref, err := resolveIn(r.s, tags.Of("name", "all", "id", fmt.Sprint(i), "atlas.dstype", "sum"), r.now)
			if err != nil {
				t.Fatal(err)
			}
			b.Add(ref, r.now, 1)
		}
		stop := make(chan struct{})
		var work sync.WaitGroup
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := r.s.Commit(&b, r.now); errors.Is(err, faulty.ErrCrashed) {
					return
				} else if err != nil {
					t.Error(err)
				}
			}
		})
		for range 4 {
			if err := r.s.Snapshot(context.Background()); err != nil {
				t.Error(err)
			}
		}
		lose := fs.Crash
		if seed%2 == 1 {
			lose = fs.Kill
		}
		after := lose(seed)
		close(stop)
		work.Wait()
		hold.Release()
		r.again(after)
		lines, _, err := r.s.Scan(context.Background(), store.Scan{Query: &match.Equal{Key: "name", Value: "all"}, By: []string{"id"},
			Agg: store.AggSum, Start: r.now - 2000, End: r.now + 1000})
		if err != nil || len(lines) != 300 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for _, l := range lines {
			if got, want := fmt.Sprint(l.Values), fmt.Sprint(lines[0].Values); got != want {
				t.Fatalf("seed %d: %s has %s, %s has %s", seed, l.Tags, got, lines[0].Tags, want)
			}
		}
	}
}
