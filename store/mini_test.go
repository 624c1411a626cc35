package store_test

import (
	"testing"

	"pulse/store"
	"pulse/store/match"
)

// Steps that cannot be written any more leave their columns, and read as before,
// also when the clock goes back and they are written again.
func TestOldStepsArePacked(t *testing.T) {
	const n, steps = 20_000, 110
	f := fill(t, n, steps)
	for range 8 {
		f.s.Advance(f.now)
	}
	if bytes := f.s.Stats().HeadBytes; bytes > n*8*steps/2 {
		t.Errorf("%d steps of %d series take %d bytes", steps, n, bytes)
	}
	q := store.Scan{Query: match.True, Start: f.now - steps*10*sec, End: f.now, By: []string{"cell"}}
	before := scan(t, f.s, q)
	w := f.s.Watch(store.WatchSpec{Query: match.True, By: q.By})
	defer w.Close()
	at := q.Start + 5*10*sec
	column := w.Column(at, false, nil)
	for i, g := range w.Groups() {
		for _, l := range before {
			if l.Tags.Compare(g.Tags) == 0 && l.Values[4] != column[i] {
				t.Errorf("%v: a column has %v, a scan %v", g.Tags, column[i], l.Values[4])
			}
		}
	}

	var b store.Batch
	b.Source = f.batch.Source
	b.Add(f.batch.Refs[0], at, 7)
	if r := f.s.Append(&b, at); r.Stored != 1 {
		t.Fatalf("%+v", r)
	}
	for i, l := range scan(t, f.s, q) {
		for k, v := range l.Values {
			want := before[i].Values[k]
			if i == 0 && k == 4 {
				want += 7
			}
			if v != want {
				t.Fatalf("%v: step %d has %v, want %v", l.Tags, k, v, want)
			}
		}
	}
}
