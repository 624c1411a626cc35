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
	above, below           float64 // NaN: no limit on that side
	clearAbove, clearBelow float64
	hold                   int32
	run                    int32 // steps in a row beyond a limit, at most hold
	out                    bool
}

const staticVersion = 1

func newStatic(p *params) Detector {
	nan, huge := math.NaN(), math.MaxFloat64
	if !p.has("above") && !p.has("below") && p.err == nil {
		p.fail("above", "missing", "above or below")
	}
	d := &static{above: nan, below: nan, clearAbove: nan, clearBelow: nan}
	if p.has("above") {
		d.above = p.number("above", nan, -huge, huge)
		d.clearAbove = p.number("clear_above", d.above, -huge, d.above)
	} else if p.has("clear_above") {
		p.fail("clear_above", p.values["clear_above"], "above beside it")
	}
	if p.has("below") {
		d.below = p.number("below", nan, -huge, huge)
		d.clearBelow = p.number("clear_below", d.below, d.below, huge)
	} else if p.has("clear_below") {
		p.fail("clear_below", p.values["clear_below"], "below beside it")
	}
	if d.below > d.above {
		p.fail("below", d.below, "at most above")
	}
	d.hold = int32(max(1, p.steps("hold", 1, 0, maxSteps)))
	return d
}

func (d *static) Step(_ int64, v float64) Verdict {
	verdict := Verdict{Expected: math.NaN(), Lower: d.below, Upper: d.above, Out: d.out}
	if math.IsNaN(v) {
		return verdict
	}
	switch {
	case v > d.above || v < d.below: // false against a missing limit
		d.run = min(d.run+1, d.hold)
		d.out = d.out || d.run >= d.hold
	default:
		d.run = 0
		// Between a limit and its clearing limit the state stays.
		d.out = d.out && (v > d.clearAbove || v < d.clearBelow)
	}
	verdict.Out = d.out
	if d.out {
		verdict.Score = 1
	}
	return verdict
}

func (d *static) AppendState(dst []byte) []byte {
	dst = append(dst, staticVersion)
	dst = appendCount(dst, d.run)
	return appendFlag(dst, d.out)
}

func (d *static) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(staticVersion)
	d.run, d.out = r.count(d.hold), r.flag()
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}

func (d *static) Reset() { d.run, d.out = 0, false }

// newLearnedStatic makes the band that a static detector without limits has when
// it only scores: the range of all values before, beyond which a step is the more
// surprising the further it lies.
func newLearnedStatic(p *params) Detector {
	s := readSettings(p)
	s.band = true
	return &smoothing{set: s}
}
