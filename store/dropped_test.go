package store_test

import (
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/disk/faulty"
	"pulse/store/match"
)

// What was imported from before the oldest file is there at the primary step
// after the process was killed, and more can be imported: only a file that was
// dropped for the budget says that its time is gone.
func TestKillAfterAnImportFromBeforeTheOldestFile(t *testing.T) {
	fs := faulty.New(1)
	a := newAged(t, fs, start+archBlock, 0)
	a.run(6 * archBlock)
	before := start
	value := func(at int64) store.ImportLine {
		return store.ImportLine{Ref: a.refs[0], Times: []int64{at - archStep, at}, Values: []float64{3, 5}}
	}
	check := func(when string, at int64) {
		t.Helper()
		got := one(t, a.Store, store.Scan{Query: match.True, Start: at - 2*archStep, End: at})
		if !same(got, []float64{3, 5}) {
			t.Errorf("%s: %v", when, got)
		}
	}
	if r, err := a.Import(&store.ImportBatch{Lines: []store.ImportLine{value(before)}}, a.now); err != nil || r.Accepted != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	check("imported", before)
	now := a.now
	fs = fs.Kill(2)
	_ = a.Close()
	a = newAged(t, fs, now, 0)
	defer a.Close()
	check("killed", before)
	before -= block.Size * archStep
	if r, err := a.Import(&store.ImportBatch{Lines: []store.ImportLine{value(before)}}, a.now); err != nil || r.Accepted != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	check("imported after the restart", before)
	if from := a.Tiers()[0].From; from > before {
		t.Errorf("from %d on, nothing was dropped", from-start)
	}
}
