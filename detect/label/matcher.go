package label

import (
	"errors"
	"fmt"
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

	pattern *pattern // of the two operators with one, else nil
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
		var err error
		if m.pattern, err = compile(value); err != nil {
			return m.wrong("%v", err)
		}
		return m, nil
	}
	return m.wrong("operator %.20q is unknown, want =, !=, =~ or !~", string(op))
}

func (m Matcher) wrong(format string, args ...any) (Matcher, error) {
	return Matcher{}, fmt.Errorf("%w for label %.60q: %s", ErrMatcher, m.Key, fmt.Sprintf(format, args...))
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
		return m.pattern != nil && m.pattern.matches(value)
	case NotRegex:
		return m.pattern != nil && !m.pattern.matches(value)
	}
	return false
}

// Values returns every value that is meant, in ascending order, where they can be
// listed: for Equal, and for a pattern such as `eu|us-(east|west)`.
func (m Matcher) Values() ([]string, bool) {
	switch {
	case m.Op == Equal:
		return []string{m.Value}, true
	case m.Op == Regex && m.pattern != nil && m.pattern.values != nil:
		return slices.Clone(m.pattern.values), true
	}
	return nil, false
}

// Prefix returns what every value begins with that a Regex means, "" when nothing is
// known.
func (m Matcher) Prefix() string {
	if m.Op != Regex || m.pattern == nil {
		return ""
	}
	return m.pattern.prefix
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
	for _, engine := range []bool{false, true} { // what costs least first
		for i := range ms {
			if m := &ms[i]; m.costly() == engine && !m.MatchesValue(s[m.Key]) {
				return false
			}
		}
	}
	return true
}

// costly reports whether the engine for regular expressions is needed.
func (m *Matcher) costly() bool { return m.pattern != nil && m.pattern.values == nil }

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
