package algo

import "math"

// windows judges a stream of short steps against its expected course by how far
// it lies off on average over several stretches of time at once.
//
// A stretch is heard only when both its ends show the excursion, which tells a
// drop from the dip of a deploy within it, and only when the time before it does
// not: what comes on gradually is a day with a course of its own, and whether it
// is a leak is for drift.go to say. How far is far is learned for each stretch
// and side (tail.go), from distances in standard deviations of what counts vary by
// (counts.go) and of what the stream varies by on top.
type windows struct {
	level   float64 // local factor on the profile, or distance from it
	head    int32   // next of ticks
	minHead int32   // next of minutes
	seen    int32   // ticks, at most seenMax
	learned int32   // ticks since the season was chosen
	absent  int32   // ticks in a row
	minN    int32
	minSum  float32
	ramp    bool // something gradual goes on
	stretch [stretches]stretch
	noise   counts
	ticks   [tickRing]float32   // values as parts of the profile, unknownBucket when absent
	minutes [minuteRing]float32 // the same, means over a minute or a tick if longer
	slow    drift
}

// stretch is what is known of averages over one length of time.
type stretch struct {
	excess float32 // variance beyond that of counts, relative
	tails  [sides]tail
}

const (
	tickRing    = 32
	minuteRing  = 32
	leastTickMs = 10_000
	minuteMs    = 60_000
	stretches   = 3  // the first of ticks, the others of minutes
	before      = 10 // minutes before a stretch, and as many before those
)

// span is a stretch of time, in ticks or minutes.
type span struct {
	n, edge int
	skip    int     // minutes until what was before
	weight  float64 // share of a tick in what is learned
	stride  int32
}

// found is what windows saw in a step.
type found struct {
	evidence float64
	side     int
	depth    float64 // share by which the stream is off, positive
	cause    Cause
	back     bool // it went back to where it was before
}

const (
	edgeLeast    = 0.6 // of the core's depth that both ends of a stretch must show
	ringMost     = 1e6
	levelClip    = 2.5 // standard deviations of a tick that the level follows
	stretchU     = 2.2 // first guess of a quantile
	stretchH     = 0.2
	excessFrom   = 0.0004 // first guess, (2 %)²
	leastExcess  = 1e-7
	leastOff     = 0.035 // share off that is worth a page, however sure it is
	youngTicks   = 0.06  // the same while a day is young, by the ticks
	youngMinutes = 0.25  // and by the minutes
	oddFrom      = 0.12  // log, from the usual level
	oddLeast     = 0.08  // the same on such a day, or on one that goes as a free day
	calmTicks    = 1.0   // changes of a calm quarter of an hour that the share must exceed
	calmMinutes  = 2.0
	backSure     = 0.5 // of the evidence of a page, from which a way back is believed at once
	looks        = 1.6 // −log of the share of a chance that one of many stretches has
)

func (w *windows) reset(level float64) {
	*w = windows{level: level}
	w.unlearn()
}

// unlearn forgets all but how many ticks have been seen: what was learned against
// another season hides what is to be found against this one.
func (w *windows) unlearn() {
	w.learned = 0
	w.forget()
	for i := range w.stretch {
		w.stretch[i] = stretch{excessFrom, [sides]tail{{stretchU, stretchH}, {stretchU, stretchH}}}
	}
	w.noise.reset()
	w.slow.reset()
}

// forget empties the rings.
func (w *windows) forget() {
	for i := range w.ticks {
		w.ticks[i] = unknownBucket
	}
	for i := range w.minutes {
		w.minutes[i] = unknownBucket
	}
	w.minSum, w.minN = 0, 0
}

// meanOf is a mean over what is present.
type meanOf struct {
	sum float64
	n   int
}

func (m *meanOf) add(x float32) {
	if x != unknownBucket {
		m.sum += float64(x)
		m.n++
	}
}

func (m meanOf) plus(o meanOf) meanOf { return meanOf{m.sum + o.sum, m.n + o.n} }
func (m meanOf) mean() float64        { return m.sum / float64(m.n) }

// over returns the mean of ring entries [from, to), counted back from head.
func over(ring []float32, head int32, from, to int) (m meanOf) {
	for i := from; i < to; i++ {
		m.add(ring[(int(head)-1-i)&(len(ring)-1)])
	}
	return m
}

// push takes a tick, as a part of the profile; ends says that a minute ends.
func (w *windows) push(x float64, ends bool) {
	part := float32(unknownBucket)
	if x == x {
		part = float32(clamp(x, ringMost))
		w.minSum += part
		w.minN++
	}
	w.ticks[w.head] = part
	w.head = (w.head + 1) % tickRing
	if w.seen < seenMax {
		w.seen++
	}
	if w.learned < seenMax {
		w.learned++
	}
	if ends {
		mean := float32(unknownBucket)
		if w.minN > 0 {
			mean = w.minSum / float32(w.minN)
		}
		w.minutes[w.minHead] = mean
		w.minHead = (w.minHead + 1) % minuteRing
		w.minSum, w.minN = 0, 0
	}
}

// off returns how far x is off the level.
func (w *windows) off(x float64, linear bool) float64 {
	if linear {
		return x - w.level
	}
	return x/w.level - 1
}

// deviation returns how many standard deviations the mean share off over n ticks
// is, where the expected value of a tick is e.
func (w *windows) deviation(off, e, n, excess float64) float64 {
	// q is half way between what was expected and what came, on the scale of
	// roots, which makes the variance of counts constant (M. S. Bartlett, "The
	// square root transformation in analysis of variance", Supplement to the
	// Journal of the Royal Statistical Society 3, 1936).
	root := 1 + math.Sqrt(max(0, 1+off))
	q := root * root / 4
	return off / math.Sqrt(w.noise.perTick(e)*q/n+excess*q*q)
}

// judge returns the strongest evidence of all stretches, and learns what normal is
// if learning is allowed. e is the expected value of a tick.
func (w *windows) judge(s *seasonSettings, e float64, linear, ends, learning bool) (f found) {
	w.ramp = false
	last := 1
	if ends {
		last = stretches
	}
	for i := range last {
		w.judgeSpan(s, i, e, linear, learning, &f)
	}
	w.judgeHalf(s, e, linear, &f)
	return f
}

func (w *windows) judgeSpan(s *seasonSettings, i int, e float64, linear, learning bool, f *found) {
	sp, st := &s.spans[i], &w.stretch[i]
	ring, head, each := w.ticks[:], w.head, 1.0
	if i > 0 {
		ring, head, each = w.minutes[:], w.minHead, s.minuteTicks
	}
	newest := over(ring, head, 0, sp.edge)
	core := over(ring, head, sp.edge, sp.n-sp.edge)
	oldest := over(ring, head, sp.n-sp.edge, sp.n)
	all := newest.plus(core).plus(oldest)
	if 2*all.n <= sp.n {
		return
	}
	off := w.off(all.mean(), linear)
	ticks := each * float64(all.n)
	x := w.deviation(off, e, ticks, float64(st.excess))
	side := up
	if x < 0 {
		side, x = down, -x
	}
	q := &st.tails[side]
	u := q.quantile(1)
	heard := x > u && (linear || math.Abs(off) >= w.least(i, off)) && w.shows(sp, off, &newest, &core, &oldest, linear)
	var way way
	if heard {
		way = w.before(s, sp, off, e, linear)
		if !way.sudden(off, linear) {
			heard = false
			w.ramp = w.ramp || x > 2*u
		}
	}
	if heard && i == 0 && !linear && w.slow.young && math.Abs(off) < youngMinutes && !w.jumped(sp, off) {
		heard = false
		w.ramp = true
	}
	if heard && !linear {
		from := math.Log(w.level)
		to := from + math.Log1p(max(off, -0.99))
		if w.slow.homeward(from, to) {
			heard, learning = false, false
			f.back = f.back || i == 0 && math.Log(x/u)/float64(q.index)-looks >= backSure*s.limit
		} else if i > 0 {
			heard = !w.slow.returns(from, to)
		}
		if heard && math.Abs(to-from) < duskSudden && w.slow.ends(from, to, duskOdd) {
			heard, w.ramp = false, true
		}
	}
	if learning && head%sp.stride == 0 {
		w.learn(sp, st, off, e, ticks, side, x, u, heard)
	}
	if !heard || !s.counts(side) {
		return
	}
	if !linear {
		x = math.Abs(w.deviation(off-way.sure(off), e, ticks, float64(st.excess)))
		if x <= u {
			return
		}
	}
	evidence := math.Log(x/u)/float64(q.index) - looks
	if s.width > 0 {
		evidence = x * x / 2
	}
	if evidence > f.evidence {
		*f = found{evidence, side, math.Abs(off), causeOf(side), f.back}
	}
}

// least is the share off from which stretch i is heard: more on a day that does not
// go by the profile, and when the next day comes.
func (w *windows) least(i int, off float64) float64 {
	least, calm := leastOff, calmMinutes
	if w.slow.young {
		least = youngMinutes
	}
	if i == 0 {
		calm = calmTicks
		least = min(least, youngTicks)
	}
	odd := math.Log(w.level) - float64(w.slow.usual)
	if w.slow.free || odd > oddFrom || odd < -oddFrom && off > 0 { // what falls on and on is no holiday
		least = max(least, oddLeast)
	}
	if w.slow.lowered(w.level) && off < 0 {
		least = max(least, oddLeast)
	}
	return max(least, calm*float64(w.slow.calm))
}

// shows reports whether both ends of a stretch that is off show it.
func (w *windows) shows(sp *span, off float64, newest, core, oldest *meanOf, linear bool) bool {
	if sp.edge == 0 {
		return true
	}
	if newest.n == 0 || oldest.n == 0 {
		return false
	}
	first, last, middle := w.off(oldest.mean(), linear)/off, w.off(newest.mean(), linear)/off, 1.0
	if core.n > 0 {
		middle = w.off(core.mean(), linear) / off
	}
	return min(first, last) >= edgeLeast*max(first, last, middle) && middle >= edgeLeast*max(first, last)
}

// jumped reports whether most of the share off came within a tick or two before the
// first stretch: what comes in with the day takes its time.
func (w *windows) jumped(sp *span, off float64) bool {
	then := over(w.ticks[:], w.head, sp.n+1, sp.n+1+max(2, sp.edge))
	return then.n == 0 || (off-w.off(then.mean(), false))/off > jumpLeast
}

const jumpLeast = 0.7

func causeOf(side int) Cause {
	if side == up {
		return CauseRise
	}
	return CauseDrop
}

// learn takes a normal mean into what a stretch knows.
func (w *windows) learn(sp *span, st *stretch, off, e, ticks float64, side int, x, u float64, heard bool) {
	weight := max(sp.weight, 3*float64(sp.stride)/float64(w.learned+1))
	counted := w.noise.perTick(e) / ticks
	excess := float64(st.excess)
	sq := min(off*off, 9*(counted+excess))
	excess += min(weight, 0.1) * (sq - counted - excess)
	st.excess = float32(max(excess, leastExcess))
	learnTails(&st.tails, side, x, u, min(0.2, 10*weight), min(0.1, 5*weight), heard)
}

// learnTails takes the distance x on a side into both tails. Only what is heard
// is an exceedance.
func learnTails(tails *[sides]tail, side int, x, u, rate, weight float64, heard bool) {
	q, other := &tails[side], &tails[1-side]
	other.u = float32(max(leastU, float64(other.u)*(1-rate*tailShare)))
	if heard {
		q.raise(u, math.Log(x/u), 1, rate, weight)
		q.index = min(q.index, indexMost)
		return
	}
	q.u = float32(max(leastU, u*(1-rate*tailShare)))
}

const (
	leastU    = 1.6 // a normal tail has 1.88
	indexMost = 0.4
)

// judgeHalf hears falls by half within a minute, which wait for nothing.
func (w *windows) judgeHalf(s *seasonSettings, e float64, linear bool, f *found) {
	if s.deep == 0 || !s.below || linear {
		return
	}
	all := over(w.ticks[:], w.head, 0, s.deep)
	if all.n == 0 || 2*all.n < s.deep {
		return
	}
	off := w.off(all.mean(), false)
	if off > -halfLeast {
		return
	}
	st := &w.stretch[0]
	n := float64(all.n)
	x := -w.deviation(off, e, n, float64(st.excess))
	spread := math.Sqrt(w.noise.perTick(e)/2/n + float64(st.excess))
	if off > -halfShare+clamp(halfMargin+spread, halfMarginMost) || x < halfSure {
		return
	}
	if newest := over(w.ticks[:], w.head, 0, 1); newest.n > 0 && w.off(newest.mean(), false) > -halfLeast {
		return
	}
	q := &st.tails[down]
	evidence := max(s.limit, math.Log(x/q.quantile(1))/float64(q.index))
	if s.width > 0 {
		evidence = x * x / 2
	}
	if evidence > f.evidence {
		*f = found{evidence, down, -off, CauseDrop, f.back}
	}
}

const (
	halfShare      = 0.5
	halfMargin     = 0.04
	halfMarginMost = 0.08
	halfLeast      = 0.4 // share of a fall, however uncertain
	halfSure       = 4.5 // standard deviations
)

// follow moves the level by a tick x at expected value e. The gain is that of a
// steady Kalman filter for a level that wanders by wanderPerMinute (R. E. Kalman,
// "A new approach to linear filtering and prediction problems", Journal of Basic
// Engineering 82, 1960), so that busy streams are followed faster; the step is
// clipped.
func (w *windows) follow(s *seasonSettings, x, e, speed float64, linear bool) {
	noise := w.noise.perTick(e)
	ratio := s.wander / noise
	gain := (math.Sqrt(ratio*ratio+4*ratio) - ratio) / 2
	size := w.level
	if linear {
		size = 1
		gain = min(gain, s.tickFast*4)
	}
	limit := levelClip * math.Sqrt(noise+float64(w.stretch[0].excess)) * size
	w.level += min(1, speed*gain) * clamp(x-w.level, limit)
	if !linear && w.level < 1e-9 {
		w.level = 1e-9
	}
}

const wanderPerMinute = 1.5e-6 // variance of the change of a level's logarithm

// rescale makes everything a part of a profile that is smaller by factor, or lies
// lower by it.
func (w *windows) rescale(factor float64, linear bool) {
	move := func(x *float32) {
		switch {
		case *x == unknownBucket:
		case linear:
			*x = float32(clamp(float64(*x)+factor, ringMost))
		default:
			*x = float32(clamp(float64(*x)*factor, ringMost))
		}
	}
	for i := range w.ticks {
		move(&w.ticks[i])
	}
	for i := range w.minutes {
		move(&w.minutes[i])
	}
	if linear {
		w.level += factor
		w.minSum += float32(factor) * float32(w.minN)
		return
	}
	w.level = max(w.level*factor, 1e-9)
	w.minSum *= float32(factor)
	for i := range w.slow.homes {
		w.slow.homes[i].level += float32(math.Log(factor))
	}
}
