package algo

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// counts knows how much the ticks of a stream vary around their expected value:
// the variance of events that are counted is in proportion to what is expected,
// and that of a common cause to its square (A. C. Cameron, P. K. Trivedi,
// "Regression Analysis of Count Data", 1998, section 2.4: the second form of the
// negative binomial),
//
//	variance ÷ expected² = perEvent ÷ expected + common
//
// The day's swing tells the two apart. Squares of shares off are gathered in bins
// of the expected value and fitted at fit indices.
type counts struct {
	perEvent, common float64
	next             [2]float64 // fitted, waiting for its step
	bins             [countBins]countBin
	center           float64 // log2 of the expected value at the edge between the middle bins
}

// countBin gathers the ticks of one band of expected values.
type countBin struct {
	square, inverse, weight float32 // mean of off², mean of 1 ÷ expected, ticks, discounted
}

const (
	countBins   = 8
	binMemory   = 1.0 / 4000
	commonStart = 0.0009
)

func (c *counts) reset() { *c = counts{common: commonStart} }

// perTick returns the variance of one tick, relative to e squared, that comes from
// counting.
func (c *counts) perTick(e float64) float64 {
	return c.perEvent/max(e, tiny) + c.common
}

// gather takes the share off of a tick at expected value e.
func (c *counts) gather(off, e float64) {
	if !(e > tiny) {
		return
	}
	log := math.Log2(e)
	if c.center == 0 {
		c.center = log
	}
	i := int(clamp(math.Floor(2*(log-c.center)), countBins/2)) + countBins/2
	b := &c.bins[min(max(i, 0), countBins-1)]
	limit := 9*(c.perEvent/e+c.common) + 1e-12
	weight := max(binMemory, 1/(float64(b.weight)+1))
	if b.weight < 30 {
		limit = 0.04
	}
	b.square += float32(weight * (min(off*off, limit) - float64(b.square)))
	b.inverse += float32(weight * (1/e - float64(b.inverse)))
	b.weight = min(b.weight+1, 1/binMemory)
}

// fit finds perEvent and common by iteratively reweighted least squares, which for
// squares of normal errors is likelihood (P. McCullagh, J. A. Nelder, "Generalized
// Linear Models", 1989, section 2.5). least is the perEvent of plain counts when
// the values are counts, else 0.
func (c *counts) fit(least float64) {
	var inverse, square, weight [countBins]float64
	n, total := 0, 0.0
	for i := range c.bins {
		if b := &c.bins[i]; b.weight > 0 {
			inverse[n], square[n], weight[n] = float64(b.inverse), float64(b.square), float64(b.weight)
			total += weight[n]
			n++
		}
	}
	if total < fitTicks {
		return
	}
	x, y := inverse[:n], square[:n]
	perEvent, common := max(least, c.perEvent), max(c.common, leastExcess)
	var shares [countBins]float64
	for range fitRounds {
		for i := range n {
			v := perEvent*x[i] + common
			shares[i] = weight[i] / (v * v)
		}
		w := shares[:n]
		meanX, meanY := stat.Mean(x, w), stat.Mean(y, w)
		perEvent = least
		if n > 1 {
			_, slope := stat.LinearRegression(x, y, w, false)
			perEvent = max(least, slope)
		}
		if common = meanY - perEvent*meanX; !(common > leastCommon*meanY) { // also NaN
			common = leastCommon * meanY
			perEvent = max(least, (meanY-common)/meanX)
		}
	}
	c.next = [2]float64{coarse(perEvent), coarse(common)}
}

const (
	fitTicks    = 200
	fitRounds   = 8
	leastCommon = 0.02 // of the variance that is not put down to counting
)

// coarse rounds to a fiftieth of an octave, so that what was fitted is the same on
// every machine.
func coarse(x float64) float64 {
	if !(x > 1e-15) {
		return 1e-15
	}
	return math.Exp2(math.Round(50*math.Log2(min(x, 1e15))) / 50)
}

// adopt puts what was fitted to use.
func (c *counts) adopt() {
	if c.next[1] > 0 {
		c.perEvent, c.common = c.next[0], c.next[1]
	}
}
