package store_test

import (
	"context"
	"fmt"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

// filled is a store with n sum series of which every one has a value in each
// of the given steps, sent in one batch per step.
type filled struct {
	s     *store.Store
	batch store.Batch
	now   int64
}

func fill(t testing.TB, n, steps int) *filled {
	t.Helper()
	return fillWith(t, store.Options{NewSeriesRate: -1}, n, steps)
}

func fillWith(t testing.TB, o store.Options, n, steps int) *filled {
	t.Helper()
	f := &filled{s: open(t, o), now: start}
	f.batch.Source = f.s.Source("a", start)
	for i := range n {
		ts := tags.Of("name", "sps", "id", fmt.Sprint(i), "region", fmt.Sprint(i%10), "cell", fmt.Sprint(i%100), "atlas.dstype", "sum")
		f.batch.Add(resolve(t, f.s, start, ts), 0, float64(i%50))
	}
	for range steps {
		f.step(t)
	}
	return f
}

// step sends one batch and lets one step pass.
func (f *filled) step(t testing.TB) {
	f.now += 10_000
	for i := range f.batch.Times {
		f.batch.Times[i] = f.now
		f.batch.Values[i] = float64((int64(i)*7 + f.now/10_000*13) % 50)
	}
	if r := f.s.Append(&f.batch, f.now); r.Stored != len(f.batch.Refs) {
		t.Fatalf("stored %+v of %d", r, len(f.batch.Refs))
	}
	f.s.Advance(f.now)
}

func TestAppendAllocatesNothing(t *testing.T) {
	const n = 5000
	f := fill(t, n, 5)
	f.now += 10_000
	got := testing.AllocsPerRun(20, func() {
		for i := range f.batch.Times {
			f.batch.Times[i] = f.now
		}
		f.s.Append(&f.batch, f.now)
	})
	if got > 0 {
		t.Errorf("%v allocations for a batch of %d points", got, n)
	}
}

func TestFindAllocatesNothing(t *testing.T) {
	s := open(t, store.Options{})
	raw := []byte(`{"name":"sps","id":"1"}`)
	h := s.HashTags(store.Hash{}, raw)
	ref, err := s.Resolve(h, tags.Of("name", "sps", "id", "1"), start)
	if err != nil {
		t.Fatal(err)
	}
	hashes, refs := []store.Hash{h, {}, h}, make([]store.Ref, 3)
	if got := testing.AllocsPerRun(100, func() {
		var trail store.Trail
		if s.FindAll(&trail, hashes, refs); refs[0] != ref || refs[1] != store.NoRef || refs[2] != ref {
			t.Fatal("not found")
		}
		for range 2 {
			if found, ok := s.Follow(&trail, store.Hash{}, raw); !ok || found != ref {
				t.Fatal("not found")
			}
		}
		if found, ok := s.Find(s.HashTags(store.Hash{}, raw)); !ok || found != ref {
			t.Fatal("not found")
		}
		s.Source("a", start)
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

// A scan allocates for its lines and references, and nothing per datapoint.
func TestScanAllocatesNothingPerDatapoint(t *testing.T) {
	if testkit.Race {
		t.Skip("allocations are counted without the race detector")
	}
	f := fill(t, 2000, 300)
	for _, agg := range []store.Agg{store.AggSum, store.AggCount, store.AggMin, store.AggMax} {
		for _, zero := range []bool{false, true} {
			allocs := func(steps int64) float64 {
				q := store.Scan{Query: match.True, By: []string{"region"}, Agg: agg, ZeroFill: zero, Start: f.now - steps*10_000, End: f.now}
				return testing.AllocsPerRun(3, func() {
					if _, _, err := f.s.Scan(context.Background(), q); err != nil {
						t.Fatal(err)
					}
				})
			}
			few, many := allocs(2), allocs(300)
			if many > few+20 {
				t.Errorf("agg %d fill %v: %v allocations for 2 steps, %v for 300", agg, zero, few, many)
			}
		}
	}
}

func TestColumnAllocatesNothing(t *testing.T) {
	f := fill(t, 2000, 10)
	w := f.s.Watch(store.WatchSpec{Query: match.True, By: []string{"cell"}})
	column := w.Column(f.now, true, nil)
	if len(column) != 100 || column[0] != column[0] {
		t.Fatalf("column %v", column)
	}
	for _, fill := range []bool{false, true} {
		if got := testing.AllocsPerRun(20, func() {
			column = w.Column(f.now, fill, column)
			w.Completeness(f.now, f.now)
			w.Groups()
		}); got > 0 {
			t.Errorf("fill %v: %v allocations", fill, got)
		}
	}
}
