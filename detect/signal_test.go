package detect_test

import (
	"math"
	"slices"
	"testing"

	"pulse/detect/notify"
)

// TestSignalWithoutData: a comparison with no data is no data, not false: it
// resolves nothing, and its no-data alert fires. What the other side of a
// condition decides alone is decided.
func TestSignalWithoutData(t *testing.T) {
	f := func(expr string, others []point, want ...string) {
		t.Helper()
		r := newRig(t, 10_000)
		r.put(`{"id":"low","expr":"` + expr + `","absence_after":"40s"}`)
		var got []string
		for s := int64(10); s <= 200; s += 10 {
			r.at(s*1000 - 300)
			if s <= 60 || s > 160 {
				r.send("a", p(map[bool]float64{true: 10, false: 100}[s <= 60], "name", "temp", "atlas.dstype", "gauge"))
			}
			if others != nil {
				r.send("b", others...)
			}
			r.to(s*1000 + 9_900)
			for _, n := range r.took() {
				got = append(got, n.Type)
				if n.Type == notify.TypeNoData && !math.IsNaN(n.Value) {
					t.Errorf("%s: no data has the value %v", expr, n.Value)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: sent %v, want %v", expr, got, want)
		}
	}
	one := []point{p(1, "name", "other", "atlas.dstype", "gauge")}
	f("name,temp,:eq,:sum,50,:lt", nil, notify.TypeFiring, notify.TypeNoData, notify.TypeResolved, notify.TypeResolved)
	f("50,name,temp,:eq,:sum,:ge", nil, notify.TypeFiring, notify.TypeNoData, notify.TypeResolved, notify.TypeResolved)
	f("name,temp,:eq,:sum,50,:lt,name,other,:eq,:sum,:and", one, notify.TypeFiring, notify.TypeNoData, notify.TypeResolved, notify.TypeResolved)
	f("name,temp,:eq,:sum,50,:lt,name,other,:eq,:sum,5,:gt,:and", one)
	f("name,temp,:eq,:sum,50,:lt,name,other,:eq,:sum,:or", one, notify.TypeFiring)
}
