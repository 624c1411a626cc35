package store_test

import (
	"context"
	"slices"
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/budget"
	"pulse/store/match"
)

// The lines of whole sealed blocks are read once, until something is written
// into one of them.
func TestScansAreCached(t *testing.T) {
	const n, steps = 2000, 4*block.Size + 20
	f := fillWith(t, store.Options{NewSeriesRate: -1, Cache: 32 << 20}, n, steps)
	for range 100 {
		f.s.Advance(f.now)
	}
	const length = block.Size * 10 * sec
	begin := f.now / length * length // of the block that is open
	q := store.Scan{Query: match.True, By: []string{"cell"}, Start: begin - 2*length - 40*10*sec, End: f.now}
	read := func(wantCached int64) []store.Line {
		t.Helper()
		lines, stats, err := f.s.Scan(context.Background(), q)
		if err != nil || stats.Cached != wantCached {
			t.Fatalf("%v, %+v, want %d block times from the cache", err, stats, wantCached)
		}
		return lines
	}
	before := read(0)
	q.Start += 10 * sec // the range moves on
	for i, l := range read(3) {
		if !slices.Equal(l.Values, before[i].Values[1:]) {
			t.Fatalf("%v: %v, before %v", l.Tags, l.Values, before[i].Values[1:])
		}
	}
	q.Agg = store.AggMax
	read(0)
	q.Agg = store.AggSum

	at := begin - length/2
	line := store.ImportLine{Ref: f.batch.Refs[7], Times: []int64{at}, Values: []float64{1e6}}
	if r, err := f.s.Import(&store.ImportBatch{Lines: []store.ImportLine{line}}, f.now); err != nil || r.Accepted != 1 {
		t.Fatal(r, err)
	}
	cell := slices.IndexFunc(before, func(l store.Line) bool { v, _ := l.Tags.Get("cell"); return v == "7" })
	if v := read(2)[cell].Values[(at-q.Start)/(10*sec)-1]; v < 1e6 {
		t.Errorf("%v was imported, the line says %v", 1e6, v)
	}
	read(3)
	if st := f.s.Stats().Cache; st.Hits != 8 || st.Misses != 7 || st.Bytes == 0 {
		t.Errorf("%+v", st)
	}
}

// The memory of the cache is part of the store's, and goes when the store is closed.
func TestMemoryOfTheCache(t *testing.T) {
	const cache = 32 << 20
	used := func(cache int64) int64 {
		o := store.Options{NewSeriesRate: -1, Cache: cache, Memory: budget.New(1 << 30)}
		open(t, o)
		return o.Memory.Used()
	}
	if n := used(cache) - used(0); n != cache {
		t.Errorf("%d bytes are charged for a cache of %d", n, cache)
	}
	f := fillWith(t, store.Options{NewSeriesRate: -1, Cache: cache}, 1000, 2*block.Size)
	for range 100 {
		f.s.Advance(f.now)
	}
	scan(t, f.s, store.Scan{Query: match.True, Start: f.now - 2*block.Size*10*sec, End: f.now})
	if f.s.Stats().Cache.Bytes == 0 {
		t.Fatal("nothing is in the cache")
	}
	if err := f.s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"", " after a scan"} {
		if n := f.s.Stats().Cache.Bytes; n != 0 {
			t.Errorf("the cache of a closed store has %d bytes%s", n, when)
		}
		scan(t, f.s, store.Scan{Query: match.True, Start: f.now - 2*block.Size*10*sec, End: f.now})
	}
}
