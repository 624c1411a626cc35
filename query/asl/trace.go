package asl

import (
	"maps"
	"slices"

	"pulse/query/expr"
	"pulse/store/match"
)

// TraceStep is what one token has left, or a list, which is one step.
type TraceStep struct {
	Offset, End int // the bytes of the program that it is written in
	Stack       []TraceItem
	Variables   map[string]string // canonical texts, of those that it set or changed
}

// TraceItem is an item of the stack.
type TraceItem struct {
	Kind string // text, list, query, aggregate, time series, style or expression
	Text string // canonical, at most 400 bytes and three dots
	New  bool   // the step put it there
}

// Trace runs a program that may still be written, and returns what each step has
// left, the top of the stack FIRST. Where it does not run it returns the steps
// before and the error. What is left at the end may be anything. What was frozen
// is at the bottom of the last stack only.
func (in *Interpreter) Trace(program string, o Options) ([]TraceStep, error) {
	c, items, err := in.start(program, o)
	if err != nil {
		return nil, err
	}
	c.depth = 1
	steps, size, known := []TraceStep{}, 0, c.initial
	var before []TraceItem
	for len(items) > 0 {
		rest, err := c.step(items)
		if err == nil && len(rest) == 0 {
			err = c.unfreeze()
		}
		if err != nil {
			return steps, err
		}
		first, last := items[0].(Token), items[len(items)-len(rest)-1].(Token)
		s := TraceStep{Offset: first.Offset, End: last.Offset + len(last.Text), Stack: c.traced(before), Variables: changed(known, c.Vars)}
		before, known, items = s.Stack, maps.Clone(c.Vars), rest
		for _, item := range s.Stack {
			size += len(item.Text) + 16
		}
		for k, v := range s.Variables {
			size += len(k) + len(v)
		}
		if size > maxDebug {
			return steps, locate(errLimit("the steps of the expression have more than %d bytes of text", maxDebug), first)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// traced describes the stack, where before was the one of the step before.
func (c *Context) traced(before []TraceItem) []TraceItem {
	out := make([]TraceItem, 0, len(c.Stack))
	same := true
	for i, item := range c.Stack { // from the bottom, as far as it is what it was
		x := TraceItem{Kind: kindOf(item), Text: truncate(display(item), 400)}
		j := len(before) - 1 - i
		same = same && j >= 0 && before[j].Kind == x.Kind && before[j].Text == x.Text
		x.New = !same
		out = append(out, x)
	}
	slices.Reverse(out)
	return out
}

func changed(before, after map[string]any) map[string]string {
	var out map[string]string
	for k, v := range after {
		text := truncate(display(v), 400)
		if old, ok := before[k]; ok && truncate(display(old), 400) == text {
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[k] = text
	}
	return out
}

// kindOf returns what the language's description calls an item.
func kindOf(item any) string {
	switch item.(type) {
	case string, Token:
		return "text"
	case List:
		return "list"
	case match.Query:
		return "query"
	case *expr.Aggregate:
		return "aggregate"
	case *expr.Style:
		return "style"
	case expr.TimeSeries:
		return "time series"
	}
	return "expression"
}
