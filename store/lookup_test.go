package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pulse/store"
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
