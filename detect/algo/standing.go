package algo

import "math"

// standing is what a stream's sums have led to: whether it is out, since when and
// why. An onset soon after another is one only when it is clearly worse, and after
// an episode the sums rest for a hold, since the way back is no excursion.
type standing struct {
	excursions  [sides]excursion
	depth       float32 // how far out the last episode was
	since       int32   // steps since the last onset, at most maxSteps
	recovery    int32   // steps until sums count again
	out, frozen bool
	cause       Cause
	side        uint8 // on which it is out
}

const (
	shiftSteps = 20   // in which a new level is learned, once it is
	driftHolds = 2    // age of a sum, in holds, from which its cause is drift
	depthRate  = 0.3  // weight of a hold
	wayBack    = 0.35 // of the depth of an episode, within which a step is on the way back
)

func (d *standing) start() {
	d.since = maxSteps
	for side := range d.excursions {
		d.excursions[side].start()
	}
}

// measure adds a step to the sums, z mean absolute residuals away from what is
// normal, and returns the evidence of the more telling side that counts.
func (d *standing) measure(s *sumSettings, z float64, trained bool) (evidence float64, side int) {
	a, b := &d.excursions[up], &d.excursions[down]
	if a.sum == 0 && b.sum == 0 && math.Abs(z) <= s.allowance && !d.out && d.recovery == 0 { // as most steps are
		if trained {
			a.calm()
			b.calm()
		}
		return 0, up
	}
	for i := range d.excursions {
		x := &d.excursions[i]
		if d.recovery > 0 {
			x.sum, x.top, x.age = 0, 0, 0
			continue
		}
		distance := z
		if i == down {
			distance = -z
		}
		back := 0.0
		if d.out && i == int(d.side) {
			if deeper := distance - float64(d.depth); deeper > 0 {
				d.depth += float32(depthRate / float64(s.hold) * deeper)
			}
			back = float64(wayBack * d.depth)
		}
		x.advance(s, distance, back, d.out)
		if !trained {
			continue
		}
		if x.sum > x.usual && s.counts(i) {
			if found := x.evidence(s); found > evidence {
				evidence, side = found, i
			}
		}
		if !d.out {
			x.learn(s)
		}
	}
	return evidence, side
}

// decide moves in and out, and reports whether an episode ended.
func (d *standing) decide(s *sumSettings, evidence float64, side int, z float64, frozen bool) (left bool) {
	if d.since < maxSteps {
		d.since++
	}
	switch {
	case evidence == 0 && !frozen && !d.out:
	case frozen && !d.out:
		d.enter(CauseFrozen, 0)
		d.frozen = true
	case d.frozen && !frozen:
		d.leave(s)
		return true
	case d.frozen:
	case !d.out && evidence >= s.limit && d.news(s, side, z):
		d.enter(d.because(s, side), math.Abs(z))
		d.side = uint8(side)
	case d.out && (d.over(s) || d.since > int32(s.learnShift)+shiftSteps):
		d.leave(s)
		return true
	}
	return false
}

// over reports whether the side that is out has recovered. What the other side shows
// then is the way back, not an excursion.
func (d *standing) over(s *sumSettings) bool {
	x := &d.excursions[d.side]
	return x.sum <= x.usual || x.evidence(s) < s.clear
}

// news reports whether an onset on a side is one: soon after another on the same side
// only when it is clearly worse.
func (d *standing) news(s *sumSettings, side int, z float64) bool {
	return d.since > s.rest || side != int(d.side) || math.Abs(z) > float64(repeatFactor*float64(d.depth))+repeatMargin
}

func (d *standing) because(s *sumSettings, side int) Cause {
	switch {
	case d.excursions[side].age > driftHolds*int32(s.hold):
		return CauseDrift
	case side == down:
		return CauseDrop
	}
	return CauseRise
}

func (d *standing) enter(c Cause, distance float64) {
	d.out, d.since = true, 0
	d.cause, d.depth = c, float32(distance)
}

// leave ends an episode. What was normal is learned anew for a moment.
func (d *standing) leave(s *sumSettings) {
	d.out, d.frozen, d.cause = false, false, CauseNone
	d.recovery = int32(s.hold)
	for side := range d.excursions {
		x := &d.excursions[side]
		x.sum, x.top, x.age = 0, 0, 0
	}
}

// score returns the score of a step.
func (d *standing) score(s *sumSettings, evidence float64, frozen bool) float64 {
	switch {
	case frozen:
		return s.scoreOf(s.limit)
	case evidence <= 0:
		return 0
	case d.out || evidence < s.limit:
		return s.scoreOf(evidence)
	}
	return min(s.scoreOf(evidence), repeatScore)
}

// facts appends how far the stream is from being out, or from being over.
func (d *standing) facts(s *sumSettings, dst []Fact) []Fact {
	out := 0.0
	if d.out {
		out = float64(d.since) + 1
	}
	a, b := &d.excursions[up], &d.excursions[down]
	held := min(max(a.age, b.age), int32(s.hold))
	return append(dst, Fact{"sum_above", float64(a.sum)}, Fact{"height_above", a.height(s)},
		Fact{"sum_below", float64(b.sum)}, Fact{"height_below", b.height(s)},
		Fact{FactThreshold, s.scoreOf(s.limit)}, Fact{FactClear, s.scoreOf(s.clear)},
		Fact{FactHold, float64(s.hold)}, Fact{FactHeld, float64(held)}, Fact{FactStepsOut, out})
}

func (d *standing) append(dst []byte) []byte {
	for i := range d.excursions {
		x := &d.excursions[i]
		dst = appendCount(dst, x.age)
		for _, f := range [...]float32{x.sum, x.top, x.usual, x.excess} {
			dst = appendFloat32(dst, f)
		}
	}
	for _, n := range [...]int32{d.since, d.recovery} {
		dst = appendCount(dst, n)
	}
	dst = appendFlag(appendFlag(appendFloat32(dst, d.depth), d.out), d.frozen)
	return append(dst, byte(d.cause), d.side)
}

func (d *standing) restore(r *reader, s *sumSettings) {
	for i := range d.excursions {
		x := &d.excursions[i]
		x.age = r.count(maxSteps)
		for _, f := range [...]*float32{&x.sum, &x.top, &x.usual, &x.excess} {
			*f = r.float32()
		}
	}
	d.since, d.recovery = r.count(maxSteps), r.count(int32(s.hold))
	d.depth, d.out, d.frozen = r.float32(), r.flag(), r.flag()
	if d.cause = Cause(r.byte()); d.cause > CauseWorse {
		r.fail("cause %d", d.cause)
	}
	if d.side = r.byte(); d.side >= sides {
		r.fail("side %d", d.side)
		d.side = 0
	}
}
