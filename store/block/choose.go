package block

// choose sets best to the smallest way to keep the present values. Transforms
// are tried from the smallest scale up, each on a few values before on all, and
// one that gives back every value ends the search, since a larger scale only
// makes the same integers longer. If there is none, the first that gives them
// back to within a few ULP is offered.
func (e *Encoder) choose(step int64) {
	values := e.values[:e.m]
	if e.same {
		values = values[:1]
	}
	e.best, e.patched = -1, false
	var memory [sampledNonZero]float64
	sample := sampleOf(memory[:0], values)
	e.climb(step)
	exact, from := false, e.rungs // from: the first rung that may be near
	for i := 0; i < e.rungs && !exact; i++ {
		missed, near := e.ladder[i].misses(sample)
		if near && from == e.rungs {
			from = i
		}
		exact = e.try(e.ladder[i], missed, values)
	}
	for i := from; i < e.rungs && !exact; i++ {
		if e.near(e.ladder[i], sample, values) {
			break
		}
	}
	e.offerBits(exact, values)
	if e.best >= 0 && e.attempts[e.best].size > 8*e.m {
		e.best = -1
	}
}

// climb makes the ladder of transforms for a step: powers of ten and the
// multiples of the step's seconds merged by scale, then what only timers have.
func (e *Encoder) climb(step int64) {
	if e.rungs > 0 && e.step == step {
		return
	}
	e.step = step
	s := secondsOf(step)
	l := append(e.ladder[:0], transform{family: whole})
	perStep := transform{family: perSecond, s: s}
	for k := uint8(1); k <= maxDecimal; k++ {
		for s > 1 && perStep.k <= maxFine && perStep.scale() < pow10(k) {
			l = append(l, perStep)
			if perStep.k > 0 {
				l = append(l, transform{family: decimalAmount, k: perStep.k, s: s})
			}
			perStep.family = perSecondFine
			perStep.k++
		}
		l = append(l, transform{family: decimal, k: k})
	}
	if s > 0 {
		l = append(l, transform{family: timer, s: s}, transform{family: squares, s: s})
	}
	e.rungs = len(l)
}

// next returns the attempt that is not the best one.
func (e *Encoder) next() *attempt {
	if e.best == 0 {
		return &e.attempts[1]
	}
	return &e.attempts[0]
}

// secondsOf returns the divisor of a step, 0 for none.
func secondsOf(step int64) uint64 {
	if step < 1000 || step%1000 != 0 || step/1000 > maxSeconds {
		return 0
	}
	return uint64(step / 1000)
}

// sampleOf appends the first few values that are not zero, which every divisor
// suits.
func sampleOf(dst, values []float64) []float64 {
	for _, v := range values {
		if v == 0 {
			continue
		}
		if dst = append(dst, v); len(dst) == cap(dst) {
			break
		}
	}
	return dst
}

// try offers the integers of t if it gives back every value, and reports whether
// it does. If it gives back all but a few, it offers them with patches. missed is
// how many of the sample it does not give back.
func (e *Encoder) try(t transform, missed int, values []float64) bool {
	a := e.next()
	most := len(values) / patchShare // patches
	if missed > 1 || missed == 1 && (e.patched || most == 0) {
		return false
	}
	if missed == 0 && t.invert(a.ints[:], values) {
		a.t, a.nudged, a.nbad = t, false, 0
		e.offer(len(values))
		return true
	}
	if e.patched || most == 0 {
		return false
	}
	nbad, ok := t.invertMost(a.ints[:], nil, a.bad[:most], values)
	if !ok {
		return false
	}
	e.patched = true
	a.t, a.nudged, a.nbad = t, false, nbad
	e.offer(len(values))
	return false
}

// near offers the integers of t with what is missing in ULP, and reports whether
// that is little everywhere but in a few values.
func (e *Encoder) near(t transform, sample, values []float64) bool {
	a := e.next()
	if _, ok := t.invertMost(a.ints[:], a.nudges[:], nil, sample); !ok {
		return false
	}
	nbad, ok := t.invertMost(a.ints[:], a.nudges[:], a.bad[:len(values)/patchShare], values)
	if !ok {
		return false
	}
	a.t, a.nudged, a.nbad = t, true, nbad
	e.offer(len(values))
	return true
}

// offerBits offers the bits of the doubles, when a transform was found only if
// they are no longer as they are.
func (e *Encoder) offerBits(exact bool, values []float64) {
	a := e.next()
	// The range of a few shows mostly that the bits are longer.
	if exact && e.bitsAreLonger(a, values[:min(len(values), sampledNonZero)], len(values)) {
		return
	}
	a.t, a.nudged, a.nbad = invertBits(a.ints[:], values), false, 0
	if exact {
		x := extentOf(a.ints[:len(values)])
		if f := formOf(a.t, x, len(values)); e.attempts[e.best].size <= f.size {
			return
		}
	}
	e.offer(len(values))
}

// bitsAreLonger reports whether m values, of which some are given, take more
// bytes as the bits of doubles than the best attempt.
func (e *Encoder) bitsAreLonger(a *attempt, some []float64, m int) bool {
	t := invertBits(a.ints[:], some)
	f := formOf(t, extentOf(a.ints[:len(some)]), m)
	return e.attempts[e.best].size <= f.size
}

// offer makes the next attempt the best one if it is smaller than the best one
// so far.
func (e *Encoder) offer(m int) {
	a := e.next()
	a.plan(m, &e.scratch)
	if a.size >= unusable || e.best >= 0 && a.size >= e.attempts[e.best].size {
		return
	}
	if a == &e.attempts[0] {
		e.best = 0
	} else {
		e.best = 1
	}
}
