package asl

import (
	"slices"
	"strings"

	"pulse/query/expr"
	"pulse/store/match"
)

// Complete returns the words that would run on the stack that program leaves,
// without those that always would and those not to be recommended.
func (in *Interpreter) Complete(program string, o Options) ([]Word, error) {
	c, err := in.RunWith(program, o)
	if err != nil {
		return nil, err
	}
	return c.fitting(func(w Word) bool { return !excluded(w.Name) }), nil
}

// fitting returns the words that the filter keeps and that would run now.
func (c *Context) fitting(keep func(Word) bool) []Word {
	var out []Word
	for _, w := range c.in.vocabulary {
		if !keep(w) || !w.Match(c.Stack) || (w.Unstable && !c.unstable) {
			continue
		}
		// Match looks at types; only running shows whether the values will do.
		trial := c.clone()
		if w.Run(trial) == nil && trial.failed == nil {
			out = append(out, w)
		}
	}
	return out
}

// Typing is what may come at the end of a program that is being written.
type Typing struct {
	Token string // what there is of the last token, "" after a comma
	Words []Word // that fit the stack and begin with the token
	// Text says that a text may stand here: a tag key, or a value of Key if that
	// is set.
	Text  bool
	Key   string
	Query match.Query // which series are meant
}

// Typing looks at a program whose last token is still being written. It fails
// when what stands before the token does not run.
func (in *Interpreter) Typing(program string, o Options) (*Typing, error) {
	tokens, err := Tokenize(program)
	if err != nil {
		return nil, err
	}
	t := &Typing{Query: match.True}
	if n := len(tokens); n > 0 && !strings.HasSuffix(strings.TrimRight(program, " \t\r\n"), ",") {
		t.Token = tokens[n-1].Text
		program = program[:tokens[n-1].Offset]
		tokens = tokens[:n-1]
	}
	inList := false
	if open := unmatched(tokens); open >= 0 {
		inList, program = true, program[:tokens[open].Offset]
	}
	c, err := in.RunWith(program, o)
	if err != nil {
		return nil, err
	}
	if !inList && (t.Token == "" || t.Token[0] == ':') {
		name := strings.TrimPrefix(t.Token, ":")
		t.Words = c.fitting(func(w Word) bool { return strings.HasPrefix(w.Name, name) && (name != "" || !excluded(w.Name)) })
	}
	if t.Token != "" && (t.Token[0] == ':' || t.Token == "(" || t.Token == ")") {
		return t, nil
	}
	t.Text = true
	if n := len(c.Stack); n > 0 {
		t.Key, _ = c.Stack[n-1].(string)
	}
	t.Query = c.selected()
	return t, nil
}

// unmatched returns the index of the first parenthesis that is not closed, -1 for
// none.
func unmatched(tokens []Token) int {
	var open []int
	for i, t := range tokens {
		switch t.Text {
		case "(":
			open = append(open, i)
		case ")":
			open = open[:max(0, len(open)-1)]
		}
	}
	if len(open) == 0 {
		return -1
	}
	return open[0]
}

// selected returns the query of the topmost item that has one.
func (c *Context) selected() match.Query {
	for _, item := range slices.Backward(c.Stack) {
		switch x := item.(type) {
		case match.Query:
			return x
		case *expr.Style:
			item = x.Expr
		}
		if t, ok := item.(expr.TimeSeries); ok {
			if qs := expr.Queries(t); len(qs) > 0 {
				return qs[0]
			}
		}
	}
	return match.True
}

// excluded holds for words that completion does not offer.
func excluded(name string) bool {
	switch name {
	case "-rot", "2over", "call", "clear", "depth", "drop", "dup", "each", "fcall", "format", "freeze", "get",
		"list", "map", "ndrop", "nip", "nlist", "over", "pick", "roll", "rot", "set", "sset", "swap", "tuck",
		"true", "false", "reic", "not",
		"all", "cf-avg", "cf-sum", "cf-min", "cf-max", "head",
		"des", "des-simple", "des-fast", "des-slow", "des-slower", "des-epic-signal", "des-epic-viz", "random",
		"stat-avg", "stat-max", "stat-min", "stat-last", "stat-count", "stat-total",
		"stat-min-mf", "stat-max-mf", "stat-avg-mf":
		return true
	}
	return false
}
