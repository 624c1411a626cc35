package store_test

import (
	"errors"
	"flag"
	"fmt"
	"testing"

	"pulse/store"
	"pulse/store/disk/faulty"
)

var allCrashes = flag.Bool("crashes", false, "TestCrash loses power at every operation instead of at some")

const (
	crashSteps = 70 // of a script
	fewCrashes = 40 // of a script, without -crashes
	crashSeeds = 4  // scripts of each mode
)

// TestCrash loses power, or is killed, in the middle of one operation of the
// disk after the other, also while it recovers from the time before. What was
// acknowledged is there afterwards and what was refused is not; of what had no
// answer all is there or nothing.
func TestCrash(t *testing.T) {
	for _, power := range []bool{true, false} {
		for seed := range uint64(crashSeeds) {
			t.Run(fmt.Sprintf("power=%v/seed=%d", power, seed), func(t *testing.T) {
				t.Parallel()
				c := crasher{t: t, seed: seed, power: power}
				last := c.count()
				stride := 1
				if !*allCrashes {
					stride = max(1, last/fewCrashes)
				}
				for at := int(seed) % stride; at < last; at += stride {
					c.run(at)
				}
			})
		}
	}
}

// crasher runs one script again and again.
type crasher struct {
	t     *testing.T
	seed  uint64
	power bool // it is lost; else the process is killed
	prep  func(*faulty.FS)
}

func (c *crasher) rig(fs *faulty.FS) *rig {
	r := newRig(c.t, fs, c.seed)
	if !c.power && c.seed%2 == 1 {
		r.mode = store.Interval // a kill loses nothing of it
	}
	if c.prep != nil {
		c.prep(fs)
	}
	return r
}

// count returns how many operations the disk sees when nothing happens.
func (c *crasher) count() int {
	fs := faulty.New(c.seed)
	r := c.rig(fs)
	if err := c.script(r); err != nil {
		c.t.Fatal(err)
	}
	_ = r.s.Close()
	return fs.Ops()
}

// script is open and what a server does for a while.
func (c *crasher) script(r *rig) error {
	if err := r.open(); err != nil {
		return err
	}
	for range crashSteps {
		if err := r.step(); err != nil {
			return err
		}
	}
	return nil
}

// run loses power at one operation, then perhaps again while it recovers, then
// looks, goes on for a while, and does it once more.
func (c *crasher) run(at int) {
	fs := faulty.New(c.seed)
	fs.CrashAt(at)
	r := c.rig(fs)
	err := c.script(r)
	if err != nil && !errors.Is(err, faulty.ErrCrashed) {
		c.t.Fatalf("crash at %d: %v", at, err)
	}
	for round := range 2 {
		when := fmt.Sprintf("power %v, seed %d, crash at %d, round %d", c.power, c.seed, at, round)
		fs = c.lose(r, fs, uint64(at+round))
		for again := range 3 {
			if again < 2 {
				fs.CrashAt(fs.Ops() + r.rng.IntN(12))
			}
			r.fs = fs
			err := r.open()
			if err == nil {
				break
			}
			if !errors.Is(err, faulty.ErrCrashed) {
				c.t.Fatalf("%s, recovery: %v", when, err)
			}
			fs = c.lose(nil, fs, uint64(at+again))
		}
		fs.CrashAt(1 << 40)
		c.compare(r, when)
		r.doubt = nil
		fs.CrashAt(fs.Ops() + r.rng.IntN(60))
		for range 30 {
			if r.step() != nil {
				break
			}
		}
	}
	_ = r.s.Close()
}

func (c *crasher) lose(r *rig, fs *faulty.FS, seed uint64) *faulty.FS {
	var after *faulty.FS
	if c.power {
		after = fs.Crash(seed)
	} else {
		after = fs.Kill(seed)
	}
	if r != nil && r.s != nil {
		_ = r.s.Close()
		r.s = nil
	}
	return after
}

// compare compares the store with its twin, with and without what had no
// answer.
func (c *crasher) compare(r *rig, when string) {
	c.t.Helper()
	r.checkMarks()
	r.pass(0)
	got, without := r.dump(r.s), r.dump(r.twin)
	if got == without {
		return
	}
	if r.doubt != nil {
		r.doubt()
	}
	if with := r.dump(r.twin); got != with {
		c.t.Fatalf("%s, %+v: with what had no answer %s\nand without it %s", when, r.lastGot, firstDifference(got, with), firstDifference(got, without))
	}
}
