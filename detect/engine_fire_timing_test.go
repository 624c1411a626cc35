package detect_test

import (
	"fmt"
	"testing"

	"pulse/store"
)

// BenchmarkFire is one closed step in which every group begins to fire, from the
// columns of the store to the committed notifications.
func BenchmarkFire(b *testing.B) {
	for _, groups := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			r := newRig(b, 1000)
			r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
			var refs []store.Ref
			s := int64(0)
			step := func(v float64) {
				s++
				r.at(s*1000 - 300)
				refs = r.many(groups, v, refs)
				r.at(s*1000 + 50)
			}
			for b.Loop() {
				b.StopTimer()
				for range 3 {
					step(100)
					r.engine.Advance(r.now())
				}
				step(10)
				b.StartTimer()
				r.engine.Advance(r.now())
			}
			if got := r.engine.Stats(); got.Firing != groups {
				b.Fatalf("stats %+v", got)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(groups), "ns/group")
		})
	}
}
