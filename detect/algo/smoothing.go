package algo

import "math"

// smoothing is what exponential, double-exponential and the learned static band
// share: a robust prediction of the next value, the sizes of several kinds of
// surprise, and the episode that they make.
//
// Robust means that an excursion teaches little: residuals are clipped, nothing
// is learned while an excursion waits for its hold, and while the stream is out
// the level follows at a tenth of its speed. After learnShift steps out, the new
// level is taken as it is. (Clipping the update as in P. J. Huber, "Robust
// estimation of a location parameter", Annals of Mathematical Statistics 35,
// 1964; S. Gelper, R. Fried, C. Croux, "Robust forecasting with exponential and
// Holt-Winters smoothing", Journal of Forecasting 29, 2010.)
//
// The deviation follows the level as over-dispersed count noise does: half its
// variance is constant and half in proportion to the level (A. C. Cameron, P. K.
// Trivedi, "Regression Analysis of Count Data", 1998, on the variance of counts).
//
// The state has 288 bytes.
type smoothing struct {
	set *settings

	level, trend float64
	usual        float64 // slow level
	dev          float64 // mean absolute residual at the usual level
	gap          float32 // steps without data, forgotten as values arrive
	seen         int32   // values, at most seenMax
	parts        parts
	episode      episode
	repeats      repeats
	cause        Cause // while out
	frozen       bool
}

const (
	slowRate    = 0.003 // weight of a new value in usual and dev
	learnClip   = 3     // deviations of a residual that level and deviation learn from
	usualClip   = 4     // the same for usual
	leastDev    = 2e-3  // of the usual level: smaller deviations are not told apart
	tiny        = 1e-12
	outSpeed    = 0.1  // of alpha, while out
	outDamping  = 0.95 // of the trend per step, while out or waiting
	startUp     = 400  // values during which averages are plain means of all so far
	freeSpread  = 30   // values before residuals are clipped for dev
	gapMax      = 1000 // steps; longer ones are as long
	gapWidening = 0.1  // of the deviation, per step without data
	gapKept     = 0.8  // share of the gap left after a value
	gapAlphaMax = 0.5  // weight of the first values after a gap, at most
	valueMax    = 1e300
	surpriseMax = 1e6 // deviations; larger ones are as large
	seenMax     = math.MaxInt32
)

func (s *settings) newSmoothing() Detector { return &smoothing{set: s} }

func (d *smoothing) Step(_ int64, v float64) Verdict {
	fresh := d.untouched()
	nan := math.NaN()
	verdict := Verdict{Expected: nan, Lower: nan, Upper: nan, Out: d.episode.out || d.frozen, Cause: d.cause}
	if math.IsNaN(v) || math.Abs(v) > valueMax {
		d.gap = min(d.gap+1, gapMax)
		if d.trained() {
			p := d.predict()
			d.drawBand(&verdict, &p)
		}
		return verdict
	}
	if fresh {
		d.first(v)
		return verdict
	}
	p := d.predict()
	if d.trained() {
		d.drawBand(&verdict, &p)
	}
	r := v - p.expected
	z := clamp(r/p.wide, surpriseMax)
	d.episode.observe(d.set, z)
	evidence, cause := d.judge(v, z, &p)
	frozen := d.repeats.see(v, int32(d.set.hold), int32(d.set.learnShift), d.seen >= repeatKnown) && d.trained()
	d.learn(v, r, &p)
	if d.seen < seenMax {
		d.seen++
	}
	if d.trained() {
		verdict.Score = d.episode.close(d.set, evidence)
		d.conclude(&verdict, cause, frozen)
	}
	return verdict
}

// conclude moves in and out. A frozen value is out whatever its level.
func (d *smoothing) conclude(verdict *Verdict, cause Cause, frozen bool) {
	switch {
	case frozen && !d.frozen && !d.episode.out:
		d.cause = CauseFrozen
		verdict.Score = d.set.scoreOf(d.set.limit)
	case d.episode.fresh && !d.frozen:
		d.cause = cause
	case frozen:
		verdict.Score = max(verdict.Score, repeatScore)
	}
	d.frozen = frozen
	if verdict.Out = d.episode.out || frozen; !verdict.Out {
		d.cause = CauseNone
	}
	verdict.Cause = d.cause
}

// Peek judges with a copy.
func (d *smoothing) Peek(t int64, v float64) Verdict {
	c := *d
	return c.Step(t, v)
}

// Facts are the estimates that the next step is judged by.
func (d *smoothing) Facts(dst []Fact) []Fact {
	dst = append(dst, Fact{"alpha", d.set.alpha}, Fact{"beta", d.set.beta},
		Fact{"level", d.level}, Fact{"trend", d.trend}, Fact{"usual_level", d.usual}, Fact{"deviation", d.dev},
		Fact{"values_seen", float64(d.seen)}, Fact{FactMemory, min(float64(d.seen), 1/slowRate)})
	return d.episode.facts(d.set, dst)
}

// untouched reports whether no value has been seen. It reads a field of each
// cache line of the state, any of which would tell: among many streams all lines
// are missing from the cache, and this lets them arrive together.
func (d *smoothing) untouched() bool {
	t := &d.parts.tails
	return d.seen == 0 || d.parts.fade == 0 || t[2][up].u == 0 || t[5][down].u == 0 || d.episode.onsets < 0
}

func (d *smoothing) trained() bool { return int(d.seen) >= d.set.train }

func (d *smoothing) first(v float64) {
	d.level, d.usual, d.seen = v, v, 1
	d.repeats.last = v
	d.parts.start(d.set, v)
}

// prediction is what is known of a step before its value is.
type prediction struct {
	expected float64
	floor    float64 // least deviation told apart
	factor   float64 // of the usual deviation, at the expected level
	dev      float64 // mean absolute residual
	wide     float64 // the same, widened by a gap
}

func (d *smoothing) predict() prediction {
	p := prediction{expected: d.level + d.trend}
	usual := math.Abs(d.usual)
	p.floor = leastDev*usual + tiny
	p.factor = math.Sqrt(0.5 + 0.5*relative(math.Abs(p.expected), usual, 4))
	p.dev = d.dev * p.factor
	if p.dev < p.floor {
		p.dev = p.floor
	}
	p.wide = p.dev * (1 + gapWidening*float64(d.gap))
	return p
}

// relative returns size ÷ usual, at most the given power of two and at least its
// inverse.
func relative(size, usual, most float64) float64 {
	switch {
	case size >= most*usual: // also when both are 0
		return most
	case most*size <= usual:
		return 1 / most
	}
	return size / usual
}

// judge returns how surprising the step is, and in which way: evidence e stands for
// a chance of exp(−e−certainty).
func (d *smoothing) judge(v, z float64, p *prediction) (float64, Cause) {
	if d.set.width > 0 {
		// The range is kept for the band.
		d.parts.low, d.parts.high = min(d.parts.low, v), max(d.parts.high, v)
		return d.judgeWidth(z)
	}
	return d.parts.judge(d.set, &d.episode, d.episode.lesson(d.set, d.seen), v, z, p.floor, d.seen)
}

// judgeWidth is the judgement by a fixed number of deviations: exp(−x²/2) bounds
// the chance of x standard deviations under a normal distribution.
func (d *smoothing) judgeWidth(z float64) (float64, Cause) {
	side, cause := up, CauseRise
	if z < 0 {
		side, cause = down, CauseDrop
	}
	if !d.set.counts(side) || !d.episode.open(d.set, side) {
		return 0, CauseNone
	}
	x := z / sdOfMeanAbs
	return x * x / 2, cause
}

// learn moves level, trend and deviation by the residual r = v − expected.
func (d *smoothing) learn(v, r float64, p *prediction) {
	set, e := d.set, &d.episode
	alpha, clip, slow := set.alpha, float64(learnClip), slowRate
	if d.seen < startUp {
		start := 1 / float64(d.seen+1)
		alpha, slow = max(alpha, start), max(slow, start)
	}
	waiting, trendKept := e.waiting(set), 1.0
	switch {
	case e.out && e.outFor < int32(set.learnShift):
		alpha *= outSpeed
		trendKept = outDamping
	case e.out:
		clip = surpriseMax
		trendKept = 0 // the way to a new level is no trend
	case waiting:
		alpha = 0
		trendKept = outDamping
	}
	if gap := float64(d.gap); gap > 0 {
		alpha = max(alpha, min(gapAlphaMax, 1-math.Pow(1-set.alpha, gap)))
		clip *= 1 + gapWidening*gap
		d.gap = float32(max(0, gap*gapKept-0.1))
	}
	level := p.expected + alpha*clamp(r, clip*p.dev)
	d.trend = trendKept * (d.trend + set.beta*(level-d.level-d.trend))
	d.level = level
	d.usual += slow * clamp(v-d.usual, usualClip*p.dev)

	if d.seen > freeSpread && (waiting || e.out && e.outFor > outLearning) {
		return
	}
	spread := math.Abs(r)
	if most := learnClip * p.dev; d.seen >= freeSpread && spread > most {
		spread = most
	}
	d.dev = settled(d.dev + slow*(spread/p.factor-d.dev))
}

// drawBand fills in what was expected, and on each side that counts where a
// single step would be out.
func (d *smoothing) drawBand(verdict *Verdict, p *prediction) {
	least := math.Inf(-1)
	if d.parts.low >= 0 {
		least = 0 // a stream that was never negative is not expected to be
	}
	verdict.Expected = max(p.expected, least)
	if d.set.below {
		verdict.Lower = max(p.expected-p.wide*d.reach(down), least)
	}
	if d.set.above {
		verdict.Upper = max(p.expected+p.wide*d.reach(up), verdict.Expected)
	}
	if d.set.band {
		verdict.Expected = d.usual
		d.parts.drawRange(d.set, verdict)
	}
}

// reach returns the distance, in mean absolute residuals, at which one step is
// out on a side.
func (d *smoothing) reach(side int) float64 {
	if d.set.width > 0 {
		return d.set.width * sdOfMeanAbs
	}
	return d.parts.tails[0][side].quantile(d.parts.fade) * float64(d.parts.reach[side])
}

func (d *smoothing) Reset() { *d = smoothing{set: d.set} }

// settled turns what has faded to nothing into 0, since processors are slow with
// numbers that are almost too small to exist.
func settled(x float64) float64 {
	if math.Abs(x) < 1e-30 {
		return 0
	}
	return x
}

// clamp limits x to [−limit, limit].
// Comparisons, here and below, because the built-in min and max of floats also
// order NaN and zeros and cost several times as much.
func clamp(x, limit float64) float64 {
	if x > limit {
		return limit
	}
	if x < -limit {
		return -limit
	}
	return x
}
