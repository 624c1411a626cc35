package asl

import "slices"

// DebugStep is the state between two steps of a run.
type DebugStep struct {
	Program   []string          // tokens still to come
	Stack     []string          // canonical texts, top FIRST
	Variables map[string]string // canonical texts
}

// maxDebug bounds the text of all steps of Debug together, in bytes.
const maxDebug = 4 << 20

// Debug executes program token by token, where a list is one step, and returns
// the state before the first step, between them and after the last. What was
// frozen appears in the last state only. Fails when the last stack is not as
// wanted.
func (in *Interpreter) Debug(program string, want Want, o Options) ([]DebugStep, error) {
	c, items, err := in.start(program, o)
	if err != nil {
		return nil, err
	}
	c.depth = 1
	size := 0
	state := func() (DebugStep, error) {
		s := c.describe(items)
		if size += s.size(); size > maxDebug {
			return s, errLimit("the steps of the expression have more than %d bytes of text", maxDebug)
		}
		return s, nil
	}
	first, err := state()
	if err != nil {
		return nil, err
	}
	steps := []DebugStep{first}
	for len(items) > 0 {
		if items, err = c.step(items); err != nil {
			return nil, err
		}
		if len(items) == 0 {
			if err := c.unfreeze(); err != nil {
				return nil, err
			}
		}
		next, err := state()
		if err != nil {
			return nil, err
		}
		steps = append(steps, next)
	}
	if err := c.Check(want); err != nil {
		return nil, err
	}
	return steps, nil
}

func (c *Context) describe(program []any) DebugStep {
	s := DebugStep{
		Program:   make([]string, len(program)),
		Stack:     make([]string, 0, len(c.Stack)),
		Variables: make(map[string]string, len(c.Vars)),
	}
	for i, item := range program {
		s.Program[i] = Text(item)
	}
	for _, item := range slices.Backward(c.Stack) {
		s.Stack = append(s.Stack, display(item))
	}
	for k, v := range c.Vars {
		s.Variables[k] = display(v)
	}
	return s
}

// display is Text, but shows a string as it is.
func display(item any) string {
	if s, ok := item.(string); ok {
		return s
	}
	return Text(item)
}

func (s DebugStep) size() int {
	n := 0
	for _, t := range s.Program {
		n += len(t)
	}
	for _, t := range s.Stack {
		n += len(t)
	}
	for k, v := range s.Variables {
		n += len(k) + len(v)
	}
	return n
}
