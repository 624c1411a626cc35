package algo

import "math"

// way is where the minutes before a stretch lead: a day that changes its level within
// an hour or two is not off all of a sudden, however far it has come.
type way struct {
	known    bool
	line     float64 // share off to which it leads
	slope    float64 // of that a minute
	variance float64 // of line, from what counts vary by
}

const (
	suddenLeast = 0.5 // of a share off that must have come since before the stretch
	turnLeast   = 1.5 // changes of the ten minutes before that it must exceed
	wayMargin   = 0.7 // standard deviations by which the way may lead less far
)

// before returns the way that led to a stretch, which is off by a share. It goes on if
// it leads there, and has ended if it does not.
func (w *windows) before(s *seasonSettings, sp *span, off, e float64, linear bool) (y way) {
	near := over(w.minutes[:], w.minHead, sp.skip, sp.skip+before)
	far := over(w.minutes[:], w.minHead, sp.skip+before, min(sp.skip+2*before, minuteRing))
	if near.n < 2 {
		return y
	}
	minute := w.noise.perTick(e) / s.minuteTicks
	y.known, y.line, y.variance = true, w.off(near.mean(), linear), minute/float64(near.n)
	if far.n < before/2 {
		return y
	}
	y.slope = (y.line - w.off(far.mean(), linear)) / before
	if y.slope*off > 0 {
		ahead := float64(before+sp.skip) / 2
		y.line += float64(y.slope * ahead)
		g := ahead / before
		y.variance = minute * ((1+g)*(1+g)/float64(near.n) + g*g/float64(far.n))
	}
	return y
}

// sudden reports whether most of the share off has come since, where the way would not
// have led.
func (y *way) sudden(off float64, linear bool) bool {
	if !y.known {
		return true
	}
	if !linear && math.Abs(off) < turnLeast*math.Abs(y.slope)*before {
		return false
	}
	return (off-y.line)/off > suddenLeast
}

// sure returns the part of the share off to which the way surely leads.
func (y *way) sure(off float64) float64 {
	if !y.known {
		return 0
	}
	part := math.Copysign(1, off) * y.line
	return math.Copysign(max(0, part-float64(wayMargin*math.Sqrt(y.variance))), off)
}
