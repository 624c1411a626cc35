package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

const (
	busyWriters = 4
	busySteps   = 300
	busyPoints  = 20 // per writer and step
	busyRound   = 50 // steps before writers wait for each other, well inside the age limit
)

// TestConcurrentUse is for the race detector, and checks that nothing is lost:
// writers create and append, readers scan, watch and look up, and time passes.
func TestConcurrentUse(t *testing.T) {
	s := open(t, store.Options{Step: 100, NewSeriesRate: -1})
	w := s.Watch(store.WatchSpec{Query: named("m"), By: []string{"writer"}})
	done := make(chan struct{})
	var reading sync.WaitGroup
	for k := range 2 {
		reading.Go(func() { readBusily(t, s, w, k == 0, done) })
	}
	for from := int64(1); from <= busySteps; from += busyRound {
		var writing sync.WaitGroup
		for k := range busyWriters {
			writing.Go(func() { writeBusily(t, s, k, from, from+busyRound) })
		}
		writing.Wait()
	}
	close(done)
	reading.Wait()
	lines := scan(t, s, store.Scan{Query: named("m"), By: []string{"writer"}, Start: start, End: start + busySteps*100})
	if len(lines) != busyWriters {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		for i, v := range l.Values {
			if v != busyPoints*10 {
				t.Fatalf("%v step %d reads %v, want %v", l.Tags, i, v, busyPoints*10)
			}
		}
	}
}

// writeBusily sends the steps [from, to) of writer k, which begins a new series
// now and then.
func writeBusily(t *testing.T, s *store.Store, k int, from, to int64) {
	var b store.Batch
	for i := from; i < to; i++ {
		now := start + i*100
		b.Reset()
		b.Source, b.Arrival, b.Amount = s.Source(fmt.Sprint("writer ", k), now), now, true
		var trail store.Trail
		for j := range busyPoints {
			id := j + int(i)/50
			raw := fmt.Appendf(nil, "%d/%d", k, id)
			ref, ok := s.Follow(&trail, store.Hash{}, raw)
			if !ok {
				ts := tags.Of("name", "m", "writer", fmt.Sprint(k), "id", fmt.Sprint(id), "atlas.dstype", "sum")
				var err error
				if ref, err = s.Resolve(s.HashTags(store.Hash{}, raw), ts, now); err != nil {
					t.Error(err)
					return
				}
			}
			b.Add(ref, now, 1)
		}
		if r := s.Append(&b, now); r.Stored != busyPoints {
			t.Errorf("writer %d step %d: %+v", k, i, r)
		}
		s.Advance(now)
	}
}

// readBusily asks in every way until done is closed.
func readBusily(t *testing.T, s *store.Store, w *store.Watch, fill bool, done <-chan struct{}) {
	var column []float64
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		q := store.Scan{Query: named("m"), By: []string{"writer"}, ZeroFill: fill, Start: start, End: start + busySteps*100}
		lines, _, err := s.Scan(context.Background(), q)
		if err != nil {
			t.Error(err)
			return
		}
		for _, l := range lines {
			for _, v := range l.Values {
				if v > busyPoints*10 {
					t.Errorf("more than was sent: %v", v)
				}
			}
		}
		at := start + int64(i%busySteps)*100
		column = w.Column(at, true, column)
		w.Completeness(at, at)
		w.Groups()
		s.Stats()
		s.Keys(match.True, "", 0)
		other := s.Watch(store.WatchSpec{Query: match.True, Agg: store.AggAll})
		other.Column(at, false, nil)
		other.Close()
	}
}
