package label

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds the text of a list of matchers.
const maxText = 64 << 10

// Parse reads one matcher in Alertmanager's text form: `severity=page`,
// `region =~ "eu|us"`, `"a key"!="x"`.
//
// Key and value may be quoted with ". A quoted text follows Go, and where it is none
// of Go's, such as "a\.b", only \n, \" and \\ are escapes and other backslashes stay,
// as in a value that is not quoted. A bare key holds none of {}!=~,\"'` and no
// white space; a bare value ends at a comma and holds no ".
func Parse(text string) (Matcher, error) {
	ms, err := ParseAll(text)
	if err == nil && len(ms) != 1 {
		err = fmt.Errorf("%w: %.80q holds %d, want one", ErrMatcher, text, len(ms))
	}
	if err != nil {
		return Matcher{}, err
	}
	return ms[0], nil
}

// ParseAll reads matchers separated by commas, with braces around them or without:
// `{severity="page", region=~"eu|us"}`. A comma may end the list. Empty text and `{}`
// are the empty list.
func ParseAll(text string) (Matchers, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%w: %d bytes of text, at most %d", ErrMatcher, len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: %.80q is not valid UTF-8", ErrMatcher, text)
	}
	p := parser{text: text, rest: strings.TrimSpace(text)}
	if inner, ok := strings.CutPrefix(p.rest, "{"); ok {
		if p.rest, ok = strings.CutSuffix(inner, "}"); !ok {
			return nil, fmt.Errorf("%w: %.80q opens a brace that nothing closes", ErrMatcher, text)
		}
	}
	var ms Matchers
	for p.skip(); p.rest != ""; p.skip() {
		m, err := p.matcher()
		if err != nil {
			return nil, err
		}
		if ms = append(ms, m); len(ms) > MaxMatchers {
			return nil, fmt.Errorf("%w: more than %d in a list", ErrMatcher, MaxMatchers)
		}
		p.skip()
		after, ok := strings.CutPrefix(p.rest, ",")
		if p.rest != "" && !ok {
			return nil, p.wrong("want a comma or the end")
		}
		p.rest = after
	}
	return ms, nil
}

// parser reads a list of matchers from the front of rest.
type parser struct{ text, rest string }

func (p *parser) skip() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

func (p *parser) wrong(want string) error {
	return fmt.Errorf("%w: %.80q at %.20q: %s", ErrMatcher, p.text, p.rest, want)
}

func (p *parser) matcher() (Matcher, error) {
	key, err := p.key()
	if err != nil {
		return Matcher{}, err
	}
	p.skip()
	op := p.op()
	if op == "" {
		return Matcher{}, p.wrong("want =, !=, =~ or !~")
	}
	p.skip()
	value, err := p.value()
	if err != nil {
		return Matcher{}, err
	}
	return New(key, op, value)
}

func (p *parser) key() (string, error) {
	if strings.HasPrefix(p.rest, `"`) {
		return p.quotedText()
	}
	n := strings.IndexFunc(p.rest, reserved)
	if n < 0 {
		n = len(p.rest)
	}
	if n == 0 {
		return "", p.wrong("want the name of a label")
	}
	key := p.rest[:n]
	p.rest = p.rest[n:]
	return key, nil
}

// op takes an operator, "" when there is none.
func (p *parser) op() Op {
	for _, op := range []Op{Regex, NotRegex, NotEqual, Equal} {
		if rest, ok := strings.CutPrefix(p.rest, string(op)); ok {
			p.rest = rest
			return op
		}
	}
	return ""
}

func (p *parser) value() (string, error) {
	if strings.HasPrefix(p.rest, `"`) {
		return p.quotedText()
	}
	n := strings.IndexByte(p.rest, ',')
	if n < 0 {
		n = len(p.rest)
	}
	if strings.IndexByte(p.rest[:n], '"') >= 0 {
		return "", p.wrong(`want " only around the whole value`)
	}
	text := strings.TrimRightFunc(p.rest[:n], unicode.IsSpace)
	p.rest = p.rest[n:]
	return unescape(text), nil
}

// quotedText takes a quoted text.
func (p *parser) quotedText() (string, error) {
	end := 1
	for end < len(p.rest) && p.rest[end] != '"' {
		if p.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.rest) {
		return "", p.wrong("want a closing quote")
	}
	inner := p.rest[1:end]
	text, err := strconv.Unquote(p.rest[:end+1])
	if err != nil || !utf8.ValidString(text) {
		text = unescape(inner)
	}
	p.rest = p.rest[end+1:]
	return text, nil
}

// unescape replaces \n, \" and \\; other backslashes stay.
func unescape(text string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`).Replace(text)
}

// reserved reports whether a bare key cannot hold c.
func reserved(c rune) bool {
	return c == utf8.RuneError || unicode.IsSpace(c) || strings.ContainsRune("{}!=~,\\\"'`", c)
}

func quoted(text string) string { return strconv.Quote(text) }

func quotedKey(key string) string {
	if key != "" && !strings.ContainsFunc(key, reserved) && !strings.ContainsFunc(key, unicode.IsControl) {
		return key
	}
	return quoted(key)
}
