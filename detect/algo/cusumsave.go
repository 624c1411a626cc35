package algo

import "encoding/binary"

const cusumVersion = 3

// AppendState appends the state: counts, the next fit, doubles, singles, see
// state.go.
func (d *cusum) AppendState(dst []byte) []byte {
	dst = append(dst, cusumVersion)
	dst = append(appendCount(appendCount(dst, d.seen), d.waited), byte(d.fitIn))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(d.wakeAt))
	dst = d.yesterday.append(d.standing.append(d.repeats.append(dst)))
	dst = binary.LittleEndian.AppendUint16(dst, d.today.count)
	d.doubles(func(x *float64) { dst = appendFloat64(dst, *x) })
	d.singles(func(x *float32) { dst = appendFloat32(dst, *x) })
	return dst
}

// Restore reads what AppendState wrote.
func (d *cusum) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(cusumVersion)
	d.seen, d.waited = r.count(seenMax), r.count(maxSteps)
	if d.fitIn = int8(r.byte()); d.fitIn < 0 || d.fitIn > fitDelay {
		r.fail("fit in %d steps", d.fitIn)
	}
	d.wakeAt = int64(binary.LittleEndian.Uint64(r.take(8)))
	d.repeats.restore(&r)
	d.standing.restore(&r, d.set)
	d.yesterday.restore(&r)
	d.today.count = binary.LittleEndian.Uint16(r.take(2))
	d.doubles(func(x *float64) { *x = r.float64() })
	d.singles(func(x *float32) { *x = r.float32() })
	n := &d.tuning
	for _, x := range [...]float32{n.alpha, n.beta, n.share, n.found[0], n.found[1], n.found[2]} {
		if x < 0 || x > 1 {
			r.fail("a share is %v", x)
		}
	}
	if d.dev < 0 {
		r.fail("a deviation is %v", d.dev)
	}
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}

// doubles calls f with every double of the smoothing.
func (d *cusum) doubles(f func(x *float64)) {
	for _, x := range [...]*float64{&d.level, &d.trend, &d.usual, &d.dev} {
		f(x)
	}
}

// singles calls f with every single of the smoothing.
func (d *cusum) singles(f func(x *float32)) {
	n := &d.tuning
	for _, x := range [...]*float32{
		&d.low, &d.gap, &d.deep, &d.deepSum, &d.today.sum,
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
}

// Facts are the estimates that the next step is judged by.
func (d *cusum) Facts(dst []Fact) []Fact {
	n := &d.tuning
	dst = append(dst, Fact{"alpha", float64(n.alpha)}, Fact{"beta", float64(n.beta)}, Fact{"ratio_noise", float64(n.share)},
		Fact{"level", d.level}, Fact{"trend", d.trend}, Fact{"usual_level", d.usual}, Fact{"deviation", d.dev},
		Fact{"repeats", float64(d.repeats.run)}, Fact{"values_seen", float64(d.seen)},
		Fact{FactMemory, min(float64(d.seen), 1/slowRate)})
	return d.facts(d.set, dst)
}
