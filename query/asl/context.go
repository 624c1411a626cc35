package asl

import (
	"maps"
	"slices"
	"strconv"

	"pulse/store/match"
)

// Context is the state of one run. It belongs to the run; words change it.
type Context struct {
	// Stack holds strings, Lists, match.Query and expression nodes, top LAST.
	// Words read it freely and change it through Push, Pop and Drop.
	Stack []any
	// Vars are the variables of :set and :get.
	Vars map[string]any

	in       *Interpreter
	initial  map[string]any // Vars as they were at the start
	frozen   []any
	unstable bool
	depth    int
	words    int   // executed so far
	work     int   // nodes pushed so far
	failed   error // first refusal of Push
}

// Push puts item on the stack. Beyond a limit it does not, and the run fails
// after the word.
func (c *Context) Push(item any) {
	if c.failed != nil {
		return
	}
	if n := c.in.limits.Stack; len(c.Stack) >= n {
		c.failed = errLimit("stack overflow: stack size exceeds limit of %d", n)
		return
	}
	size := sizeOf(item, c.in.limits.Nodes)
	if list, ok := item.(List); ok && len(list) > c.in.limits.Stack {
		c.failed = errLimit("stack overflow: list size exceeds limit of %d", c.in.limits.Stack)
		return
	}
	if size > c.in.limits.Nodes {
		c.failed = errLimit("expression too large: more than %d nodes", c.in.limits.Nodes)
		return
	}
	if c.work += size; c.work > c.in.limits.Work {
		c.failed = errLimit("expression too costly: more than %d nodes built", c.in.limits.Work)
		return
	}
	c.Stack = append(c.Stack, item)
}

// Pop takes the top item off the stack. A word may pop what its Match saw.
func (c *Context) Pop() any {
	item := c.Stack[len(c.Stack)-1]
	c.Stack = c.Stack[:len(c.Stack)-1]
	return item
}

// PopString pops an item that Match saw to be a string.
func (c *Context) PopString() string { return c.Pop().(string) }

// PopList pops an item that Match saw to be a list.
func (c *Context) PopList() List { return c.Pop().(List) }

// PopQuery pops an item that Match saw to be a query.
func (c *Context) PopQuery() match.Query { return c.Pop().(match.Query) }

// PopInt pops an item for which IsInt held.
func (c *Context) PopInt() int {
	n, _ := AsInt(c.Pop())
	return n
}

// PopDouble pops an item for which IsDouble held.
func (c *Context) PopDouble() float64 {
	v, _ := AsDouble(c.Pop())
	return v
}

func (c *Context) pushInt(n int) { c.Push(strconv.Itoa(n)) }

// Drop takes n items off the stack.
func (c *Context) Drop(n int) { c.Stack = c.Stack[:len(c.Stack)-n] }

// Execute runs a program on the current stack, one call deeper.
func (c *Context) Execute(program string) error {
	tokens, err := Tokenize(program)
	if err != nil {
		return err
	}
	items := make([]any, len(tokens))
	for i, t := range tokens {
		items[i] = Token{t.Text, -1}
	}
	return c.call(items)
}

// freeze moves the stack out of reach and resets the variables.
func (c *Context) freeze() {
	c.frozen = append(c.frozen, c.Stack...)
	c.Stack = nil
	c.Vars = maps.Clone(c.initial)
}

// unfreeze puts the frozen items below the stack.
func (c *Context) unfreeze() error {
	if len(c.frozen) == 0 {
		return nil
	}
	c.Stack = append(c.frozen, c.Stack...)
	c.frozen = nil
	if n := c.in.limits.Stack; len(c.Stack) > n {
		return errLimit("stack overflow: stack size exceeds limit of %d", n)
	}
	return nil
}

// clone returns a context whose words do not change c.
func (c *Context) clone() *Context {
	d := *c
	d.Stack = slices.Clone(c.Stack)
	d.frozen = slices.Clone(c.frozen)
	d.Vars = maps.Clone(c.Vars)
	return &d
}

// sized is an expression node that can count its nodes, shared parts every
// time they occur; it may stop soon after limit.
type sized interface{ Size(limit int) int }

// sizeOf counts the nodes of an item, where 64 bytes of text are one more. It
// stops soon after limit, so it is cheap for whatever a word may build.
func sizeOf(item any, limit int) int {
	if limit < 0 {
		return 1
	}
	switch v := item.(type) {
	case string:
		return 1 + len(v)/64
	case Token:
		return 1 + len(v.Text)/64
	case List:
		n := 1
		for _, x := range v {
			if n += sizeOf(x, limit-n); n > limit {
				break
			}
		}
		return n
	case match.Query:
		return match.Size(v, limit)
	case sized:
		return v.Size(limit)
	}
	return 1
}
