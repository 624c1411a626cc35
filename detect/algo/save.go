package algo

const smoothingVersion = 2

// AppendState appends the state of the smoothing detectors: counts, then doubles,
// then the tails, see state.go.
func (d *smoothing) AppendState(dst []byte) []byte {
	dst = append(dst, smoothingVersion)
	d.counts(func(n *int32, _ int32) { dst = appendCount(dst, *n) })
	dst = appendFlag(dst, d.episode.out)
	dst = appendFlag(dst, d.episode.fresh)
	dst = append(appendFlag(dst, d.frozen), byte(d.cause))
	dst = d.repeats.append(dst)
	d.doubles(func(x *float64) { dst = appendFloat64(dst, *x) })
	d.floats(func(x *float32) { dst = appendFloat32(dst, *x) })
	return dst
}

// Restore reads what AppendState wrote.
func (d *smoothing) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(smoothingVersion)
	d.counts(func(n *int32, most int32) { *n = r.count(most) })
	d.episode.out, d.episode.fresh, d.frozen = r.flag(), r.flag(), r.flag()
	if d.cause = Cause(r.byte()); d.cause > CauseWorse {
		r.fail("cause %d", d.cause)
	}
	d.repeats.restore(&r)
	d.doubles(func(x *float64) { *x = r.float64() })
	d.floats(func(x *float32) { *x = r.float32() })
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}

// counts calls f with every count of the state and the most it may be.
func (d *smoothing) counts(f func(n *int32, most int32)) {
	e := &d.episode
	f(&d.seen, seenMax)
	f(&e.run[up], int32(d.set.hold))
	f(&e.run[down], int32(d.set.hold))
	f(&e.waited, maxSteps)
	f(&e.outFor, maxSteps)
	f(&e.quiet, clearSteps-1)
}

// doubles calls f with every double of the state.
func (d *smoothing) doubles(f func(x *float64)) {
	p := &d.parts
	for _, x := range [...]*float64{
		&d.level, &d.trend, &d.usual, &d.dev,
		&p.low, &p.high, &p.mean20, &p.low20, &p.high20, &p.fade,
	} {
		f(x)
	}
}

// floats calls f with every single of the state.
func (d *smoothing) floats(f func(x *float32)) {
	p, e := &d.parts, &d.episode
	for _, x := range [...]*float32{
		&d.gap, &p.mean[0], &p.mean[1], &p.mean[2], &p.reach[up], &p.reach[down],
		&e.top[up], &e.top[down], &e.peak, &e.onsets,
	} {
		f(x)
	}
	for i := range p.tails {
		for side := range p.tails[i] {
			f(&p.tails[i][side].u)
			f(&p.tails[i][side].index)
		}
	}
}
