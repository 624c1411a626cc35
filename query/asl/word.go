package asl

import "slices"

// Word is one operation of the language.
type Word struct {
	Name      string // without the colon
	Signature string // `k:String v:String -- Query`
	Doc       string // Markdown, first line a summary
	// Examples are programs that leave a stack on which the word runs; tests
	// run each, followed by the word. One that begins with "ERROR:" must fail.
	Examples []string
	Unstable bool // needs Options.Unstable
	// Match reports whether the word can work on stack, whose top is its LAST
	// element. It changes nothing.
	Match func(stack []any) bool
	// Run works on the stack. It is only called when Match holds.
	Run func(c *Context) error
}

// Vocabulary is a set of words. Several words may share a name: the first that
// matches the stack runs.
type Vocabulary []Word

// Named returns the words of that name in order.
func (v Vocabulary) Named(name string) []Word {
	var out []Word
	for _, w := range v {
		if w.Name == name {
			out = append(out, w)
		}
	}
	return out
}

// Join returns the words of all vs in order.
func Join(vs ...Vocabulary) Vocabulary { return slices.Concat(vs...) }

// Macro is a word that stands for a program, which runs on the current stack.
func Macro(name, body string, examples ...string) Word {
	return Word{
		Name:      name,
		Signature: "? -- ?",
		Doc:       "Shorthand for `" + body + "`.",
		Examples:  examples,
		Match:     Any,
		Run:       func(c *Context) error { return c.Execute(body) },
	}
}

// Any matches every stack.
func Any([]any) bool { return true }

// Args returns a matcher for the topmost items: the last test is for the top.
func Args(tests ...func(item any) bool) func(stack []any) bool {
	return func(stack []any) bool {
		if len(stack) < len(tests) {
			return false
		}
		for i, item := range stack[len(stack)-len(tests):] {
			if !tests[i](item) {
				return false
			}
		}
		return true
	}
}
