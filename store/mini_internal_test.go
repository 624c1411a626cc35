package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pulse/store/block"
	"pulse/store/tags"
)

// An open block comes back from a snapshot at every step of it, packed as far as it
// was, whatever was written late and packed again before.
func TestSnapshotOfOpenBlock(t *testing.T) {
	const step = 1000
	rng := rand.New(rand.NewPCG(1, 2))
	o := Options{Step: step, MaxPast: 3 * step, NewSeriesRate: -1}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	first := int64(12_000_000) * block.Size * step
	var refs []Ref
	for i := 0; len(refs) < 60; i++ {
		set := tags.Of("name", "m", "id", fmt.Sprint(i), "atlas.dstype", []string{"gauge", "sum"}[i%2])
		if set.Hash()>>58 != 0 {
			continue
		}
		ref, err := s.Resolve(s.HashTags(Hash{}, set.AppendKey(nil)), set, first)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	write := func(at int64) {
		b := Batch{Source: s.Source("a", at), Arrival: at, Amount: rng.IntN(2) == 0}
		for i, ref := range refs {
			switch {
			case i%5 == 0:
				b.Add(ref, at, float64(i))
			case rng.IntN(3) > 0:
				b.Add(ref, at, rng.NormFloat64())
			}
		}
		s.Append(&b, at)
	}
	now := first + 7*step // the first steps stay empty
	packed := 0           // steps, in all snapshots
	for ; now < first+(block.Size+1)*step; now += step {
		write(now)
		if rng.IntN(8) == 0 {
			write(first + step + rng.Int64N(now-first)/step*step) // the clock went back
		}
		if rng.IntN(3) > 0 {
			s.Advance(now)
		}
		packed += sameAfterSnapshot(t, s)
	}
	if packed < 30*block.Size {
		t.Errorf("%d steps were packed in all", packed)
	}
}

// sameAfterSnapshot compares what partition 0 of s has with what comes back from its
// section of a snapshot, and returns how many steps are packed.
func sameAfterSnapshot(t *testing.T, s *Store) (packed int) {
	t.Helper()
	taker := taker{store: s, sealer: sealer{grid: s.grid}}
	taker.take(0)
	again, err := New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	l, err := again.loadSeries(snapshotByMini, 0, taker.encode())
	if err == nil {
		err = l.rest()
	}
	if err != nil {
		t.Fatal(err)
	}
	p, q := &s.parts[0], &again.parts[0]
	if len(q.open) != len(p.open) {
		t.Fatalf("%d open blocks, want %d", len(q.open), len(p.open))
	}
	for n := range p.slots {
		want, got := s.dumpValues(p, uint32(n)), again.dumpValues(q, uint32(n))
		if len(want) != len(got) {
			t.Fatalf("slot %d: %d values, want %d", n, len(got), len(want))
		}
		for i := range want {
			if want[i].step != got[i].step || math.Float64bits(want[i].value) != math.Float64bits(got[i].value) {
				t.Fatalf("slot %d: %v, want %v", n, got[i], want[i])
			}
		}
	}
	for i, b := range p.open {
		for half, m := range b.minis {
			if c := q.open[i].minis[half]; m.arena != nil && (c.from > m.from || c.to < m.to) {
				t.Fatalf("steps %d to %d are packed, %d to %d come back so", m.from, m.to, c.from, c.to)
			}
			packed += m.to - m.from
		}
	}
	again.wipe(0)
	if n := again.pool.packed.Load(); n != 0 {
		t.Fatalf("%d bytes of mini-blocks are counted when there are none", n)
	}
	return packed
}

// A block is packed some partitions at a time, and mini-blocks grow to half of it.
func TestPackingIsSpread(t *testing.T) {
	const step = 1000
	s, err := New(Options{Step: step, MaxPast: step, NewSeriesRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	first := int64(12_000_000) * block.Size * step
	var refs []Ref
	for i := range 2000 {
		set := tags.Of("name", "m", "id", fmt.Sprint(i))
		ref, err := s.Resolve(s.HashTags(Hash{}, set.AppendKey(nil)), set, first)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	packedTo := func() (to [partitions]int) {
		for i := range s.parts {
			for _, m := range s.parts[i].open[0].minis {
				if m.to > 0 {
					to[i] += m.to - m.from
				}
			}
		}
		return to
	}
	var before, now [partitions]int
	for k := range int64(block.Size) {
		b := Batch{Source: s.Source("a", first)}
		for _, ref := range refs {
			b.Add(ref, first+(k+1)*step, float64(k))
		}
		s.Append(&b, first+(k+1)*step)
		for range 8 {
			s.Advance(first + (k+1)*step)
			now = packedTo()
			grown := 0
			for i := range now {
				if now[i] != before[i] {
					grown++
				}
			}
			if grown > 8 {
				t.Fatalf("one Advance made %d mini-blocks of %d partitions", grown, partitions)
			}
			before = now
		}
		for i, n := range now {
			if want := max(0, int(k)-2) / miniSteps * miniSteps; n < want {
				t.Fatalf("after step %d %d steps of partition %d are packed, want %d", k, n, i, want)
			}
		}
	}
}
