package algo

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// tally is what two counting streams add up to: a is the one judged, b the
// baseline. It is all that a comparison remembers of its steps.
type tally struct {
	n          int32   // steps with an event in either
	spread     float64 // variance of the effect before it is seen, per step; fixed by the first
	a, b       float64 // events
	aa, ab, bb float64 // sums over steps of products

	lastA, lastB float64 // of the step before
	moved        float64 // half the sum of the squares of changes from step to step, of both
}

// null says that the ratio of a to b is theta, and with it that each event is a's
// with chance p.
type null struct {
	theta, p, q float64
	logP, logQ  float64
	alpha, beta float64 // of the prior of p, centred
	logBeta     float64
	above       float64 // share of the prior above p
}

const (
	// effect is the standard deviation of the logarithm of the ratio before
	// anything is seen: differences of about this size are found fastest, all others
	// a little slower than by a test made for them.
	effect     = 0.3
	spreadMax  = 1 // at which four to six steps can be enough
	spreadMin  = 0.01
	exactSides = 10_000 // events up to which sides are told apart exactly
	clumpsSeen = 60     // clumps of the smaller stream from which its scatter is believed
)

func newNull(theta float64) null {
	h := null{theta: theta, p: theta / (1 + theta), q: 1 / (1 + theta)}
	h.logP, h.logQ = math.Log(h.p), math.Log(h.q)
	k := max(1/(effect*effect*h.p*h.q)-1, 1)
	h.alpha, h.beta = k*h.p, k*h.q
	h.logBeta = mathext.Lbeta(h.alpha, h.beta)
	h.above = 1 - mathext.RegIncBeta(h.alpha, h.beta, h.p)
	return h
}

// add takes one step in, in events.
func (y *tally) add(a, b, split float64) {
	if a+b == 0 {
		return
	}
	if y.n == 0 {
		pq := split / ((1 + split) * (1 + split))
		y.spread = min(max(effect*effect*pq*(a+b), spreadMin), spreadMax)
	}
	if y.n < maxSteps {
		y.n++
	}
	if y.n > 1 {
		da, db := a-y.lastA, b-y.lastB
		y.moved += (float64(da*da) + float64(db*db)) / 2
	}
	y.lastA, y.lastB = a, b
	y.a += a
	y.b += b
	y.aa += float64(a * a)
	y.ab += float64(a * b)
	y.bb += float64(b * b)
}

// against returns the logarithms of two e-values: more against the ratio being at
// most h.theta, less against its being at least that. While it is, the chance
// that e ever reaches x, however often one looks, is at most 1/x.
//
// Each is the smaller of two. The first knows only that events are counted: given
// their number, those of a are binomial, and the mixture of the likelihood over a
// beta prior on the one side of p, divided by the likelihood at p, is a martingale
// (M. Lindon, A. Malek, "Anytime-Valid Inference for Multinomial Count Data", 2020;
// J. Ville, 1939). It does not believe that events come in bursts or that streams
// vary by themselves. The second knows no distribution of the differences
// a - theta·b but that they scatter around 0, and learns from them how much: the
// t-test mixed over a normal prior (T. L. Lai, "On Confidence Sequences", 1976;
// H. Wang, A. Ramdas, "Anytime-valid t-tests and confidence sequences for
// Gaussian means with unknown variance", 2023). The smaller of two e-values is one
// wherever either is: for events that are independent, whatever their number, and
// for differences that are about normal, however much they vary.
func (y *tally) against(h *null) (more, less float64) {
	if y.n == 0 {
		return 0, 0
	}
	countMore, countLess := y.byCounts(h)
	scatterMore, scatterLess := y.byScatter(h.theta)
	return min(countMore, scatterMore), min(countLess, scatterLess)
}

func (y *tally) byCounts(h *null) (more, less float64) {
	a, b := y.a+h.alpha, y.b+h.beta
	both := mathext.Lbeta(a, b) - h.logBeta - float64(y.a*h.logP) - float64(y.b*h.logQ)
	var above float64
	if y.a+y.b <= exactSides {
		above = 1 - mathext.RegIncBeta(a, b, h.p)
	} else {
		mean := a / (a + b)
		above = normalBelow((mean - h.p) / math.Sqrt(mean*(1-mean)/(a+b)))
	}
	return both + math.Log(above/h.above), both + math.Log((1-above)/(1-h.above))
}

// byScatter has as least variance that of counts. While the smaller stream has
// had few events, or few clumps of them, its own scatter says too little; until then
// it is taken to vary like both together from step to step.
func (y *tally) byScatter(theta float64) (more, less float64) {
	n, g := float64(y.n), float64(y.n)*y.spread
	s := y.a - float64(theta*y.b)
	v := max(y.scatter(theta), float64(theta*(y.a+y.b))*y.clump(theta))
	shrunk := min(s*s/v, n) * g / (1 + g)
	both := -0.5*math.Log1p(g) - 0.5*n*math.Log1p(-shrunk/n)
	above := normalBelow(math.Copysign(math.Sqrt(shrunk), s))
	return both + math.Log(2*above), both + math.Log(2*(1-above))
}

// clump is how many events come together, as far as scatter does not tell yet.
func (y *tally) clump(theta float64) float64 {
	if y.n < 2 {
		return 1
	}
	n := float64(y.n)
	size := y.moved / (y.a + y.b) * n / (n - 1)
	expected := min(theta, 1) / (1 + theta) * (y.a + y.b) // of the smaller stream
	uneven := math.Abs(1-theta) / (1 + theta)             // equal streams scatter evenly
	if size <= 1 || expected >= clumpsSeen*size*uneven {
		return 1
	}
	return size
}

// scatter is the sum of the squares of a - theta·b.
func (y *tally) scatter(theta float64) float64 {
	return y.aa - float64(2*theta*y.ab) + float64(theta*theta*y.bb)
}

// normalBelow is the chance that a standard normal value lies below z.
func normalBelow(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// ratio is the estimate of a ÷ b, NaN before there is any.
func (y *tally) ratio() float64 {
	if y.b == 0 {
		return math.NaN()
	}
	return y.a / y.b
}

// sequence returns the ratios that no e-value has excluded with a logarithm of
// at least limit: 0 and infinity where there is no bound.
func (y *tally) sequence(limit float64) (low, high float64) {
	low, high = 0, math.Inf(1)
	if y.n == 0 {
		return low, high
	}
	start := max(y.a, 0.5) / max(y.b, 0.5)
	low = y.edge(start, 0.001, func(h *null) bool { more, _ := y.against(h); return more >= limit })
	high = y.edge(start, -0.001, func(h *null) bool { _, less := y.against(h); return less >= limit })
	if low == start*math.Exp(-edgeFar) {
		low = 0
	}
	if high == start*math.Exp(edgeFar) {
		high = math.Inf(1)
	}
	return low, high
}

const edgeFar = 16.0 // |log| of the ratios looked at, around the estimate

// edge looks from start, downwards for a positive pace, for the first ratio that
// is excluded.
func (y *tally) edge(start, pace float64, excluded func(*null) bool) float64 {
	out := func(x float64) bool { h := newNull(start * math.Exp(-x)); return excluded(&h) }
	inside, outside := 0.0, pace
	for !out(outside) {
		if inside = outside; math.Abs(outside) >= edgeFar {
			return start * math.Exp(-math.Copysign(edgeFar, pace))
		}
		if outside *= 2; math.Abs(outside) > edgeFar {
			outside = math.Copysign(edgeFar, pace)
		}
	}
	for math.Abs(outside-inside) > 1e-6 {
		if middle := (inside + outside) / 2; out(middle) {
			outside = middle
		} else {
			inside = middle
		}
	}
	return start * math.Exp(-inside)
}
