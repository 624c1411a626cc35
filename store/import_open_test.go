package store_test

import (
	"testing"

	"pulse/store"
	"pulse/store/disk/faulty"
	"pulse/store/match"
)

// An import into open blocks is taken in full, also when it has some of them
// sealed, since nobody called Advance for long.
func TestImportIntoMoreOpenBlocksThanThereMayBe(t *testing.T) {
	a := logged(t, faulty.New(1), store.Sync, 200)
	defer a.Close()
	var x, y store.Ref // of one partition
	for i, ref := range a.refs {
		for _, other := range a.refs[:i] {
			if other>>26 == ref>>26 && i%3 == 1 {
				x, y = other, ref
			}
		}
	}
	if x == y {
		t.Fatal("no two series in one partition")
	}
	at := start + archStep
	for range 4 {
		b := store.Batch{Source: a.source, Arrival: at}
		b.Add(x, at, 1)
		if _, err := a.Commit(&b, at); err != nil {
			t.Fatal(err)
		}
		at += 2 * archBlock
	}
	first := start + 2*archStep
	r, err := a.Import(&store.ImportBatch{Lines: []store.ImportLine{
		{Ref: x, Times: []int64{at}, Values: []float64{7}},
		{Ref: y, Times: []int64{first}, Values: []float64{8}},
	}}, at+5*archStep)
	if err != nil || r.Accepted != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, want := range []struct {
		at int64
		v  float64
	}{{first, 8}, {at, 7}} {
		if got := one(t, a.Store, store.Scan{Query: match.True, Start: want.at - archStep, End: want.at}); !same(got, []float64{want.v}) {
			t.Errorf("at +%d s: %v, want %v", (want.at-start)/sec, got, want.v)
		}
	}
}
