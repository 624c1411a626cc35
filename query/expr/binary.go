package expr

import (
	"errors"
	"fmt"
	"math"
)

// Binary combines two expressions value by value. The groupings of the two
// sides must be equal, or one a part of the other.
type Binary struct {
	Op   string // a name of BinaryOps
	L, R TimeSeries

	// Known once, since asking both sides at every level would double the work
	// with each.
	keys      []string
	grouped   bool
	leftLarge bool // see NewBinary
}

// BinaryOps returns the names of the functions of two values.
func BinaryOps() []string {
	return []string{"add", "sub", "mul", "div", "pow", "fadd", "fsub", "fmul", "fdiv",
		"gt", "ge", "lt", "le", "and", "or"}
}

// binaryFunc writes op(a[i], b[i]) to dst. The slices are equally long.
func binaryFunc(op string) func(dst, a, b []float64) {
	switch op {
	case "add":
		return func(dst, a, b []float64) { each(dst, a, b, AddNaN) }
	case "sub":
		return func(dst, a, b []float64) { each(dst, a, b, SubtractNaN) }
	case "mul", "fmul":
		return func(dst, a, b []float64) { each(dst, a, b, func(x, y float64) float64 { return x * y }) }
	case "div":
		return func(dst, a, b []float64) { each(dst, a, b, Divide) }
	case "pow":
		return func(dst, a, b []float64) { each(dst, a, b, power) }
	case "fadd":
		return func(dst, a, b []float64) { each(dst, a, b, func(x, y float64) float64 { return x + y }) }
	case "fsub":
		return func(dst, a, b []float64) { each(dst, a, b, func(x, y float64) float64 { return x - y }) }
	case "fdiv":
		return func(dst, a, b []float64) { each(dst, a, b, func(x, y float64) float64 { return x / y }) }
	case "gt":
		return func(dst, a, b []float64) { each(dst, a, b, func(x, y float64) float64 { return BoolValue(x > y) }) }
	case "ge":
		return func(dst, a, b []float64) { each(dst, a, b, func(x, y float64) float64 { return BoolValue(x >= y) }) }
	case "lt":
		return func(dst, a, b []float64) { each(dst, a, b, func(x, y float64) float64 { return BoolValue(x < y) }) }
	case "le":
		return func(dst, a, b []float64) { each(dst, a, b, func(x, y float64) float64 { return BoolValue(x <= y) }) }
	case "and":
		return func(dst, a, b []float64) {
			each(dst, a, b, func(x, y float64) float64 { return BoolValue(Truth(x) && Truth(y)) })
		}
	case "or":
		return func(dst, a, b []float64) {
			each(dst, a, b, func(x, y float64) float64 { return BoolValue(Truth(x) || Truth(y)) })
		}
	}
	return nil
}

// unknownFunc is binaryFunc for Window.Unknown: a condition that depends on a NaN
// is NaN.
func unknownFunc(op string) func(dst, a, b []float64) {
	f := binaryFunc(op)
	switch op {
	case "gt", "ge", "lt", "le":
		return func(dst, a, b []float64) {
			f(dst, a, b)
			for i := range dst {
				if math.IsNaN(a[i]) || math.IsNaN(b[i]) {
					dst[i] = math.NaN()
				}
			}
		}
	case "and", "or":
		decides := op == "or" // one side that is this decides alone
		return func(dst, a, b []float64) {
			f(dst, a, b)
			for i, x := range a {
				y := b[i]
				alone := !math.IsNaN(x) && Truth(x) == decides || !math.IsNaN(y) && Truth(y) == decides
				if !alone && (math.IsNaN(x) || math.IsNaN(y)) {
					dst[i] = math.NaN()
				}
			}
		}
	}
	return f
}

func each(dst, a, b []float64, f func(x, y float64) float64) {
	for i := range dst {
		dst[i] = f(a[i], b[i])
	}
}

// power is Java's pow, which unlike C's gives NaN for 1 to an infinite or NaN
// power and for -1 to an infinite one.
func power(x, y float64) float64 {
	if math.IsNaN(y) || math.IsInf(y, 0) && math.Abs(x) == 1 {
		return math.NaN()
	}
	return math.Pow(x, y)
}

// NewBinary returns op over l and r; over two constants it is a constant. It
// fails when both are grouped and neither grouping is part of the other.
func NewBinary(op string, l, r TimeSeries) (TimeSeries, error) {
	f := binaryFunc(op)
	if f == nil {
		return nil, fmt.Errorf("unknown operation: %s", op)
	}
	// The side with the larger grouping decides the tags and the grouping of the
	// result.
	b := &Binary{Op: op, L: l, R: r, keys: l.Keys(), grouped: l.Grouped() || r.Grouped(), leftLarge: true}
	if left, right := l.Keys(), r.Keys(); !subset(right, left) {
		if l.Grouped() && !subset(left, right) {
			return nil, fmt.Errorf("both sides of binary operation must have the same grouping or one side"+
				" must be a subset of the other [%s ⊈ %s]", listText(left), listText(right))
		}
		b.keys, b.leftLarge = right, false
	}
	x, lok := constantOf(l)
	y, rok := constantOf(r)
	if lok && rok {
		v := []float64{0}
		f(v, []float64{x}, []float64{y})
		return &Const{Value: v[0]}, nil
	}
	return b, nil
}

func (b *Binary) String() string       { return operationText(b) }
func (b *Binary) Grouped() bool        { return b.grouped }
func (b *Binary) Keys() []string       { return b.keys }
func (b *Binary) inputs() []TimeSeries { return []TimeSeries{b.L, b.R} }
func (b *Binary) identity() string     { return ":" + b.Op }
func (b *Binary) withInputs(in []TimeSeries) (TimeSeries, error) {
	return NewBinary(b.Op, in[0], in[1])
}
func (b *Binary) kernel() kernel {
	return &binaryKernel{expr: b, f: binaryFunc(b.Op), unknown: unknownFunc(b.Op)}
}

type pair struct{ l, r int32 }

// binaryKernel joins the lines of two sides. Every line of the side with the
// larger grouping meets the one line of the other that has the same values of
// the smaller grouping's keys; lines without partner are dropped.
type binaryKernel struct {
	expr    *Binary
	f       func(dst, a, b []float64)
	unknown func(dst, a, b []float64)
	pairs   []pair
	left    bool // what useLeft said when pairs were made
}

// useLeft reports whether the left side is the one with the larger grouping.
func (k *binaryKernel) useLeft(in []*result) bool {
	if k.expr.leftLarge && !k.expr.Grouped() && len(in[0].lines) == 1 && len(in[1].lines) > 1 {
		return false // one line against the many of :all
	}
	return k.expr.leftLarge
}

func (k *binaryKernel) shape(in []*result, out *result) error {
	left, right := in[0].lines, in[1].lines
	k.left = k.useLeft(in)
	large, small, keys := left, right, k.expr.R.Keys()
	if !k.left {
		large, small, keys = right, left, k.expr.L.Keys()
	}
	partner := partners(large, small, keys)
	k.pairs = k.pairs[:0]
	lines := make([]Line, 0, len(large))
	for i, j := range partner {
		if j == ambiguous {
			return errors.New("too many values for key")
		}
		if j < 0 {
			continue
		}
		p := pair{int32(i), int32(j)}
		if !k.left {
			p = pair{int32(j), int32(i)}
		}
		k.pairs = append(k.pairs, p)
		t := large[i].Tags
		lines = append(lines, Line{Tags: t, Label: TagsLabel(t), Gauge: left[p.l].Gauge})
	}
	out.reset(lines)
	return nil
}

// What partners answers instead of an index.
const (
	alone     = -1 // no line has the key
	ambiguous = -2 // several have it
)

// partners returns for each line of large the index of its partner in small.
func partners(large, small []Line, keys []string) []int {
	out := make([]int, len(large))
	if len(keys) == 0 && len(small) == 1 {
		return out
	}
	index := make(map[string]int, len(small))
	for j, l := range small {
		key, ok := joinKey(keys, l)
		if !ok {
			continue
		}
		if _, twice := index[key]; twice {
			j = ambiguous
		}
		index[key] = j
	}
	for i, l := range large {
		out[i] = alone
		if key, ok := joinKey(keys, l); ok {
			if j, found := index[key]; found {
				out[i] = j
			}
		}
	}
	return out
}

// joinKey identifies a line by the keys, or by all its tags when there are none.
func joinKey(keys []string, l Line) (string, bool) {
	if len(keys) == 0 {
		return string(l.Tags.AppendKey(nil)), true
	}
	return KeyString(keys, l.Tags)
}

func (k *binaryKernel) run(w Window, in []*result, out *result) error {
	left, right := in[0].lines, in[1].lines
	f := k.f
	if w.Unknown {
		f = k.unknown
	}
	for i, p := range k.pairs {
		dst := out.lines[i].Values
		f(dst, left[p.l].Values[:len(dst)], right[p.r].Values[:len(dst)])
	}
	return nil
}
