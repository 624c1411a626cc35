package algo

import "math"

// The sides of a prediction; down is the sign bit of a negative residual.
const (
	up = iota
	down
	sides
)

func (s *settings) counts(side int) bool { return side == up && s.above || side == down && s.below }

// episode turns the evidence of single steps into onsets and recoveries.
//
// An excursion counts when it has lasted: each step that is far out on a side
// adds one to that side's run and any other takes two away, and evidence is heard
// while the run has the length of the hold. A step that is twice as far out as the
// steps before it starts the run anew, and one half as far no longer adds to
// it, so that the partly covered steps at the edges of a short dip do not lengthen it.
//
// A page is an onset, not a state: evidence is shown when it clearly exceeds the
// highest shown before, a memory that fades over rest, and each strong onset in the
// recent past takes some weight from the next. Once out, the stream is over after
// clearSteps steps with little evidence.
type episode struct {
	run    [sides]int32   // towards hold
	top    [sides]float32 // furthest distance of the run
	waited int32          // steps for which learning has waited
	outFor int32          // steps since the onset, at most maxSteps
	quiet  int32          // steps in a row with little evidence
	out    bool
	fresh  bool    // the last step was an onset
	peak   float32 // evidence shown, fading
	onsets float32 // strong ones, fading
}

const (
	runLoss      = 2   // from the run per step that is not far out
	edgeShare    = 0.5 // of the run's furthest distance, below which a step is an edge
	waitHolds    = 3   // holds for which learning waits at most
	clearSteps   = 3
	repeatFactor = 1.2 // evidence beyond the peak that is clearly worse
	repeatMargin = 1.0
	strong       = 3.0    // evidence of an onset that weighs on later ones
	onsetWeight  = 0.1    // of one strong onset
	onsetFading  = 0.0005 // per step
	evidenceMax  = 700    // keeps sums finite
	repeatScore  = 0.98   // of a step that is extreme but no news
	outLearning  = 30     // steps of an episode that teach anything but the level
)

// observe counts the step's distance z, in mean absolute residuals, towards hold.
func (e *episode) observe(s *settings, z float64) {
	if s.hold == 1 || e.run[up]|e.run[down] == 0 && math.Abs(z) < s.patience {
		return
	}
	for side := range sides {
		x := z
		if side == down {
			x = -z
		}
		e.advance(s, side, x)
	}
	if !e.pending(s) {
		e.waited = 0
	} else if e.waited < maxSteps {
		e.waited++
	}
}

func (e *episode) advance(s *settings, side int, x float64) {
	run, hold, top := e.run[side], int32(s.hold), float64(e.top[side])
	edges := s.width == 0 && !e.out
	if x < s.patience || edges && x <= edgeShare*top {
		e.run[side] = max(0, run-runLoss)
		if e.run[side] == 0 {
			e.top[side] = 0
		}
		return
	}
	if run < hold && edges && x*edgeShare > top {
		run = 0
	}
	e.run[side] = min(run+1, hold)
	e.top[side] = float32(min(max(top, x), 2*x/edgeShare))
}

// open reports whether evidence on a side is heard.
func (e *episode) open(s *settings, side int) bool {
	return s.hold == 1 || e.run[side] >= int32(s.hold)
}

// pending reports whether an excursion of more than a step is short of its hold.
func (e *episode) pending(s *settings) bool {
	for side := range sides {
		if e.run[side] > 1 && !e.open(s, side) {
			return true
		}
	}
	return false
}

// waiting reports whether learning waits for an excursion to end or to count. It
// does not wait for ever: noise that has grown for good must be learned.
func (e *episode) waiting(s *settings) bool {
	return s.hold > 1 && e.waited > 0 && e.waited <= waitHolds*int32(s.hold)
}

// lesson is how much tails may learn from a step.
type lesson struct {
	rate   float64 // proportion by which quantiles move
	weight float64 // share of an exceedance in an index
}

// lesson returns what the step may teach: the tails of an episode are learned
// once, and quantiles from its first steps only.
func (e *episode) lesson(s *settings, seen int32) lesson {
	l := lesson{tailRate, s.indexWeight}
	if seen < startUp {
		l.rate = max(tailRate, 1/(1+tailRateStart*float64(seen)))
	}
	if e.out && !e.fresh {
		l.weight = 0
		if e.outFor > outLearning {
			l.rate = 0
		}
	}
	if e.waiting(s) {
		l.rate = 0
	}
	return l
}

// close ends the step: it weighs the evidence against the recent past, moves out,
// and returns the score to show.
func (e *episode) close(s *settings, evidence float64) float64 {
	e.onsets = float32(settled(float64(e.onsets) * (1 - onsetFading)))
	e.peak = float32(settled(float64(e.peak) * s.peakKept))
	e.fresh = false
	if evidence > 0 {
		evidence = min(evidence, evidenceMax)
		if s.width == 0 {
			evidence /= 1 + onsetWeight*float64(e.onsets)
		}
	}
	if e.out && e.outFor < maxSteps {
		e.outFor++
	}
	news := e.news(s, evidence)
	if news && evidence >= s.limit {
		if !e.out {
			e.out, e.fresh, e.outFor = true, true, 0
		}
		e.quiet = 0
	} else if evidence >= s.clear {
		e.quiet = 0
	} else if e.quiet++; e.quiet >= clearSteps {
		e.out, e.quiet = false, 0
	}
	switch {
	case news:
		return s.scoreOf(evidence)
	case evidence > 0:
		return min(repeatScore, s.scoreOf(evidence))
	}
	return 0
}

// news reports whether the evidence is clearly more than what was shown before,
// and remembers it if so. With a fixed width only onsets are remembered.
func (e *episode) news(s *settings, evidence float64) bool {
	peak, margin := float64(e.peak), repeatMargin
	if s.width > 0 {
		margin = min(peak, repeatMargin)
	}
	if evidence <= repeatFactor*peak+margin {
		return false
	}
	if s.width == 0 || evidence >= s.limit {
		e.peak = float32(evidence)
	}
	if evidence > strong {
		e.onsets = min(e.onsets+1, 1/onsetFading)
	}
	return true
}
