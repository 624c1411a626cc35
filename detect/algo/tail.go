package algo

import "math"

// tail models the upper tail of a non-negative quantity whose size is unknown in
// advance: u tracks the quantile that a share tailShare of the values exceeds,
// and index the mean of log(v/u) over the values beyond it, which is Hill's
// estimate of how fast the tail falls (B. M. Hill, "A simple general approach to
// inference about the tail of a distribution", Annals of Statistics 3, 1975).
// The chance of a value beyond v > u is then tailShare·(v/u)^(−1/index).
//
// The quantile moves by a fixed proportion per value, up at an exceedance and
// down otherwise (stochastic approximation, H. Robbins and S. Monro, 1951), so
// one absurd value moves it no further than an ordinary exceedance does.
type tail struct {
	u, index float64
}

const (
	tailShare    = 0.03 // share of normal values beyond u
	tailRate     = 0.08 // proportion by which an exceedance raises u, in the long run
	tailIndexCap = 1.5  // log excess counted at most, so that an outage is not a habit
	tailIndexMin = 0.08
)

// start sets the tail from a first guess of the quantile.
func (q *tail) start(u float64) { q.u, q.index = u, 0.3 }

// evidence returns log(tailShare/p) for the chance p of a value beyond v, 0 when v
// is no exceedance.
func (q *tail) evidence(v float64) float64 {
	if !(v > q.u) {
		return 0
	}
	return math.Log(v/q.u) / q.index
}

// learn takes v into the model; rate is the proportion u moves at an exceedance.
func (q *tail) learn(v, rate, floor float64) {
	if v > q.u {
		excess := min(math.Log(v/q.u), tailIndexCap)
		q.index = max(tailIndexMin, q.index+rate*0.5*(excess-q.index))
		q.u += rate * (1 - tailShare) * q.u
		return
	}
	q.u = max(floor, q.u-rate*tailShare*q.u)
}
