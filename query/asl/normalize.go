package asl

import (
	"fmt"
	"slices"
	"strconv"

	"pulse/query/expr"
)

// styles runs program and returns what can be drawn of what it leaves, in
// program order; other items are left out.
func (in *Interpreter) styles(program string, o Options) ([]*expr.Style, error) {
	c, err := in.RunWith(program, o)
	if err != nil {
		return nil, err
	}
	var out []*expr.Style
	size := 0
	for _, item := range c.Stack {
		s, ok := AsStyle(item)
		if !ok {
			continue
		}
		if size += sizeOf(item, in.limits.Nodes); size > in.limits.Nodes {
			return nil, errLimit("expression too large: more than %d nodes", in.limits.Nodes)
		}
		out = append(out, s)
	}
	return out, nil
}

// Normalize returns the normal form of every expression of program, in program
// order; see expr.Normalize.
func (in *Interpreter) Normalize(program string, o Options) ([]string, error) {
	styles, err := in.styles(program, o)
	if err != nil {
		return nil, err
	}
	return texts(styles, func(_ int, s *expr.Style) (string, error) { return expr.Normalize(s) })
}

// Rewrite is Normalize without deprecated forms, see expr.Modernize, and with the
// last expression first, as Atlas has it. Expression i, counted from the last,
// uses the variable Query<i>.
func (in *Interpreter) Rewrite(program string, o Options) ([]string, error) {
	styles, err := in.styles(program, o)
	if err != nil {
		return nil, err
	}
	slices.Reverse(styles)
	return texts(styles, func(i int, s *expr.Style) (string, error) {
		return expr.Modernize(s, "Query"+strconv.Itoa(i))
	})
}

// texts returns what f makes of every style.
func texts(styles []*expr.Style, f func(i int, s *expr.Style) (string, error)) ([]string, error) {
	out := make([]string, len(styles))
	for i, s := range styles {
		var err error
		if out[i], err = f(i, s); err != nil {
			return nil, errArgument("%v", err)
		}
	}
	return out, nil
}

// Queries returns the distinct queries that the expressions of program use,
// sorted by text.
func (in *Interpreter) Queries(program string, o Options) ([]string, error) {
	styles, err := in.styles(program, o)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, s := range styles {
		for _, q := range expr.Queries(s.Expr) {
			out = append(out, q.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Strip returns the canonical text of every expression of program, the last first
// as Atlas has it, without what restricts or groups by one of keys, and without the
// words of the given vocabularies, of which `filter` and `style` can be removed.
func (in *Interpreter) Strip(program string, keys, vocabularies []string, o Options) ([]string, error) {
	styles, err := in.styles(program, o)
	if err != nil {
		return nil, err
	}
	slices.Reverse(styles)
	return texts(styles, func(_ int, s *expr.Style) (string, error) {
		t, err := expr.StripKeys(s.Expr, func(key string) bool { return slices.Contains(keys, key) })
		if err != nil {
			return "", err
		}
		s = s.WithExpr(t)
		for _, v := range vocabularies {
			if s, err = strip(s, v); err != nil {
				return "", err
			}
		}
		return s.String(), nil
	})
}

func strip(s *expr.Style, vocabulary string) (*expr.Style, error) {
	switch vocabulary {
	case "style":
		return expr.NewStyle(s.Expr), nil
	case "filter":
		t, err := expr.StripFilters(s.Expr)
		if err != nil {
			return nil, err
		}
		return s.WithExpr(t), nil
	}
	return nil, fmt.Errorf("vocabulary '%s' not supported", vocabulary)
}

// Want says what a program should leave on the stack.
type Want uint8

const (
	Anything Want = iota
	OneQuery      // exactly one item
	Drawable      // one or more items that a graph can draw
)

// Check returns an error unless the stack is as wanted.
func (c *Context) Check(want Want) error {
	switch {
	case want == OneQuery && len(c.Stack) == 0:
		return errArgument("expected a single query, stack is empty")
	case want == OneQuery && len(c.Stack) > 1:
		return errArgument("expected a single query, found %s", typeSummary(c.Stack))
	case want == Drawable && len(c.Stack) == 0:
		return errArgument("expected an expression, stack is empty")
	case want == Drawable:
		for _, item := range c.Stack {
			if !IsStyle(item) {
				return errArgument("expected an expression, found %s", typeSummary([]any{item}))
			}
		}
	}
	return nil
}
