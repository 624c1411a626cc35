package store_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pulse/store"
	"pulse/store/block"
)

// TestZerosInSums: a sum over sealed blocks, of which most are 0 throughout, is
// what it was over the head to the last bit: beside values of which the order
// matters, where nothing but zeros is, and where there is nothing but -0.
func TestZerosInSums(t *testing.T) {
	const step, series0, groups = 10_000, 1600, 3
	s := open(t, store.Options{Step: step})
	random := rand.New(rand.NewPCG(1, 2))
	var refs []store.Ref
	for i := range series0 {
		refs = append(refs, series(t, s, start, "name", "m", "id", fmt.Sprint(i), "group", fmt.Sprint(i%groups), "atlas.dstype", "gauge"))
	}
	now := int64(start)
	for pos := range 2 * block.Size {
		now += step
		var points []point
		for i, ref := range refs {
			v := 0.0
			switch group := i % groups; {
			case group == 0 && i%5 == 0:
				v = math.Ldexp(random.Float64(), random.IntN(60)-30)
			case group == 1 && pos >= block.Size:
				v = math.Copysign(0, -1)
			case group == 2 && i%7 == 0 && pos%11 == 0:
				continue
			}
			points = append(points, point{ref, now, v})
		}
		send(s, 0, now, points...)
	}
	query := func(by []string) (out []uint64) {
		for _, l := range scan(t, s, store.Scan{Query: named("m"), By: by, Agg: store.AggSum, Start: start, End: now}) {
			for _, v := range l.Values {
				out = append(out, math.Float64bits(v))
			}
		}
		return out
	}
	lines := [][]string{nil, {"group"}}
	var heads [][]uint64
	for _, by := range lines {
		heads = append(heads, query(by))
	}
	settle(t, s, now+3_600_000)
	for k, by := range lines {
		head, sealed := heads[k], query(by)
		if len(head) == 0 || len(head) != len(sealed) {
			t.Fatalf("%d values from the head, %d from blocks", len(head), len(sealed))
		}
		for i := range head {
			if head[i] != sealed[i] {
				t.Fatalf("by %v, value %d: %#x from the head, %#x from blocks", by, i, head[i], sealed[i])
			}
		}
	}
	if s.Stats().Blocks == 0 {
		t.Error("nothing was sealed")
	}
}
