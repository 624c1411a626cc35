package algo

import (
	"math"

	"gonum.org/v1/gonum/optimize"
)

// tuning finds the parameters of a smoothing from the stream itself: alpha and
// beta, and how its noise grows with its level. A few trials with fixed weights
// predict every step beside the real one, and the means of their squared misses
// are all that a fit reads.
//
// Under the structural model in which level and slope wander (A. C. Harvey,
// "Forecasting, Structural Time Series Models and the Kalman Filter", 1989, section
// 2.3), whose reduced forms are ARIMA(0,1,1) and ARIMA(0,2,2), the expected squared
// miss of a trial is a known linear function of three variances: of the noise, of
// the level's steps and of the slope's. A fit finds the variances that explain the
// misses of all trials best, and takes the weights that are optimal for them: the
// steady gain of the Kalman filter.
//
// Fits happen where t/step is a multiple of fitEvery, read nothing later than that
// step, and take effect fitDelay steps after it. The work is done at a step in
// between that depends on the stream, so that many streams share it.
type tuning struct {
	alpha, beta float32
	share       float32    // of the variance that grows with the square of the level, not in proportion
	found       [3]float32 // alpha, beta and share that wait for their step
	trials      [trialCount]trial
	middle      float32 // slow mean of what is expected
	place       float32 // mean of where the expected value lies, as if in (-1, 1)
	places      float32 // of its square
	rough       float32 // mean of residuals in roots of what is expected
	roughPlaces float32 // mean of that times place
}

// trial is a smoothing with fixed weights.
type trial struct{ level, trend, miss float32 }

// tuner is what a kind lets its detectors find.
type tuner struct {
	step              int64 // ms
	fitAlpha, fitBeta bool
	alpha, beta       float32 // to begin with, or as given
	trials            [trialCount]weights
	look              int32   // steps between two looks at how rough the stream is, a power of 2
	slow              float64 // weight of one of them in means over days
}

// weights are alpha and beta, with the expected squared miss that each variance of
// the structural model leads to.
type weights struct {
	alpha, beta float64
	noise       float64
	level       float64
	slope       float64

	alpha32, beta32 float32
}

const (
	fitLeast      = 200 // values before the first fit
	fitOften      = 5   // fits until they become rarer
	fitRarely     = 4   // one in so many then
	trialCount    = 4
	trialRate     = 1.0 / 2000
	trialClip     = 6    // mean absolute residuals
	trialMax      = 1e36 // what a single holds, with room
	shareStart    = 0.7
	spreadEnough  = 0.01 // variance of place from which the share is found
	placeMemoryMs = 2 * 86_400_000
	lookMs        = 80_000 // between looks at how rough the stream is, in some steps at least

	alphaStart            = 0.25
	betaStart             = 0.05
	alphaLeast, alphaMost = 0.05, 0.8
	betaLeast, betaMost   = 0.02, 0.2
)

// newTuner returns what finds alpha and beta, or only the one that is negative.
func newTuner(step int64, alpha, beta float64) tuner {
	u := tuner{step: step, fitAlpha: alpha < 0, fitBeta: beta < 0, alpha: float32(alpha), beta: float32(beta)}
	u.look = 1
	for u.look < 8 && 2*int64(u.look)*step <= lookMs {
		u.look *= 2
	}
	u.slow = min(1.0/200, max(1.0/20_000, float64(u.look)*float64(step)/placeMemoryMs))
	alphas, betas := [trialCount]float64{0.1, 0.3, 0.3, 0.7}, [trialCount]float64{0.1, 0.03, 0.15, 0.07}
	if beta == 0 {
		alphas = [trialCount]float64{0.06, 0.15, 0.35, 0.75}
	}
	if u.fitAlpha {
		u.alpha = float32(alphaStart)
	}
	if u.fitBeta {
		u.beta = float32(betaStart)
	}
	for i := range u.trials {
		if !u.fitAlpha {
			alphas[i] = alpha
		}
		if !u.fitBeta {
			betas[i] = beta
		}
		u.trials[i] = missOf(alphas[i], betas[i])
	}
	return u
}

func (n *tuning) start(u *tuner, v float64) {
	*n = tuning{alpha: u.alpha, beta: u.beta, share: float32(shareStart), middle: single(math.Abs(v))}
	for i := range n.trials {
		n.trials[i].level = single(v)
	}
}

// single rounds x to what trials keep.
func single(x float64) float32 { return float32(clamp(x, trialMax)) }

// factor returns how much larger than usual deviations are at size times the
// usual level.
func (n *tuning) factor(size float64) float64 {
	return math.Sqrt(float64(size * (1 + float64(float64(n.share)*(size-1)))))
}

// see takes a value, and learns from it unless it is out or may become so. The
// growth of the noise is looked at now and then.
func (n *tuning) see(u *tuner, v, r float64, p *prediction, learn, look bool) {
	clip := trialClip * p.dev
	value, most, scale := single(v), single(clip), single(1/p.dev)
	for i := range n.trials {
		k, w := &n.trials[i], &u.trials[i]
		expected := k.level + k.trend
		miss := value - expected
		if miss > most {
			miss = most
		} else if miss < -most {
			miss = -most
		}
		if learn {
			x := miss * scale
			k.miss += float32(trialRate * (float32(x*x) - k.miss))
		}
		level := expected + float32(w.alpha32*miss)
		k.trend += float32(w.beta32 * (level - k.level - k.trend))
		k.level = level
	}
	if look && learn && p.expected > 0 {
		n.look(u, min(math.Abs(r), clip), p.expected)
	}
}

// look takes the size of a residual at an expected value.
func (n *tuning) look(u *tuner, size, expected float64) {
	middle := float64(n.middle)
	place := (expected - middle) / (expected + middle)
	rough := size / math.Sqrt(expected)
	n.middle += single(u.slow * (expected - middle))
	n.place += float32(u.slow * (place - float64(n.place)))
	n.places += float32(u.slow * (float64(place*place) - float64(n.places)))
	n.rough += single(u.slow * (rough - float64(n.rough)))
	n.roughPlaces += single(u.slow * (float64(rough*place) - float64(n.roughPlaces)))
}

// wake does what comes up at the beginning of an hour and of a round of fits.
func (d *cusum) wake(t int64) {
	step, hour := d.set.step, floorDiv(t, hourMs)
	if was := floorDiv(d.wakeAt-1, hourMs); was != hour && d.seen > 0 {
		d.yesterday.close(&d.today, was, hour)
	}
	index := floorDiv(t, step)
	round := floorDiv(index, fitEvery)
	if d.fitIn == 0 && index == round*fitEvery && d.seen >= fitLeast && (d.seen <= fitOften*fitEvery || round%fitRarely == 0) {
		d.fitIn = fitDelay + 1
	}
	d.wakeAt = min((hour+1)*hourMs, (round+1)*fitEvery*step)
}

// tune computes and adopts a fit as its steps come.
func (d *cusum) tune() {
	d.fitIn--
	n := &d.tuning
	// Which of the steps computes depends on the stream, and on nothing that
	// the waiting changes.
	if d.fitIn == 1+int8(math.Float32bits(n.trials[0].miss)%(fitDelay-1)) {
		n.fit(&d.set.tuner)
	}
	if d.fitIn == 0 && n.found[0] > 0 {
		n.alpha, n.beta, n.share = n.found[0], n.found[1], n.found[2]
	}
}

// fit finds alpha, beta and share from what was seen.
func (n *tuning) fit(u *tuner) {
	n.found = [3]float32{n.alpha, n.beta, n.share}
	if alpha, beta, ok := n.weights(u); ok {
		if u.fitAlpha {
			n.found[0] = float32(coarse(alpha))
		}
		if u.fitBeta {
			n.found[1] = float32(coarse(beta))
		}
	}
	spread := float64(n.places) - float64(n.place)*float64(n.place)
	if rough := float64(n.rough); spread > spreadEnough && rough > 0 {
		slope := (float64(n.roughPlaces) - rough*float64(n.place)) / (rough * spread)
		n.found[2] = float32(math.Round(16*max(0, min(slope, 1))) / 16)
	}
}

// weights returns the alpha and beta that suit the misses.
func (n *tuning) weights(u *tuner) (alpha, beta float64, ok bool) {
	if !u.fitAlpha && !u.fitBeta {
		return 0, 0, false
	}
	var logs [trialCount]float64
	for i := range logs {
		if !(n.trials[i].miss > 0) {
			return 0, 0, false
		}
		logs[i] = math.Log(float64(n.trials[i].miss))
	}
	sloped := u.beta > 0
	loss := func(x []float64) float64 {
		level, slope := variancesOf(x, sloped)
		var off [trialCount]float64
		mean := 0.0
		for i := range off {
			w := &u.trials[i]
			off[i] = logs[i] - math.Log(w.noise+level*w.level+slope*w.slope)
			mean += off[i] / trialCount
		}
		sum := 0.0
		for _, o := range off {
			sum += (o - mean) * (o - mean)
		}
		return sum
	}
	start := []float64{-4, -9}
	if !sloped {
		start = start[:1]
	}
	result, err := optimize.Minimize(optimize.Problem{Func: loss}, start, &optimize.Settings{
		FuncEvaluations: 60, Converger: &optimize.FunctionConverge{Absolute: 1e-6, Iterations: 12},
	}, &optimize.NelderMead{SimplexSize: 2})
	if result == nil || err != nil && result.X == nil {
		return 0, 0, false
	}
	level, slope := variancesOf(result.X, sloped)
	alpha, beta = steadyGain(level, slope)
	return max(alphaLeast, min(alpha, alphaMost)), max(betaLeast, min(beta, betaMost)), true
}

// variancesOf returns the variances of level and slope in units of the noise's
// from their logarithms.
func variancesOf(x []float64, sloped bool) (level, slope float64) {
	level = math.Exp(clamp(x[0], 16))
	if sloped {
		slope = math.Exp(clamp(x[1], 20))
	}
	return level, slope
}

// steadyGain returns the weights that are optimal for variances of level and slope
// in units of the noise's: the Riccati equation, run until it stands.
func steadyGain(level, slope float64) (alpha, beta float64) {
	a, b, c := 1+level, slope, slope // covariance of level and slope before a value
	for range 300 {
		k, g := a/(a+1), b/(a+1)
		// After the value, then one step on.
		a1, b1, c1 := a-k*a, b-k*b, c-g*b
		a, b, c = a1+2*b1+c1+level, b1+c1, c1+slope
		alpha, beta = k, g/k
	}
	return alpha, beta
}

// missOf returns weights with the expected squared miss per unit of each variance:
// the covariance of level and slope that each step of the smoothing leaves as it is.
func missOf(alpha, beta float64) weights {
	w := weights{alpha: alpha, beta: beta, alpha32: float32(alpha), beta32: float32(beta)}
	g := alpha * beta
	each := 1 / (alpha * (2 - alpha - g/2))
	w.noise = 1 + (float64(alpha*alpha)+g+float64(alpha*g/2))*each
	w.level = each
	if beta > 0 {
		w.slope = (2 - alpha) / (2 * g) * each
	}
	return w
}
