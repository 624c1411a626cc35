package asl

import (
	"strings"

	"pulse/query/expr"
	"pulse/store/match"
)

// ParseStyle runs program and returns what a graph draws, in program order.
// Every item left must be presentable, and there must be one.
func (in *Interpreter) ParseStyle(program string) ([]*expr.Style, error) {
	return in.ParseStyleWith(program, Options{})
}

// ParseStyleWith is ParseStyle with options.
func (in *Interpreter) ParseStyleWith(program string, o Options) ([]*expr.Style, error) {
	return parse(in, program, o, "time series expr", AsStyle)
}

// ParseTimeSeries runs program and returns the time series it leaves, in
// program order. Settings of style are an error.
func (in *Interpreter) ParseTimeSeries(program string) ([]expr.TimeSeries, error) {
	return parse(in, program, Options{}, "time series expr", AsTimeSeries)
}

// ParseQuery runs program and returns the one query it leaves.
func (in *Interpreter) ParseQuery(program string) (match.Query, error) {
	qs, err := parse(in, program, Options{}, "query", AsQuery)
	if err != nil {
		return nil, err
	}
	if len(qs) > 1 {
		return nil, &Error{Kind: Argument, Offset: -1, Message: "expecting one query, found " + typeSummary(anys(qs))}
	}
	return qs[0], nil
}

// parse runs program and converts what it leaves; what is the wanted kind's
// name in errors.
func parse[T any](in *Interpreter, program string, o Options, what string, as func(any) (T, bool)) ([]T, error) {
	c, err := in.RunWith(program, o)
	if err != nil {
		return nil, err
	}
	if len(c.Stack) == 0 {
		found := "the expression is empty"
		if c.words > 0 {
			found = "nothing is left on the stack"
		}
		return nil, &Error{Kind: Argument, Offset: -1, Message: "expecting " + what + ", " + found}
	}
	out := make([]T, 0, len(c.Stack))
	size := 0
	for _, item := range c.Stack {
		v, ok := as(item)
		if !ok {
			return nil, c.unused(program, item, what)
		}
		if size += sizeOf(item, in.limits.Nodes); size > in.limits.Nodes {
			return nil, errLimit("expression too large: more than %d nodes", in.limits.Nodes)
		}
		out = append(out, v)
	}
	return out, nil
}

// unused is the error of an item left that is not what is wanted. It is placed at
// the last token that reads like it.
func (c *Context) unused(program string, item any, what string) *Error {
	e := &Error{Kind: Argument, Offset: -1, Hint: c.leftover(item), Stack: c.held(),
		Message: "expecting " + what + ", found " + typeName(item) + " '" + excerpt(display(item)) + "'"}
	if text, ok := item.(string); ok {
		tokens, _ := Tokenize(program)
		for _, t := range tokens {
			if Unescape(t.Text) == text {
				e.Offset, e.Token = t.Offset, t.Text
			}
		}
	}
	return e
}

func anys[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

// excerpt keeps an error message short.
func excerpt(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
