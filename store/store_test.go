package store_test

import (
	"context"
	"math"
	"testing"

	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

// start is a block boundary of every step that the tests use.
const start = int64(7_200_000) * 200_000

func open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	s, err := store.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// series resolves tags given as keys and values.
func series(t testing.TB, s *store.Store, now int64, keysAndValues ...string) store.Ref {
	t.Helper()
	return resolve(t, s, now, tags.Of(keysAndValues...))
}

func resolve(t testing.TB, s *store.Store, now int64, ts tags.Tags) store.Ref {
	t.Helper()
	ref, err := s.Resolve(s.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, now)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// point is one value of one series.
type point struct {
	ref store.Ref
	t   int64
	v   float64
}

func send(s *store.Store, source store.SourceID, now int64, points ...point) store.Result {
	b := store.Batch{Source: source, Arrival: now}
	for _, p := range points {
		b.Add(p.ref, p.t, p.v)
	}
	return s.Append(&b, now)
}

func sendAmounts(s *store.Store, source store.SourceID, now int64, points ...point) store.Result {
	b := store.Batch{Source: source, Arrival: now, Amount: true}
	for _, p := range points {
		b.Add(p.ref, p.t, p.v)
	}
	return s.Append(&b, now)
}

func scan(t testing.TB, s *store.Store, q store.Scan) []store.Line {
	t.Helper()
	lines, _, err := s.Scan(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// one returns the values of the only line.
func one(t testing.TB, s *store.Store, q store.Scan) []float64 {
	t.Helper()
	lines := scan(t, s, q)
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	return lines[0].Values
}

func named(name string) match.Query { return &match.Equal{Key: "name", Value: name} }

func same(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}

var nan = math.NaN()

func TestOnePublishOneQuery(t *testing.T) {
	s := open(t, store.Options{})
	eu := series(t, s, start, "name", "sps", "region", "eu", "atlas.dstype", "sum")
	us := series(t, s, start, "name", "sps", "region", "us", "atlas.dstype", "sum")
	now := start + 10_000
	r := send(s, 0, now, point{eu, now, 3}, point{us, now, 4}, point{us, now + 1, 5})
	if (r != store.Result{Stored: 3}) {
		t.Fatalf("result %+v", r)
	}
	q := store.Scan{Query: named("sps"), Start: start, End: start + 30_000}
	if got := one(t, s, q); !same(got, []float64{7, 5, nan}) {
		t.Errorf("sum = %v", got)
	}
	q.By = []string{"region"}
	lines := scan(t, s, q)
	if len(lines) != 2 || !same(lines[0].Values, []float64{3, nan, nan}) || lines[1].Tags.String() != "region=us" {
		t.Errorf("by region = %v", lines)
	}
}

func TestSteadySenderOffTheStep(t *testing.T) {
	s := open(t, store.Options{})
	ref := series(t, s, start, "name", "sps")
	src := s.Source("a", start)
	for i := range int64(20) {
		at := start + 7_000 + i*10_000 + []int64{0, 3, 11, 1, 7}[i%5]
		send(s, src, at, point{ref, at, 100})
	}
	got := one(t, s, store.Scan{Query: named("sps"), Start: start + 10_000, End: start + 190_000})
	for i, v := range got {
		if v != 100 {
			t.Fatalf("step %d reads %v, want 100 in %v", i, v, got)
		}
	}
}
