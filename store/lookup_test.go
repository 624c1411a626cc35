package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pulse/store"
	"pulse/store/tags"
)

// known is series with the names that they were learnt under.
type known struct {
	s    *store.Store
	raw  [][]byte
	refs []store.Ref
}

func learn(t *testing.T, n int) *known {
	t.Helper()
	k := &known{s: open(t, store.Options{NewSeriesRate: -1})}
	var trail store.Trail
	for i := range n {
		raw := fmt.Appendf(nil, "raw %d", i)
		if _, ok := k.s.Follow(&trail, store.Hash{}, raw); ok {
			t.Fatalf("series %d was found before it existed", i)
		}
		ref, err := k.s.Resolve(k.s.HashTags(store.Hash{}, raw), store.NoRef, tags.Of("name", fmt.Sprintf("m%d", i%7), "n", fmt.Sprint(i)), start)
		if err != nil {
			t.Fatal(err)
		}
		k.raw, k.refs = append(k.raw, raw), append(k.refs, ref)
	}
	return k
}

// send looks the series up in the given order, as one request.
func (k *known) send(t *testing.T, order []int) {
	t.Helper()
	var trail store.Trail
	for at, i := range order {
		if got, ok := k.s.Follow(&trail, store.Hash{}, k.raw[i]); !ok || got != k.refs[i] {
			t.Fatalf("series %d, point %d: %d %v, want %d", i, at, got, ok, k.refs[i])
		}
		if got, ok := k.s.Find(k.s.HashTags(store.Hash{}, k.raw[i])); !ok || got != k.refs[i] {
			t.Fatalf("series %d: %d %v, want %d", i, got, ok, k.refs[i])
		}
	}
	if _, ok := k.s.Follow(&trail, store.Hash{}, []byte("never seen")); ok {
		t.Fatal("a series was found that there is none of")
	}
}

// A series is found whatever came before it: in the order in which it was learnt,
// with gaps, backwards, and in no order, each several times.
func TestFollow(t *testing.T) {
	const n = 20_000
	k := learn(t, n)
	r := rand.New(rand.NewPCG(1, 2))
	var learnt, gaps, back []int
	for i := range n {
		learnt, back = append(learnt, i), append(back, n-1-i)
		if r.IntN(20) > 0 && i%500 > 30 {
			gaps = append(gaps, i)
		}
	}
	for range 3 {
		k.send(t, learnt)
		k.send(t, gaps)
		k.send(t, back)
		k.send(t, r.Perm(n))
	}
}

// One series may be written in many ways; the table does not grow with them.
func TestSpellingsAreBounded(t *testing.T) {
	k := learn(t, 3)
	want, ts := k.refs[1], tags.Of("name", "m1", "n", "1")
	for i := range 100_000 {
		h := k.s.HashTags(store.Hash{1, 2}, fmt.Appendf(nil, "spelling %d", i))
		ref, err := k.s.Resolve(h, store.NoRef, ts, start)
		if err != nil || ref != want {
			t.Fatalf("spelling %d: %d, %v", i, ref, err)
		}
		if got, ok := k.s.Find(h); !ok || got != want {
			t.Fatalf("spelling %d is not found", i)
		}
	}
	if n := k.s.TableSize(); n > 8192 {
		t.Errorf("the table has %d places for three series", n)
	}
	for i := range k.refs {
		if ref, ok := k.s.Find(k.s.HashTags(store.Hash{}, k.raw[i])); i != 1 && (!ok || ref != k.refs[i]) {
			t.Errorf("series %d is not found any more", i)
		}
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
				t.Fatal("a hash of 0 marks a place without a name")
			}
			if old, ok := seen[h]; ok {
				t.Fatalf("%d/%d has the hash of %s", i, j, old)
			}
			seen[h] = fmt.Sprintf("%d/%d", i, j)
		}
	}
}
