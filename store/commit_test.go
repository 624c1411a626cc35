package store_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"pulse/store"
	"pulse/store/disk/faulty"
	"pulse/store/match"
	"pulse/store/tags"
)

// TestCommitConcurrent commits from many goroutines while snapshots are taken,
// time goes by and queries are asked, then pulls the plug: every acknowledged
// amount is there, once.
func TestCommitConcurrent(t *testing.T) {
	for _, mode := range []store.Durability{store.Sync, store.Interval} {
		fs := faulty.New(1)
		r := newRig(t, fs, 1)
		r.mode = mode
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		const senders, requests = 8, 60
		var work, beside sync.WaitGroup
		stop := make(chan struct{})
		beside.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := r.s.Snapshot(context.Background()); err != nil {
					t.Error(err)
				}
				r.s.Advance(start + int64(i))
				if _, _, err := r.s.Scan(context.Background(), store.Scan{Query: match.True, Start: start - 10_000, End: start}); err != nil {
					t.Error(err)
				}
				if err := r.s.Mark([]byte("m"), nil); err != nil {
					t.Error(err)
				}
				_, _ = r.s.Stats(), r.s.Durability()
			}
		})
		for k := range senders {
			work.Go(func() {
				for i := range requests {
					hold := r.s.Hold()
					b := &store.Batch{Source: r.s.Source(fmt.Sprint(k), start), Arrival: start, Amount: true}
					for n := range 20 {
						set := tags.Of("name", "sum", "atlas.dstype", "sum", "id", fmt.Sprint(n))
						if i%10 == 0 {
							set = set.With("new", fmt.Sprint(k, i))
						}
						ref, err := resolveIn(r.s, set, start)
						if err != nil {
							t.Error(err)
							return
						}
						b.Add(ref, start, 1)
					}
					if _, err := r.s.Commit(b, start); err != nil {
						t.Error(err)
					}
					hold.Release()
				}
			})
		}
		work.Wait()
		close(stop)
		beside.Wait()
		total := func(when string) {
			lines, _, err := r.s.Scan(context.Background(), store.Scan{Query: match.True, Start: start - 1000, End: start})
			if err != nil || len(lines) != 1 || lines[0].Values[0] != senders*requests*20 {
				t.Fatalf("%v, %s: %v %v, want %d", mode, when, lines, err, senders*requests*20)
			}
		}
		total("before")
		if mode == store.Sync {
			fs = fs.Crash(5)
		} else {
			fs = fs.Kill(5)
		}
		_ = r.s.Close()
		r.fs = fs
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		total("after")
		if err := r.s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNone keeps what was there when the last snapshot was taken, at the latest
// when it was closed.
func TestNone(t *testing.T) {
	fs := faulty.New(1)
	r := newRig(t, fs, 1)
	r.mode = store.None
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	for round := range 4 {
		for range 20 {
			if err := r.publish(); err != nil {
				t.Fatal(err)
			}
			r.pass(800)
		}
		if err := r.s.Close(); err != nil {
			t.Fatal(err)
		}
		if round == 2 {
			r.mode = store.Sync // the log goes on behind the snapshots
		}
		fs = fs.Crash(uint64(round))
		r.fs = fs
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		r.pass(0)
		r.equal(fmt.Sprintf("after closing, round %d", round))
	}
	if names, _ := fs.List("snapshot"); len(names) != 2 {
		t.Errorf("snapshots %v, want two", names)
	}
}

// TestOptionsChange restarts with other age limits and heartbeats: what came
// under the old ones stays as it was, and the new ones hold from then on.
func TestOptionsChange(t *testing.T) {
	fs := faulty.New(1)
	r := opened(t, fs, 1)
	if err := r.s.Snapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.some(10)
	before := r.dump(r.s)
	for i, past := range []int64{1000, 9000, 2000} {
		_ = r.s.Close()
		r.opts.MaxPast, r.opts.RateHeartbeat, r.opts.CounterHeartbeat = past, past, past+1000
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		if after := r.dump(r.s); after != before {
			t.Fatalf("restart %d: %s", i, firstDifference(after, before))
		}
		ref, err := resolveIn(r.s, tags.Of("name", "late", "atlas.dstype", "gauge"), r.now)
		if err != nil {
			t.Fatal(err)
		}
		b := &store.Batch{Arrival: r.now}
		b.Add(ref, r.now-past-1, 1)
		b.Add(ref, r.now-past, 2)
		got, err := r.s.Commit(b, r.now)
		if err != nil || got.Late != 1 || got.Stored != 1 {
			t.Fatalf("a point of %d ms ago and one before it: %+v, %v", past, got, err)
		}
		r.now += 20_000
		before = r.dump(r.s)
	}
}

// TestMarkReads: what is read at a mark while many commit is what a replay finds at
// the mark, also what a group of commits that were written together has done.
func TestMarkReads(t *testing.T) {
	fs := faulty.New(1)
	r := newRig(t, fs, 1)
	r.mode = store.Interval
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	read := func(s *store.Store) (sum int) {
		w := s.Watch(store.WatchSpec{Query: match.True, Agg: store.AggSum})
		defer w.Close()
		for _, v := range w.Column(start, false, nil) { // none, or no data, before the first
			if v == v {
				sum = int(v)
			}
		}
		return sum
	}
	var seen, found []int
	mark := func() {
		if err := r.s.Mark([]byte("m"), func() { seen = append(seen, read(r.s)) }); err != nil {
			t.Fatal(err)
		}
	}
	mark()
	var work sync.WaitGroup
	for k := range 4 {
		work.Go(func() {
			for range 200 {
				b := &store.Batch{Source: r.s.Source(fmt.Sprint(k), start), Arrival: start, Amount: true}
				ref, err := resolveIn(r.s, tags.Of("name", "sum", "atlas.dstype", "sum", "id", fmt.Sprint(k)), start)
				if err != nil {
					t.Error(err)
					return
				}
				b.Add(ref, start, 1)
				if _, err := r.s.Commit(b, start); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for len(seen) < 100 || seen[len(seen)-1] == seen[0] {
		mark()
		runtime.Gosched() // a mark that nobody is in the way of waits for nobody
	}
	work.Wait()
	kept := fs.Kill(5)
	_ = r.s.Close()
	again, err := store.Open(r.opts, store.Durable{FS: kept, Mode: r.mode, Clock: r.clk, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Replay(context.Background(), store.Hooks{Mark: func([]byte) { found = append(found, read(again)) }}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen, found) || seen[len(seen)-1] == seen[0] {
		t.Errorf("seen %v, found by the replay %v", seen, found)
	}
}
