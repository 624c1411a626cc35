package detect_test

import (
	"fmt"
	"testing"

	"pulse/store"
)

// BenchmarkClose is one closed step, from the columns of the store to the state
// of every alert; nothing changes in it.
func BenchmarkClose(b *testing.B) {
	for _, c := range []struct{ rules, groups int }{{1, 1}, {1, 10_000}, {1_000, 10}} {
		b.Run(fmt.Sprintf("rules=%d/groups=%d", c.rules, c.groups), func(b *testing.B) {
			r := newRig(b, 1000)
			for i := range c.rules {
				r.put(fmt.Sprintf(`{"id":"r%d","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"double-exponential"}}`, i))
			}
			var refs []store.Ref
			s := int64(0)
			step := func() {
				s++
				r.at(s*1000 - 300)
				refs = r.many(c.groups, 100, refs)
				r.at(s*1000 + 50)
			}
			for range 10 {
				step()
				r.engine.Advance(r.now())
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				step()
				r.store.Advance(r.now())
				b.StartTimer()
				r.engine.Advance(r.now())
			}
			if got := r.engine.Stats(); got.Groups != c.rules*c.groups || got.Closed < int64(c.rules) {
				b.Fatalf("stats %+v", got)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.rules*c.groups), "ns/group")
		})
	}
}
