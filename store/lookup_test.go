package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
		ref, err := k.s.Resolve(k.s.HashTags(store.Hash{}, raw), tags.Of("name", fmt.Sprintf("m%d", i%7), "n", fmt.Sprint(i)), start)
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
	k.sendTogether(t, order)
}

// sendTogether looks the series up in the given order as one request that goes by
// whether its trail is lost, with names in between that nobody has.
func (k *known) sendTogether(t *testing.T, order []int) {
	t.Helper()
	var trail store.Trail
	for at := 0; at < len(order); {
		if !trail.Lost() {
			if got, ok := k.s.Follow(&trail, store.Hash{}, k.raw[order[at]]); !ok || got != k.refs[order[at]] {
				t.Fatalf("series %d, point %d: %d %v, want %d", order[at], at, got, ok, k.refs[order[at]])
			}
			at++
			continue
		}
		var hashes []store.Hash
		var want []store.Ref
		for _, i := range order[at:min(at+1+at%100, len(order))] {
			hashes, want = append(hashes, k.s.HashTags(store.Hash{}, k.raw[i])), append(want, k.refs[i])
			at++
			switch i % 50 {
			case 0:
				hashes, want = append(hashes, store.Hash{}), append(want, store.NoRef)
			case 1:
				hashes, want = append(hashes, k.s.HashTags(store.Hash{}, fmt.Append(nil, "never seen ", i))), append(want, store.NoRef)
			}
		}
		got := make([]store.Ref, len(hashes))
		k.s.FindAll(&trail, hashes, got)
		if !slices.Equal(got, want) {
			t.Fatalf("before point %d: %d, want %d", at, got, want)
		}
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
	k.sendTogether(t, r.Perm(n))
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
		ref, err := k.s.Resolve(h, ts, start)
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

// A request whose order nobody knows loses its trail, and one that comes in the
// order of the last request has it back.
func TestLostTrail(t *testing.T) {
	k := learn(t, 500)
	order := rand.New(rand.NewPCG(3, 4)).Perm(500)
	var trail store.Trail
	for _, lost := range []bool{true, false} {
		for _, i := range order {
			k.s.Follow(&trail, store.Hash{}, k.raw[i])
		}
		if trail.Lost() != lost {
			t.Fatalf("lost: %v, want %v", trail.Lost(), lost)
		}
	}
	order = rand.New(rand.NewPCG(5, 6)).Perm(500)
	var hashes [500]store.Hash
	var refs [500]store.Ref
	for i, n := range order {
		hashes[i] = k.s.HashTags(store.Hash{}, k.raw[n])
	}
	for _, lost := range []bool{true, false} {
		trail = store.Trail{}
		for range 10 {
			k.s.Follow(&trail, store.Hash{}, []byte("never seen"))
		}
		if k.s.FindAll(&trail, hashes[:], refs[:]); trail.Lost() != lost {
			t.Fatalf("together: lost: %v, want %v", trail.Lost(), lost)
		}
	}
}

// Names are found while others are learnt and forgotten.
func TestFindWhileLearning(t *testing.T) {
	k := learn(t, 2000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20_000 {
			h := k.s.HashTags(store.Hash{3, 4}, fmt.Appendf(nil, "spelling %d", i))
			if _, err := k.s.Resolve(h, tags.Of("name", "more", "n", fmt.Sprint(i/8)), start); err != nil {
				t.Error(err)
			}
		}
	}()
	r := rand.New(rand.NewPCG(7, 8))
	for finding := true; finding; {
		select {
		case <-done:
			finding = false
		default:
		}
		k.sendTogether(t, r.Perm(2000))
	}
}
