package algo

import "math"

// static compares each value with fixed limits. It is out from the step at which
// a limit has been crossed for hold steps in a row until the value has come back
// within the clearing limit (a Schmitt trigger: O. H. Schmitt, "A thermionic
// trigger", Journal of Scientific Instruments 15, 1938).
//
// The limits are what the user calls abnormal, so the score is 1 while out and 0
// otherwise.
type static struct {
	limits *limits
	run    int32 // steps in a row beyond a limit, at most hold
	out    bool
}

// limits are the parameters of a static detector.
type limits struct {
	above, below           float64 // NaN: no limit on that side
	clearAbove, clearBelow float64
	hold                   int32
}

const staticVersion = 1

func readStatic(p *params) func() Detector {
	nan, huge := math.NaN(), math.MaxFloat64
	if !p.has("above") && !p.has("below") {
		p.fail("above", "missing", "above or below")
	}
	l := &limits{above: nan, below: nan, clearAbove: nan, clearBelow: nan}
	if p.has("above") {
		l.above = p.number("above", nan, -huge, huge)
		l.clearAbove = p.number("clear_above", l.above, -huge, l.above)
	} else if p.has("clear_above") {
		p.fail("clear_above", p.values["clear_above"], "above beside it")
	}
	if p.has("below") {
		l.below = p.number("below", nan, -huge, huge)
		l.clearBelow = p.number("clear_below", l.below, l.below, huge)
	} else if p.has("clear_below") {
		p.fail("clear_below", p.values["clear_below"], "below beside it")
	}
	if l.below > l.above {
		p.fail("below", l.below, "at most above")
	}
	l.hold = int32(max(1, p.steps("hold", 1, 0, maxSteps)))
	return func() Detector { return &static{limits: l} }
}

func (d *static) Step(_ int64, v float64) Verdict {
	l := d.limits
	verdict := Verdict{Expected: math.NaN(), Lower: l.below, Upper: l.above, Out: d.out}
	if math.IsNaN(v) {
		return verdict.because(CauseLimit)
	}
	switch {
	case v > l.above || v < l.below: // false against a missing limit
		d.run = min(d.run+1, l.hold)
		d.out = d.out || d.run >= l.hold
	default:
		d.run = 0
		// Between a limit and its clearing limit the state stays.
		d.out = d.out && (v > l.clearAbove || v < l.clearBelow)
	}
	verdict.Out = d.out
	if d.out {
		verdict.Score = 1
	}
	return verdict.because(CauseLimit)
}

// Peek judges with a copy.
func (d *static) Peek(t int64, v float64) Verdict {
	c := *d
	return c.Step(t, v)
}

// Facts are the limits in force; NaN is none.
func (d *static) Facts(dst []Fact) []Fact {
	l := d.limits
	return append(dst, Fact{"above", l.above}, Fact{"below", l.below},
		Fact{"clear_above", l.clearAbove}, Fact{"clear_below", l.clearBelow},
		Fact{FactHold, float64(l.hold)}, Fact{FactHeld, float64(d.run)})
}

func (d *static) AppendState(dst []byte) []byte {
	dst = append(dst, staticVersion)
	dst = appendCount(dst, d.run)
	return appendFlag(dst, d.out)
}

func (d *static) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(staticVersion)
	d.run, d.out = r.count(d.limits.hold), r.flag()
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}

func (d *static) Reset() { d.run, d.out = 0, false }

// readLearnedStatic makes the band that a static detector without limits has when
// it only scores: the range of the values before, beyond which a step is the more
// surprising the further it lies, or the longer where steps are shorter than the hold.
func readLearnedStatic(p *params) func() Detector {
	s := readSettings(p)
	if s.addsUp() {
		return s.newLearnedBand(p)
	}
	s.band = true
	return s.newSmoothing
}
