package detect_test

import (
	"bytes"
	"context"
	"fmt"
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

// TestWarmStartAfterPartOfABucket: history that begins within a bucket teaches nothing of
// the part that it lacks, whatever its steps: what is expected at that time of the day is
// what came on the days since.
func TestWarmStartAfterPartOfABucket(t *testing.T) {
	const step, day, days = 60_000, 86_400_000, 8
	for name, c := range map[string]struct{ tier, every, into int64 }{
		"buckets": {tier: 300_000, every: step, into: 180_000},
		"hours":   {tier: 3_600_000, every: step, into: 2_400_000},
		"long":    {tier: 300_000, every: 300_000, into: 180_000},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, step)
			var err error
			if r.store, err = store.New(store.Options{Tiers: []store.Tier{{Step: step, Retention: day}, {Step: c.tier, Retention: 30 * day}}}); err != nil {
				t.Fatal(err)
			}
			if err := r.engine.Close(); err != nil {
				t.Fatal(err)
			}
			r.start()
			usual := func(at int64) float64 {
				return math.Round(1000 + 500*math.Sin(2*math.Pi*float64(at%day)/day) + 10*math.Sin(float64(at)/35_000))
			}
			send := func(at int64) {
				r.at(at - 300)
				r.send("a", p(usual(at), "name", "sps"))
				r.at(at + 50)
				r.store.Advance(r.now())
			}
			begin, put := 12*3_600_000+c.into, 12*3_600_000+c.into+days*day
			for at := begin + step; at <= put; at += step {
				send(at)
			}
			r.put(fmt.Sprintf(`{"id":"sps","expr":"name,sps,:eq,:sum","step":"%dms","detector":{"kind":"seasonal"}}`, c.every))
			for at := put + step; at <= put+2*3_600_000; at += step {
				send(at)
				for r.engine.Advance(r.now()) <= r.now() {
				}
			}
			groups, err := r.engine.Band(context.Background(), "sps", epoch+put-3_600_000, epoch+put+3_600_000, nil)
			if err != nil || len(groups) != 1 {
				t.Fatalf("%v, %d groups", err, len(groups))
			}
			for _, row := range groups[0].Rows {
				if want := usual(row.T - epoch); !(math.Abs(row.Expected-want) < 60) {
					t.Errorf("%d s after it was put: expected %.0f, want about %.0f", (row.T-epoch-put)/1000, row.Expected, want)
				}
			}
		})
	}
}
