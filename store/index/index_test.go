package index_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pulse/store/index"
	"pulse/store/match"
	"pulse/store/tags"
)

var (
	seeds = flag.Uint64("seeds", 20, "how many seeds TestAgainstNaiveMap runs")
	first = flag.Uint64("first", 0, "the first of them")
)

var unlimited = index.Limits{Keys: 1 << 20, Values: 1 << 20, Pairs: 1 << 20}

// world is an index and the naive map that it must agree with.
type world struct {
	x      *index.Index
	live   map[uint32]tags.Tags
	parked map[uint32]tags.Tags
	pairs  map[uint32][]uint32
}

func newWorld() *world {
	return &world{index.New(unlimited), map[uint32]tags.Tags{}, map[uint32]tags.Tags{}, map[uint32][]uint32{}}
}

func (w *world) add(t *testing.T, ref uint32, ts tags.Tags) {
	t.Helper()
	pairs, err := w.x.Intern(nil, ts)
	if err != nil {
		t.Fatal(err)
	}
	w.x.Add(ref, pairs)
	w.live[ref], w.pairs[ref] = ts, pairs
}

func (w *world) remove(ref uint32) {
	w.x.Remove(ref, w.pairs[ref])
	w.parked[ref] = w.live[ref]
	delete(w.live, ref)
}

func (w *world) naive(q match.Query) []uint32 {
	var out []uint32
	for ref, ts := range w.live {
		if match.MatchesTags(q, ts) {
			out = append(out, ref)
		}
	}
	slices.Sort(out)
	return out
}

func randomTags(r *rand.Rand) tags.Tags {
	m := map[string]string{"name": fmt.Sprintf("metric.%d", r.IntN(6)), "node": fmt.Sprintf("i-%d", r.IntN(400))}
	if r.IntN(2) == 0 {
		m["app"] = fmt.Sprintf("app%d", r.IntN(3))
	}
	if r.IntN(4) == 0 {
		m["zone"] = string(rune('a' + r.IntN(3)))
	}
	return tags.FromMap(m)
}

func randomQuery(t *testing.T, r *rand.Rand, depth int) match.Query {
	key := []string{"name", "node", "app", "zone", "absent"}[r.IntN(5)]
	value := []string{"metric.1", "i-7", "app2", "b", "metric.3", "none"}[r.IntN(6)]
	n := 7
	if depth > 0 {
		n = 11
	}
	switch r.IntN(n) {
	case 0:
		return &match.Has{Key: key}
	case 1, 2:
		return &match.Equal{Key: key, Value: value}
	case 3:
		return match.NewIn(key, []string{value, "a", "app0", "i-3", "i-399", "metric.5"})
	case 4:
		return &match.Compare{Key: key, Op: []match.Op{match.Less, match.LessEq, match.Greater, match.GreaterEq}[r.IntN(4)], Value: value}
	case 5:
		q, err := match.NewRegex(key, []string{"m.*[13]$", "i-1", "app[01]", ".*2"}[r.IntN(4)], r.IntN(2) == 0)
		if err != nil {
			t.Fatal(err)
		}
		return q
	case 6:
		return match.Const(r.IntN(2) == 0)
	case 7, 8:
		return &match.And{L: randomQuery(t, r, depth-1), R: randomQuery(t, r, depth-1)}
	case 9:
		return &match.Or{L: randomQuery(t, r, depth-1), R: randomQuery(t, r, depth-1)}
	default:
		return &match.Not{Q: randomQuery(t, r, depth-1)}
	}
}

func TestAgainstNaiveMap(t *testing.T) {
	for seed := *first; seed < *first+*seeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorld()
		for i := range 300 {
			ref := uint32(r.IntN(64))<<26 | uint32(i)
			w.add(t, ref, randomTags(r))
			switch {
			case r.IntN(3) == 0:
				for ref := range w.live {
					w.remove(ref)
					break
				}
			case r.IntN(8) == 0:
				for ref, ts := range w.parked {
					w.add(t, ref, ts)
					delete(w.parked, ref)
					break
				}
			}
			if i%10 > 0 {
				continue
			}
			q := randomQuery(t, r, 3)
			want := w.naive(q)
			if got := w.x.Select(q).ToArray(); !slices.Equal(got, want) {
				t.Fatalf("seed %d: Select(%s) = %v, want %v", seed, q, got, want)
			}
			checkLists(t, w, q, want)
		}
		if got := w.x.Stats().Series; got != len(w.live) {
			t.Fatalf("seed %d: Stats().Series = %d, want %d", seed, got, len(w.live))
		}
	}
}

func checkLists(t *testing.T, w *world, q match.Query, selected []uint32) {
	t.Helper()
	counts := map[string]map[string]int{}
	for _, ref := range selected {
		for _, tag := range w.live[ref] {
			if counts[tag.Key] == nil {
				counts[tag.Key] = map[string]int{}
			}
			counts[tag.Key][tag.Value]++
		}
	}
	var keys []string
	for k, values := range counts {
		keys = append(keys, k)
		var want []index.ValueCount
		for v, n := range values {
			if v > "i-2" || k != "node" {
				want = append(want, index.ValueCount{Value: v, Count: n})
			}
		}
		slices.SortFunc(want, func(a, b index.ValueCount) int {
			if a.Value < b.Value {
				return -1
			}
			return 1
		})
		after := ""
		if k == "node" {
			after = "i-2"
		}
		limit := 1 + len(want)/2
		if got := w.x.Values(k, q, after, limit); !slices.Equal(got, want[:min(limit, len(want))]) {
			t.Fatalf("Values(%s, %s) = %v, want %v", k, q, got, want)
		}
	}
	slices.Sort(keys)
	if got := w.x.Keys(q, "", 0); !slices.Equal(got, keys) {
		t.Fatalf("Keys(%s) = %v, want %v", q, got, keys)
	}
}

func TestSelectBelongsToCaller(t *testing.T) {
	w := newWorld()
	for i := range uint32(10) {
		w.add(t, i, tags.Of("name", "sps", "node", fmt.Sprint(i)))
	}
	for _, q := range []match.Query{match.True, &match.Has{Key: "name"}, &match.Equal{Key: "name", Value: "sps"}, &match.Equal{Key: "node", Value: "3"}} {
		w.x.Select(q).Clear()
		if got, want := w.x.Select(q).ToArray(), w.naive(q); !slices.Equal(got, want) {
			t.Errorf("Select(%s) after the caller cleared a result = %v, want %v", q, got, want)
		}
	}
}

func TestValueLimit(t *testing.T) {
	x := index.New(index.Limits{Keys: 9, Values: 2, Pairs: 9})
	for i, v := range []string{"a", "b", "a"} {
		pairs, err := x.Intern(nil, tags.Of("name", "sps", "node", v, "n", fmt.Sprint(i/2)))
		if err != nil {
			t.Fatal(err)
		}
		x.Add(uint32(i), pairs)
	}
	var limit *index.TooMany
	if _, err := x.Intern(nil, tags.Of("name", "sps", "node", "c")); !errors.As(err, &limit) || limit.What != "values for tag key node" || limit.Max != 2 {
		t.Fatalf("third value: %v, want a limit on node", err)
	}
	b, _ := x.Intern(nil, tags.Of("name", "sps", "node", "b", "n", "0"))
	x.Remove(1, b)
	if _, err := x.Intern(nil, tags.Of("name", "sps", "node", "c")); err != nil {
		t.Fatalf("after a value has gone: %v", err)
	}
}

// Keys and pairs count while a series has them, and again when it is back.
func TestKeyAndPairLimits(t *testing.T) {
	x := index.New(index.Limits{Keys: 2, Values: 9, Pairs: 3})
	want := func(what string, keysAndValues ...string) {
		t.Helper()
		var limit *index.TooMany
		_, err := x.Intern(nil, tags.Of(keysAndValues...))
		if what == "" && err != nil || what != "" && (!errors.As(err, &limit) || limit.What != what) {
			t.Errorf("%v: %v, want %q", keysAndValues, err, what)
		}
	}
	want("tag keys", "a", "1", "b", "1", "c", "1")
	pairs, err := x.Intern(nil, tags.Of("a", "1", "b", "1"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		x.Add(7, pairs)
		want("", "a", "1", "b", "2")
		want("tag keys", "c", "1")
		want("tag pairs", "a", "2", "b", "2")
		x.Remove(7, pairs)
		want("", "c", "1", "d", "1")
		want("", "a", "2", "b", "2")
	}
}

func TestDictionary(t *testing.T) {
	x := index.New(unlimited)
	ts := tags.Of("name", "sps", "app", "www")
	pairs, err := x.Intern(nil, ts)
	if err != nil {
		t.Fatal(err)
	}
	d := x.Dictionary()
	if got := d.Tags(pairs); !got.Equal(ts) {
		t.Errorf("Tags = %v, want %v", got, ts)
	}
	if !d.Equal(pairs, ts) || d.Equal(pairs, tags.Of("name", "sps")) || d.Equal(pairs, tags.Of("name", "sps", "app", "w")) {
		t.Error("Equal is wrong")
	}
	for place := range 4 { // wherever it is looked for first
		n, at, ok := d.Find(pairs, "app", place)
		if _, _, no := d.Find(pairs, "zone", place); !ok || no || d.Value(n) != "www" || pairs[at] != n {
			t.Errorf("Find(app) from %d = %q at %d, %v", place, d.Value(n), at, ok)
		}
	}
}

// Stats counts keys and pairs as the limits do: of the series that are there.
func TestStatsCountWhatIsThere(t *testing.T) {
	x := index.New(index.Limits{Keys: 10, Values: 10, Pairs: 10})
	want := func(series, keys, pairs, values int) {
		t.Helper()
		if s := x.Stats(); s.Series != series || s.Keys != keys || s.Pairs != pairs || s.Values != values {
			t.Errorf("got %+v, want %d series, %d keys, %d pairs, %d values", s, series, keys, pairs, values)
		}
	}
	both := map[uint32][]uint32{}
	for ref, tagged := range []tags.Tags{tags.Of("name", "a", "zone", "x"), tags.Of("name", "b")} {
		pairs, err := x.Intern(nil, tagged)
		if err != nil {
			t.Fatal(err)
		}
		x.Add(uint32(ref), pairs)
		both[uint32(ref)] = pairs
	}
	want(2, 2, 3, 2)
	x.Remove(0, both[0])
	want(1, 1, 1, 1)
	x.Remove(1, both[1])
	want(0, 0, 0, 0)
}

// Series come and go, and some pairs have users beside them: answers are those
// of a naive list at every moment, and in the end nothing is left.
func TestPairsAreForgotten(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		x := index.New(index.Limits{Keys: 100, Values: 1000, Pairs: 1000})
		type series struct {
			tags  tags.Tags
			pairs []uint32
		}
		live := map[uint32]series{}
		var kept [][]uint32
		highest := uint32(0)
		for i := range 3000 {
			ref := uint32(r.IntN(30))
			if old, ok := live[ref]; ok {
				if r.IntN(3) == 0 {
					x.Retain(old.pairs[:1])
					kept = append(kept, old.pairs[:1])
				}
				x.Remove(ref, old.pairs)
				x.Release(old.pairs)
				delete(live, ref)
			} else {
				ts := tags.Of("name", fmt.Sprint(i/100, r.IntN(3)), fmt.Sprint("key", i/500), fmt.Sprint(r.IntN(5)), "id", fmt.Sprint(i))
				if unknown := x.Unknown(ts); unknown == 0 {
					t.Fatalf("seed %d: the id of %s is known", seed, ts)
				}
				pairs, err := x.Intern(nil, ts)
				if err != nil {
					t.Fatal(err)
				}
				x.Add(ref, pairs)
				live[ref] = series{ts, pairs}
				highest = max(highest, slices.Max(pairs))
			}
			if len(kept) > 5 {
				x.Release(kept[0])
				kept = kept[1:]
			}
			if i%50 != 0 {
				continue
			}
			dict := x.Dictionary()
			values := map[string]int{}
			for ref, s := range live {
				if !dict.Tags(s.pairs).Equal(s.tags) {
					t.Fatalf("seed %d: series %d has tags %s, want %s", seed, ref, dict.Tags(s.pairs), s.tags)
				}
				name, _ := s.tags.Get("name")
				values[name]++
				if got := x.Select(&match.Equal{Key: "name", Value: name}); !got.Contains(ref) {
					t.Fatalf("seed %d: %s does not select series %d", seed, name, ref)
				}
			}
			for _, v := range x.Values("name", match.True, "", 0) {
				if values[v.Value] != v.Count {
					t.Fatalf("seed %d: %d series with name %s, want %d", seed, v.Count, v.Value, values[v.Value])
				}
				delete(values, v.Value)
			}
			if len(values) > 0 {
				t.Fatalf("seed %d: names %v are missing", seed, values)
			}
		}
		if highest > 200 {
			t.Errorf("seed %d: pair numbers up to %d for 30 series", seed, highest)
		}
		for ref, s := range live {
			x.Remove(ref, s.pairs)
			x.Release(s.pairs)
		}
		for _, pairs := range kept {
			x.Release(pairs)
		}
		if n := x.Bytes(); n != 0 || len(x.Keys(match.True, "", 0)) != 0 {
			t.Errorf("seed %d: %d bytes are left", seed, n)
		}
	}
}
