package asl

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pulse/query/expr"
)

// kinds are the types that signatures name, an example of each, and what is of it.
var kinds = map[string]struct {
	like string
	is   func(any) bool
}{
	"String":     {"a text", IsString},
	"Int":        {"a whole number such as 5", IsInt},
	"Double":     {"a number such as 0.5", IsDouble},
	"Duration":   {"a duration such as 5m", IsDuration},
	"List":       {"a list such as (,a,b,)", IsList},
	"Query":      {"a query such as name,sps,:eq", IsQuery},
	"TimeSeries": {"a time series such as name,sps,:eq,:sum", isOperand},
	"Style":      {"a time series such as name,sps,:eq,:sum", IsStyle},
	"Expr":       {"an expression such as name,sps,:eq,:sum", isExpr},
	"Aggregate":  {"an aggregate such as name,sps,:eq,:sum", IsAggregate},
	"Data":       {"an aggregate, perhaps grouped, such as name,sps,:eq,:sum,(,node,),:by", isData},
}

func isExpr(item any) bool {
	_, ok := item.(expr.Expr)
	return ok || isOperand(item)
}

// isData holds for aggregates of the store's series, grouped or not.
func isData(item any) bool {
	_, data := item.(expr.DataExpr)
	_, all := item.(*expr.All)
	return !all && (data || IsQuery(item))
}

// parameter is one item that a word takes.
type parameter struct{ name, kind string }

// parameters reads what a word takes from its signature, the top of the stack
// last. ok is false for words that take what cannot be listed.
func (w Word) parameters() (out []parameter, ok bool) {
	before, _, _ := strings.Cut(w.Signature, "--")
	for _, f := range strings.Fields(before) {
		name, kind, typed := strings.Cut(f, ":")
		if !typed {
			kind = name
		}
		if name == w.Name {
			name = ""
		}
		if strings.ContainsAny(f, "*?.[<") || f == "aN" || f == "aN-1" {
			return nil, false
		}
		if _, known := kinds[kind]; !known {
			kind = ""
		}
		out = append(out, parameter{name, kind})
	}
	return out, true
}

// mismatch says why w cannot work on the stack, and how many of its items do not
// fit.
func (c *Context) mismatch(w Word) (text string, faults int) {
	params, ok := w.parameters()
	if !ok {
		return fmt.Sprintf(":%s cannot work on a stack of %s", w.Name, count(len(c.Stack), "item")), 100
	}
	if n := len(c.Stack); n < len(params) {
		missing, where := params[n:], "before it"
		faults = misfits(params, c.Stack)
		if others := misfits(params[len(params)-n:], c.Stack); others < faults {
			missing, where, faults = params[:len(params)-n], "below", others
		}
		return fmt.Sprintf(":%s takes %s, the stack has %s; %s goes %s", w.Name, count(len(params), "item"),
			count(n, "item"), where, describe(missing)), faults + 10*len(missing)
	}
	below, top := c.Stack[:len(c.Stack)-len(params)], c.Stack[len(c.Stack)-len(params):]
	for i := len(params) - 1; i >= 0; i-- {
		k := kinds[params[i].kind]
		if k.is == nil || k.is(top[i]) {
			continue
		}
		if faults++; faults == 1 {
			text = fmt.Sprintf(":%s needs %s, but %s is %s%s", w.Name, params[i], place(i, len(params)), typeName(top[i]), quoted(top[i])) +
				confusion(params, i, below, top)
		}
	}
	if faults == 0 { // right kinds, wrong values
		return fmt.Sprintf(":%s cannot work with %s%s", w.Name, typeName(top[len(top)-1]), quoted(top[len(top)-1])), 1
	}
	return text + c.in.slip(top), faults
}

// misfits counts the items that are not of the kind of the parameter in their place.
func misfits(params []parameter, items []any) (n int) {
	for i, item := range items {
		if k := kinds[params[i].kind]; k.is != nil && !k.is(item) {
			n++
		}
	}
	return n
}

// String says what a parameter is.
func (p parameter) String() string {
	like := cmp.Or(kinds[p.kind].like, "any item")
	if len(p.name) > 2 && p.name != p.kind {
		return p.name + ", " + like
	}
	return like
}

// confusion explains an item that is not of its parameter's kind, where below and
// top are the stack under and from the first parameter on.
func confusion(params []parameter, i int, below, top []any) string {
	switch p := params[i]; {
	case p.kind == "Int" && (p.name == "n" || p.name == "training") && IsDuration(top[i]):
		return "; it counts datapoints, not time"
	case (p.kind == "TimeSeries" || p.kind == "Style") && IsString(top[i]) && i+1 < len(params) && params[i+1].kind == "String" &&
		len(below) > 0 && isOperand(below[len(below)-1]):
		return "; a comma in a text is written \\u002c"
	}
	return ""
}

// place says where in the stack parameter i of n is.
func place(i, n int) string {
	switch below := n - 1 - i; {
	case below == 0:
		return "on top"
	case below == 1:
		return "below the top"
	default:
		return fmt.Sprintf("%d below the top", below)
	}
}

func describe(params []parameter) string {
	out := make([]string, len(params))
	for i, p := range params {
		out[i] = p.String()
	}
	return strings.Join(out, ", then ")
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func quoted(item any) string { return " '" + short(display(item)) + "'" }

func short(text string) string { return truncate(text, 60) }

// truncate shortens text to most bytes and three dots.
func truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// slip names a mistake that texts on the stack show, "" for none.
func (in *Interpreter) slip(items []any) string {
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			continue
		}
		if text := in.mistyped(s); text != "" {
			return "; " + text
		}
		switch {
		case strings.HasPrefix(s, "(") || strings.HasSuffix(s, ")"):
			return "; the parentheses of a list are items of their own: (,a,b,)"
		case strings.Contains(s, "="):
			k, v, _ := strings.Cut(s, "=")
			return "; a condition is written " + short(k+","+v) + ",:eq"
		}
	}
	return ""
}

// noMatch is the refusal of words of one name, none of which fits the stack.
func (c *Context) noMatch(name string, words []Word) *Error {
	e := &Error{Kind: State, Offset: -1}
	signatures := make([]string, len(words))
	for i, w := range words {
		signatures[i] = "[" + w.Signature + "]"
		e.Needs = append(e.Needs, strings.TrimSpace(w.Signature))
	}
	e.Message = "no matches for word ':" + name + "' with stack " + typeSummary(c.Stack) + ", candidates: " + strings.Join(signatures, ", ")
	least := 0
	for i, w := range words {
		if text, faults := c.mismatch(w); i == 0 || faults < least {
			e.Hint, least = text, faults
		}
	}
	return e
}

// unknownWord is the refusal of a name that no word has.
func (c *Context) unknownWord(name string) *Error {
	return &Error{Kind: State, Offset: -1, Message: "unknown word ':" + name + "'", Hint: c.unknown(name)}
}

// notSet is the error of a variable without a value.
func (c *Context) notSet(key string) *Error {
	e := &Error{Kind: NotFound, Offset: -1, Message: "key not found: " + key}
	if near := closest(key, slices.Sorted(maps.Keys(c.Vars))); near != "" {
		e.Hint = "did you mean the variable " + near + "?"
	} else {
		e.Hint = "a variable is set by " + short(key) + ",value,:set"
	}
	return e
}

// held lists the stack for an error, top last: at most the 10 topmost items.
func (c *Context) held() []string {
	const most = 10
	items := c.Stack[max(0, len(c.Stack)-most):]
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = typeName(item) + quoted(item)
	}
	return out
}

// leftover says what an item that nothing uses was probably meant to be.
func (c *Context) leftover(item any) string {
	s, ok := item.(string)
	if !ok {
		if _, list := item.(List); list {
			return "no word used the list, such as :by or :in"
		}
		if IsQuery(item) || isOperand(item) {
			return ""
		}
		return "no word used it"
	}
	last, _ := c.Stack[len(c.Stack)-1].(string)
	mistake := cmp.Or(c.in.mistyped(s), c.in.notWord(last))
	switch {
	case mistake != "":
		return mistake
	case strings.ContainsAny(s, "{}()[]=") || strings.Contains(s, " "):
		return "this is no stack language; it reads name,sps,:eq,(,region,),:by"
	case c.Vars[s] != nil:
		return "the variable is read by " + short(s) + ",:get"
	case c.in.words[s] != nil:
		return "a word begins with a colon: :" + s
	case len(c.Stack) > 2 && c.in.words[last] != nil:
		return "a word begins with a colon: :" + last
	}
	if near := c.in.nearest(s); near != "" {
		return "no word used it; was the word :" + near + " meant?"
	}
	return "no word used it; a condition is written key,value,:eq"
}

// Explain tells the error in a few lines: the message, the place in the program,
// and what helps.
func (e *Error) Explain(program string) string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Offset >= 0 && e.Offset <= len(program) {
		from := max(0, e.Offset-60)
		to := min(len(program), e.Offset+max(len(e.Token), 1)+20)
		line := strings.ToValidUTF8(strings.Map(blank, program[from:to]), "?")
		at := len([]rune(strings.ToValidUTF8(program[from:e.Offset], "?")))
		fmt.Fprintf(&b, "\n  %s\n  %s^", line, strings.Repeat(" ", at))
	}
	if e.Hint != "" {
		b.WriteString("\n" + e.Hint)
	}
	if len(e.Stack) > 0 {
		b.WriteString("\nthe stack held, top last: " + strings.Join(e.Stack, ", "))
	}
	return b.String()
}

// blank keeps control characters out of a terminal.
func blank(r rune) rune {
	if r < ' ' || r >= 0x7f && r < 0xa0 {
		return ' '
	}
	return r
}
