package algo

import (
	"fmt"
	"math"
)

// maxSteps bounds every parameter that counts steps.
const maxSteps = 10_000_000

// settings are the parameters the banded kinds share, durations in steps.
type settings struct {
	alpha, beta  float64
	width        float64 // deviations; 0 when not set: the chance decides
	train        int
	above, below bool // which sides count
	threshold    float64
	limit        float64 // evidence at which a step is out
	hold         int
	rest         int
	clear        float64
	clearLimit   float64 // evidence below which it is over
	learnShift   int
}

const (
	defaultThreshold = 0.9999
	defaultClear     = 0.99
)

func sharedKeys() []Key {
	return []Key{
		{"width", "deviations from the prediction at which the band ends and a step is out; without it the chance alone decides", ""},
		{"train", "how long the detector only learns", "100 steps"},
		{"direction", "which side counts: above, below or both", "both"},
		{"threshold", "score at which a step is out", formatBound(defaultThreshold)},
		{"hold", "out for how long before it counts", ""},
		{"rest", "how long after an onset a repeat must be clearly worse", ""},
		{"clear", "score below which it is over", formatBound(defaultClear)},
		{"learn_shift", "time until a new level is normal", ""},
	}
}

func readSettings(p *params) *settings {
	s := &settings{}
	s.alpha = p.number("alpha", 0.1, 1e-6, 1)
	s.beta = p.number("beta", 0.02, 0, 1)
	s.width = p.number("width", 0, 0.1, 1000)
	s.train = p.steps("train", 100, 2, maxSteps)
	direction := p.word("direction", "both", "above", "below")
	s.above, s.below = direction != "below", direction != "above"
	s.threshold = p.number("threshold", defaultThreshold, 0.5, 1)
	s.clear = p.number("clear", min(defaultClear, s.threshold), 0, s.threshold)
	s.hold = p.steps("hold", 1, 0, maxSteps)
	s.rest = p.steps("rest", 150, 0, maxSteps)
	s.learnShift = p.steps("learn_shift", 360, 1, maxSteps)
	s.limit = evidenceOf(s.threshold)
	s.clearLimit = evidenceOf(s.clear)
	return s
}

// evidenceOf turns a score into the evidence that yields it, see scoreOf.
func evidenceOf(score float64) float64 {
	if score >= 1 {
		return math.Inf(1)
	}
	return max(0, math.Log(tailShare/(1-score)))
}

// Kinds lists the detector kinds with their keys.
func Kinds() []Kind {
	return []Kind{
		{"signal", "the expression's own value is the verdict: out while it is not 0", nil, newSignal},
		{"static", "fixed limits; one of above and below is needed", []Key{
			{"above", "out when the value is above this", ""},
			{"below", "out when the value is below this", ""},
			{"clear_above", "over when the value is at most this", "above"},
			{"clear_below", "over when the value is at least this", "below"},
			{"hold", "beyond the limit for how long before it counts", "one step"},
		}, newStatic},
		{"exponential", "exponential smoothing: expects the level of the recent past", append([]Key{
			{"alpha", "weight of a new value in the level, up to 1", "0.1"},
		}, sharedKeys()...), newExponential},
		{"double-exponential", "Holt's double exponential smoothing: expects level and trend of the recent past to go on", append([]Key{
			{"alpha", "weight of a new value in the level, up to 1", "0.1"},
			{"beta", "weight of a new slope in the trend, up to 1", "0.02"},
		}, sharedKeys()...), newDoubleExponential},
	}
}

// Lookback returns for how long before a moment a detector built from spec
// should have seen the stream to judge that moment well, in ms.
func Lookback(spec Spec, step int64) (int64, error) {
	d, err := New(spec, step)
	if err != nil {
		return 0, err
	}
	s, ok := d.(interface{ lookback() int })
	if !ok {
		return 0, nil
	}
	n := int64(s.lookback())
	if n > math.MaxInt64/step {
		return 0, fmt.Errorf("detector %s: look-back of %d steps of %d ms overflows", spec.Kind, n, step)
	}
	return n * step, nil
}
