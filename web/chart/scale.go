package chart

import "math"

// tick is a mark on an axis.
type tick struct {
	value float64 // of a value axis
	label string
	minor bool // no label, fainter grid line
}

// scale is a value axis ready to draw: lower < upper, both finite, and spreads
// holds. Ends that are too close, too large or too small for the Scale asked for
// stand on a linear one.
type scale struct {
	Axis
	lower, upper float64
	symmetric    bool // log scale that goes through zero
	ticks        []tick
}

// finite tells whether v can stand on an axis.
func finite(v float64) bool { return !math.IsNaN(v) && math.Abs(v) <= 1e300 }

// newScale fits an axis to the extents of its data (lowest above highest when
// there is none) and chooses ticks for a height in pixels. filled tells that
// something is drawn down to zero.
func newScale(a Axis, lowest, highest float64, filled bool, height float64) scale {
	s := scale{Axis: a}
	if lowest > highest {
		lowest, highest = 0, 1
	}
	s.symmetric = a.Scale == ScaleLog && lowest <= 0
	s.lower = s.bound(a.Lower, lowest, filled, -1)
	s.upper = s.bound(a.Upper, highest, filled, 1)
	if a.Scale == ScaleLog && s.lower <= 0 {
		s.symmetric = true
	}
	if !(s.lower < s.upper) {
		s.widen(a.Lower.Kind == BoundValue, a.Upper.Kind == BoundValue)
	}
	lower, upper := s.lower, s.upper
	s.pad(0.04)
	if !s.spreads() || s.lower > lower || s.upper < upper {
		s.Scale, s.symmetric, s.lower, s.upper = ScaleLinear, false, lower, upper
		s.pad(0.04)
	}
	count := max(2, int(height/40))
	if a.Scale == ScaleLog {
		s.ticks = s.logTicks(count)
	} else {
		s.ticks = s.evenTicks(count)
	}
	return s
}

// bound returns one end; side is -1 for the lower one.
func (s *scale) bound(b Bound, data float64, filled bool, side float64) float64 {
	switch {
	case b.Kind == BoundValue && finite(b.Value):
		return b.Value
	case b.Kind == BoundAutoStyle && filled && s.Scale != ScaleLog:
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
	if s.Scale == ScaleLog && !s.symmetric && s.lower <= 0 {
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
		if low > 0 && s.Scale != ScaleLog {
			s.lower = max(s.lower, 0)
		}
	}
}

// forward maps a value so that equal distances get equal heights.
func (s *scale) forward(v float64) float64 {
	switch s.Scale {
	case ScaleLog:
		if s.symmetric {
			return math.Copysign(math.Log10(1+math.Abs(v)), v)
		}
		if v <= 0 {
			return math.Inf(-1)
		}
		return math.Log10(v)
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
			return math.Copysign(math.Pow(10, math.Abs(f))-1, f)
		}
		return math.Pow(10, f)
	case ScalePow2:
		return math.Copysign(math.Sqrt(math.Abs(f)), f)
	case ScaleSqrt:
		return math.Copysign(f*f, f)
	}
	return f
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

// most returns the largest distance from zero on the axis.
func (s *scale) most() float64 { return max(math.Abs(s.lower), math.Abs(s.upper)) }

// evenTicks returns about count ticks at equal distances in value.
func (s *scale) evenTicks(count int) []tick {
	gap := niceGap((s.upper-s.lower)/float64(count)*0.75, s.TickLabels) // rather a few more than too few
	if !finite(gap) || gap <= 0 {
		return nil
	}
	var out []tick
	first := math.Ceil(s.lower/gap - 1e-9)
	for i := 0.0; i < 1000; i++ {
		v := (first + i) * gap
		if v > s.upper+gap*1e-9 {
			break
		}
		out = append(out, tick{value: v, label: formatTick(v, gap, s.most(), s.TickLabels)})
	}
	return out
}

// niceGap returns the smallest round distance that is at least gap.
func niceGap(gap float64, kind TickLabels) float64 {
	if kind == TicksDuration && gap > 1 {
		for _, nice := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800} {
			if nice >= gap*(1-1e-9) {
				return nice
			}
		}
		return math.Ceil(gap/604_800) * 604_800
	}
	unit := 1.0
	if kind == TicksBinary && gap > 1 {
		unit = math.Pow(2, math.Floor(math.Log2(gap)))
		if gap <= unit*(1+1e-9) {
			return unit
		}
		return 2 * unit
	}
	unit = math.Pow(10, math.Floor(math.Log10(gap)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if gap <= m*unit*(1+1e-9) {
			return m * unit
		}
	}
	return 10 * unit
}

// logTicks marks decades, and 2 and 5 between them when there are few; binary
// labels stand at powers of two.
func (s *scale) logTicks(count int) []tick {
	low, high := s.forward(s.lower), s.forward(s.upper)
	if high-low < 1 && !s.symmetric {
		return s.evenTicks(count)
	}
	if s.TickLabels == TicksBinary && !s.symmetric {
		return s.binaryTicks(count)
	}
	var out []tick
	add := func(v float64, minor bool) {
		if v >= s.lower*(1-1e-9)-1e-300 && v <= s.upper*(1+1e-9) {
			t := tick{value: v, minor: minor}
			if !minor {
				t.label = formatTick(v, math.Abs(v), math.Abs(v), s.TickLabels)
			}
			out = append(out, t)
		}
	}
	every := max(1, int(math.Ceil((high-low)/float64(count))))
	between := high-low <= float64(count)/2
	decades := func(sign, from, to float64) {
		for d := from; d <= to && d < 310; d++ {
			add(sign*math.Pow(10, d), int(d)%every != 0)
			if between {
				add(sign*2*math.Pow(10, d), true)
				add(sign*5*math.Pow(10, d), true)
			}
		}
	}
	if !s.symmetric {
		decades(1, math.Floor(low), math.Ceil(high))
		return out
	}
	add(0, false)
	decades(1, 0, math.Ceil(max(high, 0)))
	decades(-1, 0, math.Ceil(max(-low, 0)))
	return out
}

// binaryTicks marks every so many powers of two.
func (s *scale) binaryTicks(count int) []tick {
	low, high := math.Log2(s.lower), math.Log2(s.upper)
	every := 1.0
	for _, n := range []float64{1, 2, 5, 10, 20, 50, 100, 200} {
		every = n
		if (high-low)/n <= float64(count) {
			break
		}
	}
	var out []tick
	for e := math.Ceil(low/every-1e-9) * every; e <= high+1e-9; e += every {
		v := math.Pow(2, e)
		out = append(out, tick{value: v, label: formatTick(v, v, v, TicksBinary)})
	}
	return out
}
