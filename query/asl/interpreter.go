package asl

import (
	"errors"
	"maps"
	"strings"
)

// Limits bound what one program may ask for. A zero field means the default.
type Limits struct {
	Bytes int // of program text, 8192
	Words int // tokens of the program, 1000
	Stack int // items on the stack, and in a list, 1024
	Depth int // nested calls, 10
	Nodes int // of one item, counted without sharing, 10,000
	Steps int // tokens executed, 20,000
	Work  int // nodes pushed over the whole run, 250,000
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.Bytes, 8192}, {&l.Words, 1000}, {&l.Stack, 1024}, {&l.Depth, 10},
		{&l.Nodes, 10_000}, {&l.Steps, 20_000}, {&l.Work, 250_000},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}

// Interpreter runs programs with one vocabulary. It is immutable and safe for
// concurrent use.
type Interpreter struct {
	vocabulary Vocabulary
	words      map[string][]Word
	limits     Limits
}

// New returns an interpreter. Where several words share a name, the first that
// matches the stack runs.
func New(vocabulary Vocabulary, limits Limits) *Interpreter {
	in := &Interpreter{vocabulary: vocabulary, words: make(map[string][]Word), limits: limits.withDefaults()}
	for _, w := range vocabulary {
		in.words[w.Name] = append(in.words[w.Name], w)
	}
	return in
}

// Options are what a run starts with.
type Options struct {
	Vars     map[string]any // preset variables, kept over :freeze
	Unstable bool           // permits words marked so
}

// Vocabulary returns the words in order. The caller must not change it.
func (in *Interpreter) Vocabulary() Vocabulary { return in.vocabulary }

// Limits returns the limits in force.
func (in *Interpreter) Limits() Limits { return in.limits }

// Run executes program. The result's Stack starts with what was frozen. An
// error is an *Error.
func (in *Interpreter) Run(program string) (*Context, error) {
	return in.RunWith(program, Options{})
}

// RunWith is Run with options.
func (in *Interpreter) RunWith(program string, o Options) (*Context, error) {
	c, items, err := in.start(program, o)
	if err != nil {
		return nil, err
	}
	if err := c.call(items); err != nil {
		return nil, err
	}
	if err := c.unfreeze(); err != nil {
		return nil, err
	}
	return c, nil
}

func (in *Interpreter) start(program string, o Options) (*Context, []any, error) {
	if n := in.limits.Bytes; len(program) > n {
		return nil, nil, errLimit("expression too long: %d bytes, the limit is %d", len(program), n)
	}
	tokens, err := Tokenize(program)
	if err != nil {
		return nil, nil, err
	}
	if n := in.limits.Words; len(tokens) > n {
		return nil, nil, &Error{Kind: Limit, Offset: tokens[n].Offset, Token: tokens[n].Text,
			Message: errLimit("expression too long: %d words, the limit is %d", len(tokens), n).Error()}
	}
	items := make([]any, len(tokens))
	for i, t := range tokens {
		items[i] = t
	}
	initial := maps.Clone(o.Vars)
	if initial == nil {
		initial = make(map[string]any)
	}
	return &Context{in: in, initial: initial, Vars: maps.Clone(initial), unstable: o.Unstable}, items, nil
}

// call executes items one level deeper. Tokens and texts are read as program text,
// other items are pushed as they are.
func (c *Context) call(items []any) error {
	if c.depth++; c.depth > c.in.limits.Depth {
		return errors.New("looping detected")
	}
	defer func() { c.depth-- }()
	for len(items) > 0 {
		rest, err := c.step(items)
		if err != nil {
			return err
		}
		items = rest
	}
	return nil
}

// step executes the first item, or the list that starts there, and returns
// what follows. Its error is an *Error that knows where.
func (c *Context) step(items []any) (rest []any, err error) {
	t, ok := spelled(items[0])
	if c.words++; c.words > c.in.limits.Steps {
		err := errLimit("expression is too expensive: operation limit exceeded, limit of %d", c.in.limits.Steps)
		err.Hint = "lists that :each and :map walk inside each other multiply; write them shorter"
		return nil, locate(err, t)
	}
	rest = items[1:]
	switch {
	case !ok:
		c.Push(items[0])
	case t.Text == "(":
		n, closed := listLength(rest)
		if !closed {
			return nil, locate(&Error{Offset: -1, Message: "unmatched opening parenthesis", Hint: unclosed(rest)}, t)
		}
		c.Push(List(rest[:n:n]))
		rest = rest[n+1:]
	case t.Text == ")":
		return nil, locate(&Error{Offset: -1, Message: "unmatched closing parenthesis", Hint: "a list is written (,a,b,)"}, t)
	case strings.HasPrefix(t.Text, ":"):
		before := c.Stack
		if err := c.executeWord(t.Text[1:]); err != nil {
			return nil, c.explain(err, t, before)
		}
	default:
		c.Push(cooked(items[0]))
	}
	if c.failed != nil {
		return nil, locate(c.failed, t)
	}
	return rest, nil
}

// spelled returns an item as a token. A text that a word put into a list counts as
// one, so that a program can be made of texts.
func spelled(item any) (t Token, ok bool) {
	switch v := item.(type) {
	case Token:
		return v, true
	case string:
		return Token{v, -1}, true
	}
	return Token{Offset: -1}, false
}

// listLength returns how many items stand before the parenthesis that closes
// the list.
func listLength(items []any) (n int, closed bool) {
	depth := 0
	for i, item := range items {
		t, _ := spelled(item)
		switch t.Text {
		case "(":
			depth++
		case ")":
			if depth == 0 {
				return i, true
			}
			depth--
		}
	}
	return 0, false
}

// unclosed says how to write the list that begins before items.
func unclosed(items []any) string {
	for _, item := range items {
		if t, _ := spelled(item); len(t.Text) > 1 && strings.HasSuffix(t.Text, ")") && !strings.Contains(t.Text, "(") {
			return "the parentheses of a list are items of their own: " + short(strings.TrimSuffix(t.Text, ")")) + ",)"
		}
	}
	return "a list is written (,a,b,)"
}

func (c *Context) executeWord(name string) error {
	words, ok := c.in.words[name]
	if !ok {
		return c.unknownWord(name)
	}
	for _, w := range words {
		if !w.Match(c.Stack) {
			continue
		}
		if w.Unstable && !c.unstable {
			return &Error{Kind: State, Offset: -1, Message: "to use :" + name + " enable unstable features", Hint: "add the parameter features=unstable"}
		}
		err := w.Run(c)
		if e, ok := err.(*Error); ok && e.Kind == Argument && e.Offset < 0 && e.Needs == nil {
			e.Needs = []string{strings.TrimSpace(w.Signature)}
		}
		return err
	}
	return c.noMatch(name, words)
}

// explain gives the error of a word its place and the stack that it found.
func (c *Context) explain(err error, t Token, found []any) error {
	inside := (*Error)(nil)
	located := errors.As(err, &inside) && inside.Offset >= 0
	err = locate(err, t)
	if e := (*Error)(nil); !located && errors.As(err, &e) && e.Stack == nil && e.Kind != Limit {
		after := c.Stack
		c.Stack = found
		e.Stack = c.held()
		c.Stack = after
	}
	return err
}

// locate gives err the place of t, unless it has a place already.
func locate(err error, t Token) error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Kind: State, Offset: t.Offset, Token: t.Text, Message: err.Error()}
	}
	if e.Offset >= 0 {
		return e
	}
	located := *e
	located.Offset, located.Token, located.Message = t.Offset, t.Text, err.Error()
	return &located
}
