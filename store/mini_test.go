package store_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/block"
	"pulse/store/match"
	"pulse/store/tags"
)

// Steps that cannot be written any more leave their columns, and read as before,
// also when the clock goes back and they are written again.
func TestOldStepsArePacked(t *testing.T) {
	const n, steps = 20_000, 108
	f := fill(t, n, 0)
	f.now += 7 * 10 * sec // blocks have 120 steps, and are packed by halves
	for range steps {
		f.step(t)
	}
	for range 8 {
		f.s.Advance(f.now)
	}
	packed := f.s.Stats().HeadBytes
	if packed > n*8*steps/3 {
		t.Errorf("%d steps of %d series take %d bytes", steps, n, packed)
	}
	q := store.Scan{Query: match.True, Start: f.now - steps*10*sec, End: f.now, By: []string{"cell"}}
	before := scan(t, f.s, q)
	w := f.s.Watch(store.WatchSpec{Query: match.True, By: q.By})
	defer w.Close()
	for _, k := range []int{4, 52, 53, 90, 107} {
		column := w.Column(q.Start+int64(k+1)*10*sec, false, nil)
		for i, g := range w.Groups() {
			for _, l := range before {
				if l.Tags.Compare(g.Tags) == 0 && l.Values[k] != column[i] {
					t.Errorf("%v: the column of step %d has %v, a scan %v", g.Tags, k, column[i], l.Values[k])
				}
			}
		}
		at := q.Start + int64(k+1)*10*sec
		var b store.Batch
		b.Source = f.batch.Source
		b.Add(f.batch.Refs[0], at, 7)
		if r := f.s.Append(&b, at); r.Stored != 1 {
			t.Fatalf("step %d: %+v", k, r)
		}
		before[0].Values[k] += 7
		equalLines(t, before, scan(t, f.s, q))
	}
	for range 64 {
		f.s.Advance(f.now)
	}
	equalLines(t, before, scan(t, f.s, q))
	if bytes := f.s.Stats().HeadBytes; bytes > packed+packed/8 {
		t.Errorf("%d bytes after steps were written late, %d before", bytes, packed)
	}
}

func equalLines(t *testing.T, want, got []store.Line) {
	t.Helper()
	for i, l := range got {
		if !same(l.Values, want[i].Values) {
			t.Fatalf("%v:\n got %v\nwant %v", l.Tags, l.Values, want[i].Values)
		}
	}
}

// Steps are written while they are packed, again and again: no value is lost, and no
// reader sees other than what was written.
func TestWriteWhilePacked(t *testing.T) {
	n, rounds := 4000, 60
	if testkit.Race {
		n, rounds = 1500, 25
	}
	const steps = block.Size - 5
	s := open(t, store.Options{Step: 1000, MaxPast: 2000, NewSeriesRate: -1})
	first := int64(start) / (block.Size * 1000) * block.Size * 1000
	var refs []store.Ref
	for i := range n {
		refs = append(refs, resolve(t, s, first, tags.Of("name", "m", "id", fmt.Sprint(i), "atlas.dstype", "sum")))
	}
	source := s.Source("a", first)
	write := func(at int64) {
		b := store.Batch{Source: source, Arrival: at, Amount: at/1000%2 == 0}
		for _, ref := range refs {
			b.Add(ref, at, 1)
		}
		if r := s.Append(&b, at); r.Stored != n {
			t.Errorf("%+v", r)
		}
	}
	for k := range int64(steps) {
		write(first + (k+1)*1000)
	}
	q := store.Scan{Query: match.True, Start: first, End: first + steps*1000}
	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() { // packs
		for !closed(done) {
			s.Advance(q.End)
		}
	})
	others.Go(func() { // reads
		least := make([]float64, steps)
		for fill := false; !closed(done); fill = !fill {
			q := q
			q.ZeroFill = fill
			lines, _, err := s.Scan(context.Background(), q)
			if err != nil || len(lines) != 1 {
				t.Error(lines, err)
				return
			}
			for i, v := range lines[0].Values {
				if v < least[i] || v > float64(n*(rounds+1)) || v != math.Trunc(v) {
					t.Errorf("step %d is %v, and was %v", i, v, least[i])
					return
				}
				least[i] = v
			}
		}
	})
	want := slices.Repeat([]float64{float64(n)}, steps)
	for round := range rounds {
		k := (round * 37) % steps
		write(first + int64(k+1)*1000)
		want[k] += float64(n)
	}
	close(done)
	others.Wait()
	if lines := scan(t, s, q); !same(lines[0].Values, want) {
		t.Errorf("\n got %v\nwant %v", lines[0].Values, want)
	}
}

func closed(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
