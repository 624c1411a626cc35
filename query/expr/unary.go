package expr

import (
	"fmt"
	"math"
)

// Unary applies a function to every value of every line.
type Unary struct {
	Op   string // a name of UnaryOps
	Expr TimeSeries
}

// UnaryOps returns the names of the functions of one value. per-step
// multiplies by the seconds of a step, which makes a rate an amount.
func UnaryOps() []string { return []string{"abs", "neg", "sin", "sqrt", "per-step"} }

// unaryFunc returns the function of an operation at a step in ms, nil for an
// unknown name.
func unaryFunc(op string, step int64) func(float64) float64 {
	switch op {
	case "abs":
		return math.Abs
	case "neg":
		return func(v float64) float64 { return -v }
	case "sin":
		return math.Sin
	case "sqrt":
		return math.Sqrt
	case "per-step":
		seconds := float64(step) / 1000
		return func(v float64) float64 { return v * seconds }
	}
	return nil
}

// NewUnary returns op over t. Over a constant it is a constant, except for
// per-step.
func NewUnary(op string, t TimeSeries) (TimeSeries, error) {
	f := unaryFunc(op, 1000)
	if f == nil {
		return nil, fmt.Errorf("unknown operation: %s", op)
	}
	if v, ok := constantOf(t); ok && op != "per-step" {
		return &Const{Value: f(v)}, nil
	}
	return &Unary{Op: op, Expr: t}, nil
}

func (u *Unary) String() string                                 { return operationText(u) }
func (u *Unary) Grouped() bool                                  { return u.Expr.Grouped() }
func (u *Unary) Keys() []string                                 { return u.Expr.Keys() }
func (u *Unary) inputs() []TimeSeries                           { return []TimeSeries{u.Expr} }
func (u *Unary) withInputs(in []TimeSeries) (TimeSeries, error) { return NewUnary(u.Op, in[0]) }
func (u *Unary) identity() string                               { return ":" + u.Op }
func (u *Unary) kernel() kernel {
	return &unaryKernel{step: func(step int64) func(float64) float64 { return unaryFunc(u.Op, step) }}
}

// Clamp bounds every value from one side. NaN stays.
type Clamp struct {
	Expr  TimeSeries
	Max   bool // values above Bound become Bound; else those below
	Bound float64
}

// NewClamp returns the bounded line; over a constant it is a constant.
func NewClamp(t TimeSeries, upper bool, bound float64) TimeSeries {
	c := &Clamp{Expr: t, Max: upper, Bound: bound}
	if v, ok := constantOf(t); ok {
		return &Const{Value: c.apply(v)}
	}
	return c
}

func (c *Clamp) word() string {
	if c.Max {
		return FormatDouble(c.Bound) + ",:clamp-max"
	}
	return FormatDouble(c.Bound) + ",:clamp-min"
}

func (c *Clamp) apply(v float64) float64 {
	if c.Max && v > c.Bound || !c.Max && v < c.Bound {
		return c.Bound
	}
	return v
}

func (c *Clamp) String() string       { return operationText(c) }
func (c *Clamp) Grouped() bool        { return c.Expr.Grouped() }
func (c *Clamp) Keys() []string       { return c.Expr.Keys() }
func (c *Clamp) inputs() []TimeSeries { return []TimeSeries{c.Expr} }
func (c *Clamp) identity() string     { return c.word() }
func (c *Clamp) withInputs(in []TimeSeries) (TimeSeries, error) {
	return NewClamp(in[0], c.Max, c.Bound), nil
}
func (c *Clamp) kernel() kernel {
	return &unaryKernel{step: func(int64) func(float64) float64 { return c.apply }}
}

// unaryKernel maps values. The label of what it makes comes from the tags.
type unaryKernel struct {
	step  func(step int64) func(float64) float64
	f     func(float64) float64
	built int64 // step f was made for
}

func (k *unaryKernel) shape(in []*result, out *result) error {
	lines := make([]Line, len(in[0].lines))
	for i, l := range in[0].lines {
		lines[i] = Line{Tags: l.Tags, Label: TagsLabel(l.Tags), Gauge: l.Gauge}
	}
	out.reset(lines)
	return nil
}

func (k *unaryKernel) run(w Window, in []*result, out *result) error {
	if k.built != w.Step {
		k.f, k.built = k.step(w.Step), w.Step
	}
	for i := range out.lines {
		dst, src := out.lines[i].Values, in[0].lines[i].Values
		for j, v := range src[:len(dst)] {
			dst[j] = k.f(v)
		}
	}
	return nil
}

// As renames a tag key, for the result and for grouping and joins above it.
type As struct {
	Expr     TimeSeries
	From, To string
}

func (a *As) String() string { return operationText(a) }
func (a *As) Grouped() bool  { return a.Expr.Grouped() }

func (a *As) Keys() []string {
	keys := a.Expr.Keys()
	out := make([]string, len(keys))
	for i, k := range keys {
		if k == a.From {
			k = a.To
		}
		out[i] = k
	}
	return out
}

func (a *As) inputs() []TimeSeries { return []TimeSeries{a.Expr} }
func (a *As) identity() string     { return escapeAll(a.From, a.To) + ",:as" }
func (a *As) withInputs(in []TimeSeries) (TimeSeries, error) {
	return &As{Expr: in[0], From: a.From, To: a.To}, nil
}
func (a *As) kernel() kernel { return &asKernel{from: a.From, to: a.To} }

type asKernel struct{ from, to string }

func (k *asKernel) shape(in []*result, out *result) error {
	lines := make([]Line, len(in[0].lines))
	for i, l := range in[0].lines {
		t := l.Tags
		if v, ok := t.Get(k.from); ok {
			t = t.Without(k.from).With(k.to, v)
		}
		lines[i] = Line{Tags: t, Label: l.Label, Gauge: l.Gauge}
	}
	out.reset(lines)
	return nil
}

func (k *asKernel) run(_ Window, in []*result, out *result) error {
	for i := range out.lines {
		out.lines[i].Values = in[0].lines[i].Values
	}
	return nil
}
