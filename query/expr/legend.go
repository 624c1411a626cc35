package expr

import (
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"

	"pulse/store/match"
	"pulse/store/tags"
)

// Substitute replaces `$name` and `$(name)` by values. A plain name is made of
// letters, digits, `.`, `_` and `-`. An unknown name stands for itself, and
// `$()` is a dollar sign, as is a `$` that begins no variable.
func Substitute(text string, get func(name string) (string, bool)) string {
	var b strings.Builder
	substitute(&b, text, math.MaxInt, get)
	return b.String()
}

// substitute is Substitute that stops soon after limit bytes.
func substitute(b *strings.Builder, text string, limit int, get func(name string) (string, bool)) {
	for b.Len() < limit {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			b.WriteString(text)
			return
		}
		b.WriteString(text[:i])
		name, rest := variable(text[i+1:])
		text = rest
		if name == "" {
			b.WriteByte('$')
			continue
		}
		if v, ok := get(name); ok {
			name = v
		}
		b.WriteString(name)
	}
}

// variable returns the name that follows a dollar sign, "" for none.
func variable(text string) (name, rest string) {
	if strings.HasPrefix(text, "(") {
		name, after, closed := strings.Cut(text[1:], ")")
		if !closed {
			return "", text[1:]
		}
		return name, after
	}
	n := 0
	for n < len(text) && nameByte(text[n]) {
		n++
	}
	return text[:n], text[n:]
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// Limits of legends. Together they keep the worst pattern over the longest text
// below a second.
const (
	maxLegend       = 1024 // bytes of a text that was set or rewritten; the rest is cut off
	maxCommands     = 20   // of one style
	maxInstructions = 200  // of a compiled search pattern
)

// SearchReplace is the text of one search and replace in a legend's commands.
// The pattern must compile to at most 200 instructions.
func SearchReplace(search, replace string) (string, error) {
	if _, err := compileSearch(search); err != nil {
		return "", err
	}
	return match.Escape(search) + "," + match.Escape(replace) + ",:s", nil
}

func compileSearch(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > match.MaxPattern {
		return nil, fmt.Errorf("invalid search pattern: %d bytes, the limit is %d", len(pattern), match.MaxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("invalid search pattern '%s': %w", pattern, err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("invalid search pattern '%s': %w", pattern, err)
	}
	if n := len(program.Inst); n > maxInstructions {
		return nil, fmt.Errorf("invalid search pattern '%s': %d instructions, the limit is %d", pattern, n, maxInstructions)
	}
	return regexp.Compile(pattern)
}

// Decoding is the text of one decoding, hex or none, in a legend's commands.
func Decoding(mode string) (string, error) {
	if mode != "hex" && mode != "none" {
		return "", fmt.Errorf("unknown encoding '%s'", mode)
	}
	return mode + ",:decode", nil
}

// WithCommand adds a text of SearchReplace or Decoding to the legend's
// commands, of which there can be 20.
func (s *Style) WithCommand(command string) (*Style, error) {
	if before, ok := s.Settings["sed"]; ok {
		command = before + "," + command
	}
	if n := strings.Count(command, ",:s") + strings.Count(command, ",:decode"); n > maxCommands {
		return nil, fmt.Errorf("too many search, replace and decode words for one legend, the limit is %d", maxCommands)
	}
	return s.With("sed", command), nil
}

// Legends writes the legends of the lines of one style.
type Legends struct {
	text     string // that was set
	set      bool
	suffix   string // for lines without a text of their own
	commands []legendCommand
}

// legendCommand is a search and replace, or without a pattern a decoding.
type legendCommand struct {
	search  *regexp.Regexp
	replace string
}

// Legends returns what writes the legends of s.
func (s *Style) Legends() *Legends {
	l := &Legends{suffix: offsetLabel("", s.OffsetMs())}
	l.text, l.set = s.Settings["legend"]
	if commands, ok := s.Settings["sed"]; ok {
		l.commands = legendCommands(commands)
	}
	return l
}

// Of returns the text shown for a line: the legend setting, or the line's
// label, with variables replaced and the legend's commands applied. A label
// gets ` (offset=1d)` when the data is shifted. vars are the line's tags and
// what else may be referred to. A text that was set or changed by commands has
// at most 1024 bytes.
func (l *Legends) Of(label string, vars tags.Tags) string {
	if !l.set && len(l.commands) == 0 {
		return Substitute(strings.TrimSuffix(label, l.suffix)+l.suffix, vars.Get)
	}
	text := l.text
	if !l.set {
		text = strings.TrimSuffix(label, l.suffix) + l.suffix
	}
	var b strings.Builder
	substitute(&b, text, maxLegend, vars.Get)
	return rewriteLegend(b.String(), l.commands, vars)
}

// RewriteLegend applies commands, `search,replace,:s` and `mode,:decode` one
// after the other, to text. What does not read as a command is passed over.
func RewriteLegend(text, commands string, vars tags.Tags) string {
	return rewriteLegend(text, legendCommands(commands), vars)
}

// legendCommands reads the text of commands, without those that do nothing.
func legendCommands(text string) []legendCommand {
	var out []legendCommand
	var args []string
	for _, token := range strings.Split(text, ",") {
		switch {
		case token == ":decode" && len(args) >= 1:
			if args[len(args)-1] == "hex" {
				out = append(out, legendCommand{})
			}
			args = nil
		case token == ":s" && len(args) >= 2:
			if re, err := compileSearch(args[len(args)-2]); err == nil {
				out = append(out, legendCommand{re, args[len(args)-1]})
			}
			args = nil
		default:
			args = append(args, match.Unescape(token))
		}
	}
	return out
}

func rewriteLegend(text string, commands []legendCommand, vars tags.Tags) string {
	text = cut(text)
	for _, c := range commands {
		if c.search == nil {
			text = hexDecode(text)
		} else {
			text = searchReplace(text, c.search, c.replace, vars)
		}
		text = cut(text)
	}
	return text
}

// cut returns the beginning of text that a legend has room for.
func cut(text string) string {
	if len(text) <= maxLegend {
		return text
	}
	n := maxLegend
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// searchReplace replaces every match, until the text is too long. Variables in
// the replacement are groups of the match by number or name, else tags.
func searchReplace(text string, re *regexp.Regexp, replace string, vars tags.Tags) string {
	var b strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[last:m[0]])
		last = m[1]
		substitute(&b, replace, maxLegend, func(name string) (string, bool) {
			group := re.SubexpIndex(name)
			if n, err := strconv.Atoi(name); err == nil && n >= 0 && n <= re.NumSubexp() {
				group = n
			}
			if group < 0 {
				return vars.Get(name)
			}
			if m[2*group] < 0 {
				return "", true
			}
			return text[m[2*group]:m[2*group+1]], true
		})
		if b.Len() > maxLegend {
			return b.String()
		}
	}
	b.WriteString(text[last:])
	return b.String()
}

// hexDecode turns `_xx` into the character of that number; other underscores
// stay.
func hexDecode(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '_' && i+2 < len(text) {
			if v, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteRune(rune(v))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
