package label

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// Limits of a matcher and of a list of them.
const (
	MaxKey          = 128    // bytes
	MaxValue        = 1024   // bytes of a value or a pattern
	MaxInstructions = 10_000 // of a compiled pattern
	MaxMatchers     = 100    // of one list
)

// Op is how a matcher compares.
type Op string

// The operators.
const (
	Equal    Op = "="
	NotEqual Op = "!="
	Regex    Op = "=~"
	NotRegex Op = "!~"
)

// ErrMatcher is what every refusal of a matcher wraps.
var ErrMatcher = errors.New("invalid matcher")

// Matcher compares one label. Make it with New, Parse or by decoding: a literal with
// Regex or NotRegex has no compiled pattern and matches nothing.
type Matcher struct {
	Key   string
	Op    Op
	Value string // a pattern for Regex and NotRegex: it must match the whole value

	compiled *regexp.Regexp // of the two operators with a pattern, else nil
}

// New returns a checked matcher. Its error wraps ErrMatcher and says what is wrong.
func New(key string, op Op, value string) (Matcher, error) {
	m := Matcher{Key: key, Op: op, Value: value}
	switch {
	case key == "":
		return m.wrong("it names no label")
	case len(key) > MaxKey:
		return m.wrong("the label's name has %d bytes, at most %d", len(key), MaxKey)
	case !utf8.ValidString(key) || !utf8.ValidString(value):
		return m.wrong("it is not valid UTF-8")
	case len(value) > MaxValue:
		return m.wrong("the value has %d bytes, at most %d", len(value), MaxValue)
	}
	switch op {
	case Equal, NotEqual:
		return m, nil
	case Regex, NotRegex:
		compiled, err := compile(value)
		if err != nil {
			return m.wrong("%v", err)
		}
		m.compiled = compiled
		return m, nil
	}
	return m.wrong("operator %.20q is unknown, want =, !=, =~ or !~", string(op))
}

func (m Matcher) wrong(format string, args ...any) (Matcher, error) {
	return Matcher{}, fmt.Errorf("%w for label %.60q: %s", ErrMatcher, m.Key, fmt.Sprintf(format, args...))
}

// compile returns the pattern anchored at both ends.
func compile(pattern string) (*regexp.Regexp, error) {
	// On its own first: `a)(b` would become one with the anchors around it.
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("regular expression %.80q: %w", pattern, err)
	}
	if size(tree) > MaxInstructions {
		return nil, fmt.Errorf("regular expression %.80q needs more than %d instructions", pattern, MaxInstructions)
	}
	return regexp.Compile("^(?:" + pattern + ")$")
}

// size is about how many instructions a tree compiles to.
func size(tree *syntax.Regexp) int {
	n := 1
	for _, sub := range tree.Sub {
		n += size(sub)
	}
	switch tree.Op {
	case syntax.OpLiteral:
		n += len(tree.Rune)
	case syntax.OpRepeat:
		n *= max(1, tree.Min, tree.Max)
	}
	return n
}

// Matches reports whether s is meant. An absent label has the empty value.
func (m Matcher) Matches(s Set) bool { return m.MatchesValue(s[m.Key]) }

// MatchesValue reports whether a label of this value is meant.
func (m Matcher) MatchesValue(value string) bool {
	switch m.Op {
	case Equal:
		return value == m.Value
	case NotEqual:
		return value != m.Value
	case Regex:
		return m.compiled != nil && m.compiled.MatchString(value)
	case NotRegex:
		return m.compiled != nil && !m.compiled.MatchString(value)
	}
	return false
}

// Equal reports whether both say the same in the same words.
func (m Matcher) Equal(o Matcher) bool {
	return m.Key == o.Key && m.Op == o.Op && m.Value == o.Value
}

// String returns Alertmanager's text form, such as `region=~"eu|us"`, which Parse
// reads back.
func (m Matcher) String() string { return quotedKey(m.Key) + string(m.Op) + quoted(m.Value) }

// Matchers mean an alert when every one of them does; none mean every alert.
type Matchers []Matcher

// Matches reports whether s is meant.
func (ms Matchers) Matches(s Set) bool {
	for i := range ms {
		if !ms[i].MatchesValue(s[ms[i].Key]) {
			return false
		}
	}
	return true
}

// MatchesAbsent reports whether an alert without any label would be meant: such
// matchers, say `team!="a"` alone, are seldom what their author wants for a silence.
func (ms Matchers) MatchesAbsent() bool { return ms.Matches(nil) }

// Equal reports whether both say the same in the same words and order.
func (ms Matchers) Equal(o Matchers) bool { return slices.EqualFunc(ms, o, Matcher.Equal) }

// String returns `{a="1", b=~"x|y"}`, which ParseAll reads back.
func (ms Matchers) String() string {
	text := []byte{'{'}
	for i, m := range ms {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = append(text, m.String()...)
	}
	return string(append(text, '}'))
}
