package expr

import (
	"fmt"
	"math"
)

// CF is a consolidation function: how the values of several steps become the
// value of one longer step.
type CF uint8

const (
	CFAvg CF = iota
	CFSum
	CFMin
	CFMax
)

// ParseCF returns the function named avg, sum, min or max.
func ParseCF(name string) (CF, error) {
	for _, f := range []CF{CFAvg, CFSum, CFMin, CFMax} {
		if f.Name() == name {
			return f, nil
		}
	}
	return 0, fmt.Errorf("unknown consolidation function: %s", name)
}

// Name returns avg, sum, min or max.
func (f CF) Name() string { return [...]string{"avg", "sum", "min", "max"}[f] }

// Of consolidates values into one, ignoring NaN; all NaN gives NaN. For CFAvg
// a rate divides by len(values), which makes a gap zero, and a gauge divides
// by the number of values present.
func (f CF) Of(values []float64, gauge bool) float64 { return f.of(values, gauge, len(values)) }

// of is Of for a step of `slots` values of which only these are at hand.
func (f CF) of(values []float64, gauge bool, slots int) float64 {
	acc, n := math.NaN(), 0
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		n++
		switch f {
		case CFMin:
			acc = MinNaN(acc, v)
		case CFMax:
			acc = MaxNaN(acc, v)
		default:
			acc = AddNaN(acc, v)
		}
	}
	if n == 0 || f != CFAvg {
		return acc
	}
	if gauge {
		return acc / float64(n)
	}
	return acc / float64(slots)
}

// Consolidate appends to dst one value for every `multiple` values of src,
// whose last run may be shorter and still counts as a whole step.
func Consolidate(dst, src []float64, f CF, multiple int, gauge bool) []float64 {
	for len(src) > 0 {
		k := min(multiple, len(src))
		dst = append(dst, f.of(src[:k], gauge, multiple))
		src = src[k:]
	}
	return dst
}

// ConsolidateAligned consolidates values, the first stamped start, to steps
// that end on multiples of newStep. The first and last may be covered in part.
// It returns the stamp of the first result. StepMismatch says which steps fit.
func ConsolidateAligned(values []float64, start, step, newStep int64, f CF, gauge bool) (int64, []float64, error) {
	if err := StepMismatch(step, newStep); err != nil {
		return 0, nil, err
	}
	m := newStep / step
	off := start % newStep
	first := start
	if off != 0 {
		first = start - off + newStep
	}
	head := min(int64(len(values)), (first-start)/step+1)
	var out []float64
	if head > 0 && head < m {
		out = append(out, f.of(values[:head], gauge, int(m)))
		values = values[head:]
	}
	return first, Consolidate(out, values, f, int(m), gauge), nil
}

// ExpandStep appends to dst every value of src repeated `multiple` times: a
// coarse line read at a finer step.
func ExpandStep(dst, src []float64, multiple int) []float64 {
	for _, v := range src {
		for range multiple {
			dst = append(dst, v)
		}
	}
	return dst
}

// StepMismatch returns an error unless one step is a multiple of the other.
func StepMismatch(oldStep, newStep int64) error {
	if oldStep <= 0 || newStep <= 0 {
		return fmt.Errorf("steps must be positive (%d, %d)", oldStep, newStep)
	}
	if oldStep%newStep != 0 && newStep%oldStep != 0 {
		return fmt.Errorf("steps %d and %d must be multiples of each other", oldStep, newStep)
	}
	return nil
}
