package detect_test

import (
	"bytes"
	"slices"
	"testing"
)

// TestAllIsStored: a checkpoint and the end of the process store every state as of then,
// though the parts of one were on their way: no mark before is read again.
func TestAllIsStored(t *testing.T) {
	for _, end := range []bool{false, true} {
		r := newTapedRig(t, 1000)
		r.put(`{"id":"wide","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"exponential","train":"5s"},"for":"9s","keep":"9s"}`)
		nodes := make([]int, 1100)
		for i := range nodes {
			nodes[i] = i
		}
		for s := int64(1); s <= 12; s++ {
			r.at(s*1000 - 300)
			r.fleet(nodes, func(n int) float64 {
				if s > 8 && n%100 == 1 {
					return 10
				}
				return float64(100 + (n*int(s))%7)
			})
			r.to(s*1000 + 50)
			r.at(s*1000 + 400)
			r.fleet(nodes[:20], func(int) float64 { return 300 }) // too late to be judged
			if s == 11 {
				r.engine.SavePortions(1)
				r.engine.SaveBegin()
				if more, err := r.engine.SavePortion(); err != nil || !more {
					t.Fatalf("all in one portion, or %v", err)
				}
			}
		}
		want := r.engine.State()
		finish := r.engine.Checkpoint
		if end {
			finish = r.engine.Close
		}
		if err := finish(); err != nil {
			t.Fatal(err)
		}
		r.tape.events = slices.DeleteFunc(r.tape.events, func(e event) bool { return e.mark != nil })
		if r.recover(); !bytes.Equal(want, r.engine.State()) {
			t.Errorf("at the end %v: %s", end, difference(want, r.engine.State()))
		}
		_ = r.engine.Close()
	}
}
