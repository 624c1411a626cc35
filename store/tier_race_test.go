package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"pulse/store"
	"pulse/store/step"
)

// Readers of every tier, imports, points and the passing of time at once: every
// series holds the same value at all times, so that whatever is read must be it.
func TestImportsWhileTiersAreRead(t *testing.T) {
	const p = 1000
	s := open(t, store.Options{Tiers: []store.Tier{{Step: p, Retention: 300 * p}, {Step: 2 * p, Retention: 700 * p}, {Step: 4 * p, Retention: 100_000 * p}}})
	var refs []store.Ref
	for i := range 20 {
		refs = append(refs, series(t, s, start, "name", "m", "id", fmt.Sprint(i), "atlas.dstype", "gauge"))
	}
	var now atomic.Int64
	now.Store(start)
	var done atomic.Bool
	var wait sync.WaitGroup
	loop := func(f func(i int) error) {
		wait.Go(func() {
			for i := 0; !done.Load(); i++ {
				if err := f(i); err != nil {
					t.Error(err)
					done.Store(true)
				}
			}
		})
	}
	loop(func(int) error { // the one that time passes for
		at := now.Load() + p
		b := store.Batch{Arrival: at}
		for _, ref := range refs {
			b.Add(ref, at, 7)
		}
		s.Append(&b, at)
		now.Store(at)
		s.Advance(at)
		if at > start+1300*p {
			done.Store(true)
		}
		return nil
	})
	loop(func(i int) error {
		at := now.Load()
		line := store.ImportLine{Ref: refs[i%len(refs)], Step: []int64{p, 2 * p, 4 * p}[i%3]}
		end := step.Floor(max(at-int64(i*37%1200)*p, start+20*p), line.Step)
		if end > at-p {
			return nil
		}
		line.Times, line.Values = []int64{end}, []float64{7}
		r, err := s.Import(&store.ImportBatch{Lines: []store.ImportLine{line}}, at)
		if err == nil && r.Accepted != 1 {
			err = fmt.Errorf("import of %d at %d: %+v", end, at, r)
		}
		return err
	})
	for tier, q := range []store.Scan{
		{Agg: store.AggMax}, {Agg: store.AggMin, Tier: 1, Field: store.FieldMin}, {Agg: store.AggMax, Tier: 2, Field: store.FieldMax}} {
		q.Query = named("m")
		loop(func(int) error {
			every := s.Options().Tiers[tier].Step
			q.End = step.Floor(now.Load(), every)
			q.Start = max(q.End-400*every, step.Floor(start, every))
			lines, _, err := s.Scan(context.Background(), q)
			if err != nil {
				return err
			}
			for _, l := range lines {
				for i, v := range l.Values {
					if v == v && v != 7 {
						return fmt.Errorf("tier %d at %d: %v", tier, q.Start+int64(i+1)*every, v)
					}
				}
			}
			return nil
		})
	}
	wait.Wait()
	end := step.Floor(now.Load(), 20*p)
	for i := range int64(60) {
		s.Advance(now.Load() + i*p)
	}
	for tier, r := range s.Tiers() {
		from := max(step.Ceil(r.From, 20*p), start+40*p)
		q := store.Scan{Query: named("m"), Agg: store.AggCount, Tier: tier, Start: from, End: min(end, step.Floor(r.To, 20*p))}
		for i, v := range one(t, s, q) {
			if v != 20 {
				t.Fatalf("tier %d, step %d of (%d, %d]: %v series", tier, i, q.Start-start, q.End-start, v)
			}
		}
	}
	if s.Patches() != 0 {
		t.Errorf("%d patches are left", s.Patches())
	}
}
