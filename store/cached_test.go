package store_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

// neighbour returns the tags of a series named x, another one for every kind, that
// stands in the first partition.
func neighbour(kind string) tags.Tags {
	for i := 0; ; i++ {
		t := tags.Of("name", "x", "kind", kind, "id", fmt.Sprint(i), "atlas.dstype", "gauge")
		if t.Hash()>>58 == 0 {
			return t
		}
	}
}

// A series that came after a scan had selected its own is in the next one, even
// when its values are in blocks that the first scan read.
func TestCacheOfASeriesThatComesDuringAScan(t *testing.T) {
	const steps = 3 * 120
	s := open(t, store.Options{Step: 10_000, MaxPast: 10_000, Cache: 32 << 20})
	s.CacheAll()
	a := resolve(t, s, start, neighbour("a"))
	now := start
	for range steps {
		now += 10_000
		send(s, 0, now, point{a, now, 1})
		s.Advance(now)
	}
	for range 64 {
		s.Advance(now)
	}
	came := false
	q := store.Scan{Query: named("x"), Start: start, End: start + 120*10_000}
	q.Reserve = func(int64) error {
		if !came {
			came = true
			b := resolve(t, s, now, neighbour("b"))
			imported(t, s, now, store.ImportLine{Ref: b, Times: []int64{start + 10_000}, Values: []float64{5}})
		}
		return nil
	}
	if _, stats, err := s.Scan(context.Background(), q); err != nil || stats.Series != 1 {
		t.Fatal(stats, err)
	}
	if got := one(t, s, q); got[0] != 6 || got[1] != 1 {
		t.Errorf("values %v, want 6 and 1", got[:2])
	}
}

// A scan that begins behind the last value of a series which only coarser tiers
// have does not keep the block without that series.
func TestCacheOfAFadedSeries(t *testing.T) {
	const minute, hour = 60_000, 3_600_000
	tiers := []store.Tier{{Step: 10_000, Retention: hour}, {Step: minute, Retention: 100 * hour}}
	s := open(t, store.Options{Tiers: tiers, MaxPast: 10_000, Cache: 32 << 20})
	s.CacheAll()
	a := resolve(t, s, start, neighbour("a"))
	b := resolve(t, s, start, neighbour("b"))
	now := start
	for range 10 * hour / 10_000 {
		now += 10_000
		points := []point{{a, now, 1}}
		if now <= start+hour/2 {
			points = append(points, point{b, now, 5})
		}
		send(s, 0, now, points...)
		s.Advance(now)
	}
	q := store.Scan{Query: named("x"), Tier: 1, Agg: store.AggMax, Field: store.FieldMax, Start: start + hour, End: start + 2*hour}
	_, stats, err := s.Scan(context.Background(), q)
	if err != nil || stats.Series != 1 {
		t.Fatalf("%+v, %v: the series is not pruned", stats, err)
	}
	q.Start = start
	if got := one(t, s, q); got[0] != 5 || got[60] != 1 {
		t.Errorf("values %v and %v, want 5 and 1", got[0], got[60])
	}
}

// The text of a long query is not kept with each block time, nor made for each.
func TestCacheOfALongQuery(t *testing.T) {
	s := open(t, store.Options{Cache: 32 << 20})
	s.CacheAll()
	resolve(t, s, start, neighbour("a"))
	values := []string{"x"}
	for i := range 4000 {
		values = append(values, strings.Repeat("y", 100)+fmt.Sprint(i))
	}
	q := store.Scan{Query: match.NewIn("name", values), Start: start - 200*120*10_000, End: start}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	one(t, s, q)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("a scan of %d steps allocated %d bytes", (q.End-q.Start)/10_000, n)
	}
}
