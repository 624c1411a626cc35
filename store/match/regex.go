package match

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Limits of a regular expression.
const (
	MaxPattern      = 1024   // bytes of text
	MaxInstructions = 10_000 // of the compiled program
)

// ErrPattern is what every refusal of a regular expression wraps.
var ErrPattern = errors.New("invalid regular expression")

// Regex selects tag sets in which the value of Key contains a match of `^` +
// Pattern. The anchor binds as text does: in `a|b` it belongs to `a` alone.
// Matching takes time linear in the value. Build it with NewRegex.
type Regex struct {
	Key        string
	Pattern    string
	IgnoreCase bool

	compiled *regexp.Regexp
	cost     int    // instructions of the compiled program
	prefix   string // every match begins with it; "" when unknown or ignoring case
	shape    shape
	literal  string // for every shape but general
}

// shape is what a pattern amounts to when it needs no engine.
type shape uint8

const (
	general  shape = iota
	starts         // literal at the front
	contains       // literal anywhere
	ends           // literal at the end
	whole          // literal and nothing else
)

// NewRegex compiles a pattern. It fails with an error that wraps ErrPattern
// and says what to write instead, for what cannot be matched in linear time
// (look-around, back references) and for what other engines read differently.
func NewRegex(key, pattern string, ignoreCase bool) (*Regex, error) {
	if len(pattern) > MaxPattern {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrPattern, len(pattern), MaxPattern)
	}
	if err := refuse(pattern); err != nil {
		return nil, err
	}
	flags := syntax.Perl
	text := "^" + expandEscapes(pattern)
	if ignoreCase {
		flags |= syntax.FoldCase
		text = "(?i)" + text
	}
	tree, err := syntax.Parse("^"+expandEscapes(pattern), flags)
	if err != nil {
		return nil, fmt.Errorf("%w '%s': %s", ErrPattern, pattern, reason(err))
	}
	if n := instructions(tree); n > MaxInstructions { // before repetitions are written out
		return nil, fmt.Errorf("%w '%s': about %d instructions, the limit is %d", ErrPattern, pattern, n, MaxInstructions)
	}
	tree = tree.Simplify()
	program, err := syntax.Compile(tree)
	if err != nil {
		return nil, fmt.Errorf("%w '%s': %s", ErrPattern, pattern, reason(err))
	}
	if n := len(program.Inst); n > MaxInstructions {
		return nil, fmt.Errorf("%w '%s': %d instructions, the limit is %d", ErrPattern, pattern, n, MaxInstructions)
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%w '%s': %s", ErrPattern, pattern, reason(err))
	}
	q := &Regex{Key: key, Pattern: pattern, IgnoreCase: ignoreCase, compiled: compiled, cost: len(program.Inst)}
	if !ignoreCase {
		q.analyse(tree)
	}
	return q, nil
}

// Contains returns the query for values that contain text.
func Contains(key, text string) (*Regex, error) { return NewRegex(key, ".*"+Quote(text), false) }

// Starts returns the query for values that begin with text.
func Starts(key, text string) (*Regex, error) { return NewRegex(key, Quote(text), false) }

// Ends returns the query for values that end with text.
func Ends(key, text string) (*Regex, error) { return NewRegex(key, ".*"+Quote(text)+"$", false) }

// TagKey returns the key whose value decides.
func (q *Regex) TagKey() string { return q.Key }

// Prefix returns a text with which every selected value begins; it is empty if
// nothing is known. It narrows a search in sorted values.
func (q *Regex) Prefix() string { return q.prefix }

// Check reports whether value contains a match.
func (q *Regex) Check(value string) bool {
	// A dot does not match a line break, so the short ways do not hold there.
	if q.shape == general || strings.IndexByte(value, '\n') >= 0 {
		return q.compiled.MatchString(value)
	}
	switch q.shape {
	case starts:
		return strings.HasPrefix(value, q.literal)
	case contains:
		return strings.Contains(value, q.literal)
	case ends:
		return strings.HasSuffix(value, q.literal)
	default:
		return value == q.literal
	}
}

func (q *Regex) Matches(get func(string) (string, bool)) bool    { return leafMatches(q, get) }
func (q *Regex) MatchesAny(get func(string) []string) bool       { return leafMatchesAny(q, get) }
func (q *Regex) CouldMatch(get func(string) (string, bool)) bool { return leafCouldMatch(q, get) }

// analyse finds the prefix and the shape of a simplified tree. A pattern with a
// top-level alternative has neither, since the anchor binds its first part only.
func (q *Regex) analyse(tree *syntax.Regexp) {
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	anchored := false
	for len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		anchored = true
		parts = parts[1:]
	}
	if !anchored {
		return
	}
	var any, end bool
	if len(parts) > 0 && anything(parts[0]) {
		any = true
		parts = parts[1:]
	}
	literal := ""
	if len(parts) > 0 && parts[0].Op == syntax.OpLiteral && parts[0].Flags&syntax.FoldCase == 0 {
		literal = string(parts[0].Rune)
		parts = parts[1:]
	}
	if !any {
		q.prefix = literal
	}
	if len(parts) > 0 && anything(parts[0]) {
		parts = parts[1:]
	} else if len(parts) > 0 && parts[0].Op == syntax.OpEndText {
		end = true
		parts = parts[1:]
	}
	if len(parts) > 0 {
		return
	}
	q.literal = literal
	switch {
	case any && end:
		q.shape = ends
	case any:
		q.shape = contains
	case end:
		q.shape = whole
	default:
		q.shape = starts
	}
}

// instructions estimates the length of the program that re compiles to, without
// compiling: a thousand bytes of pattern can ask for a million instructions.
func instructions(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n += instructions(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpConcat:
		return n
	case syntax.OpAlternate:
		return n + len(re.Sub) - 1
	case syntax.OpRepeat:
		return n*max(re.Min, re.Max) + max(re.Max-re.Min, 0)
	}
	return n + 1
}

func anything(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar && re.Sub[0].Op == syntax.OpAnyCharNotNL
}

// refuse rejects what Go's engine would read, but otherwise than Atlas's does,
// and what no linear engine can do.
func refuse(pattern string) error {
	class := false
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		bad := ""
		switch {
		case pattern[i] == '\\':
			bad = refusedEscape(rest)
			i++
		case class && strings.HasPrefix(rest, "&&"):
			bad = "the class intersection '&&' is not supported; write the characters out"
		case class && pattern[i] == '[':
			bad = "a class inside a class is not supported; write all characters in one, a bracket as \\["
		case pattern[i] == '[':
			class = true
			if len(rest) > 1 && rest[1] == '^' {
				i++
			}
			if i+1 < len(pattern) && pattern[i+1] == ']' {
				i++
			}
		case pattern[i] == ']':
			class = false
		case !class && strings.HasPrefix(rest, "(?"):
			bad = refusedGroup(rest)
		}
		if bad != "" {
			return fmt.Errorf("%w '%s' at %d: %s", ErrPattern, pattern, i, bad)
		}
	}
	return nil
}

func refusedEscape(rest string) string {
	if len(rest) < 2 {
		return ""
	}
	switch c := rest[1]; {
	case c >= '1' && c <= '9', c == 'k':
		return "back references cannot be matched in linear time; write the alternatives out"
	case c == 'b', c == 'B':
		return "word boundaries are not supported; match the characters around the word"
	case c == 'p', c == 'P':
		return "Unicode classes are not supported; write a class such as [A-Za-z]"
	case c == 'v':
		return "the class of vertical space is not supported; write a class such as [\\n\\r]"
	}
	return ""
}

func refusedGroup(rest string) string {
	switch {
	case strings.HasPrefix(rest, "(?="):
		return "lookahead cannot be matched in linear time; write both conditions and join them with :and"
	case strings.HasPrefix(rest, "(?!"):
		return "lookahead cannot be matched in linear time; write the exception as a query of its own with :re,:not,:and"
	case strings.HasPrefix(rest, "(?<="), strings.HasPrefix(rest, "(?<!"):
		return "lookbehind cannot be matched in linear time; write both conditions and join them with :and"
	case strings.HasPrefix(rest, "(?:"), strings.HasPrefix(rest, "(?<"), strings.HasPrefix(rest, "(?P<"):
		return ""
	}
	return "inline flags are not supported; write :reic to ignore case"
}

// reason is the message of a syntax error without its repetition of the text.
func reason(err error) string {
	var s *syntax.Error
	if errors.As(err, &s) {
		return s.Code.String() + ": `" + s.Expr + "`"
	}
	return err.Error()
}

// expandEscapes replaces \uXXXX and \e, which Go's engine does not know, by
// \x{XXXX}.
func expandEscapes(pattern string) string {
	if !strings.Contains(pattern, `\u`) && !strings.Contains(pattern, `\e`) {
		return pattern
	}
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '\\' || i+1 == len(pattern) {
			out.WriteByte(pattern[i])
			continue
		}
		if r, size := decodeEscape(pattern[i:]); size > 0 {
			fmt.Fprintf(&out, `\x{%x}`, r)
			i += size - 1
			continue
		}
		if pattern[i+1] == 'e' {
			out.WriteString(`\x{1b}`)
		} else {
			out.WriteString(pattern[i : i+2])
		}
		i++
	}
	return out.String()
}

// Quote returns text as a pattern that matches just it, in the spelling that
// canonical expressions use for :contains, :starts and :ends.
func Quote(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\t':
			out.WriteString(`\t`)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\f':
			out.WriteString(`\f`)
		case r < 0x80 && strings.ContainsRune(`\^$.?*+[](){}|`, r):
			out.WriteByte('\\')
			out.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			out.Write(appendUnit(appendUnit(nil, 0xd800+r>>10), 0xdc00+r&0x3ff))
		case r <= ' ' || r > '~':
			out.Write(appendUnit(nil, r))
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
