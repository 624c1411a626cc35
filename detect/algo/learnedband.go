package algo

import "math"

// learnedBand is the static detector without limits where a step is shorter than
// the hold: the band holds all but a small share of the values on each side, and
// how far they lie beyond it adds up until it has lasted. It knows no time and no
// recent past.
type learnedBand struct {
	set       *sumSettings
	low, high float64
	last      float64
	usual     float64 // slow mean
	dev       float64 // mean absolute difference of neighbours there
	repeats   repeats
	standing
	seen int32
}

const (
	bandShare    = 0.003 // of values beyond the band on a side
	bandRate     = 0.004 // of the band's length by which an edge moves
	bandFirst    = 4000  // values that only stretch the band
	bandSizeMax  = 8
	bandVersion  = 3
	bandShiftOut = 0.5 // of the band's length by which it follows a new level, per step
)

func (s *settings) newLearnedBand(p *params) func() Detector {
	c := s.sums(p, tuner{step: p.step})
	return func() Detector { return &learnedBand{set: c} }
}

func (d *learnedBand) Step(_ int64, v float64) Verdict {
	nan, s := math.NaN(), d.set
	verdict := Verdict{Expected: nan, Lower: nan, Upper: nan, Out: d.out, Cause: d.cause}
	trained := int(d.seen) >= s.train
	if trained {
		verdict.Expected = d.low + (d.high-d.low)/2
		if s.below {
			verdict.Lower = d.low
		}
		if s.above {
			verdict.Upper = d.high
		}
	}
	if math.IsNaN(v) || math.Abs(v) > valueMax {
		return verdict
	}
	if d.seen == 0 {
		d.low, d.high, d.last, d.usual, d.seen = v, v, v, v, 1
		d.repeats.last = v
		d.standing.start()
		return verdict
	}
	z := d.beyond(v)
	evidence, side := d.measure(s, z, trained)
	frozen := d.repeats.see(v, int32(s.hold), int32(s.learnShift), d.seen >= repeatKnown) && trained
	d.decide(s, evidence, side, z, frozen)
	d.learn(v)
	if d.recovery > 0 {
		d.recovery--
	}
	if d.seen < seenMax {
		d.seen++
	}
	if trained {
		verdict.Score = d.score(s, evidence, frozen)
		verdict.Out, verdict.Cause = d.out, d.cause
	}
	return verdict
}

// beyond returns how far v is beyond the band, in deviations at that edge, negative
// below.
func (d *learnedBand) beyond(v float64) float64 {
	switch {
	case v > d.high:
		return clamp((v-d.high)/d.devAt(d.high), surpriseMax)
	case v < d.low:
		return clamp((v-d.low)/d.devAt(d.low), surpriseMax)
	}
	return 0
}

// devAt returns the deviation at a level, in proportion to its root as for counts.
func (d *learnedBand) devAt(level float64) float64 {
	size, usual := math.Abs(level), math.Abs(d.usual)
	share := clamp(size/(usual+tiny), bandSizeMax)
	return float64(d.dev*math.Sqrt(share)) + float64(leastDev*max(size, math.Abs(d.high)*leastDev)) + tiny
}

func (d *learnedBand) learn(v float64) {
	length := d.high - d.low
	switch {
	case d.out && d.since >= int32(d.set.learnShift):
		length *= bandShiftOut
		d.low, d.high = min(d.low, max(v, d.low-length)), max(d.high, min(v, d.high+length))
	case d.out:
	case d.seen < bandFirst:
		// No further at once than values usually go, lest an excursion become normal.
		most := d.dev
		if d.seen < freeSpread {
			most = math.Inf(1)
		}
		d.low, d.high = min(d.low, max(v, d.low-most)), max(d.high, min(v, d.high+most))
	default:
		step := float64(bandRate * length)
		if v < d.low {
			d.low -= float64(step * (1 - bandShare))
		} else {
			d.low += float64(step * bandShare)
		}
		if v > d.high {
			d.high += float64(step * (1 - bandShare))
		} else {
			d.high -= float64(step * bandShare)
		}
	}
	if !d.out {
		rate := max(slowRate, 1/float64(d.seen+1))
		d.usual += float64(rate * (v - d.usual))
		most := math.Inf(1)
		if d.seen > freeSpread {
			most = learnClip*d.dev + tiny
		}
		d.dev = settled(d.dev + float64(rate*(min(math.Abs(v-d.last), most)-d.dev)))
	}
	d.last = v
}

// Peek judges with a copy.
func (d *learnedBand) Peek(t int64, v float64) Verdict {
	c := *d
	return c.Step(t, v)
}

// Facts are the band and how far the stream has been beyond it.
func (d *learnedBand) Facts(dst []Fact) []Fact {
	return d.facts(d.set, append(dst, Fact{"low", d.low}, Fact{"high", d.high}, Fact{"deviation", d.dev},
		Fact{"repeats", float64(d.repeats.run)}, Fact{"values_seen", float64(d.seen)}))
}

func (d *learnedBand) AppendState(dst []byte) []byte {
	dst = append(dst, bandVersion)
	dst = appendCount(dst, d.seen)
	dst = d.standing.append(d.repeats.append(dst))
	for _, x := range [...]float64{d.low, d.high, d.last, d.usual, d.dev} {
		dst = appendFloat64(dst, x)
	}
	return dst
}

func (d *learnedBand) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(bandVersion)
	d.seen = r.count(seenMax)
	d.repeats.restore(&r)
	d.standing.restore(&r, d.set)
	for _, x := range [...]*float64{&d.low, &d.high, &d.last, &d.usual, &d.dev} {
		*x = r.float64()
	}
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}

func (d *learnedBand) Reset() { *d = learnedBand{set: d.set} }
