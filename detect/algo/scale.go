package algo

import "math"

// scale is how values are compared: by ratio, as rates are, until a negative
// value has been seen, and by difference from then on.
type scale struct {
	linear bool
	floor  float64 // least value told from 0 on the scale of ratios
}

const scaleFloor = 1e-3 // of the largest mean seen

// of returns v on the scale.
func (s *scale) of(v float64) float64 {
	if s.linear {
		return v
	}
	return math.Log(max(v, s.floor, tiny))
}

// back returns the value that lies at y on the scale.
func (s *scale) back(y float64) float64 {
	if s.linear {
		return y
	}
	return math.Exp(min(y, 690))
}

// see takes the mean of a bucket into the floor.
func (s *scale) see(mean float64) {
	s.floor = max(s.floor, scaleFloor*mean)
}

// factor turns a distance on the scale into a factor, or leaves it a distance.
func (s *scale) factor(y float64) float64 { return s.back(y) }
