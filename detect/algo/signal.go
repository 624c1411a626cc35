package algo

import "math"

// signal takes the expression's own truth as the verdict, by the rule of Atlas
// for doubles: a value is true when its magnitude is at least 1e-12 (Netflix
// Atlas, ASL conditional words). It has no state and no prediction.
type signal struct{}

const truthFloor = 1e-12

func readSignal(*params) func() Detector {
	return func() Detector { return signal{} }
}

func (signal) Step(_ int64, v float64) Verdict {
	nan := math.NaN()
	verdict := Verdict{Expected: nan, Lower: nan, Upper: nan}
	if math.Abs(v) >= truthFloor { // false for NaN
		verdict.Score, verdict.Out, verdict.Cause = 1, true, CauseSignal
	}
	return verdict
}

func (s signal) Peek(t int64, v float64) Verdict           { return s.Step(t, v) }
func (signal) Facts(dst []Fact) []Fact                     { return dst }
func (signal) AppendState(dst []byte) []byte               { return dst }
func (signal) Restore(src []byte) (rest []byte, err error) { return src, nil }
func (signal) Reset()                                      {}
