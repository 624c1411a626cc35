package algo

// tail models the upper tail of a quantity whose size is unknown in advance: u
// tracks the quantile that a share tailShare of normal values exceeds, and index
// the mean of log(v/u) over the values beyond it, which is Hill's estimate of how
// slowly the tail falls (B. M. Hill, "A simple general approach to inference
// about the tail of a distribution", Annals of Statistics 3, 1975). The chance of
// a value beyond v > u is then tailShare·(v/u)^(−1/index).
//
// The quantile moves by a fixed proportion per value, up at an exceedance and
// down otherwise (H. Robbins and S. Monro, "A stochastic approximation method",
// Annals of Mathematical Statistics 22, 1951), so an absurd value moves it no
// further than any exceedance does.
type tail struct {
	u, index float32
}

const (
	tailShare     = 0.03 // share of normal values beyond u
	tailRate      = 0.05 // proportion by which an exceedance raises u in the long run
	tailRateStart = 0.1  // the proportion begins at 1 and falls as 1/(1 + this·values)
	indexRate     = 0.02 // weight of one exceedance in index
	indexStart    = 0.25
	indexMin      = 0.1
	excessMax     = 1.5 // log excess that one value may teach
	quantileMin   = 1e-3
	quantileMax   = 1e30 // what a single holds, with room
)

// Since every tail of a detector sees one value per step, the common fall of
// their quantiles is kept once, as a factor called fade: the quantile is u·fade,
// and only an exceedance touches the tail itself.

// quantile returns the value that a share tailShare of normal values exceeds.
func (q *tail) quantile(fade float64) float64 {
	u := float64(q.u) * fade
	if u < quantileMin {
		return quantileMin
	}
	return min(u, quantileMax)
}

// raise takes an exceedance of the quantile u into the model: excess is log(v/u),
// rate the proportion by which u moves, weight the share of the value in index.
func (q *tail) raise(u, excess, fade, rate, weight float64) {
	index := float64(q.index)
	q.index = float32(max(indexMin, index+weight*(min(excess, excessMax)-index)))
	// The step's own fall, which follows, must not count for this one.
	q.u = float32(min(quantileMax, u*(1+rate*(1-tailShare))/(fade*(1-rate*tailShare))))
}
