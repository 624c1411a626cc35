package algo

import "math"

// drift judges what comes on over minutes to hours, by buckets of the profile.
//
// A step within the last hour is judged as the windows of minutes do. A leak is a
// fall that goes on and on: over hours, no half hour of which makes up most of it.
// A holiday has another level too, but gets there within an hour or so, often to
// the course of a weekend; so a fall must be one against that course as well.
type drift struct {
	heard float32 // evidence of the last bucket
	side  int32
	depth float32
	base  float32 // level from which it was heard
	usual float32 // level of the last days
	calm  float32 // median change of the followed course over a quarter of an hour
	seen  int32
	head  int32
	cause Cause
	young bool // the day has begun not long ago
	free  bool // the day goes the way of a free day
	homes [homesKept]home
	step  slowStretch
	leak  slowStretch
	own   [driftRing]float32 // distance of buckets from the profile, unknownBucket when absent
	other [driftRing]float32 // the same from that of a free day
	dawn  [2]float32         // levels with which this day and the one before began, unknownBucket when not known
	came  float32            // the one from which a day came that began some hours ago
	dusk  float32            // the one to which a day that is ending may go back
}

// slowStretch is what is known of one statistic of buckets.
type slowStretch struct {
	dev   float32 // mean absolute
	tails [sides]tail
}

const (
	driftRing  = 128
	leakSpan   = 42 // buckets
	leakRecent = 3
	leakOldest = 6
	leakBlock  = 6
	leakShare  = 0.42 // of a fall that one block may make up
	leakPace   = 0.1  // of the fall must have come in the last three quarters of an hour
	leakLooks  = 1.2  // see looks
	leakCalm   = 7    // changes of a calm quarter of an hour that a fall must exceed
	calmTimes  = 2    // the same for a step
	leakLeast  = 0.06 // log
	leakBelow  = 0.5  // of the fall must be below the usual level
	leakFree   = 0.3  // of it must be a fall against the course of a free day, on one
	stepSpan   = 6
	stepLeast  = 0.05 // log
	roughSpan  = 24
	roughLag   = 3
	roughLeast = 0.015 // log, of a quarter of an hour
	freeGain   = 0.6   // of the roughness against the course followed so far
	stepFlat   = 0.7   // the first part of a step to its last
)

func (w *drift) reset() {
	*w = drift{}
	w.forget()
	w.step = slowStretch{0.02, [sides]tail{{stretchU, stretchH}, {stretchU, stretchH}}}
	w.leak = w.step
}

func (w *drift) forget() {
	for i := range w.own {
		w.own[i], w.other[i] = unknownBucket, unknownBucket
	}
	w.dawn, w.came, w.dusk = [2]float32{unknownBucket, unknownBucket}, unknownBucket, unknownBucket
}

// push takes the distance of a bucket from the profile and from that of a free day.
func (w *drift) push(s *seasonSettings, own, other float32, usual float64, since int, free, linear, learning bool) {
	w.own[w.head], w.other[w.head] = own, other
	w.head = (w.head + 1) % driftRing
	if w.seen < seenMax {
		w.seen++
	}
	w.heard, w.depth, w.base, w.usual = 0, 0, 0, float32(usual)
	w.free = free
	w.age()
	if free {
		w.calm = median(&w.other, w.head)
	} else {
		w.calm = median(&w.own, w.head)
	}
	w.young = since >= 0 && since < youngDay
	w.pass(since, learning)
	w.judgeStep(s, linear, learning)
	w.judgeLeak(s, usual, since, linear, learning)
}

// size turns a distance on the scale into a share off.
func size(x float64, linear bool) float64 {
	if linear {
		return math.Abs(x)
	}
	return math.Abs(math.Expm1(x))
}

// judge weighs off, and returns its evidence and side.
func (st *slowStretch) judge(s *seasonSettings, off, looks float64, seen int32, learning, heard bool) (float64, int) {
	side := up
	if off < 0 {
		side = down
	}
	x := math.Abs(off) / max(float64(st.dev)*sdOfMeanAbs, 1e-9)
	q := &st.tails[side]
	u := q.quantile(1)
	if learning {
		weight := max(1.0/3000, min(0.02, 1/float64(seen+1)))
		st.dev += float32(weight * (min(math.Abs(off), 4*float64(st.dev)) - float64(st.dev)))
		learnTails(&st.tails, side, x, u, min(0.2, 10*weight), min(0.1, 5*weight), x > u && heard)
	}
	if x <= u || !heard || !s.counts(side) {
		return 0, side
	}
	if s.width > 0 {
		return x * x / 2, side
	}
	return math.Log(x/u)/float64(q.index) - looks, side
}

// judgeStep compares the last half hour with the half hour before and the line
// that led there.
func (w *drift) judgeStep(s *seasonSettings, linear, learning bool) {
	off, heard, known := w.stepIn(w.own[:])
	if !known {
		return
	}
	heard = heard && (linear || math.Abs(off) >= max(stepLeast, calmTimes*float64(w.calm))) && !(w.young && math.Abs(off) < holidayMost)
	now := over(w.own[:], w.head, 0, stepSpan).mean()
	if heard && !linear && (w.returns(now-off, now) || w.homeward(now-off, now) || w.ends(now-off, now, duskLeast)) {
		heard = false
	}
	if other, too, known := w.stepIn(w.other[:]); heard && known && (!too || other/off < leakBelow) {
		heard = false
	}
	evidence, side := w.step.judge(s, off, looks, w.seen, learning, heard)
	if evidence > 0 {
		w.heard, w.side, w.depth, w.cause = float32(min(evidence, evidenceMax)), int32(side), float32(size(off, linear)), causeOf(side)
		w.base = float32(now - off)
	}
}

// stepIn returns the change from one half hour to the next, and whether it was
// sudden and stayed.
func (w *drift) stepIn(ring []float32) (off float64, sudden, known bool) {
	part := func(from, to int) float64 {
		m := over(ring, w.head, from, to)
		if 2*m.n <= to-from {
			return math.NaN()
		}
		return m.mean()
	}
	now, near, far := part(0, stepSpan), part(stepSpan, 2*stepSpan), part(2*stepSpan, 3*stepSpan)
	newest, oldest := part(0, 2), part(stepSpan-2, stepSpan)
	off = now - near
	if off != off || far != far {
		return 0, false, false
	}
	base := near
	if slope := near - far; slope*off > 0 {
		base += slope
	}
	sudden = (now-base)/off >= suddenLeast && (newest-near)/off >= edgeLeast &&
		(oldest-near)/off > 0 && (oldest-near)/(newest-near) >= stepFlat
	return off, sudden, true
}

// judgeLeak looks for a fall that goes on.
func (w *drift) judgeLeak(s *seasonSettings, usual float64, since int, linear, learning bool) {
	off := w.fall(w.own[:])
	if off == 0 {
		return
	}
	now := over(w.own[:], w.head, 0, leakRecent).mean()
	heard := off < -max(leakLeast, leakCalm*float64(w.calm)) && now-usual < leakBelow*off && w.fair(w.own[:], off)
	if pace, known := pace(w.own[:], w.head); heard && known && pace > leakPace*off {
		heard = false
	}
	if pace, known := pace(w.other[:], w.head); heard && known && pace > leakPace*off {
		heard = false
	}
	if heard && w.free && now-usual > -holidayFall {
		other := w.fall(w.other[:])
		heard = other == 0 || other < leakFree*off
	}
	heard = heard && !w.holiday(since, off) && (linear || !w.ends(now-off, now, duskLeast))
	evidence, side := w.leak.judge(s, off, leakLooks, w.seen, learning, heard)
	if evidence > float64(w.heard) {
		w.heard, w.side, w.depth, w.cause = float32(min(evidence, evidenceMax)), int32(side), float32(size(off, linear)), CauseDrift
		w.base = float32(now - off)
	}
}

// fall returns the change over the last hours, 0 when too little is known.
func (w *drift) fall(ring []float32) float64 {
	now, then := over(ring, w.head, 0, leakRecent), over(ring, w.head, leakSpan-leakOldest, leakSpan)
	if now.n == 0 || then.n < 2 {
		return 0
	}
	return now.mean() - then.mean()
}

// fair reports whether no half hour makes up most of a fall by off.
func (w *drift) fair(ring []float32, off float64) bool {
	for i := 0; i+leakBlock+leakRecent <= leakSpan; i++ {
		a, b := over(ring, w.head, i, i+leakRecent), over(ring, w.head, i+leakBlock, i+leakBlock+leakRecent)
		if a.n > 0 && b.n > 0 && (a.mean()-b.mean())/off > leakShare {
			return false
		}
	}
	return true
}

// recent returns the means of the last quarter of an hour and of the hour before.
func (w *drift) recent() (now, then float64) {
	return over(w.own[:], w.head, 0, 2).mean(), over(w.own[:], w.head, 2, 14).mean()
}

// goesFree reports whether the stream has rather gone the way of a free day in the last
// two hours; now says which way it is thought to go. Levels do not count, only how
// the distance from either course changes.
func (w *drift) goesFree(now, linear bool) bool {
	if linear || !now && w.calm < roughLeast/2 {
		return false // it goes its usual way
	}
	own, other := rough(&w.own, w.head), rough(&w.other, w.head)
	switch {
	case own != own || other != other:
		return false
	case now:
		return !(own < freeGain*other)
	}
	return own > roughLeast && other < freeGain*own
}

// rough returns the mean change over a quarter of an hour, NaN when too little is
// known.
func rough(ring *[driftRing]float32, head int32) float64 {
	sum, n := 0.0, 0.0
	for i := range int32(roughSpan) {
		a, b := ring[(head-1-i)&(driftRing-1)], ring[(head-1-i-roughLag)&(driftRing-1)]
		if a != unknownBucket && b != unknownBucket {
			sum += math.Abs(float64(a) - float64(b))
			n++
		}
	}
	if n < roughSpan/2 {
		return math.NaN()
	}
	return sum / n
}

// pace returns the change over the last three quarters of an hour.
func pace(ring []float32, head int32) (float64, bool) {
	now, then := over(ring, head, 0, 3), over(ring, head, 9, 12)
	return now.mean() - then.mean(), now.n > 0 && then.n > 0
}

// holiday reports whether a fall by off began as the day did, since buckets ago, and
// is no deeper than days differ.
func (w *drift) holiday(since int, off float64) bool {
	if since < 6 || since >= driftRing-4 || off < -holidayFall {
		return false
	}
	at := over(w.own[:], w.head, since-1, since+3)
	then := over(w.own[:], w.head, leakSpan-leakOldest, leakSpan)
	early := over(w.own[:], w.head, max(since-holidayEarly, 0), max(since-holidayEarly+3, 3))
	now := over(w.own[:], w.head, 0, leakRecent)
	if at.n == 0 || then.n == 0 || early.n == 0 || now.mean()-at.mean() < -holidayFall {
		return false
	}
	if since < leakSpan && (at.mean()-then.mean())/off > holidayBefore {
		return false
	}
	fair := holidayPace * holidayEarly / float64(max(since, holidayEarly))
	return (early.mean()-at.mean())/(now.mean()-at.mean()) >= fair
}

const (
	holidayMost   = 0.5  // log
	holidayBefore = 0.3  // of the fall that may have come before the day began
	holidayFall   = 0.45 // what is deeper is none
	holidayEarly  = 24   // buckets
	holidayPace   = 0.4  // of a steady pace that the first of them have at least
	youngDay      = 34   // buckets
)

// median returns the median change over a quarter of an hour, 0 when too little is
// known.
func median(ring *[driftRing]float32, head int32) float32 {
	var changes [roughSpan/2 + 1]float32 // the least ones, in order
	n := 0
	for i := range int32(roughSpan) {
		a, b := ring[(head-1-i)&(driftRing-1)], ring[(head-1-i-roughLag)&(driftRing-1)]
		if a == unknownBucket || b == unknownBucket {
			continue
		}
		x := a - b
		if x < 0 {
			x = -x
		}
		k := n
		n++
		if last := len(changes) - 1; k > last {
			if x >= changes[last] {
				continue
			}
			k = last
		}
		for ; k > 0 && changes[k-1] > x; k-- {
			changes[k] = changes[k-1]
		}
		changes[k] = x
	}
	if n < roughSpan/2 {
		return 0
	}
	return changes[n/2]
}
