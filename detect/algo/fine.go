package algo

import "math"

// pager turns what windows find into onsets and recoveries. As in episode.go a
// page is an onset: a repeat is shown only when clearly worse than what was shown
// before, a memory that fades over rest. A stream that is out is over when it has
// come back more than half of the way for quietMs.
type pager struct {
	out    bool
	side   uint8
	cause  Cause
	depth  float32 // share by which it was off at most
	peak   float32 // evidence shown, fading
	outFor int32   // ticks
	quiet  int32   // ticks
}

const (
	quietMs   = 120_000
	backShare = 0.5
)

// stepFine judges a short step.
func (d *seasonal) stepFine(t, middle int64, v float64) Verdict {
	s := d.set
	nan := math.NaN()
	judging := d.judging()
	verdict := Verdict{Expected: nan, Lower: nan, Upper: nan, Out: d.pager.out, Cause: CauseNone}
	if !judging {
		verdict = d.stepUnseasoned(t, middle, v)
	}
	base, known := d.course(middle)
	if d.choice == seasonNone || !known {
		return verdict
	}
	profile := d.scale.back(base)
	expected := d.windows.expected(profile, d.scale.linear)
	if judging {
		d.band(&verdict, expected)
	}
	if v == v {
		d.tickSum += v
		d.tickProfile += profile
		d.tickN++
	}
	if floorMod(t, s.tick) != 0 && s.tick != s.step {
		return verdict.because(d.pager.cause)
	}
	evidence := d.tickDone(floorMod(t, s.minute) < s.tick)
	if !judging {
		return verdict
	}
	if evidence > 0 && v == v {
		verdict.Score = s.scoreOf(evidence)
	}
	verdict.Out = d.pager.out
	return verdict.because(d.pager.cause)
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// expected returns the value expected where the profile says profile.
func (w *windows) expected(profile float64, linear bool) float64 {
	if linear {
		return profile + w.level
	}
	return profile * w.level
}

// tickDone judges the tick that ends now and returns the evidence to show.
func (d *seasonal) tickDone(ends bool) float64 {
	s, w, linear := d.set, &d.windows, d.scale.linear
	if d.tickN == 0 {
		w.push(math.NaN(), ends)
		w.absent = min(w.absent+1, maxSteps)
		return 0
	}
	mean, profile := d.tickSum/float64(d.tickN), d.tickProfile/float64(d.tickN)
	d.tickSum, d.tickProfile, d.tickN = 0, 0, 0
	e, x := 1.0, mean-profile
	if !linear {
		profile = max(profile, d.scale.floor, tiny)
		e, x = profile*w.level, mean/profile
	}
	first := w.absent > 1
	w.absent = 0
	if first { // what came after a gap may have begun within the step
		w.push(math.NaN(), ends)
		return 0
	}
	d.countsWhole(mean)
	w.push(x, ends)
	stuck := d.frozen.see(mean, d.unitDeviation(e))
	gone := d.nothing(w.level, goneShare)
	f := w.judge(s, e, linear, ends, !d.pager.out && !gone)
	if gone {
		f = d.returned()
	} else if w.slow.seen >= slowWarm && float64(w.slow.heard) > f.evidence && d.lasts() {
		f = found{float64(w.slow.heard), int(w.slow.side), float64(w.slow.depth), w.slow.cause, f.back}
	}
	if stuck && !gone {
		f = found{max(f.evidence, s.limit+1), f.side, 0, CauseFrozen, false}
	}
	if !d.pager.out && !gone && d.stage == stageIdle {
		w.noise.gather(w.off(x, linear), e)
	}
	shown := 0.0
	if d.judging() {
		if f.evidence >= s.limit && !d.pager.out && !d.still(f, e) {
			f.evidence = s.limit - stillWaits
		}
		shown = d.page(f, stuck)
	}
	speed := 1.0
	if w.ramp {
		speed = 3
	}
	if d.pager.out {
		speed = 0.1
		if d.nothing(x, nothingShare) {
			speed = 0
		}
	}
	w.follow(s, x, e, speed, linear)
	if f.back && !d.pager.out {
		if m := over(w.ticks[:], w.head, 0, s.spans[0].n); m.n > 0 {
			w.level = max(m.mean(), 1e-9)
			d.arrive()
		}
	}
	return shown
}

// lasts reports whether what the buckets showed still shows in the last ticks.
func (d *seasonal) lasts() bool {
	w := &d.windows
	if d.scale.linear || d.free {
		return true
	}
	m := over(w.ticks[:], w.head, 0, d.set.spans[0].n)
	if m.n == 0 {
		return false
	}
	base := float64(w.slow.base)
	way := math.Log1p(-float64(w.slow.depth))
	if w.slow.side == up {
		way = math.Log1p(float64(w.slow.depth))
	}
	return (math.Log(max(m.mean(), tiny))-base)/way >= lastsShare
}

const lastsShare = 0.5

// page moves the pager and returns the evidence to show.
func (d *seasonal) page(f found, stuck bool) float64 {
	s, p := d.set, &d.pager
	p.peak *= float32(s.peakKept)
	if p.peak < 1e-6 {
		p.peak = 0
	}
	f.evidence = min(f.evidence, evidenceMax)
	news := f.evidence > repeatFactor*float64(p.peak)+min(repeatMargin, float64(p.peak))
	if p.out {
		p.outFor = min(p.outFor+1, maxSteps)
		if f.cause != CauseDrift && f.side == int(p.side) {
			p.depth = max(p.depth, float32(f.depth))
		}
		if d.back(stuck) {
			p.quiet++
		} else {
			p.quiet = 0
		}
		if int64(p.quiet)*s.tick >= quietMs {
			p.out, p.quiet = false, 0
			if m := over(d.windows.ticks[:], d.windows.head, 0, s.spans[0].n); m.n > 0 && !d.scale.linear {
				d.windows.slow.arrive(math.Log(max(m.mean(), tiny)))
			}
		} else if int64(p.outFor)*s.tick >= int64(s.learnShift)*s.step && d.acceptLevel() {
			p.out, p.quiet = false, 0
		}
	} else if news && f.evidence >= s.limit {
		*p = pager{out: true, side: uint8(f.side), cause: f.cause, depth: float32(f.depth), peak: p.peak}
		if !d.scale.linear {
			d.leave(f)
		}
	}
	if news && f.evidence >= s.limit {
		p.peak = float32(f.evidence)
	}
	if news || f.evidence < s.limit {
		return f.evidence
	}
	return min(f.evidence, -math.Log1p(-repeatScore)-s.certainty)
}

// leave remembers the level that the stream had before f.
func (d *seasonal) leave(f found) {
	level := math.Log(d.windows.level)
	if f.cause == CauseDrift {
		level = float64(d.windows.slow.base)
	}
	d.windows.slow.leave(level)
}

// back reports whether the stream has come back.
func (d *seasonal) back(stuck bool) bool {
	p, w := &d.pager, &d.windows
	if p.cause == CauseFrozen {
		return !stuck
	}
	var off float64
	if p.cause == CauseDrift {
		off = -1
		if now, then := w.slow.recent(); now-then > 0.25*float64(p.depth) {
			off = 1
		}
	} else if m := over(w.ticks[:], w.head, 0, max(d.set.spans[0].n/2, 1)); m.n > 0 {
		off = w.off(m.mean(), d.scale.linear)
	} else {
		return false
	}
	if p.side == down {
		off = -off
	}
	return off < backShare*float64(p.depth) // false without data
}

// acceptLevel takes the level of the last minutes for normal. One that is next to
// nothing is an outage until it has lasted for a day.
func (d *seasonal) acceptLevel() bool {
	w := &d.windows
	m := over(w.minutes[:], w.minHead, 0, before)
	if m.n > 0 && d.nothing(m.mean(), nothingShare) && int64(d.pager.outFor)*d.set.tick < dayMs {
		return false
	}
	if m.n > 0 {
		w.level = m.mean()
		if !d.scale.linear {
			w.level = max(w.level, 1e-9)
		}
	}
	if !d.nothing(w.level, goneShare) {
		d.settle()
	}
	w.forget()
	w.slow.forget()
	return true
}

// arrive notes that the stream is back where it was.
func (d *seasonal) arrive() {
	slow, level := &d.windows.slow, math.Log(d.windows.level)
	slow.arrive(level)
	if math.Abs(level-float64(slow.usual)) > homeSame {
		d.settle()
		slow.usual = float32(level)
	}
}

// settle takes the level for the usual one: for each candidate it is as far from the
// profile as the stream now lies.
func (d *seasonal) settle() {
	y := d.windows.level
	if !d.scale.linear {
		y = math.Log(y)
	}
	s, at := &d.set.shape, d.bucketAt+d.set.shape.bucket/2
	base, _ := d.course(at)
	for c := range d.profile.tracks {
		t := &d.profile.tracks[c]
		if of, known := d.profile.at(s, season(c), at); known && t.predicted > 0 { // else it is being drawn
			t.slow = y + base - of
			t.fast, t.usual = t.slow, t.slow
		}
	}
}

// countsWhole notes whether all ticks are whole numbers of events.
func (d *seasonal) countsWhole(mean float64) {
	if !d.whole {
		return
	}
	n := mean * float64(d.set.tick) / 1000
	if math.Abs(n-math.Round(n)) > 1e-6*(1+math.Abs(n)) {
		d.whole = false
	}
}

// perEvent is the variance of counts per expected value when values are counts per
// second.
func (d *seasonal) perEvent() float64 {
	if d.whole && !d.scale.linear {
		return 1000 / float64(d.set.tick)
	}
	return 0
}

// unitDeviation is the standard deviation of a tick in events, 0 when values are
// no counts.
func (d *seasonal) unitDeviation(e float64) float64 {
	if !d.whole || d.scale.linear {
		return 0
	}
	return e * math.Sqrt(d.windows.noise.perTick(e)) * float64(d.set.tick) / 1000
}

// band fills in the expected value and where two minutes would be out.
func (d *seasonal) band(verdict *Verdict, expected float64) {
	s, w := d.set, &d.windows
	verdict.Expected = expected
	e := expected
	if d.scale.linear {
		e = 1
	} else {
		e = max(e, d.scale.floor, tiny)
	}
	st := &w.stretch[0]
	sd := math.Sqrt(w.noise.perTick(e)/float64(s.spans[0].n) + float64(st.excess))
	if !d.scale.linear {
		sd *= expected
	}
	reach := func(side int) float64 {
		if s.width > 0 {
			return s.width
		}
		q := &st.tails[side]
		return q.quantile(1) * math.Exp(min(3, (s.limit+looks)*float64(q.index)))
	}
	if s.below {
		verdict.Lower = expected - sd*reach(down)
		if !d.scale.linear {
			verdict.Lower = max(0, verdict.Lower)
		}
	}
	if s.above {
		verdict.Upper = expected + sd*reach(up)
	}
}
