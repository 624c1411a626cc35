package chart

import (
	"maps"
	"math"
	"slices"
)

// Scale maps values to height.
type Scale uint8

const (
	ScaleLinear     Scale = iota
	ScaleLog              // decades; symmetric around zero when a value is not positive
	ScaleLogLinear        // even within a decade, each decade as high as the others
	ScalePow2             // v²
	ScaleSqrt             // √v
	ScalePercentile       // buckets of percentiles: even within a power of four
)

// scaleNames is read only.
var scaleNames = map[string]Scale{"linear": ScaleLinear, "log": ScaleLog, "log-linear": ScaleLogLinear, "pow2": ScalePow2, "sqrt": ScaleSqrt, "percentile": ScalePercentile}

// ParseScale returns the scale of a name; "" is linear.
func ParseScale(name string) (Scale, bool) {
	if name == "" {
		return ScaleLinear, true
	}
	s, ok := scaleNames[name]
	return s, ok
}

// ScaleNames returns the names in alphabetical order.
func ScaleNames() []string { return slices.Sorted(maps.Keys(scaleNames)) }

// logarithmic tells whether each power of something has the same height.
func (s Scale) logarithmic() bool {
	return s == ScaleLog || s == ScaleLogLinear || s == ScalePercentile
}

// tick is a mark on an axis.
type tick struct {
	value float64 // of a value axis
	label string
	minor bool // no label, fainter grid line
	rank  int  // labels of higher rank give way
}

// scale is a value axis ready to draw: lower < upper, both finite, and spreads
// holds. Ends that are too close, too large or too small for the Scale asked for
// stand on a linear one.
type scale struct {
	Axis
	lower, upper float64
	// unit is where the logarithmic part of a scale begins: between -unit and
	// unit it is linear.
	unit      float64
	symmetric bool // log scale that goes through zero
	ticks     []tick
}

// finite tells whether v can stand on an axis.
func finite(v float64) bool { return !math.IsNaN(v) && math.Abs(v) <= 1e300 }

// newScale fits an axis to its data and chooses ticks for a height in pixels.
func newScale(a Axis, e extent, height float64) scale {
	s := scale{Axis: a}
	if e.empty() {
		e.lowest, e.highest = 0, 1
	}
	s.lower = s.bound(a.Lower, e.lowest, e.filled, -1)
	s.upper = s.bound(a.Upper, e.highest, e.filled, 1)
	s.symmetric = a.Scale.logarithmic() && (s.lower <= 0 || e.lowest <= 0 && a.Lower.Kind != BoundValue)
	if !(s.lower < s.upper) {
		s.widen(a.Lower.Kind == BoundValue, a.Upper.Kind == BoundValue)
	}
	s.unit = s.logUnit(e)
	lower, upper := s.lower, s.upper
	s.pad(0.04)
	if !s.spreads() || s.lower > lower || s.upper < upper {
		s.Scale, s.symmetric, s.lower, s.upper = ScaleLinear, false, lower, upper
		s.pad(0.04)
	}
	s.chooseTicks(height)
	return s
}

// logUnit is the power below which a scale is linear: below the smallest
// value on it, but at most twelve decades below the largest.
func (s *scale) logUnit(e extent) float64 {
	least, most := e.least, max(math.Abs(s.lower), math.Abs(s.upper))
	if s.lower > 0 {
		least = s.lower
	}
	if least == 0 || s.lower <= 0 && least > most {
		least = most
	}
	least = max(least, most*1e-12, 1e-300)
	if s.Scale != ScalePercentile {
		return math.Pow(10, math.Floor(math.Log10(least)+1e-9))
	}
	first := 1.0
	if e.timer {
		first = 1e-9
	}
	return first * math.Pow(4, math.Floor(math.Log(least/first)/math.Log(4)+1e-9))
}

// bound returns one end; side is -1 for the lower one.
func (s *scale) bound(b Bound, data float64, filled bool, side float64) float64 {
	switch {
	case b.Kind == BoundValue && finite(b.Value):
		return b.Value
	case b.Kind == BoundAutoStyle && filled && !s.Scale.logarithmic():
		return side * max(0, side*data)
	}
	return data
}

// widen makes room when both ends fall together.
func (s *scale) widen(lowerFixed, upperFixed bool) {
	by := math.Abs(s.lower) * 0.1
	if by == 0 {
		by = 1
	}
	switch {
	case lowerFixed && !upperFixed:
		s.upper = s.lower + by
	case upperFixed && !lowerFixed:
		s.lower = s.upper - by
	default:
		s.lower, s.upper = min(s.lower, s.upper)-by, max(s.lower, s.upper)+by
	}
	if s.Scale.logarithmic() && !s.symmetric && s.lower <= 0 {
		s.lower = s.upper / 10
	}
}

// pad moves an end that fits the data away from it by a part of the height,
// so that lines do not touch the frame.
func (s *scale) pad(part float64) {
	by := (s.forward(s.upper) - s.forward(s.lower)) * part
	low, high := s.lower, s.upper
	if s.Upper.Kind != BoundValue && high != 0 {
		s.upper = min(s.backward(s.forward(high)+by), math.MaxFloat64/4)
	}
	if s.Lower.Kind != BoundValue && low != 0 {
		s.lower = max(s.backward(s.forward(low)-by), -math.MaxFloat64/4)
		if low > 0 && !s.Scale.logarithmic() {
			s.lower = max(s.lower, 0)
		}
	}
}

// forward maps a value so that equal distances get equal heights.
func (s *scale) forward(v float64) float64 {
	switch s.Scale {
	case ScaleLog:
		if s.symmetric {
			return math.Copysign(math.Log10(1+math.Abs(v)/s.unit), v)
		}
		if v <= 0 {
			return math.Inf(-1)
		}
		return math.Log10(v)
	case ScaleLogLinear:
		return stairs(v/s.unit, 10)
	case ScalePercentile:
		return stairs(v/s.unit, 4)
	case ScalePow2:
		return math.Copysign(v*v, v)
	case ScaleSqrt:
		return math.Copysign(math.Sqrt(math.Abs(v)), v)
	}
	return v
}

// backward is the inverse of forward.
func (s *scale) backward(f float64) float64 {
	switch s.Scale {
	case ScaleLog:
		if s.symmetric {
			return math.Copysign((math.Pow(10, math.Abs(f))-1)*s.unit, f)
		}
		return math.Pow(10, f)
	case ScaleLogLinear:
		return steps(f, 10) * s.unit
	case ScalePercentile:
		return steps(f, 4) * s.unit
	case ScalePow2:
		return math.Copysign(math.Sqrt(math.Abs(f)), f)
	case ScaleSqrt:
		return math.Copysign(f*f, f)
	}
	return f
}

// stairs is linear between the powers of a base, each of which is one higher
// than the one before; 1 is at 1, and below it the way to 0 is straight.
func stairs(v, base float64) float64 {
	a := min(math.Abs(v), math.MaxFloat64)
	if a <= 1 {
		return v
	}
	k := math.Floor(math.Log(a) / math.Log(base))
	power := math.Pow(base, k)
	return math.Copysign(1+k+(a/power-1)/(base-1), v)
}

// steps is the inverse of stairs.
func steps(f, base float64) float64 {
	a := math.Abs(f)
	if a <= 1 {
		return f
	}
	k := math.Floor(a - 1)
	return math.Copysign(math.Pow(base, k)*(1+(a-1-k)*(base-1)), f)
}

// spreads tells whether the ends have different, finite heights, without which
// part would be NaN, and drawing at NaN never ends.
func (s *scale) spreads() bool {
	height := s.forward(s.upper) - s.forward(s.lower)
	return height > 0 && height <= math.MaxFloat64
}

// part returns where v lies: 0 at the lower end, 1 at the upper one.
func (s *scale) part(v float64) float64 {
	low, high := s.forward(s.lower), s.forward(s.upper)
	return (s.forward(v) - low) / (high - low)
}

// at is the inverse of part.
func (s *scale) at(part float64) float64 {
	low, high := s.forward(s.lower), s.forward(s.upper)
	return s.backward(low + (high-low)*part)
}

// most returns the largest distance from zero on the axis.
func (s *scale) most() float64 { return max(math.Abs(s.lower), math.Abs(s.upper)) }
