package algo

import (
	"math"

	"gonum.org/v1/gonum/optimize"
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
// of the expected value and fitted at fit indices by likelihood.
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

// fit finds perEvent and common. least is the perEvent of plain counts when the
// values are counts, else 0.
func (c *counts) fit(least float64) {
	weight, square, inverse := 0.0, 0.0, 0.0
	for i := range c.bins {
		b := &c.bins[i]
		weight += float64(b.weight)
		square += float64(b.weight) * float64(b.square)
		inverse += float64(b.weight) * float64(b.inverse)
	}
	if weight < 200 || !(square > 0) {
		return
	}
	square, inverse = square/weight, inverse/weight
	loss := func(x []float64) float64 {
		perEvent, common := math.Exp(x[0])+least, math.Exp(x[1])
		sum := 0.0
		for i := range c.bins {
			if b := &c.bins[i]; b.weight > 0 {
				v := perEvent*float64(b.inverse) + common
				sum += float64(b.weight) * (math.Log(v) + float64(b.square)/v)
			}
		}
		// A little pull towards few causes keeps the answer unique.
		return sum/weight + 1e-4*math.Exp(x[0])*inverse/square
	}
	start := []float64{math.Log(square / inverse / 2), math.Log(square / 2)}
	if least > 0 {
		start[0] = math.Log(least * 0.1)
		start[1] = math.Log(max(square-least*inverse, 0.05*square))
	}
	result, err := optimize.Minimize(optimize.Problem{Func: loss}, start,
		&optimize.Settings{FuncEvaluations: 200, Concurrent: 0, Converger: &optimize.FunctionConverge{Absolute: 1e-7, Iterations: 20}},
		&optimize.NelderMead{})
	if result == nil || (err != nil && result.X == nil) {
		return
	}
	c.next = [2]float64{coarse(math.Exp(result.X[0]) + least), coarse(math.Exp(result.X[1]))}
}

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
