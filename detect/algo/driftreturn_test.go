package algo_test

import (
	"testing"
	"time"

	"pulse/detect/algo"
)

// TestTheWayBackIsNoNews lets a stream go back to where it was before something
// happened, and something else happen soon after.
func TestTheWayBackIsNoNews(t *testing.T) {
	const at = 3*week + 2*24*60 + 11*60
	cases := []struct {
		name   string
		happen func(values []float64)
		over   int // minutes after at, from which a page is unwanted
		again  int // minutes after at, within three minutes of which one is wanted
	}{
		{"drop", func(v []float64) { scale(v, at, at+40, 0.8) }, 40, 0},
		{"outage", func(v []float64) { scale(v, at, at+30, 0) }, 30, 0},
		{"spike", func(v []float64) { scale(v, at, at+15, 2) }, 15, 0},
		{"slight leak", func(v []float64) {
			for i := range 240 {
				v[at+i] *= 1 - 0.1*float64(i)/240
			}
		}, 240, 0},
		{"shift for a day", func(v []float64) { scale(v, at, at+15*60, 0.8) }, 15 * 60, 0},
		{"drop, and another", func(v []float64) { scale(v, at, at+40, 0.8); scale(v, at+90, at+120, 0.8) }, 120, 90},
		{"rise for ten hours, and a drop within it", func(v []float64) { scale(v, at, at+600, 1.25); scale(v, at+300, at+330, 0.9) }, 330, 300},
		{"shift, and an outage after it", func(v []float64) { scale(v, at, at+15*60, 0.8); scale(v, at+16*60, at+17*60, 0.2) }, 17 * 60, 16 * 60},
	}
	for _, c := range cases {
		values := weekly(4*week, 500, time.UTC, 1)
		c.happen(values)
		got, causes := pages(newDetector(t, algo.Spec{Kind: "auto"}, 60_000), values[:3*week+4*24*60])
		found := c.again == 0
		for k, i := range got {
			switch after := i - at; {
			case c.again > 0 && after >= c.again && after < c.again+3:
				found = true
			case after >= c.over:
				t.Errorf("%s: a page %d minutes after it was over: %v", c.name, after-c.over, causes[k])
			}
		}
		if !found {
			t.Errorf("%s: what came next did not page, minutes %v", c.name, got)
		}
	}
}
