package store

import (
	"math/rand/v2"
	"testing"
)

// TestByTags puts slots in and takes them out at random, many under the same hash
// and many at the end of the table, beside a map that does the same.
func TestByTags(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b byTags
		hashes := make([]uint64, 1+r.IntN(400))
		for i := range hashes {
			hashes[i] = r.Uint64()
			if r.IntN(3) == 0 {
				hashes[i] |= 0xFFFFFF00
			}
		}
		under := map[uint32]uint64{} // hash by slot
		for range 5000 {
			slot := r.Uint32N(500)
			if hash, there := under[slot]; there {
				b.remove(hash, slot)
				delete(under, slot)
			} else {
				under[slot] = hashes[r.IntN(len(hashes))]
				b.add(under[slot], slot)
			}
			if b.used != len(under) {
				t.Fatalf("seed %d: %d slots, want %d", seed, b.used, len(under))
			}
			slot = r.Uint32N(500)
			hash, there := under[slot]
			if !there {
				hash = hashes[r.IntN(len(hashes))]
			}
			if got, found := b.find(hash, func(n uint32) bool { return n == slot }); found != there || found && got != slot {
				t.Fatalf("seed %d: slot %d: %d, %v, want %v", seed, slot, got, found, there)
			}
		}
	}
}
