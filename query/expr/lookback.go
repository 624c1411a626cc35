package expr

import (
	"fmt"
	"math"
)

// forgotten is the share of an old value that smoothing may still carry when
// it counts as forgotten.
const forgotten = 1e-6

// CheckStream returns an error when t cannot be evaluated step by step, because
// it needs to see a whole window at once: filters, statistics, selections and
// :consolidate.
func CheckStream(t TimeSeries) error {
	t, err := Expand(t)
	if err != nil {
		return err
	}
	walk(t, func(x TimeSeries) {
		word, instead := wholeRange(x)
		if word != "" && err == nil {
			err = notSupported(word, t, "it needs the whole range at once; "+instead)
		}
	})
	return err
}

// NeedsWhole reports whether a value of t may depend on the window it is evaluated
// in, so that a range cannot be evaluated piece by piece: t has a word that
// CheckStream refuses, or a time span, which may refer to the range's ends.
func NeedsWhole(t TimeSeries) bool {
	if CheckStream(t) != nil {
		return true
	}
	x, err := Expand(t)
	if err != nil {
		return true
	}
	whole := false
	walk(x, func(x TimeSeries) {
		if _, span := x.(*TimeSpan); span {
			whole = true
		}
	})
	return whole
}

// wholeRange returns the word of x, if it is one that looks at a whole range, and
// what to write instead.
func wholeRange(x TimeSeries) (word, instead string) {
	const recent = "use :rolling-mean, :rolling-max, :rolling-min or :rolling-count, which look at the last values"
	switch y := x.(type) {
	case *Filter:
		return "filter", "compare the line itself, such as 100,:gt"
	case *Stat:
		return "stat", recent
	case *StatRef:
		return "stat-" + y.Stat, recent
	case *TopK:
		const limit = "compare each line with a limit, such as 100,"
		if y.Bottom {
			return "bottomk", limit + ":lt"
		}
		return "topk", limit + ":gt"
	case *Consolidated:
		return "consolidate", "evaluate at the longer step"
	}
	return "", ""
}

func notSupported(word string, t TimeSeries, reason string) error {
	return fmt.Errorf(":%s not supported for streaming evaluation [[%s]]: %s", word, t, reason)
}

// Lookback returns how far back, in ms, the values lie that a value of t at
// this step depends on. It fails for words without a finite memory, whose
// result depends on when evaluation began, and for those of CheckStream.
//
// Smoothing forgets gradually: its look-back ends where a value's weight has
// fallen below a millionth.
func Lookback(t TimeSeries, stepMs int64) (int64, error) {
	return lookbackExpanded(t, stepMs, true)
}

// Warmup is Lookback without the shifts of data: for how long, in ms, t must
// have been evaluated before its values can be used.
func Warmup(t TimeSeries, stepMs int64) (int64, error) {
	return lookbackExpanded(t, stepMs, false)
}

func lookbackExpanded(t TimeSeries, stepMs int64, shifts bool) (int64, error) {
	if err := CheckStream(t); err != nil {
		return 0, err
	}
	x, err := Expand(t)
	if err != nil {
		return 0, err
	}
	return lookback(x, t, stepMs, shifts)
}

func lookback(x, whole TimeSeries, stepMs int64, shifts bool) (int64, error) {
	var longest int64
	for _, in := range x.inputs() {
		ms, err := lookback(in, whole, stepMs, shifts)
		if err != nil {
			return 0, err
		}
		longest = max(longest, ms)
	}
	switch y := x.(type) {
	case DataExpr:
		if shifts {
			return y.OffsetMs(), nil
		}
	case *Stateful:
		steps, reason := y.memory(stepMs)
		if reason != "" {
			return 0, notSupported(y.Name, whole, reason)
		}
		return longest + steps*stepMs, nil
	}
	return longest, nil
}

// memory returns how many earlier values a result depends on, or why there is
// no such number.
func (s *Stateful) memory(stepMs int64) (steps int64, endless string) {
	switch s.Name {
	case "integral":
		return 0, "it remembers everything since evaluation began; use :rolling-sum over as many steps as matter"
	case "cumulative-max":
		return 0, "it remembers everything since evaluation began; use :rolling-max over as many steps as matter"
	case "derivative":
		return 1, ""
	case "delay":
		return int64(s.Args[0]), ""
	case "trend":
		n := int64(s.Args[0]) / stepMs
		if n > MaxWindow {
			return 0, fmt.Sprintf("window size must be between 1 and %d: %d", MaxWindow, n)
		}
		return max(n-1, 0), ""
	case "sdes":
		return 2 * int64(s.Args[0]), ""
	case "des":
		k := smoothingMemory(s.Args[1], s.Args[2])
		if math.IsInf(k, 0) || k > MaxWindow {
			return 0, fmt.Sprintf("with alpha %s and beta %s it forgets too slowly; use a larger alpha, or :sdes", FormatDouble(s.Args[1]), FormatDouble(s.Args[2]))
		}
		return int64(s.Args[0]) + int64(k), ""
	}
	return int64(s.Args[0]) - 1, ""
}

// smoothingMemory returns after how many steps double exponential smoothing
// has forgotten a value. Level and slope follow a linear recurrence whose
// matrix has trace 2-α-αβ and determinant 1-α; its largest eigenvalue says how
// fast the past fades.
func smoothingMemory(alpha, beta float64) float64 {
	trace, det := 2-alpha-alpha*beta, 1-alpha
	radius := math.Sqrt(math.Abs(det))
	if disc := trace*trace - 4*det; disc >= 0 {
		root := math.Sqrt(disc)
		radius = max(math.Abs(trace+root), math.Abs(trace-root)) / 2
	}
	if radius >= 1 {
		return math.Inf(1)
	}
	if radius < 1e-6 {
		return 1
	}
	return math.Ceil(math.Log(forgotten) / math.Log(radius))
}

// stateBytes estimates the memory of one line's algorithm at a step.
func (s *Stateful) stateBytes(stepMs int64) int64 {
	const fixed = 128
	switch s.Name {
	case "trend":
		return fixed + 8*min(int64(s.Args[0])/max(stepMs, 1), MaxWindow)
	case "rolling-mean":
		return fixed + 16*int64(s.Args[0])
	case "delay", "rolling-count", "rolling-sum", "rolling-min", "rolling-max":
		return fixed + 8*int64(s.Args[0])
	}
	return fixed
}
