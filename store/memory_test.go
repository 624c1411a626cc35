package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/block"
	"pulse/store/budget"
	"pulse/store/match"
	"pulse/store/tags"
)

func idTags(i int) tags.Tags {
	return tags.Of("name", "m", "node", fmt.Sprint("i-", i/50), "id", fmt.Sprint(i), "atlas.dstype", "sum")
}

// A new series is refused before anything is allocated when the memory is full;
// known ones go on, and who brings the refused ones is known.
func TestMemoryOfSeries(t *testing.T) {
	b := budget.New(32 << 20)
	s := open(t, store.Options{Memory: b, NewSeriesRate: -1})
	var known []store.Ref
	var refused error
	for i := range 100_000 {
		ts := idTags(i)
		ref, err := s.Resolve(s.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, start)
		if err != nil {
			refused = err
			break
		}
		known = append(known, ref)
	}
	wantLimit(t, refused, "bytes of series")
	if n := len(known); n < 14_000 || n > 24_000 {
		t.Errorf("%d series in 32 MiB", n)
	}
	before, pairs := b.Used(), s.Stats().Pairs
	for i := range 1000 {
		ts := tags.Of("name", "bomb", "id", fmt.Sprint("x", i), "region", "eu", "zone", "eu-1a")
		if _, err := s.Resolve(store.Hash{1, uint64(i)}, ts, start); !errors.Is(err, store.ErrLimit) {
			t.Fatal(err)
		}
	}
	st := s.Stats()
	if b.Used() != before || st.Pairs != pairs || st.Refused != 1001 || st.Memory.Refused != 1001 || st.Refusals.ByLimit["bytes of series"] != 1001 {
		t.Errorf("%d bytes in use, %d before; %+v", b.Used(), before, st)
	}
	names, keys := st.Refusals.Names, st.Refusals.Keys
	if len(names) != 2 || names[0] != (store.Offender{Text: "bomb", Count: 1000}) || len(keys) < 2 || keys[0].Text != "id" || keys[0].Count < 1000 || keys[0].Count > 1001 {
		t.Errorf("names %v, keys %v", names, keys)
	}
	now := start
	for range 300 {
		now += 10 * sec
		var batch store.Batch
		for _, ref := range known {
			batch.Add(ref, now, 1)
		}
		if r := s.Append(&batch, now); r.Stored != len(known) {
			t.Fatalf("%+v of %d", r, len(known))
		}
		s.Advance(now)
		if b.Used() > b.Limit()*11/10 {
			t.Fatalf("%d bytes in use, %+v", b.Used(), s.Stats())
		}
	}
	if err := s.CheckMemory(); err != nil {
		t.Error(err)
	}
}

// What is charged is about what series really take, and not less whatever a sender
// makes of their tags.
func TestChargedIsTaken(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector takes memory of its own")
	}
	long := strings.Repeat("x", 100)
	for name, c := range map[string]struct {
		n         int
		tags      func(i int) tags.Tags
		spellings int // names of each
	}{
		"fleet":          {50_000, idTags, 1},
		"long values":    {20_000, func(i int) tags.Tags { return tags.Of("name", fmt.Sprint(long, i), "id", fmt.Sprint(i, long)) }, 1},
		"many keys":      {9_000, func(i int) tags.Tags { return tags.Of("name", "m", fmt.Sprint("key", i), "1") }, 1},
		"pairs of two":   {8_000, tagsOfTwo, 1},
		"many spellings": {50_000, idTags, 4},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New(0)
			before := liveHeap()
			s := open(t, store.Options{Memory: b, NewSeriesRate: -1})
			empty := liveHeap() - before
			for i := range c.n {
				ts := c.tags(i)
				for k := range c.spellings {
					if _, err := s.Resolve(store.Hash{uint64(i+1) * 0x9E3779B97F4A7C15, uint64(k)}, ts, start); err != nil {
						t.Fatal(err)
					}
				}
			}
			taken := liveHeap() - before - empty
			// Columns and blocks are not there yet.
			n := int64(c.n)
			charged := b.Used() - n*s.ActiveCost() - s.Slack()
			if taken > charged || taken < charged/3 {
				t.Errorf("%d bytes are charged for each series, %d are taken", charged/n, taken/n)
			}
			t.Logf("per series: %d bytes charged without columns, %d taken, %d charged for columns", charged/n, taken/n, s.ActiveCost())
			if err := s.CheckMemory(); err != nil {
				t.Error(err)
			}
			runtime.KeepAlive(s)
		})
	}
}

// tagsOfTwo returns the tags of series i of 8,000, most of which one other series has.
func tagsOfTwo(i int) tags.Tags {
	kv := []string{"name", "m", "half", fmt.Sprint(i / 4_000)}
	for k := range 20 {
		kv = append(kv, fmt.Sprint("key", k), fmt.Sprint(i%4_000))
	}
	return tags.Of(kv...)
}

// Series that come and go for a long time take no more memory than those that
// are there at once, whatever is done with them meanwhile.
func TestChurnIsFlat(t *testing.T) {
	most, rounds := 2000, 50
	if testing.Short() || testkit.Race {
		most, rounds = 300, 20
	}
	const step = 1000
	blockMs := int64(block.Size * step)
	b := budget.New(0)
	s := open(t, store.Options{Step: step, Retention: blockMs, MaxSeries: most, NewSeriesRate: -1, Memory: b})
	all := s.Watch(store.WatchSpec{Query: match.True, By: []string{"name"}})
	defer all.Close()
	var used []int64
	var stats []store.Stats
	now := start
	for round := range rounds {
		each := s.Watch(store.WatchSpec{Query: match.True, By: []string{"node"}})
		series := s.Watch(store.WatchSpec{Query: match.True, Agg: store.AggAll})
		var batch store.Batch
		for i := range most {
			id := round*most + i
			if i < 10 {
				id = i // some stay
			}
			ref := resolve(t, s, now, idTags(id))
			batch.Add(ref, now, float64(id))
		}
		batch.Source = s.Source(fmt.Sprint("source ", round%7), now)
		if r := s.Append(&batch, now); r.Stored != most {
			t.Fatalf("round %d: %+v", round, r)
		}
		if got := all.Column(now, false, nil); len(got) != 1 || got[0] != sumOf(batch.Values) {
			t.Fatalf("round %d: column %v, want %v", round, got, sumOf(batch.Values))
		}
		lines := scan(t, s, store.Scan{Query: match.True, Agg: store.AggAll, Start: now - step, End: now})
		if len(lines) != most {
			t.Fatalf("round %d: %d lines, want %d", round, len(lines), most)
		}
		for _, l := range lines {
			if id, _ := l.Tags.Get("id"); fmt.Sprint(l.Values[0]) != id {
				t.Fatalf("round %d: series %s reads %v", round, id, l.Values)
			}
		}
		for range 4 * block.Size {
			now += step
			s.Advance(now)
		}
		each.Close()
		series.Close()
		if err := s.CheckMemory(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		used, stats = append(used, b.Used()), append(stats, s.Stats())
	}
	last, half := stats[rounds-1], stats[rounds/2]
	if last.Series != 0 || last.Slots > 2*most || last.Slots > half.Slots+half.Slots/10 || used[rounds-1] > used[rounds/2]+used[rounds/2]/10 || last.HeadBytes > half.HeadBytes {
		t.Errorf("%d bytes and %+v in the end, %d bytes and %+v half way", used[rounds-1], last, used[rounds/2], half)
	}
	if n := s.TableSize(); n > 64*most {
		t.Errorf("the table of hashes has %d places for %d series", n, most)
	}
}

func sumOf(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum
}

// Series that were given up come back as new ones and obey the limit; those
// whose slots rest still come back as themselves and obey it, too.
func TestReturnObeysMaxSeries(t *testing.T) {
	const step = 1000
	s := open(t, store.Options{Step: step, Retention: 2 * block.Size * step, MaxSeries: 10, NewSeriesRate: -1})
	now := start
	var batch store.Batch
	for i := range 10 {
		batch.Add(resolve(t, s, now, idTags(i)), now, 1)
	}
	s.Append(&batch, now)
	old := batch.Refs
	for s.Stats().Series > 0 {
		now += step
		s.Advance(now)
	}
	if s.Stats().SeriesSeen != 10 {
		t.Fatalf("%+v", s.Stats())
	}
	hash := func(i int) store.Hash { return s.HashTags(store.Hash{}, idTags(i).AppendKey(nil)) }
	if _, ok := s.Find(hash(0)); ok {
		t.Error("a series that is gone is found without being admitted")
	}
	for i := 100; i < 109; i++ {
		resolve(t, s, now, idTags(i))
	}
	if ref := resolve(t, s, now, idTags(3)); ref != old[3] {
		t.Errorf("%d came back as %d", old[3], ref)
	}
	_, err := s.Resolve(hash(4), idTags(4), now)
	wantLimit(t, err, "series")
}

// Requests and scans that began before a series was given up never see
// another in its place.
func TestHoldKeepsSlots(t *testing.T) {
	const step = 1000
	s := open(t, store.Options{Step: step, Retention: block.Size * step, NewSeriesRate: -1})
	now := start
	ref := resolve(t, s, now, idTags(1))
	var batch store.Batch
	batch.Add(ref, now, 1)
	s.Append(&batch, now)
	hold := s.Hold()
	for range 20 * block.Size {
		now += step
		s.Advance(now)
		s.Hold().Release()
	}
	if st := s.Stats(); st.Series != 0 || st.SeriesSeen != 1 {
		t.Fatalf("%+v", st)
	}
	batch.Times[0] = now
	if r := s.Append(&batch, now); r.Stored != 1 {
		t.Fatalf("%+v", r)
	}
	if lines := scan(t, s, store.Scan{Query: match.True, Agg: store.AggAll, Start: now - step, End: now}); len(lines) != 1 || !lines[0].Tags.Equal(idTags(1)) {
		t.Fatalf("%v", lines)
	}
	hold.Release()
	for range 4 * block.Size {
		now += step
		s.Advance(now)
	}
	if st := s.Stats(); st.SeriesSeen != 0 || st.Slots != 1 {
		t.Fatalf("%+v", st)
	}
	batch.Times[0] = now
	if r := s.Append(&batch, now); r.Late != 1 {
		t.Errorf("a point for a slot without a series: %+v", r)
	}
}

// The sketch names what is frequent among any number of texts.
func TestOffenders(t *testing.T) {
	s := open(t, store.Options{MaxSeries: 1, NewSeriesRate: -1})
	resolve(t, s, start, tags.Of("name", "first"))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		ts := tags.Of("name", fmt.Sprint("rare", i), "id", fmt.Sprint(i))
		if r.IntN(10) == 0 {
			ts = tags.Of("name", "frequent", "task", fmt.Sprint(i))
		}
		_, err := s.Resolve(store.Hash{1, 2}, ts, start)
		wantLimit(t, err, "series")
	}
	top := s.Stats().Refusals
	if got := top.Names[0]; got.Text != "frequent" || got.Count < 1700 || got.Count-got.Over > 2300 {
		t.Errorf("%+v", top.Names)
	}
	if len(top.Keys) != 3 || top.Keys[1].Text != "id" || top.Keys[2].Text != "task" {
		t.Errorf("%+v", top.Keys)
	}
	for range 3 { // hours later, others are worse
		start := int64(start) + 5*3600*sec
		for i := range 500 {
			_, _ = s.Resolve(store.Hash{1, 2}, tags.Of("name", "new", "x", fmt.Sprint(i)), start)
		}
	}
	if got := s.Stats().Refusals.Total; got != 21_500 {
		t.Errorf("%d refused", got)
	}
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
