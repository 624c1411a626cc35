package store

// Agg is how the values of the series of a group become one value per step.
// Absent values (NaN) do not take part; where all are absent, so is the result.
type Agg uint8

const (
	AggSum   Agg = iota
	AggCount     // how many series have a value
	AggMin
	AggMax
	AggAll // no aggregation: every series is a group of its own
)

// fold takes the value v, which is not NaN, into the accumulator, which is NaN
// before the first.
func (a Agg) fold(acc, v float64) float64 {
	switch a {
	case AggSum:
		if acc != acc {
			return v
		}
		return acc + v
	case AggCount:
		if acc != acc {
			return 1
		}
		return acc + 1
	case AggMin:
		if acc <= v {
			return acc
		}
		return v
	case AggMax:
		if acc >= v {
			return acc
		}
		return v
	}
	return v
}
