package store_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
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
				switch {
				case testing.Short():
					stride = max(1, 4*last/fewCrashes)
				case !*allCrashes:
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
	t      testing.TB
	seed   uint64
	power  bool // it is lost; else the process is killed
	damage bool // the newest snapshot is damaged on top of it
	prep   func(*rig, *faulty.FS)
}

func (c *crasher) rig(fs *faulty.FS) *rig {
	r := newRig(c.t, fs, c.seed)
	if !c.power && c.seed%2 == 1 {
		r.mode = store.Interval // a kill loses nothing of it
	}
	if c.prep != nil {
		c.prep(r, fs)
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
	if c.damage && r != nil {
		names, _ := after.List("snapshot")
		names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".snap") })
		log, _ := after.List("wal")
		whole := len(log) > 0 && log[0] == "0000000000000001.wal"
		if n := len(names); n > 1 || n == 1 && whole { // not the last that there is: one fault at a time
			name := "snapshot/" + names[n-1]
			size, _ := after.Size(name)
			after.Flip(name, r.rng.Int64N(size*8))
		}
	}
	if c.prep != nil && r != nil {
		c.prep(r, after)
	}
	return after
}

// compare compares the store with its twin, with and without what had no
// answer.
func (c *crasher) compare(r *rig, when string) {
	c.t.Helper()
	// Of two writes that nobody waited for, a loss of power may keep the second.
	if !c.damage && (r.lastGot.Damaged > 0 || r.lastGot.Places > 0 && !c.power) {
		c.t.Fatalf("%s: nothing was damaged, and recovery found %+v", when, r.lastGot)
	}
	r.checkMarks()
	for range 70 { // what the crash kept an Advance from may take some more
		r.pass(0)
	}
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

// TestCrashAndDamage loses power and finds the newest snapshot damaged.
func TestCrashAndDamage(t *testing.T) {
	for seed := range uint64(2) {
		c := crasher{t: t, seed: seed, power: true, damage: true}
		last := c.count()
		for at := last / 3; at < last; at += max(1, last/12) {
			c.run(at)
		}
	}
}

// red is what a rig panics with that found something, when it is not to fail
// the test.
type red string

// redTB takes note of failures instead of failing.
type redTB struct{ testing.TB }

func (redTB) Helper()                      {}
func (redTB) Fatal(args ...any)            { panic(red(fmt.Sprint(args...))) }
func (redTB) Fatalf(f string, args ...any) { panic(red(fmt.Sprintf(f, args...))) }

// TestPlantedFaults breaks the store on purpose: the rig has to notice.
func TestPlantedFaults(t *testing.T) {
	for name, plant := range map[string]struct {
		damage bool
		prep   func(*rig, *faulty.FS)
	}{
		"acknowledged before the sync": {prep: func(_ *rig, fs *faulty.FS) { fs.Skip(faulty.OpSync, "(*Log).sync") }},
		"applied without a record": {prep: func(r *rig, _ *faulty.FS) {
			r.commit = func(b *store.Batch, now int64) (store.Result, error) {
				if r.rng.IntN(3) == 0 {
					return r.s.Append(b, now), nil
				}
				return r.s.Commit(b, now)
			}
		}},
		"log removed for one snapshot": {damage: true, prep: func(r *rig, _ *faulty.FS) { r.afterSnapshot = (*store.Store).TruncateEarly }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			noticed := ""
			for seed := uint64(0); seed < 4 && noticed == ""; seed++ {
				c := crasher{t: redTB{t}, seed: seed, power: true, damage: plant.damage, prep: plant.prep}
				for at := 40; at < 200 && noticed == ""; at += 13 {
					noticed = c.try(at)
				}
			}
			t.Logf("noticed: %.300s", noticed)
			if noticed == "" {
				t.Error("the rig did not notice")
			}
		})
	}
}

// try is run that returns what was found.
func (c *crasher) try(at int) (found string) {
	defer func() {
		if r := recover(); r != nil {
			text, ok := r.(red)
			if !ok {
				panic(r)
			}
			found = string(text)
		}
	}()
	c.run(at)
	return ""
}
