package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/store/match"
)

// language is what a case may say about the interpreter.
type language struct {
	Variables      map[string]string
	MaxStackSize   int
	Features       string
	Words          []struct{ Name, Body string }
	CustomAverages []struct {
		Name, BaseQuery string
		Keys            []string
	}
}

// custom reports whether the case brings words of its own.
func (l *language) custom() bool { return l.Words != nil || l.CustomAverages != nil }

// vocabulary returns the words of the case: the default ones, unless it
// configures its own averages and words.
func (l *language) vocabulary() (asl.Vocabulary, error) {
	if !l.custom() {
		return asl.All(), nil
	}
	var custom asl.Custom
	for _, a := range l.CustomAverages {
		custom.Averages = append(custom.Averages, asl.Average{Name: a.Name, Base: a.BaseQuery, Keys: a.Keys})
	}
	for _, w := range l.Words {
		custom.Words = append(custom.Words, asl.CustomWord{Name: w.Name, Body: w.Body})
	}
	return asl.AllWith(custom)
}

func (l *language) interpreter() (*asl.Interpreter, error) {
	words, err := l.vocabulary()
	return asl.New(words, asl.Limits{Stack: l.MaxStackSize}), err
}

func (l *language) options() asl.Options {
	o := asl.Options{Vars: map[string]any{}, Unstable: l.Features == "unstable"}
	for name, value := range l.Variables {
		o.Vars[name] = value
	}
	return o
}

func (l *language) run(program string) (*asl.Context, error) {
	in, err := l.interpreter()
	if err != nil {
		return nil, err
	}
	return in.RunWith(program, l.options())
}

func (l *language) query(program string) (match.Query, error) {
	in, err := l.interpreter()
	if err != nil {
		return nil, err
	}
	return in.ParseQuery(program)
}

func (l *language) styles(program string) ([]*expr.Style, error) {
	in, err := l.interpreter()
	if err != nil {
		return nil, err
	}
	return in.ParseStyleWith(program, l.options())
}

// style returns the one expression of a program.
func (l *language) style(program string) (*expr.Style, error) {
	styles, err := l.styles(program)
	if err == nil && len(styles) != 1 {
		err = fmt.Errorf("%s leaves %d expressions, want one", program, len(styles))
	}
	if err != nil {
		return nil, err
	}
	return styles[0], nil
}

func runProgram(c *testCase) error {
	var g language
	var expect struct {
		failure
		Word      string
		Stack     []any
		StackSize *int
	}
	if err := c.read(nil, &g, &expect); err != nil {
		return err
	}
	context, err := g.run(c.Expr)
	if expect.Word != "" && expect.Error == "no matches" {
		if err == nil || !strings.HasPrefix(err.Error(), "no matches for word '"+expect.Word+"'") {
			return fmt.Errorf("  got   error %v\n  want  %s to refuse the stack", err, expect.Word)
		}
		return nil
	}
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	got := []any{}
	for _, item := range context.Stack {
		got = append(got, written(item))
	}
	slices.Reverse(got)
	if expect.StackSize != nil {
		return equal(len(got), *expect.StackSize)
	}
	return equal(got, expect.Stack)
}

// pairs returns the expressions of both programs of an equivalence, which must
// leave equally many.
func pairs(c *testCase) (left, right []*expr.Style, err error) {
	var g language
	var expect struct{ EquivalentTo string }
	if err := c.read(nil, &g, &expect); err != nil {
		return nil, nil, err
	}
	if left, err = g.styles(c.Expr); err != nil {
		return nil, nil, err
	}
	if right, err = g.styles(expect.EquivalentTo); err != nil {
		return nil, nil, err
	}
	return left, right, equal(len(left), len(right))
}

func equivalence(c *testCase, holds func(l, r *expr.Style) bool) error {
	left, right, err := pairs(c)
	if err != nil {
		return err
	}
	for i := range left {
		if !holds(left[i], right[i]) {
			err = errors.Join(err, fmt.Errorf("  got   %s\n  want  %s", left[i], right[i]))
		}
	}
	return err
}

func equivalent(c *testCase) error {
	return equivalence(c, func(l, r *expr.Style) bool { return expr.Equal(l, r) })
}

func equivalentAfterExpansion(c *testCase) error {
	return equivalence(c, func(l, r *expr.Style) bool {
		return expr.EqualExpanded(l.Expr, r.Expr) && expr.Equal(l.WithExpr(r.Expr), r)
	})
}

func sameCanonicalText(c *testCase) error {
	return equivalence(c, func(l, r *expr.Style) bool { return l.String() == r.String() })
}

func canonical(c *testCase) error {
	var g language
	var expect struct {
		failure
		Text string
	}
	if err := c.read(nil, &g, &expect); err != nil {
		return err
	}
	s, err := g.style(c.Expr)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return equal(s.String(), expect.Text)
}

func finalGrouping(c *testCase) error {
	var g language
	var expect struct{ FinalGrouping []string }
	if err := c.read(nil, &g, &expect); err != nil {
		return err
	}
	s, err := g.style(c.Expr)
	if err != nil {
		return err
	}
	return same(s.Expr.Keys(), expect.FinalGrouping)
}

func normalize(c *testCase) error {
	var g language
	var expect struct {
		failure
		List []string
	}
	if err := c.read(nil, &g, &expect); err != nil {
		return err
	}
	in, err := g.interpreter()
	if err != nil {
		return err
	}
	got, err := in.Normalize(c.Expr, g.options())
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return same(got, expect.List)
}

// written returns an item as strings and nested []any of them: a list's elements
// as they were written, everything else as canonical text.
func written(item any) any {
	switch v := item.(type) {
	case string:
		return v
	case asl.Token:
		return v.Text
	case asl.List:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = written(x)
		}
		return out
	}
	return asl.Text(item)
}
