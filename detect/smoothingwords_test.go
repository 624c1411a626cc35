package detect_test

import (
	"fmt"
	"slices"
	"testing"

	"pulse/detect/notify"
)

// TestSmoothingWordsAreRules: the smoothing words of the language make rules whose
// own value is the verdict. They fire at the step that falls below 85 % of the
// prediction, for as long as the prediction has not followed, and neither while they
// train nor where data is missing.
func TestSmoothingWordsAreRules(t *testing.T) {
	const sps = "name,sps,:eq,:sum,"
	for _, c := range []struct {
		name, expr string
		until      int64 // step at which it is over
	}{
		{"des", sps + ":dup,10,0.1,0.02,:des,0.85,:mul,:lt", 83},
		{"des-fast", sps + ":dup,:des-fast,0.85,:mul,:lt", 83},
		{"des-slow", sps + ":dup,:des-slow,0.85,:mul,:lt", 83},
		{"des-simple", sps + ":dup,:des-simple,0.85,:mul,:lt", 83},
		{"sdes", sps + ":dup,10,0.1,0.02,:sdes,0.85,:mul,:lt", 83},
		{"sdes-fast", sps + ":dup,:sdes-fast,0.85,:mul,:lt", 83},
		// The way back is above the prediction, which has followed the fall a little.
		{"epic", sps + "10,0.1,0.02,0.15,0.15,5,:des-epic-signal", 87},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 10_000)
			r.put(`{"id":"low","expr":"` + c.expr + `","keep":"0s"}`)
			var got []string
			for i := range int64(140) {
				end := (i + 1) * 10_000
				r.at(end - 300)
				v := 100.0
				switch {
				case i >= 60 && i < 63:
					v = 90 // within 15 %
				case i >= 80 && i < 83:
					v = 40
				}
				if i < 100 || i >= 104 { // silent for a while
					r.send("a", p(v, "name", "sps", "atlas.dstype", "gauge"))
				}
				r.to(end + 9_900)
				for _, n := range r.took() {
					got = append(got, fmt.Sprintf("%s at %d", n.Type, i))
				}
			}
			want := []string{notify.TypeFiring + " at 80", fmt.Sprintf("%s at %d", notify.TypeResolved, c.until)}
			if !slices.Equal(got, want) {
				t.Errorf("%s sent %v, want %v", c.expr, got, want)
			}
		})
	}
}

// An epic signal wants both bounds crossed: a percentage and an absolute distance.
func TestEpicSignalWantsBothBounds(t *testing.T) {
	for _, c := range []struct {
		noise string
		fires bool
	}{{"5", true}, {"80", false}} {
		r := newRig(t, 10_000)
		r.put(`{"id":"epic","expr":"name,sps,:eq,:sum,10,0.1,0.02,0.15,0.15,` + c.noise + `,:des-epic-signal"}`)
		for i := range int64(60) {
			end := (i + 1) * 10_000
			r.at(end - 300)
			v := 100.0
			if i >= 40 {
				v = 50
			}
			r.send("a", p(v, "name", "sps", "atlas.dstype", "gauge"))
			r.to(end + 9_900)
		}
		if fired := len(r.took()) > 0; fired != c.fires {
			t.Errorf("noise %s: fired %v", c.noise, fired)
		}
	}
}
