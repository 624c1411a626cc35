package store_test

import (
	"errors"
	"runtime"
	"testing"

	"pulse/store"
	"pulse/store/disk/faulty"
	"pulse/store/match"
	"pulse/store/wal"
)

// An operation that no record has room for fails alone, whatever is written
// with it.
func TestTooLargeForTheLog(t *testing.T) {
	a := logged(t, faulty.New(1), store.Sync, 4)
	defer a.Close()
	huge := make([]byte, wal.MaxPayload)
	commit := func(i int) func() error {
		return func() error {
			b := store.Batch{Source: a.source, Arrival: start + archStep}
			b.Add(a.refs[i], start+archStep, 2)
			_, err := a.Commit(&b, start+archStep)
			return err
		}
	}
	operations := []func() error{
		commit(0),
		func() error { return a.Mark([]byte("before"), nil) },
		commit(1),
		func() error { return a.Mark(huge, nil) },
		commit(3),
		func() error { return a.Mark(huge, nil) },
		func() error { return a.Mark([]byte("behind"), nil) },
	}
	errs := make([]chan error, len(operations))
	a.Between(func() {
		for i, op := range operations {
			errs[i] = make(chan error, 1)
			before := a.Durability()
			go func() { errs[i] <- op() }()
			for { // the first waits to be applied, the others for it
				now := a.Durability()
				if i == 0 && now.Log.Records > before.Log.Records || i > 0 && now.Waiting >= i {
					break
				}
				runtime.Gosched()
			}
		}
	})
	for i, c := range errs {
		err := <-c
		if large := i == 3 || i == 5; large != errors.Is(err, store.ErrTooLarge) || !large && err != nil {
			t.Errorf("operation %d: %v", i, err)
		}
	}
	if h := a.Health(); h.Degraded {
		t.Errorf("%+v", h)
	}
	if got := one(t, a.Store, store.Scan{Query: match.True, Agg: store.AggCount, Start: start, End: start + archStep}); !same(got, []float64{3}) {
		t.Errorf("%v series, want 3", got)
	}
}
