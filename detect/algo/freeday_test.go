package algo_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pulse/detect/algo"
)

// The expectation does not jump where no value does: neither at midnight by the clock,
// which is at any time of the day where the stream is, nor as weekends begin and end,
// which have a course of their own.
func TestExpectationDoesNotJump(t *testing.T) {
	for _, kind := range seasonalKinds {
		for _, hours := range []int{-9, -6, 0, 3, 9} {
			zone, r := time.FixedZone("", hours*3600), rand.New(rand.NewPCG(11, uint64(hours+20)))
			values := make([]float64, 5*week)
			for i := range values {
				at := time.UnixMilli(monday + int64(i)*60_000).In(zone)
				day := float64(at.Hour()*60+at.Minute()) / 1440
				mean := 3000 * math.Exp(0.7*math.Cos(2*math.Pi*(day-0.8)))
				if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
					mean = 3000 * math.Exp(0.25*math.Cos(2*math.Pi*(day-0.8))+0.2*math.Cos(2*math.Pi*2*(day-0.6)))
				}
				values[i] = poisson(r, mean*math.Exp(0.01*r.NormFloat64()))
			}
			d, jumps, last := newDetector(t, algo.Spec{Kind: kind}, 60_000), 0, 0.0
			for i, v := range values {
				into := (i + hours*60 + week) % 1440 // minutes into the day
				if into < 120 {
					v = nan // where days change at once, the expectation may follow
				}
				got := d.Step(monday+int64(i+1)*60_000, v)
				if i > 2*week && last > 0 && math.Abs(math.Log(got.Expected/last)) > 0.08 && into > 130 {
					jumps++
				}
				last = got.Expected
			}
			if jumps > 0 {
				t.Errorf("%s, %d hours east of Greenwich: %d jumps", kind, hours, jumps)
			}
		}
	}
}

// The noise of a few events per step is no way back to an earlier level.
func TestFewEventsDoNotMoveTheLevelAtOnce(t *testing.T) {
	const step, day = 10_000, 8640
	for _, rate := range []float64{0.3, 0.8, 2} {
		values := starts(21*day, step, rate, 41)
		d, jumps, last := newDetector(t, algo.Spec{Kind: "seasonal", Params: map[string]any{"season": "day"}}, step), 0, 0.0
		for i, v := range values {
			got := d.Step(monday+int64(i+1)*step, v*(1+0.15*math.Sin(float64(i)/3000)))
			if i > 7*day && math.Abs(math.Log(got.Expected/last)) > 0.1 && !got.Out {
				jumps++
			}
			last = got.Expected
		}
		if jumps > 0 {
			t.Errorf("%v events a second: the expectation jumps %d times", rate, jumps)
		}
	}
}
