package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/match"
	"pulse/store/tags"
)

// A sender that calls itself by ever new names does not make every series
// remember all of them.
func TestLinksAreBounded(t *testing.T) {
	s := open(t, store.Options{})
	byPartition := map[store.Ref][]point{}
	for i := range 1000 {
		ref := series(t, s, start, "name", "m", "id", fmt.Sprint(i), "atlas.dstype", "gauge")
		byPartition[ref>>26] = append(byPartition[ref>>26], point{ref, start, 1})
	}
	points := byPartition[0]
	if len(points) < 10 {
		t.Fatalf("%d series", len(points))
	}
	for i := range 5000 {
		send(s, s.Source(fmt.Sprint("name ", i), start), start, points...)
	}
	if n := s.Links(); n < 30_000 || n > 40_000 {
		t.Errorf("%d links for %d series", n, len(points))
	}
}

func TestTagLimits(t *testing.T) {
	s := open(t, store.Options{MaxKeys: 3})
	series(t, s, start, "name", "m", "a", "1", "b", "2")
	series(t, s, start, "name", "m", "a", "2", "b", "3")
	wantLimit(t, refusal(s, "name", "m", "c", "1"), "tag keys")
	if st := s.Stats(); st.Keys != 3 || st.Series != 2 {
		t.Errorf("%+v", st)
	}

	s = open(t, store.Options{MaxPairs: 5})
	series(t, s, start, "name", "m", "a", "1", "b", "2")
	series(t, s, start, "name", "m", "a", "2", "b", "3")
	series(t, s, start, "name", "m", "a", "1", "b", "3")
	wantLimit(t, refusal(s, "name", "m", "a", "3"), "tag pairs")
	if st := s.Stats(); st.Pairs != 5 || st.Series != 3 {
		t.Errorf("%+v", st)
	}
}

// refusal returns the error of a new series.
func refusal(s *store.Store, keysAndValues ...string) error {
	ts := tags.Of(keysAndValues...)
	_, err := s.Resolve(s.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, start)
	return err
}

// Infinities of both signs have no sum; what was there stays.
func TestSumOfInfinities(t *testing.T) {
	s := open(t, store.Options{})
	ref := series(t, s, start, "name", "m", "atlas.dstype", "sum")
	inf := math.Inf(1)
	if r := send(s, 0, start, point{ref, start, inf}, point{ref, start, -inf}, point{ref, start, 1}); (r != store.Result{Stored: 1, Superseded: 2}) {
		t.Errorf("%+v", r)
	}
	if got := one(t, s, store.Scan{Query: named("m"), Start: start - 10*sec, End: start}); !same(got, []float64{inf}) {
		t.Errorf("reads %v", got)
	}
}

// A range that no memory could hold is refused and not tried.
func TestScanOfAllTime(t *testing.T) {
	s := open(t, store.Options{})
	series(t, s, start, "name", "m")
	const end = math.MaxInt64 / 10_000 * 10_000
	for _, q := range []store.Scan{{Start: -end, End: end}, {Start: 0, End: end}, {Start: 0, End: end, MaxDatapoints: 1e6}} {
		q.Query = match.True
		if _, _, err := s.Scan(context.Background(), q); !errors.Is(err, store.ErrLimit) {
			t.Errorf("(%d, %d]: %v", q.Start, q.End, err)
		}
	}
}

// A series that comes back belongs to the group that it had.
func TestWatchOfAllKnowsSeriesAgain(t *testing.T) {
	const blockMs = block.Size * 1000
	s := open(t, store.Options{Step: 1000, Retention: 2 * blockMs})
	defer s.Hold().Release()
	w := s.Watch(store.WatchSpec{Query: named("m"), Agg: store.AggAll})
	ref := series(t, s, start, "name", "m")
	now := start
	for range 3 {
		send(s, 0, now, point{ref, now, 1})
		for range 4 * block.Size {
			now += 1000
			s.Advance(now)
		}
		if n := s.Stats().Series; n > 0 {
			t.Fatalf("%d series", n)
		}
	}
	if g := w.Groups(); len(g) != 1 {
		t.Errorf("groups %v of one series", g)
	}
	send(s, 0, now, point{ref, now, 7})
	if got := w.Column(now, false, nil); !same(got, []float64{7}) {
		t.Errorf("column %v", got)
	}
}

// Zeros begin at the earliest value, not at the one that arrived first.
func TestZerosBeginAtTheEarliestValue(t *testing.T) {
	f := newFleet(t, "a")
	for i := int64(1); i <= 5; i++ {
		at := start + i*10*sec
		send(f.s, f.s.Source("a", at), at, point{f.refs["a"][2], at, 1})
	}
	at := start + 50*sec
	for _, d := range []int64{0, 30} {
		send(f.s, f.s.Source("a", at), at, point{f.refs["a"][0], at - d*sec, 5})
	}
	got := one(t, f.s, store.Scan{Query: named("sps"), ZeroFill: true, Start: start, End: at})
	if !same(got, []float64{nan, 5, 0, 0, 5}) {
		t.Errorf("sps reads %v", got)
	}
}
