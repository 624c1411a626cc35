package expr

import "math"

// nearlyZero is the magnitude below which a number counts as zero, and so as
// false.
const nearlyZero = 1e-12

// IsNearlyZero reports whether v counts as zero: |v| < 1e-12, or NaN.
func IsNearlyZero(v float64) bool { return !(math.Abs(v) >= nearlyZero) }

// Truth is the truth of a number: false for NaN and for what is nearly zero.
func Truth(v float64) bool { return !IsNearlyZero(v) }

// BoolValue returns 1 for true and 0 for false.
func BoolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// AddNaN adds, NaN counting as absent: NaN only when both are.
func AddNaN(a, b float64) float64 {
	if math.IsNaN(a) {
		return b
	}
	if math.IsNaN(b) {
		return a
	}
	return a + b
}

// SubtractNaN subtracts, NaN counting as zero unless both are.
func SubtractNaN(a, b float64) float64 {
	if math.IsNaN(b) {
		return a
	}
	if math.IsNaN(a) {
		return 0 - b
	}
	return a - b
}

// MaxNaN returns the larger number, ignoring NaN unless both are.
func MaxNaN(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}

// MinNaN returns the smaller number, ignoring NaN unless both are.
func MinNaN(a, b float64) float64 {
	if math.IsNaN(a) || b < a {
		return b
	}
	return a
}

// Divide is the division of `:div`: 0/0 is 0, anything else by 0 is NaN.
func Divide(a, b float64) float64 {
	if b == 0 {
		if a == 0 {
			return 0
		}
		return math.NaN()
	}
	return a / b
}

// Stats sums up the values of a line over a window. Without any value every
// statistic but Count is NaN.
type Stats struct {
	Count                      int
	Min, Max, Last, Total, Avg float64
}

// SummaryStats returns the statistics of values, NaN ignored. It costs one
// pass and allocates nothing.
func SummaryStats(values []float64) Stats {
	nan := math.NaN()
	s := Stats{Min: nan, Max: nan, Last: nan, Total: nan, Avg: nan}
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		s.Count++
		s.Min = MinNaN(s.Min, v)
		s.Max = MaxNaN(s.Max, v)
		s.Total = AddNaN(s.Total, v)
		s.Last = v
	}
	if s.Count > 0 {
		s.Avg = s.Total / float64(s.Count)
	}
	return s
}

// Get returns the statistic of that name (avg, max, min, last, count, total)
// and whether there is one.
func (s Stats) Get(name string) (float64, bool) {
	switch name {
	case "avg":
		return s.Avg, true
	case "max":
		return s.Max, true
	case "min":
		return s.Min, true
	case "last":
		return s.Last, true
	case "count":
		return float64(s.Count), true
	case "total":
		return s.Total, true
	}
	return 0, false
}

// Statistic returns what computes the statistic of that name, in less time than
// SummaryStats but with the same result; nil when there is none.
func Statistic(name string) func(values []float64) float64 {
	switch name {
	case "max":
		return func(values []float64) float64 {
			m := math.NaN()
			for _, v := range values {
				if v > m || m != m {
					m = v
				}
			}
			return canonicalNaN(m)
		}
	case "min":
		return func(values []float64) float64 {
			m := math.NaN()
			for _, v := range values {
				if v < m || m != m {
					m = v
				}
			}
			return canonicalNaN(m)
		}
	case "last":
		return func(values []float64) float64 {
			for i := len(values) - 1; i >= 0; i-- {
				if v := values[i]; v == v {
					return v
				}
			}
			return math.NaN()
		}
	}
	if _, ok := (Stats{}).Get(name); !ok {
		return nil
	}
	return func(values []float64) float64 {
		v, _ := SummaryStats(values).Get(name)
		return v
	}
}

// compareTotal orders doubles as Java's Double.compare does: -0 before 0 and
// NaN above everything.
func compareTotal(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	x, y := math.Float64bits(canonicalNaN(a)), math.Float64bits(canonicalNaN(b))
	switch {
	case x == y:
		return 0
	case math.IsNaN(a) || !math.IsNaN(b) && !math.Signbit(a):
		return 1
	}
	return -1
}

func canonicalNaN(v float64) float64 {
	if math.IsNaN(v) {
		return math.NaN()
	}
	return v
}
