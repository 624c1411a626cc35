package algo

import "encoding/binary"

const cusumVersion = 1

// AppendState appends the state: counts, flags, doubles, singles, see state.go.
func (d *cusum) AppendState(dst []byte) []byte {
	dst = append(dst, cusumVersion)
	d.counts(func(n *int32, _ int32) { dst = appendCount(dst, *n) })
	dst = appendFlag(dst, d.out)
	dst = appendFlag(dst, d.frozen)
	dst = append(dst, byte(d.cause), d.side, byte(d.fitIn))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(d.fitAt))
	d.doubles(func(x *float64) { dst = appendFloat64(dst, *x) })
	d.singles(func(x *float32) { dst = appendFloat32(dst, *x) })
	return dst
}

// Restore reads what AppendState wrote.
func (d *cusum) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(cusumVersion)
	d.counts(func(n *int32, most int32) { *n = r.count(most) })
	d.out, d.frozen = r.flag(), r.flag()
	if d.cause = Cause(r.take(1)[0]); d.cause > CauseWorse {
		r.fail("cause %d", d.cause)
	}
	if d.side = r.take(1)[0]; d.side >= sides {
		r.fail("side %d", d.side)
	}
	if d.fitIn = int8(r.take(1)[0]); d.fitIn < 0 || d.fitIn > fitDelay {
		r.fail("fit in %d steps", d.fitIn)
	}
	d.fitAt = int64(binary.LittleEndian.Uint64(r.take(8)))
	d.doubles(func(x *float64) { *x = r.float64() })
	d.singles(func(x *float32) { *x = r.float32() })
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}

// counts calls f with every count of the state and the most it may be.
func (d *cusum) counts(f func(n *int32, most int32)) {
	f(&d.seen, seenMax)
	f(&d.outFor, maxSteps)
	f(&d.since, maxSteps)
	f(&d.waited, maxSteps)
	f(&d.recovery, int32(d.set.hold))
	f(&d.excursions[up].age, maxSteps)
	f(&d.excursions[down].age, maxSteps)
	f(&d.repeats.run, maxSteps)
}

// doubles calls f with every double of the state.
func (d *cusum) doubles(f func(x *float64)) {
	for _, x := range [...]*float64{&d.level, &d.trend, &d.usual, &d.dev, &d.repeats.last} {
		f(x)
	}
}

// singles calls f with every single of the state.
func (d *cusum) singles(f func(x *float32)) {
	n, r := &d.tuning, &d.repeats
	for _, x := range [...]*float32{
		&d.low, &d.gap, &d.deep, &d.deepSum, &d.shown, &r.longest, &r.first, &r.again,
		&n.alpha, &n.beta, &n.share, &n.found[0], &n.found[1], &n.found[2],
		&n.middle, &n.place, &n.places, &n.rough, &n.roughPlaces,
	} {
		f(x)
	}
	for i := range n.trials {
		f(&n.trials[i].level)
		f(&n.trials[i].trend)
		f(&n.trials[i].miss)
	}
	for i := range d.excursions {
		x := &d.excursions[i]
		f(&x.sum)
		f(&x.top)
		f(&x.usual)
		f(&x.excess)
	}
}

// Facts are the estimates that the next step is judged by.
func (d *cusum) Facts(dst []Fact) []Fact {
	n, s := &d.tuning, d.set
	out := 0.0
	if d.out {
		out = float64(d.outFor) + 1
	}
	held := min(max(d.excursions[up].age, d.excursions[down].age), int32(s.hold))
	return append(dst, Fact{"alpha", float64(n.alpha)}, Fact{"beta", float64(n.beta)}, Fact{"ratio_noise", float64(n.share)},
		Fact{"level", d.level}, Fact{"trend", d.trend}, Fact{"usual_level", d.usual}, Fact{"deviation", d.dev},
		Fact{"sum_above", float64(d.excursions[up].sum)}, Fact{"height_above", d.excursions[up].height(s)},
		Fact{"sum_below", float64(d.excursions[down].sum)}, Fact{"height_below", d.excursions[down].height(s)},
		Fact{"repeats", float64(d.repeats.run)},
		Fact{"values_seen", float64(d.seen)}, Fact{FactMemory, min(float64(d.seen), 1/slowRate)},
		Fact{FactThreshold, s.scoreOf(s.limit)}, Fact{FactClear, s.scoreOf(s.clear)},
		Fact{FactHold, float64(s.hold)}, Fact{FactHeld, float64(held)}, Fact{FactStepsOut, out})
}
