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
	mean      [3]float32
	low, high float64 // range of values
	mean20    float64
	low20     float64
	high20    float64
	fade      float64 // see tail.go
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
	fadeMin       = 1e-3 // at which it is worked into the tails
)

// bandLeast is what a band alone is not surprised by, in lengths of its range: records
// become rare, and then do not tell how far the next one goes.
var bandLeast = [...]float64{0.005, 0.02}

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
	p.fade = 1
	p.reach = [sides]float32{reachOf(s, indexStart), reachOf(s, indexStart)}
}

// reachOf returns how many times u a residual alone must measure to be out. Heavy
// tails are cut off: a band is for looking at.
func reachOf(s *settings, index float32) float32 {
	return float32(min(reachMax, math.Exp(max(0, s.limit-s.holdBonus)*float64(index))))
}

// judge returns the evidence of the value v, whose residual is z deviations, and what
// it speaks of, and learns what the lesson allows. floor is the least length of a range worth
// measuring.
func (p *parts) judge(s *settings, e *episode, l lesson, v, z, floor float64, seen int32) (float64, Cause) {
	x := p.measure(v, z, floor, seen)
	first := 0
	if s.band {
		first = rangePart
	}
	var top, sum [sides]float64
	var telling [sides]int // part
	for i := first; i < partCount; i++ {
		// The sign picks the side without a branch, which would be a coin toss.
		size, side := math.Abs(x[i]), int(math.Float64bits(x[i])>>63)
		q := &p.tails[i][side]
		u := q.quantile(p.fade)
		if s.band && u < bandLeast[i-rangePart] {
			u = bandLeast[i-rangePart]
		}
		if !(size > u) {
			continue
		}
		excess, weight := math.Log(size/u), 0.0
		if e.open(s, side) {
			found := (excess/float64(q.index) + s.holdBonus) * partWeights[i]
			sum[side] += found
			if found > top[side] {
				top[side], telling[side] = found, i
			}
			weight = l.weight
		}
		if l.rate > 0 {
			q.raise(u, excess, p.fade, l.rate, weight)
			if i == 0 && weight > 0 {
				p.reach[side] = reachOf(s, q.index)
			}
		}
	}
	if p.fade *= 1 - l.rate*tailShare; p.fade < fadeMin {
		p.settle()
	}
	best, cause := 0.0, CauseNone
	for side := range sides {
		if found := top[side] + otherShare*(sum[side]-top[side]); found > best && s.counts(side) {
			best, cause = found, partCause(side, telling[side])
		}
	}
	return best, cause
}

// partCause returns what a part on a side says: slow means speak of a drift.
func partCause(side, part int) Cause {
	switch {
	case part == 2 || part == 3 || part == rangePart+1:
		return CauseDrift
	case side == down:
		return CauseDrop
	}
	return CauseRise
}

// settle works fade into the tails.
func (p *parts) settle() {
	for i := range p.tails {
		for side := range p.tails[i] {
			q := &p.tails[i][side]
			q.u = float32(q.quantile(p.fade))
		}
	}
	p.fade = 1
}

// measure returns the size of each part, positive above and negative below.
func (p *parts) measure(v, z, floor float64, seen int32) (x [partCount]float64) {
	x[0] = z
	clipped := clamp(z, meanClip)
	for i, rate := range meanRates {
		mean := float64(p.mean[i])
		mean = settled(mean + rate*(clipped-mean))
		p.mean[i], x[i+1] = float32(mean), mean
	}
	length := p.high - p.low
	if length < floor {
		length = floor
	}
	x[rangePart] = beyond(v, &p.low, &p.high, length)
	rate := mean20Rate
	if seen < startUp {
		rate = max(rate, 1/float64(seen+1))
	}
	p.mean20 += rate * (v - p.mean20)
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
