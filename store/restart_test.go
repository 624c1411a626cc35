package store_test

import (
	"context"
	"fmt"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/disk/faulty"
)

// step does one thing that a server does.
func (r *rig) step() error {
	switch n := r.rng.IntN(40); {
	case n < 20:
		return r.publish()
	case n < 22:
		return r.backfill()
	case n < 34:
		r.pass(200 + r.rng.Int64N(1800))
	case n < 35:
		r.pass(20_000 + r.rng.Int64N(200_000))
	case n < 37:
		return r.mark()
	case n < 39:
		err := r.s.Snapshot(context.Background())
		if r.afterSnapshot != nil {
			r.afterSnapshot(r.s)
		}
		return err
	default:
		for range 70 { // time enough to seal what is due
			r.pass(1000)
		}
	}
	return nil
}

// TestRestart restarts now and then, by closing and by being killed: nothing
// that was acknowledged is different afterwards, and nothing that was not is
// there.
func TestRestart(t *testing.T) {
	first, seeds := uint64(0), uint64(8)
	switch { // seed 3 brings series back
	case testkit.Race:
		first, seeds = 3, 4
	case testing.Short():
		seeds = 4
	}
	for _, mode := range []store.Durability{store.Sync, store.Interval} {
		for seed := first; seed < seeds; seed++ {
			t.Run(fmt.Sprintf("%v/seed=%d", mode, seed), func(t *testing.T) {
				fs := faulty.New(seed)
				r := newRig(t, fs, seed)
				r.mode, r.back = mode, seed%4 == 3
				if err := r.open(); err != nil {
					t.Fatal(err)
				}
				for i := range 600 {
					if err := r.step(); err != nil {
						t.Fatal(err)
					}
					if i%50 != 49 {
						continue
					}
					r.equal("before the restart")
					before := r.dump(r.s)
					if r.rng.IntN(2) == 0 {
						if err := r.s.Close(); err != nil {
							t.Fatal(err)
						}
					} else {
						fs = fs.Kill(seed + uint64(i))
						_ = r.s.Close()
						r.fs = fs
					}
					if err := r.open(); err != nil {
						t.Fatal(err)
					}
					r.checkMarks()
					if after := r.dump(r.s); after != before {
						t.Fatalf("restart %d, %+v: %s", i/50, r.lastGot, firstDifference(after, before))
					}
					r.pass(0)
					r.equal(fmt.Sprintf("after restart %d, %+v", i/50, r.lastGot))
				}
			})
		}
	}
}
