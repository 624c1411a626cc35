package algo

import "math"

// cusum is what exponential and double-exponential are where a step is shorter
// than the hold: smoothing predicts the next value, and on each side the distances
// add up until they have lasted (excursion.go).
//
// Robust means that an excursion teaches little: residuals are clipped, the level
// waits while a sum is unusual, though not for long, and while the stream is out
// the level follows at a small part of its speed. After learnShift steps out, the
// new level is taken as it is. (Clipping the update as in P. J. Huber, "Robust
// estimation of a location parameter", Annals of Mathematical Statistics 35, 1964; S.
// Gelper, R. Fried, C. Croux, "Robust forecasting with exponential and Holt-Winters
// smoothing", Journal of Forecasting 29, 2010.)
//
// A fall by about half and more is no dip. It has a sum of its own, which is
// full after about a third of the hold.
//
// The way back to what was normal is as sudden as the way out, and no excursion: see
// yesterday.go.
//
// The state has 320 bytes, five cache lines.
type cusum struct {
	set *sumSettings

	level, trend float64
	usual        float64 // slow level
	dev          float64 // mean absolute residual at the usual level
	wakeAt       int64   // stamp from which an hour or a round of fits may begin, in the hour before it
	repeats      repeats
	standing
	tuning  tuning
	low     float32 // least value, or just below 0
	gap     float32 // steps without data, forgotten as values arrive
	deep    float32 // steps of a deep fall, in full
	deepSum float32 // their distances
	seen    int32   // values, at most seenMax
	waited  int32   // steps for which learning has waited, at most maxSteps
	fitIn   int8    // steps until a fit takes effect, 0 when there is none
	today   today
	yesterday
}

// sumSettings are the parameters of a cusum.
type sumSettings struct {
	*settings
	tuner
	reach     float64 // excesses beyond usual at which a sum is out
	deepHold  float32 // steps
	rest      int32
	waitMost  int32
	allowance float64 // of a step
	perHold   float64 // share of the height that one step may add
}

const (
	reachStart    = 10   // excesses at the default threshold
	deepHoldShare = 0.35 // of the hold
	deepFall      = 0.43 // share of the expected value that is missing
	deepWidth     = 0.03 // from half a step of a deep fall to a whole one
	deepNoise     = 0.5  // of a mean absolute residual, which must be missing beside
	deepFrom      = 0.37
	deepStepLeast = 1.2  // of a step
	deepSumLeast  = 14.0 // sum of distances
	deepStepMost  = 20.0 // of one step in that sum
	sumWaitHolds  = 1.1
	outTrendKept  = 0.99
	outFar        = 4.0 // mean absolute residuals
	outSlow       = 0.2 // of alpha, while out
	backAlpha     = 0.3 // least weight of the first values after an episode
	backClip      = 20
	shiftAlpha    = 0.2
	gapTrendKept  = 0.98
	lastingMost   = 1 << 30
	alikeLeast    = 0.35 // of an episode's depth, in a return from it
	alikeMost     = 2
	soonMs        = 3 * hourMs
)

func (s *settings) newCusum(p *params, u tuner) func() Detector {
	c := s.sums(p, u)
	return func() Detector { return &cusum{set: c} }
}

// sums reads what a detector that adds up needs beside s.
func (s *settings) sums(p *params, u tuner) *sumSettings {
	c := &sumSettings{settings: s, tuner: u}
	c.reach = reachStart * s.limit / (-math.Log1p(-defaultThreshold) - s.certainty)
	c.allowance = max(allowanceMin, allowanceOne*math.Pow(float64(s.hold), allowanceExp))
	c.perHold = 1 / (float64(s.hold) - holdRounding)
	c.deepHold = float32(max(1, math.Round(deepHoldShare*float64(s.hold))))
	c.rest = int32(p.steps("rest", defaultRest, 0, maxSteps))
	c.waitMost = int32(sumWaitHolds * float64(s.hold))
	return c
}

func (d *cusum) Step(t int64, v float64) Verdict {
	// The two ends and the middle of the state are read at once: among many streams
	// all of it is missing from the cache, and this lets it arrive together.
	fresh := d.seen == 0 || d.repeats.first < 0 || d.excursions[up].usual < 0 || d.tuning.alpha < 0
	nan := math.NaN()
	verdict := Verdict{Expected: nan, Lower: nan, Upper: nan, Out: d.out, Cause: d.cause}
	if t >= d.wakeAt {
		d.wake(t)
	}
	if d.fitIn > 0 {
		d.tune()
	}
	if math.IsNaN(v) || math.Abs(v) > valueMax {
		d.pass(&verdict)
		return verdict
	}
	if fresh {
		d.first(v)
		return verdict
	}
	p := d.predict()
	trained := int(d.seen) >= d.set.train
	if trained {
		d.drawBand(&verdict, &p)
	}
	r := v - p.expected
	z := clamp(r/p.wide, surpriseMax)
	evidence, side := d.measure(v, z, &p, trained)
	if evidence >= d.set.limit && !d.out && d.returned(t, v, z, side, &p) {
		d.leave(d.set)
		d.deep, d.deepSum, d.waited, evidence = 0, 0, 0, 0
	}
	frozen := d.repeats.see(v, int32(d.set.hold), int32(d.set.learnShift), d.seen >= repeatKnown) && trained
	if !d.out && evidence < d.set.limit {
		d.today.see(v)
	}
	d.conclude(t, v, z, evidence, side, frozen, &p)
	d.learn(v, r, &p)
	if d.seen < seenMax {
		d.seen++
	}
	if trained {
		verdict.Score = d.score(d.set, evidence, frozen)
		verdict.Out, verdict.Cause = d.out, d.cause
	}
	return verdict
}

// Peek judges with a copy.
func (d *cusum) Peek(t int64, v float64) Verdict {
	c := *d
	return c.Step(t, v)
}

func (d *cusum) Reset() { *d = cusum{set: d.set} }

// first takes the first value.
func (d *cusum) first(v float64) {
	d.level, d.usual, d.seen = v, v, 1
	d.repeats.last = v
	d.low = float32(max(-1, min(v, 1)))
	d.standing.start()
	d.yesterday.start()
	d.tuning.start(&d.set.tuner, v)
}

// pass takes a step without data: the level goes on with the trend for a while.
func (d *cusum) pass(verdict *Verdict) {
	if d.seen == 0 {
		return
	}
	if int(d.seen) >= d.set.train {
		p := d.predict()
		d.drawBand(verdict, &p)
	}
	d.gap = min(d.gap+1, gapMax)
	d.level += d.trend
	d.trend = settled(d.trend * gapTrendKept)
}

func (d *cusum) predict() prediction {
	p := prediction{expected: d.level + d.trend}
	if d.low >= 0 && p.expected < 0 {
		p.expected = 0 // a stream that was never negative is not expected to be
	}
	usual := math.Abs(d.usual)
	p.floor = leastDev*usual + tiny
	p.factor = d.tuning.factor(relative(math.Abs(p.expected), usual, 8))
	p.dev = d.dev * p.factor
	if p.dev < p.floor {
		p.dev = p.floor
	}
	p.wide = p.dev
	if d.gap > 0 {
		p.wide *= 1 + float64(gapWidening*float64(d.gap))
	}
	return p
}

// measure adds the step to the sums and returns the evidence of the more telling
// side, which of them that is counts.
func (d *cusum) measure(v, z float64, p *prediction, trained bool) (evidence float64, side int) {
	s := d.set
	if d.deep > 0 || z <= -deepStepLeast {
		d.fall(v, z, p)
	}
	evidence, side = d.standing.measure(s, z, trained)
	if d.deep > 0 && d.deep >= s.deepHold && float64(d.deepSum) >= deepSumLeast && trained && s.counts(down) {
		d.excursions[down].fill(s)
		evidence, side = s.limit, down
	}
	if evidence >= s.limit && z != 0 {
		// Among steps that are out the further one is the more extreme.
		evidence += math.Log1p(math.Abs(z))
	}
	return evidence, side
}

// fall counts the steps of a deep fall.
func (d *cusum) fall(v, z float64, p *prediction) {
	if z > -deepStepLeast || d.low < 0 || !(p.expected > 0) || v > (1-deepFrom)*p.expected {
		if d.deep > 0 {
			d.deep = max(0, d.deep-1)
			d.deepSum = max(0, d.deepSum+float32(clamp(-z, 3)))
			if d.deep == 0 {
				d.deepSum = 0
			}
		}
		return
	}
	share := 1 - (v+float64(deepNoise*p.dev))/p.expected
	d.deep = min(d.set.deepHold, d.deep+float32(clamp((share-deepFall)/deepWidth, 1)))
	if d.deep <= 0 {
		d.deep, d.deepSum = 0, 0
		return
	}
	d.deepSum = min(lastingMost, d.deepSum+float32(min(-z, deepStepMost)))
}

// conclude moves in and out.
func (d *cusum) conclude(t int64, v, z, evidence float64, side int, frozen bool, p *prediction) {
	out, falling := d.out, d.excursions[down]
	left := d.decide(d.set, evidence, side, z, frozen)
	switch {
	case left && z < -edgeFrom && v < (1-deepFrom)*p.expected: // from above, but not to what is normal
		d.excursions[down], d.recovery = falling, 0
	case left:
		d.deep, d.deepSum, d.waited = 0, 0, 0
	case d.out && !out:
		d.remember(t, p.expected)
	}
}

// returned reports whether an excursion on a side, z away, is the way back to normal:
// from an episode about as far out on the other side within a day, or up from where
// the stream sank unseen. A deep fall must lead to where an episode soon before began.
func (d *cusum) returned(t int64, v, z float64, side int, p *prediction) bool {
	y, since := &d.yesterday, int64(d.since)*d.set.step
	size, depth, other := math.Abs(z), float64(d.depth), int(d.side) != side
	alike := other && since <= dayHours*hourMs && size >= alikeLeast*depth && size <= alikeMost*depth
	switch {
	case side == down && v < (1-deepFrom)*p.expected:
		return alike && since <= soonMs && y.returns(t, p.expected, v, float64(y.left), lackLeast)
	case other && d.since <= d.set.rest, alike && since <= soonMs:
		return y.strayed(t, p.expected, v)
	case alike:
		return y.returns(t, p.expected, v, float64(y.base), lackLeast) || y.returns(t, p.expected, v, 0, lackLeast)
	}
	return y.sank(t, p.expected, v)
}

// learn moves level, trend and deviation by the residual r = v − expected.
func (d *cusum) learn(v, r float64, p *prediction) {
	alpha, slow := float64(d.tuning.alpha), slowRate
	if d.seen < startUp {
		start := 1 / float64(d.seen+1)
		alpha, slow = max(alpha, start), max(slow, start)
	}
	waiting, clip, kept := d.waiting(), float64(learnClip), 1.0
	beta := float64(d.tuning.beta)
	shifted := d.out && d.since >= int32(d.set.learnShift)
	switch {
	case shifted:
		alpha, clip, kept, beta = shiftAlpha, surpriseMax, 0, 0
	case d.out:
		alpha, kept, beta = alpha*outSlow, outTrendKept, 0
	case d.recovery > 0:
		alpha, clip, beta = max(alpha, 1/float64(int32(d.set.hold)-d.recovery+1)), surpriseMax, 0
		d.recovery--
	case waiting:
		alpha, beta = 0, 0
	}
	if gap := float64(d.gap); gap > 0 {
		alpha = max(alpha, min(gapAlphaMax, 1-math.Pow(1-float64(d.tuning.alpha), gap)))
		clip *= 1 + float64(gapWidening*gap)
		d.gap = float32(max(0, float64(gap*gapKept)-0.1))
	}
	still := d.out || waiting
	// What a fit reads does not change until it has been read.
	d.tuning.see(&d.set.tuner, v, r, p, !still && d.seen >= freeSpread && d.fitIn == 0, d.seen&(d.set.look-1) == 0)
	if d.out && !shifted {
		// What is far out teaches less than what is near, which may be normal soon.
		far := r / (outFar * p.dev)
		r /= 1 + float64(far*far)
	}
	level := p.expected + float64(alpha*clamp(r, clip*p.dev))
	if beta > 0 {
		d.trend += float64(beta * (level - d.level - d.trend))
	}
	d.trend = settled(d.trend * kept)
	d.level = level
	d.usual += float64(slow * clamp(v-d.usual, usualClip*p.dev))
	if v < float64(d.low) {
		d.low = float32(max(-1, v))
	}
	if d.seen > freeSpread && still {
		return
	}
	spread := math.Abs(r)
	if most := learnClip * p.dev; d.seen >= freeSpread && spread > most {
		spread = most
	}
	d.dev = settled(d.dev + float64(slow*(spread/p.factor-d.dev)))
}

// waiting reports whether learning waits for an excursion to end or to count. It
// does not wait for ever: noise that has grown for good must be learned.
func (d *cusum) waiting() bool {
	x := &d.excursions
	if d.out || x[up].sum <= x[up].usual && x[down].sum <= x[down].usual {
		d.waited = 0
		return false
	}
	if d.waited < maxSteps {
		d.waited++
	}
	return d.waited <= d.set.waitMost
}

// drawBand fills in what was expected, and on each side that counts from where on
// a step adds to the sum in full.
func (d *cusum) drawBand(verdict *Verdict, p *prediction) {
	verdict.Expected = p.expected
	if d.set.below {
		verdict.Lower = p.expected - float64(p.wide*(d.set.allowance+d.excursions[down].most(d.set)))
		if d.low >= 0 && verdict.Lower < 0 {
			verdict.Lower = 0
		}
	}
	if d.set.above {
		verdict.Upper = p.expected + float64(p.wide*(d.set.allowance+d.excursions[up].most(d.set)))
	}
}
