package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

func TestFindAfterResolve(t *testing.T) {
	s := open(t, store.Options{NewSeriesRate: -1})
	r := rand.New(rand.NewPCG(1, 2))
	type known struct {
		hash store.Hash
		ref  store.Ref
	}
	var all []known
	after := store.NoRef
	for i := range 20_000 {
		ts := tags.Of("name", fmt.Sprintf("m%d", i%7), "n", fmt.Sprint(i))
		h := s.HashTags(store.Hash{}, fmt.Appendf(nil, "raw %d", i))
		if _, ok := s.Find(h, after); ok {
			t.Fatalf("series %d was found before it existed", i)
		}
		ref, err := s.Resolve(h, after, ts, start)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, known{h, ref})
		after = ref
	}
	check := func(i int, after store.Ref) {
		if got, ok := s.Find(all[i].hash, after); !ok || got != all[i].ref {
			t.Fatalf("series %d after %d: %d %v, want %d", i, after, got, ok, all[i].ref)
		}
	}
	for range 3 {
		check(0, store.NoRef)
		for i := 1; i < len(all); i++ {
			check(i, all[i-1].ref)
		}
	}
	for range 20_000 {
		check(r.IntN(len(all)), all[r.IntN(len(all))].ref)
	}
}

// One series may be written in many ways; the table does not grow with them.
func TestSpellingsAreBounded(t *testing.T) {
	s := open(t, store.Options{})
	ts := tags.Of("name", "m")
	want := resolve(t, s, start, ts)
	for i := range 100_000 {
		h := s.HashTags(store.Hash{1, 2}, fmt.Appendf(nil, "spelling %d", i))
		ref, err := s.Resolve(h, store.NoRef, ts, start)
		if err != nil || ref != want {
			t.Fatalf("spelling %d: %d, %v", i, ref, err)
		}
		if got, ok := s.Find(h, store.NoRef); !ok || got != want {
			t.Fatalf("spelling %d is not found", i)
		}
	}
	if n := s.TableSize(); n > 8192 {
		t.Errorf("the table has %d places for one series", n)
	}
}

func TestHashDependsOnCommonTags(t *testing.T) {
	s := open(t, store.Options{})
	seen := map[store.Hash]string{}
	for i := range 100 {
		common := s.HashTags(store.Hash{}, fmt.Appendf(nil, "common %d", i))
		for j := range 100 {
			h := s.HashTags(common, fmt.Appendf(nil, "own %d", j))
			if h[0] == 0 {
				t.Fatal("a hash of 0 marks an empty place")
			}
			if old, ok := seen[h]; ok {
				t.Fatalf("%d/%d has the hash of %s", i, j, old)
			}
			seen[h] = fmt.Sprintf("%d/%d", i, j)
		}
	}
}

// TestConcurrentUse is for the race detector, and checks that nothing is lost:
// writers create and append, readers scan, watch and look up, and time passes.
func TestConcurrentUse(t *testing.T) {
	const writers, steps, perStep = 4, 300, 20
	s := open(t, store.Options{Step: 100, NewSeriesRate: -1})
	w := s.Watch(store.WatchSpec{Query: named("m"), By: []string{"writer"}})
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	for k := range writers {
		writing.Go(func() {
			var b store.Batch
			for i := int64(1); i <= steps; i++ {
				now := start + i*100
				b.Reset()
				b.Source, b.Arrival, b.Amount = s.Source(fmt.Sprint("writer ", k), now), now, true
				after := store.NoRef
				for j := range perStep {
					id := j + int(i)/50
					raw := fmt.Appendf(nil, "%d/%d", k, id)
					h := s.HashTags(store.Hash{}, raw)
					ref, ok := s.Find(h, after)
					if !ok {
						ts := tags.Of("name", "m", "writer", fmt.Sprint(k), "id", fmt.Sprint(id), "atlas.dstype", "sum")
						var err error
						if ref, err = s.Resolve(h, after, ts, now); err != nil {
							t.Error(err)
							return
						}
					}
					b.Add(ref, now, 1)
					after = ref
				}
				if r := s.Append(&b, now); r.Stored != perStep {
					t.Errorf("writer %d step %d: %+v", k, i, r)
				}
				s.Advance(now)
			}
		})
	}
	for k := range 2 {
		reading.Go(func() {
			var column []float64
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				q := store.Scan{Query: named("m"), By: []string{"writer"}, ZeroFill: k == 0, Start: start, End: start + steps*100}
				for _, l := range scan(t, s, q) {
					for _, v := range l.Values {
						if v > perStep*10 {
							t.Errorf("more than was sent: %v", v)
						}
					}
				}
				at := start + int64(i%steps)*100
				column = w.Column(at, true, column)
				w.Completeness(at, at)
				w.Groups()
				s.Stats()
				s.Keys(match.True, "", 0)
				other := s.Watch(store.WatchSpec{Query: match.True, Agg: store.AggAll})
				other.Column(at, false, nil)
				other.Close()
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	for _, l := range scan(t, s, store.Scan{Query: named("m"), By: []string{"writer"}, Start: start, End: start + steps*100}) {
		for i, v := range l.Values {
			if v != perStep*10 {
				t.Fatalf("%v step %d reads %v, want %v", l.Tags, i, v, perStep*10)
			}
		}
	}
}
