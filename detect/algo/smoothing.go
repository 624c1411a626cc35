package algo

import "math"

// smoothing is the state and the judgement that exponential and
// double-exponential share; a trend weight of 0 makes the second the first.
type smoothing struct {
	set          *settings
	n            int // values seen, at most train + learnShift
	level, trend float64
	dev          float64 // robust mean absolute residual
	mean         [3]float64
	tails        [4][2]tail
	peak         float64
	quiet        int
	out          bool
}

const smoothingVersion = 1

var meanRate = [3]float64{2.0 / 5, 2.0 / 21, 2.0 / 61}

func (d *smoothing) lookback() int { return d.set.train + d.set.learnShift }

func (d *smoothing) Step(_ int64, v float64) Verdict {
	nan := math.NaN()
	if d.n == 0 {
		if math.IsNaN(v) {
			return Verdict{Expected: nan, Lower: nan, Upper: nan}
		}
		d.first(v)
		return Verdict{Expected: nan, Lower: nan, Upper: nan}
	}
	expected := d.level + d.trend
	scale := max(d.dev, 1e-3*math.Abs(expected), 1e-9)
	verdict := Verdict{Expected: expected, Out: d.out}
	wide := scale * max(d.tails[0][0].u, 1) * 3
	low := scale * max(d.tails[0][1].u, 1) * 3
	verdict.Lower, verdict.Upper = expected-low, expected+wide
	if d.n < d.set.train {
		verdict.Expected, verdict.Lower, verdict.Upper = nan, nan, nan
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return verdict
	}
	z := (v - expected) / scale
	clipped := max(-4, min(4, z))
	parts := [4]float64{z}
	for i, rate := range meanRate {
		d.mean[i] += rate * (clipped - d.mean[i])
		parts[i+1] = d.mean[i]
	}
	best := 0.0
	rate := max(tailRate, 1/(1+0.1*float64(d.n)))
	for i, x := range parts {
		up, down := &d.tails[i][0], &d.tails[i][1]
		if d.set.above {
			best = max(best, up.evidence(x))
		}
		if d.set.below {
			best = max(best, down.evidence(-x))
		}
		up.learn(x, rate, 0.05)
		down.learn(-x, rate, 0.05)
	}
	d.learn(clipped*scale, max(d.set.alpha, 1/float64(d.n+1)))
	d.n = min(d.n+1, d.set.train+d.set.learnShift)
	if d.n > d.set.train {
		d.judge(best, &verdict)
	}
	return verdict
}

func (d *smoothing) first(v float64) {
	d.level, d.n = v, 1
	d.dev = 0
	for i := range d.tails {
		d.tails[i][0].start(2.5)
		d.tails[i][1].start(2.5)
	}
}

func (d *smoothing) learn(r, alpha float64) {
	level := d.level + d.trend + alpha*r
	d.trend += d.set.beta * (level - d.level - d.trend)
	d.level = level
	rate := max(0.01, 1/float64(d.n))
	d.dev += rate * (math.Abs(r) - d.dev)
}

func (d *smoothing) judge(evidence float64, verdict *Verdict) {
	d.peak *= 1 - 1/float64(d.set.rest+1)
	shown := 0.0
	if evidence > d.peak+2 {
		shown, d.peak = evidence, evidence
	}
	verdict.Score = 1 - tailShare*math.Exp(-shown)
	if shown == 0 {
		verdict.Score = 0
	}
	switch {
	case shown >= d.set.limit:
		d.out = true
	case evidence >= d.set.clearLimit:
		d.quiet = 0
	default:
		d.quiet++
		if d.quiet >= 3 {
			d.out, d.quiet = false, 0
		}
	}
	verdict.Out = d.out
}

func (d *smoothing) Reset() { *d = smoothing{set: d.set} }

// fields calls f with every double of the state, in the order they are saved.
func (d *smoothing) fields(f func(*float64)) {
	f(&d.level)
	f(&d.trend)
	f(&d.dev)
	for i := range d.mean {
		f(&d.mean[i])
	}
	for i := range d.tails {
		for j := range d.tails[i] {
			f(&d.tails[i][j].u)
			f(&d.tails[i][j].index)
		}
	}
	f(&d.peak)
}

func (d *smoothing) AppendState(dst []byte) []byte {
	dst = append(dst, smoothingVersion)
	dst = appendCount(dst, d.n)
	dst = appendCount(dst, d.quiet)
	dst = appendFlag(dst, d.out)
	d.fields(func(x *float64) { dst = appendState(dst, *x) })
	return dst
}

func (d *smoothing) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(smoothingVersion)
	d.n = r.count(d.set.train + d.set.learnShift)
	d.quiet = r.count(maxSteps)
	d.out = r.flag()
	d.fields(func(x *float64) { *x = r.float() })
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}
