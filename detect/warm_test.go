package detect_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"pulse/detect"
	"pulse/store"
)

// TestWarmStartFromTiers: a new rule knows the season from before the primary tier
// at once, is shown what it goes by, and its band begins with the same knowledge; taking
// its time for it makes no difference.
func TestWarmStartFromTiers(t *testing.T) {
	const step, days = 60_000, 12
	usual := func(s int64) float64 {
		return math.Round(1000 + 500*math.Sin(2*math.Pi*float64(s%1440)/1440) + 10*math.Sin(float64(s)*1.7))
	}
	run := func(r *rig) (state []byte, band [][]detect.BandGroup) {
		s, err := store.New(store.Options{Tiers: []store.Tier{{Step: step, Retention: 86_400_000}, {Step: 5 * step, Retention: 30 * 86_400_000}}})
		if err != nil {
			t.Fatal(err)
		}
		r.store = s
		if err := r.engine.Close(); err != nil {
			t.Fatal(err)
		}
		r.start()
		send := func(i int64) {
			r.at(i*step - 300)
			r.send("a", p(usual(i), "name", "sps", "region", "eu"))
			r.at(i*step + 50)
			r.store.Advance(r.now())
		}
		for i := int64(1); i <= days*1440; i++ {
			send(i)
		}
		if from := r.store.Tiers()[0].From; from < epoch+(days-3)*86_400_000 {
			t.Fatalf("the primary tier goes back to %d", from-epoch)
		}
		r.put(`{"id":"auto","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"auto"}}`)
		begin := int64(days * 1440)
		for i := begin + 1; i <= begin+300; i++ {
			send(i)
			for r.engine.Advance(r.now()) <= r.now() {
			}
			if i != begin+1 {
				continue
			}
			groups, err := r.engine.Band(context.Background(), "auto", epoch+(i-1)*step, epoch+i*step, nil)
			if err != nil || len(groups) != 1 {
				t.Fatalf("%v, %d groups", err, len(groups))
			}
			if row := groups[0].Rows[0]; !(math.Abs(row.Expected-usual(i)) < 100) {
				t.Errorf("the first step: %+v, want %v", row, usual(i))
			}
		}
		for _, from := range []int64{-600, 10, 150} {
			groups, err := r.engine.Band(context.Background(), "auto", epoch+(begin+from)*step, epoch+(begin+290)*step, nil)
			if err != nil {
				t.Fatal(err)
			}
			band = append(band, groups)
		}
		return r.engine.State(), band
	}
	state, band := run(newRig(t, step))
	last := func(g []detect.BandGroup) detect.BandRow { return g[0].Rows[len(g[0].Rows)-1] }
	for _, g := range band[1:] {
		if a, b := last(band[0]), last(g); a.Verdict != b.Verdict || a.Value != b.Value {
			t.Errorf("bands from different steps end with %+v and %+v", a, b)
		}
	}
	if again, _ := run(newCostlyRig(t, step, 4_000_000)); !bytes.Equal(state, again) {
		t.Error("learned in pieces it knows something else")
	}
}
