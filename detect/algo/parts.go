package algo

import "math"

// parts measures a step in several ways at once and says how rare the outcome is.
//
//	0    the residual
//	1-3  means of the clipped residual over about 4, 20 and 60 steps
//	4    excursion of the value beyond the range of all values before
//	5    excursion of the mean of 20 values beyond the range of such means
//
// Residuals are in deviations, excursions in lengths of the range. Each part has a
// tail of its own on each side, learned from the stream. The evidence of a side
// is that of its most telling part and a share of the others'.
type parts struct {
	mean      [3]float64
	low, high float64 // range of values
	mean20    float64
	low20     float64
	high20    float64
	tails     [partCount][sides]tail
	reach     [sides]float32 // u of part 0 to the distance at which it is out
}

const (
	partCount     = 6
	rangePart     = 4 // first of those that judge by the range
	meanClip      = 6 // deviations of one residual in a mean
	otherShare    = 0.3
	reachMax      = 4.5
	residualGuess = 2    // first guess of the residual's quantile
	rangeGuess    = 0.05 // the same for excursions
	mean20Rate    = 2.0 / 21
)

var (
	meanRates   = [...]float64{2.0 / 5, 2.0 / 21, 2.0 / 61}
	partWeights = [partCount]float64{1, 0.5, 0.5, 0.5, 1, 1}
)

func (p *parts) start(s *settings, v float64) {
	p.low, p.high, p.mean20, p.low20, p.high20 = v, v, v, v, v
	for i := range p.tails {
		guess := float32(residualGuess)
		if i >= rangePart {
			guess = rangeGuess
		}
		for side := range p.tails[i] {
			p.tails[i][side] = tail{guess, indexStart}
		}
	}
	p.reach = [sides]float32{reachOf(s, indexStart), reachOf(s, indexStart)}
}

// reachOf returns how many times u a residual alone must measure to be out. Heavy
// tails are cut off: a band is for looking at.
func reachOf(s *settings, index float32) float32 {
	return float32(min(reachMax, math.Exp(max(0, s.limit-s.holdBonus)*float64(index))))
}

// judge returns the evidence of the value v, whose residual is z deviations, and
// learns what lesson allows. floor is the least length of a range worth measuring.
func (p *parts) judge(s *settings, e *episode, l lesson, v, z, floor float64, seen int) float64 {
	x := p.measure(v, z, floor, seen)
	best := 0.0
	for side := range sides {
		first, open := 0, e.open(s, side)
		if s.band {
			first = rangePart
		}
		top, sum := 0.0, 0.0
		for i := first; i < partCount; i++ {
			q := &p.tails[i][side]
			excess := q.excess(x[i])
			weight := 0.0
			if excess > 0 && open {
				found := (excess/float64(q.index) + s.holdBonus) * partWeights[i]
				sum += found
				top = max(top, found)
				weight = l.weight
			}
			q.learn(excess, l.rate, weight)
			if i == 0 && weight > 0 {
				p.reach[side] = reachOf(s, q.index)
			}
			x[i] = -x[i] // for the other side
		}
		if s.counts(side) {
			best = max(best, top+otherShare*(sum-top))
		}
	}
	return best
}

// measure returns the size of each part, positive above and negative below.
func (p *parts) measure(v, z, floor float64, seen int) (x [partCount]float64) {
	x[0] = z
	clipped := clamp(z, meanClip)
	for i, rate := range meanRates {
		p.mean[i] += rate * (clipped - p.mean[i])
		x[i+1] = p.mean[i]
	}
	length := max(p.high-p.low, floor)
	x[rangePart] = beyond(v, &p.low, &p.high, length)
	p.mean20 += max(mean20Rate, 1/float64(seen+1)) * (v - p.mean20)
	x[rangePart+1] = beyond(p.mean20, &p.low20, &p.high20, length)
	return x
}

// beyond returns how far v lies outside [low, high] in lengths, and stretches the
// range to hold it.
func beyond(v float64, low, high *float64, length float64) float64 {
	switch {
	case v > *high:
		x := (v - *high) / length
		*high = v
		return x
	case v < *low:
		x := (v - *low) / length
		*low = v
		return x
	}
	return 0
}

// drawRange makes the range of all values before the band.
func (p *parts) drawRange(s *settings, verdict *Verdict) {
	if s.below {
		verdict.Lower = p.low
	}
	if s.above {
		verdict.Upper = p.high
	}
}
