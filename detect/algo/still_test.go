package algo_test

import (
	"math"
	"testing"

	"pulse/detect/algo"
)

// What is over is no onset: a page comes while the stream is out, on the side that it
// is out on, however short the excursion was.
func TestOnsetIsNotOver(t *testing.T) {
	const step, hour = 10_000, 360
	for _, factor := range []float64{0.6, 1.4, 2, 4} {
		for steps := 5; steps <= 18; steps++ {
			from := 3*24*hour + 5*hour + steps%7
			values := starts(from+2*hour, step, 3000, 37)
			scale(values, from, from+steps, factor)
			d, out := newDetector(t, algo.Spec{Kind: "auto"}, step), false
			for i, v := range values {
				got := d.Step(monday+int64(i+1)*step, v)
				if off := math.Log(v/got.Expected) / math.Log(factor); got.Out && !out && i >= from && off < 0.3 {
					t.Errorf("%d steps of %g: page %d steps after it at %.2f of it", steps, factor, i-from-steps, off)
				}
				out = got.Out
			}
		}
	}
}
