package algo

import "math"

// maxSteps bounds every parameter that counts steps.
const maxSteps = 1_000_000

// settings are the parameters of a banded detector, durations in steps.
type settings struct {
	alpha, beta  float64
	band         bool    // judges by the range of values alone (learned static band)
	width        float64 // deviations at which a step is out; 0: the chance decides
	train        int
	above, below bool    // which sides count
	hold         int     // at least 1
	peakKept     float64 // share of the highest evidence shown that a step leaves
	learnShift   int

	limit, clear float64 // evidence at which a step is out, and below which it is over
	certainty    float64 // −log of the chance that evidence 0 stands for
	indexWeight  float64 // share of one exceedance in a tail's index
	holdBonus    float64 // evidence that lasting for hold adds
	patience     float64 // distance, in mean absolute residuals, that counts towards hold
}

const (
	defaultAlpha     = 0.2
	defaultBeta      = 0.02
	defaultTrain     = 100 // steps
	defaultThreshold = 0.999
	defaultClear     = 0.985
	defaultRest      = 150 // steps
	// defaultLearnShiftMs outlasts an incident that people work on; a stream
	// needs some steps to tell a level, however long they are.
	defaultLearnShiftMs    = 7_200_000
	defaultLearnShiftSteps = 180

	// defaultHoldMs outlasts the dip of a deploy, see excursion.go. Streams slower
	// than that judge each step for itself; so do streams faster than fastStepMs,
	// whose users want speed.
	defaultHoldMs = 140_000
	fastStepMs    = 1000

	lowestScore = 1 - tailShare // scores below are not told apart

	// sdOfMeanAbs turns a mean absolute deviation into a standard deviation,
	// exactly so for a normal distribution.
	sdOfMeanAbs = 1.2533141373155001
)

// sharedKeys are the keys of every kind that draws a band.
func sharedKeys() []Key {
	return []Key{
		{"width", "standard deviations of the residual at which the band ends and a step is out; without it the learned chance decides", ""},
		{"train", "how long the detector only learns", "100 steps"},
		{"direction", "side that counts: both, above or below", "both"},
		{"threshold", "score at which a step is out, not beside width", formatBound(defaultThreshold)},
		{"hold", "how long what is clear must last before it counts; a fall by half and more a third of that, what is slight longer", "140s, but one step below steps of 1s"},
		{"rest", "how long after an onset a repeat must be clearly worse", "150 steps"},
		{"clear", "score below which it is over, not beside width", formatBound(defaultClear)},
		{"learn_shift", "time until a new level is normal", "2h, at least 180 steps; 180 steps below steps of 1s"},
	}
}

// readSettings reads the shared keys; alpha and beta are the kind's own.
func readSettings(p *params) *settings {
	s := &settings{
		alpha:      defaultAlpha,
		width:      p.number("width", 0, 0.5, 100),
		train:      p.steps("train", defaultTrain, 2, maxSteps),
		hold:       p.steps("hold", defaultHold(p.step), 0, maxSteps),
		peakKept:   1 - 1/float64(p.steps("rest", defaultRest, 0, maxSteps)+1),
		learnShift: p.steps("learn_shift", defaultLearnShift(p.step), 1, maxSteps),
		patience:   2.5,
	}
	direction := p.word("direction", "both", "above", "below")
	s.above, s.below = direction != "below", direction != "above"
	s.hold = max(s.hold, 1)
	s.holdBonus = 0.6 * math.Log(float64(s.hold))
	s.indexWeight = indexRate / float64(s.hold)
	threshold := p.number("threshold", defaultThreshold, 0.975, 1-1e-12)
	clear := p.number("clear", min(defaultClear, threshold), lowestScore, threshold)
	s.certainty = -math.Log(tailShare)
	s.limit = -math.Log1p(-threshold) - s.certainty
	s.clear = max(0.01, -math.Log1p(-clear)-s.certainty)
	if s.width > 0 {
		for _, key := range []string{"threshold", "clear"} {
			if p.has(key) {
				p.fail(key, p.values[key], "no width beside it")
			}
		}
		s.certainty = 0
		s.limit = s.width * s.width / 2
		s.clear = s.limit * 0.64 // four fifths of the width
		s.patience = s.width * sdOfMeanAbs
	}
	return s
}

// addsUp reports whether distances add up over steps: whether a step is shorter than
// the hold. By width each step is judged for itself.
func (s *settings) addsUp() bool { return s.hold > 1 && s.width == 0 }

func defaultHold(step int64) int {
	if step < fastStepMs {
		return 1
	}
	return int((defaultHoldMs + step - 1) / step)
}

func defaultLearnShift(step int64) int {
	if step < fastStepMs {
		return defaultLearnShiftSteps
	}
	return max(defaultLearnShiftSteps, int(defaultLearnShiftMs/step))
}

// scoreOf returns the score that evidence stands for.
func (s *settings) scoreOf(evidence float64) float64 {
	return 1 - math.Exp(-evidence-s.certainty)
}
