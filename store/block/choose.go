package block

// choose sets best to the smallest way to keep the present values. A transform
// is tried on a few values before it is tried on all. Divisors are tried from
// the smallest up, and one that gives back every value ends the search among its
// kin, since a larger one only makes the same integers longer.
func (e *encoder) choose(step int64) {
	values := e.values[:e.m]
	if e.same {
		values = values[:1]
	}
	e.best = -1
	var memory [sampledNonZero]float64
	sample := sampleOf(memory[:0], values)
	s := secondsOf(step)
	exact := e.chooseExact(s, sample, values)
	if !exact {
		e.chooseNear(s, sample, values)
	}
	e.offerBits(exact, values)
	if e.best >= 0 && e.attempts[e.best].size > 8*e.m {
		e.best = -1
	}
}

// next returns the attempt that is not the best one.
func (e *encoder) next() *attempt {
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

// chooseExact tries the transforms that may give back the values, or all but a
// few of them, and reports whether one gives back all.
func (e *encoder) chooseExact(s uint64, sample, values []float64) bool {
	if e.try(transform{family: whole}, sample, values) {
		return true
	}
	found := e.tryPowers(decimal, 0, sample, values)
	e.patched = false
	if s > 1 {
		found = e.try(transform{family: perSecond, s: s}, sample, values) ||
			e.tryPowers(perSecondFine, s, sample, values) ||
			e.tryPowers(decimalAmount, s, sample, values) || found
	}
	if !found && s > 0 {
		found = e.try(transform{family: timer, s: s}, sample, values) ||
			e.try(transform{family: squares, s: s}, sample, values)
	}
	return found
}

// tryPowers tries the powers of ten of a family.
func (e *encoder) tryPowers(f family, s uint64, sample, values []float64) bool {
	for k := uint8(1); k <= f.maxPower(); k++ {
		if e.try(transform{family: f, k: k, s: s}, sample, values) {
			return true
		}
	}
	return false
}

// try offers the integers of t if it gives back every value, and reports whether
// it does. If it gives back all but a few, it offers them with patches.
func (e *encoder) try(t transform, sample, values []float64) bool {
	a := e.next()
	if t.invert(a.ints[:], sample) && t.invert(a.ints[:], values) {
		a.t, a.nudged, a.nbad = t, false, 0
		e.offer(len(values))
		return true
	}
	bad := a.bad[:len(values)/patchShare]
	if e.patched || len(bad) == 0 {
		return false
	}
	if _, ok := t.invertMost(a.ints[:], nil, a.bad[:1], sample); !ok {
		return false
	}
	nbad, ok := t.invertMost(a.ints[:], nil, bad, values)
	if !ok {
		return false
	}
	e.patched = true
	a.t, a.nudged, a.nbad = t, false, nbad
	e.offer(len(values))
	return false
}

// chooseNear tries transforms that give back values to within a few ULP. In each
// row the first that does ends the search.
func (e *encoder) chooseNear(s uint64, sample, values []float64) {
	if !e.near(transform{family: whole}, sample, values) {
		e.nearPowers(decimal, 0, sample, values)
	}
	if s > 1 && !e.near(transform{family: perSecond, s: s}, sample, values) {
		e.nearPowers(perSecondFine, s, sample, values)
	}
	if s > 0 {
		e.near(transform{family: timer, s: s}, sample, values)
	}
}

func (e *encoder) nearPowers(f family, s uint64, sample, values []float64) {
	for k := uint8(1); k <= f.maxPower(); k++ {
		if e.near(transform{family: f, k: k, s: s}, sample, values) {
			return
		}
	}
}

// near offers the integers of t with what is missing in ULP, and reports whether
// that is little everywhere but in a few values.
func (e *encoder) near(t transform, sample, values []float64) bool {
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
func (e *encoder) offerBits(exact bool, values []float64) {
	a := e.next()
	a.t, a.nudged, a.nbad = invertBits(a.ints[:], values), false, 0
	if exact {
		lo, hi := a.ints[0], a.ints[0]
		for _, i := range a.ints[1:len(values)] {
			lo, hi = min(lo, i), max(hi, i)
		}
		if f := formOf(a.t, extent{lo, hi}, len(values)); e.attempts[e.best].size <= f.size {
			return
		}
	}
	e.offer(len(values))
}

// offer makes the next attempt the best one if it is smaller than the best one
// so far.
func (e *encoder) offer(m int) {
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
