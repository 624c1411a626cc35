package store_test

import (
	"fmt"
	"sync"
	"testing"

	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

// Many requests bring the same new series at once: each of them gets the same
// reference and finds the series searchable.
func TestResolveAtOnce(t *testing.T) {
	const senders, rounds = 4, 2000
	s := open(t, store.Options{NewSeriesRate: -1})
	for i := range rounds {
		ts := tags.Of("name", "m", "id", fmt.Sprint(i))
		h := s.HashTags(store.Hash{}, ts.AppendKey(nil))
		var refs [senders]store.Ref
		var found [senders]int
		var begin, sending sync.WaitGroup
		begin.Add(1)
		for k := range senders {
			sending.Go(func() {
				begin.Wait()
				ref, err := s.Resolve(h, ts, start)
				if err != nil {
					t.Error(err)
				}
				refs[k] = ref
				found[k] = len(s.Values("id", &match.Equal{Key: "id", Value: fmt.Sprint(i)}, "", 0))
			})
		}
		begin.Done()
		sending.Wait()
		for k := range senders {
			if refs[k] != refs[0] || found[k] != 1 {
				t.Fatalf("round %d: references %v, searchable %v", i, refs, found)
			}
		}
	}
}
