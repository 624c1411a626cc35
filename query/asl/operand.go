package asl

import (
	"pulse/query/expr"
	"pulse/store/match"
)

// operand is an item a word computes with: a time series, perhaps styled.
type operand struct {
	item  any // as it was on the stack
	t     expr.TimeSeries
	style *expr.Style // nil without settings
}

// isOperand holds for what AsTimeSeries accepts and for styles.
func isOperand(item any) bool { return isStyled(item) || IsTimeSeries(item) }

// isStyled holds for an expression with settings of style.
func isStyled(item any) bool {
	_, ok := item.(*expr.Style)
	return ok
}

// popOperand pops an item for which isOperand held.
func (c *Context) popOperand() operand {
	item := c.Pop()
	if s, ok := item.(*expr.Style); ok {
		return operand{s.Expr, s.Expr, s}
	}
	t, _ := AsTimeSeries(item)
	return operand{item, t, nil}
}

// base is the operand as a rewrite is written over it: a query stays one.
func (o operand) base() expr.Expr {
	if q, ok := o.item.(match.Query); ok {
		return q
	}
	return o.t
}

// pushResult pushes what a word made of the operands. The settings of the one
// styled operand are kept; of several none are.
func (c *Context) pushResult(t expr.TimeSeries, err error, from ...operand) error {
	if err != nil {
		return errArgument("%v", err)
	}
	var style *expr.Style
	styled := 0
	for _, o := range from {
		if o.style != nil {
			style = o.style
			styled++
		}
	}
	if styled == 1 {
		c.Push(style.WithExpr(t))
	} else {
		c.Push(t)
	}
	return nil
}

// mapWord is a word of one operand below fixed arguments.
func mapWord(name, signature, doc string, examples []string, args []func(any) bool,
	f func(c *Context, o operand, args []any) (expr.TimeSeries, error)) Word {
	tests := append([]func(any) bool{isOperand}, args...)
	return Word{
		Name: name, Signature: signature, Doc: doc, Examples: examples, Match: Args(tests...),
		Run: func(c *Context) error {
			values := make([]any, len(args))
			for i := len(args) - 1; i >= 0; i-- {
				values[i] = c.Pop()
			}
			o := c.popOperand()
			t, err := f(c, o, values)
			return c.pushResult(t, err, o)
		},
	}
}

func intArg(item any) float64 {
	n, _ := AsInt(item)
	return float64(n)
}

func doubleArg(item any) float64 {
	v, _ := AsDouble(item)
	return v
}

func durationArg(item any) int64 {
	d, _ := AsDuration(item)
	return d.Milliseconds()
}

func listArg(item any) []string {
	list, _ := AsStringList(item)
	return list
}

// isDoubleList holds for a list of numbers.
func isDoubleList(item any) bool {
	_, ok := asDoubleList(item)
	return ok
}

func asDoubleList(item any) ([]float64, bool) {
	list, ok := item.(List)
	if !ok {
		return nil, false
	}
	out := make([]float64, len(list))
	for i, x := range list {
		if out[i], ok = AsDouble(cooked(x)); !ok {
			return nil, false
		}
	}
	return out, true
}
