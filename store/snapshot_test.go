package store_test

import (
	"context"
	"testing"

	"pulse/store/disk/faulty"
)

// TestRequestsDuringSnapshot has requests come in while a snapshot is taken, many
// enough for the log to begin new files: none of them is lost with the old ones.
func TestRequestsDuringSnapshot(t *testing.T) {
	for seed := range uint64(4) {
		fs := faulty.New(seed)
		r := opened(t, fs, seed)
		for range 3 {
			began := r.s.Durability().Log.Rotations
			r.during = func() {
				for range 500 {
					if r.s.Durability().Log.Rotations >= began+2 {
						return
					}
					if err := r.publish(); err != nil {
						t.Fatal(err)
					}
				}
				t.Fatal("the log began no file")
			}
			if err := r.s.Snapshot(context.Background()); err != nil {
				t.Fatal(err)
			}
			r.pass(700)
		}
		r.during = nil
		r.again(fs.Crash(seed))
		r.equal("after a power cut")
	}
}
