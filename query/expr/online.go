package expr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Algorithm is an online algorithm: it is fed one value per step and answers
// with one. NaN is no data. The zero time of an algorithm is its creation.
type Algorithm interface {
	// Next takes the value of the next step and returns the result for it.
	Next(v float64) float64
	// Peek returns what Next would return, and changes nothing.
	Peek(v float64) float64
	// Skip is as n calls of Next with NaN whose results do not matter.
	Skip(n int64)
	// Reset returns to the state at creation.
	Reset()
	// IsEmpty reports that the algorithm remembers no value: its future is that
	// of a new one which was fed as many NaN.
	IsEmpty() bool
	// AppendState appends the state; Restore, called on an algorithm with the
	// same arguments, takes it over and returns what follows it.
	AppendState(dst []byte) []byte
	Restore(src []byte) (rest []byte, err error)
}

// MaxWindow is the largest window of a windowed word, in datapoints.
const MaxWindow = 86_400

var errState = errors.New("state of an online algorithm is damaged")

// NewAlgorithm returns the algorithm of a stateful word with its arguments:
// delay, rolling-count, -sum, -min, -max (n), rolling-mean (n, minNumValues),
// derivative, integral, cumulative-max, des and sdes (training, alpha, beta),
// and besides them trend-by-count (n) and ignore-n (n). A leading colon is
// ignored.
func NewAlgorithm(name string, args ...float64) (Algorithm, error) {
	name = strings.TrimPrefix(name, ":")
	if err := checkArguments(name, args); err != nil {
		return nil, err
	}
	switch name {
	case "derivative":
		return &derivative{last: math.NaN()}, nil
	case "integral":
		return &accumulate{total: math.NaN(), fold: foldSum}, nil
	case "cumulative-max":
		return &accumulate{total: math.NaN(), fold: foldMax}, nil
	case "des":
		return newDES(args[0], args[1], args[2]), nil
	case "sdes":
		return newSlidingDES(args[0], args[1], args[2], 0, false), nil
	case "ignore-n":
		return &ignore{n: int64(args[0])}, nil
	}
	n := int(args[0])
	switch name {
	case "delay":
		return newDelay(n), nil
	case "rolling-count":
		return &rollingCount{window: newWindow(n, foldSum)}, nil
	case "rolling-sum":
		return &rolling{newWindow(n, foldSum)}, nil
	case "rolling-min":
		return &rolling{newWindow(n, foldMin)}, nil
	case "rolling-max":
		return &rolling{newWindow(n, foldMax)}, nil
	case "trend-by-count":
		return &trend{sum: newWindow(n, foldSum)}, nil
	}
	return newRollingMean(n, args[1]), nil
}

// checkArguments returns what NewAlgorithm fails with.
func checkArguments(name string, args []float64) error {
	count := map[string]int{
		"delay": 1, "rolling-count": 1, "rolling-sum": 1, "rolling-min": 1, "rolling-max": 1,
		"rolling-mean": 2, "derivative": 0, "integral": 0, "cumulative-max": 0,
		"des": 3, "sdes": 3, "trend-by-count": 1, "ignore-n": 1,
	}
	want, ok := count[name]
	if !ok {
		return fmt.Errorf("unknown online algorithm: %s", name)
	}
	if len(args) != want {
		return fmt.Errorf("%s takes %d arguments, got %d", name, want, len(args))
	}
	whole := func(v, least, most float64) bool { return v >= least && v <= most && v == math.Trunc(v) }
	switch {
	case want == 0:
	case name == "ignore-n" && !whole(args[0], 0, math.MaxInt32):
		return errRequire("number of ignored values must not be negative: %s", integerText(args[0]))
	case name == "des" && !whole(args[0], 0, math.MaxInt32):
		return errRequire("training must not be negative: %s", integerText(args[0]))
	case name == "sdes" && !whole(args[0], 1, math.MaxInt32):
		return errRequire("training must be positive: %s", integerText(args[0]))
	case want == 3 && (math.IsNaN(args[1]) || math.IsNaN(args[2])):
		return errRequire("alpha and beta must be numbers (alpha=%s, beta=%s)", FormatDouble(args[1]), FormatDouble(args[2]))
	case want < 3 && name != "ignore-n" && !whole(args[0], 1, MaxWindow):
		return errRequire("window size must be between 1 and %d: %s", MaxWindow, integerText(args[0]))
	case name == "rolling-mean" && !whole(args[1], 1, args[0]):
		return errRequire("minNumValues must be between 1 and the window size %d: %s", int(args[0]), integerText(args[1]))
	}
	return nil
}

// integerText writes a number without decimals if it has none.
func integerText(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return fmt.Sprintf("%d", int64(v))
	}
	return FormatDouble(v)
}

// derivative is the difference to the value before.
type derivative struct{ last float64 }

func (d *derivative) Next(v float64) float64 {
	out := v - d.last
	d.last = v
	return out
}

func (d *derivative) Peek(v float64) float64 { return v - d.last }

func (d *derivative) Skip(n int64) {
	if n > 0 {
		d.last = math.NaN()
	}
}
func (d *derivative) Reset()                             { d.last = math.NaN() }
func (d *derivative) IsEmpty() bool                      { return math.IsNaN(d.last) }
func (d *derivative) AppendState(dst []byte) []byte      { return appendFloats(dst, d.last) }
func (d *derivative) Restore(src []byte) ([]byte, error) { return readFloats(src, &d.last) }

// accumulate folds everything seen so far, NaN ignored: the running sum or the
// running maximum.
type accumulate struct {
	total float64
	fold  foldKind
}

func (a *accumulate) Next(v float64) float64 {
	a.total = a.fold.of(a.total, v)
	return a.total
}

func (a *accumulate) Peek(v float64) float64 { return a.fold.of(a.total, v) }

func (a *accumulate) Skip(int64) {}

func (a *accumulate) Reset() { a.total = math.NaN() }

func (a *accumulate) IsEmpty() bool                      { return math.IsNaN(a.total) }
func (a *accumulate) AppendState(dst []byte) []byte      { return appendFloats(dst, a.total) }
func (a *accumulate) Restore(src []byte) ([]byte, error) { return readFloats(src, &a.total) }

// ignore answers NaN for the first n values and passes the rest.
type ignore struct{ n, seen int64 }

func (g *ignore) Next(v float64) float64 {
	if g.seen < g.n {
		g.seen++
		return math.NaN()
	}
	return v
}

func (g *ignore) Peek(v float64) float64 {
	if g.seen < g.n {
		return math.NaN()
	}
	return v
}

func (g *ignore) Skip(n int64)                       { g.seen = min(g.seen+n, g.n) }
func (g *ignore) Reset()                             { g.seen = 0 }
func (g *ignore) IsEmpty() bool                      { return true }
func (g *ignore) AppendState(dst []byte) []byte      { return appendInts(dst, g.seen) }
func (g *ignore) Restore(src []byte) ([]byte, error) { return readInts(src, &g.seen) }

// identity passes every value.
type identity struct{}

func (identity) Next(v float64) float64             { return v }
func (identity) Peek(v float64) float64             { return v }
func (identity) Skip(int64)                         {}
func (identity) Reset()                             {}
func (identity) IsEmpty() bool                      { return true }
func (identity) AppendState(dst []byte) []byte      { return dst }
func (identity) Restore(src []byte) ([]byte, error) { return src, nil }

// State is little-endian, eight bytes for each number.

func appendFloats(dst []byte, vs ...float64) []byte {
	for _, v := range vs {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

func readFloats(src []byte, vs ...*float64) ([]byte, error) {
	if len(src) < 8*len(vs) {
		return nil, errState
	}
	for i, v := range vs {
		*v = math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
	}
	return src[8*len(vs):], nil
}

func appendInts(dst []byte, vs ...int64) []byte {
	for _, v := range vs {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}

func readInts(src []byte, vs ...*int64) ([]byte, error) {
	if len(src) < 8*len(vs) {
		return nil, errState
	}
	for i, v := range vs {
		*v = int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
	return src[8*len(vs):], nil
}
