// Package norm turns reports at any time into one number per step.
//
// Gauges and sums need no state: a report belongs to the step its time rounds
// up to (step.Ceil) and is combined with what the step holds, by Max or Add.
// Rates and counters keep a State per series, since their reports describe the
// time since the previous one and are shared out among the steps in between.
//
// The types of sequence.go are the same functions as a chain of updates.
package norm

import "math"

// Kind is how reports become the value of a step.
type Kind uint8

const (
	Rate    Kind = iota // a rate per second that held since the last report
	Counter             // a total that only grows
	Gauge               // a sampled level; a step keeps the maximum
	Sum                 // shares of several reporters; a step keeps the sum
)

// KindOf returns the kind that the tag atlas.dstype names. What is absent or
// unknown is a rate.
func KindOf(dstype string) Kind {
	switch dstype {
	case "counter":
		return Counter
	case "gauge":
		return Gauge
	case "sum":
		return Sum
	}
	return Rate
}

// String returns the value of atlas.dstype that names k.
func (k Kind) String() string {
	switch k {
	case Counter:
		return "counter"
	case Gauge:
		return "gauge"
	case Sum:
		return "sum"
	}
	return "rate"
}

// Heartbeat returns the default heartbeat for a step, both in milliseconds:
// 2.5 steps, so that neither jitter nor one lost report starts a series anew.
func Heartbeat(step int64) int64 { return step * 5 / 2 }

// AtlasHeartbeat returns the heartbeat that Atlas uses, in milliseconds: one
// step for a rate; two steps for a counter, but 120 s when the step is below
// 60 s.
func AtlasHeartbeat(k Kind, step int64) int64 {
	if k != Counter {
		return step
	}
	if step < 60_000 {
		return 120_000
	}
	return 2 * step
}

// Add returns the sum of two values of which NaN is the absence of one.
func Add(a, b float64) float64 {
	if math.IsNaN(a) {
		return b
	}
	if math.IsNaN(b) {
		return a
	}
	return a + b
}

// Max returns the larger of two values of which NaN is the absence of one.
func Max(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}
