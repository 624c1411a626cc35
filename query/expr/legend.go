package expr

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pulse/store/match"
	"pulse/store/tags"
)

// Substitute replaces `$name` and `$(name)` by values. A plain name is made of
// letters, digits, `.`, `_` and `-`. An unknown name stands for itself, and
// `$()` is a dollar sign, as is a `$` that begins no variable.
func Substitute(text string, get func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			b.WriteString(text)
			return b.String()
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

// SearchReplace is the text of one search and replace in a legend's commands.
// The pattern must compile.
func SearchReplace(search, replace string) (string, error) {
	if _, err := regexp.Compile(search); err != nil {
		return "", fmt.Errorf("invalid search pattern '%s': %w", search, err)
	}
	return match.Escape(search) + "," + match.Escape(replace) + ",:s", nil
}

// Decoding is the text of one decoding, hex or none, in a legend's commands.
func Decoding(mode string) (string, error) {
	if mode != "hex" && mode != "none" {
		return "", fmt.Errorf("unknown encoding '%s'", mode)
	}
	return mode + ",:decode", nil
}

// WithCommand adds a text of SearchReplace or Decoding to the legend's
// commands.
func (s *Style) WithCommand(command string) *Style {
	if before, ok := s.Settings["sed"]; ok {
		command = before + "," + command
	}
	return s.With("sed", command)
}

// RewriteLegend applies commands, `search,replace,:s` and `mode,:decode` one
// after the other, to text. What does not read as a command is passed over.
func RewriteLegend(text, commands string, vars tags.Tags) string {
	var args []string
	for _, token := range strings.Split(commands, ",") {
		switch {
		case token == ":decode" && len(args) >= 1:
			if args[len(args)-1] == "hex" {
				text = hexDecode(text)
			}
			args = nil
		case token == ":s" && len(args) >= 2:
			text = searchReplace(text, args[len(args)-2], args[len(args)-1], vars)
			args = nil
		default:
			args = append(args, match.Unescape(token))
		}
	}
	return text
}

// searchReplace replaces every match. Variables in the replacement are groups
// of the match by number or name, else tags.
func searchReplace(text, search, replace string, vars tags.Tags) string {
	re, err := regexp.Compile(search)
	if err != nil {
		return text
	}
	var b strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[last:m[0]])
		b.WriteString(Substitute(replace, func(name string) (string, bool) {
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
		}))
		last = m[1]
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
