package gen

import (
	"math"
	"math/rand/v2"
)

// noise is a field of random numbers addressed by index: the same index always
// gives the same number, whatever was asked before, so that a value depends
// on its time alone.
type noise uint64

// child returns an independent field.
func (n noise) child(i uint64) noise { return noise(mix(uint64(n) ^ mix(i+0x9E3779B97F4A7C15))) }

// rand returns a generator for what happens at index i.
func (n noise) rand(i int64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(n), mix(uint64(i))))
}

// normal returns a standard normal number for index i.
func (n noise) normal(i int64) float64 {
	u1 := (float64(mix(uint64(n)^uint64(i)*0xD1B54A32D192ED03)>>11) + 0.5) / (1 << 53)
	u2 := float64(mix(uint64(n.child(1))^uint64(i)*0x8CB92BA72F3D8DD7)>>11) / (1 << 53)
	return math.Sqrt(-2*math.Log(u1)) * math.Cos(2*math.Pi*u2)
}

// smooth returns a slowly changing number at x: normal at whole x, and in
// between a blend of its neighbours.
func (n noise) smooth(x float64) float64 {
	i := math.Floor(x)
	w := (1 - math.Cos(math.Pi*(x-i))) / 2
	return n.normal(int64(i))*(1-w) + n.normal(int64(i)+1)*w
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// count draws an over-dispersed count: the variance is mean + dispersion·mean².
func count(r *rand.Rand, mean, dispersion float64) int64 {
	if mean <= 0 {
		return 0
	}
	if dispersion > 0 {
		mean *= gamma(r, 1/dispersion) * dispersion
	}
	return poisson(r, mean)
}

// gamma draws from the gamma distribution with the given shape and scale 1, as
// Marsaglia and Tsang (ACM TOMS 26, 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(1-r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// poisson draws from the Poisson distribution: by multiplication for small
// means, by transformed rejection for large ones (PTRS of Hörmann, Insurance:
// Mathematics and Economics 12, 1993).
func poisson(r *rand.Rand, mean float64) int64 {
	if mean < 12 {
		k, limit := int64(0), math.Exp(-mean)
		for p := r.Float64(); p > limit; p *= r.Float64() {
			k++
		}
		return k
	}
	root := math.Sqrt(mean)
	b := 0.931 + 2.53*root
	a := -0.059 + 0.02483*b
	inverse := 1.1239 + 1.1328/(b-3.4)
	top := 0.9277 - 3.6224/(b-2)
	for {
		u := r.Float64() - 0.5
		v := 1 - r.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + mean + 0.43)
		if us >= 0.07 && v <= top {
			return int64(k)
		}
		if k < 0 || us < 0.013 && v > us {
			continue
		}
		logGamma, _ := math.Lgamma(k + 1)
		if math.Log(v*inverse/(a/(us*us)+b)) <= k*math.Log(mean)-mean-logGamma {
			return int64(k)
		}
	}
}
