package detect_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pulse/detect"
	"pulse/detect/algo"
	"pulse/store"
	"pulse/store/tags"
)

// month fills the rig's store, which has a step of one minute, with 100 groups of
// starts per second over 30 days.
func (r *rig) month(groups int) (start, end int64) {
	r.t.Helper()
	const minute, steps = 60_000, 30 * 1440
	rnd := rand.New(rand.NewPCG(1, 2))
	var refs []store.Ref
	for i := range groups {
		ts := tags.Of("name", "sps", "atlas.dstype", "gauge", "node", fmt.Sprint("n-", i))
		ref, err := r.store.Resolve(r.store.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, r.now())
		if err != nil {
			r.t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	for s := int64(1); s <= steps; s++ {
		r.at(s*minute - 300)
		r.batch.Reset()
		r.batch.Source, r.batch.Arrival = r.store.Source("a", r.now()), r.now()
		day := 1000 + 600*math.Sin(float64(s%1440)/1440*2*math.Pi)
		for _, ref := range refs {
			r.batch.Add(ref, epoch+s*minute, math.Round(day+20*rnd.NormFloat64()))
		}
		r.store.Append(&r.batch, r.now())
		r.at(s * minute)
		r.store.Advance(r.now())
	}
	r.at((steps + 3) * minute)
	return epoch, epoch + steps*minute
}

func BenchmarkBacktest(b *testing.B) {
	r := newRig(b, 60_000)
	s, err := store.New(store.Options{Step: 60_000, Retention: 35 * 24 * 3600_000})
	if err != nil {
		b.Fatal(err)
	}
	r.store = s
	r.start()
	start, end := r.month(100)
	for _, kind := range algo.Kinds() {
		spec := `{"kind":"` + kind.Name + `"}`
		switch kind.Name {
		case "static":
			spec = `{"kind":"static","below":300}`
		case "compare":
			continue // has a second expression
		}
		rule, err := detect.ParseRuleJSON([]byte(`{"id":"a","expr":"name,sps,:eq,:sum,(,node,),:by","detector":` + spec + `}`))
		if err != nil {
			b.Fatal(err)
		}
		b.Run("month/groups=100/kind="+kind.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, err := r.engine.Backtest(context.Background(), detect.Backtest{Rule: rule, Start: start, End: end})
				if err != nil || out.Judged != 100 || out.Verdicts < 100*43_000 {
					b.Fatalf("%v: %d groups, %d verdicts", err, out.Judged, out.Verdicts)
				}
			}
		})
	}
}
