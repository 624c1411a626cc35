package ingest

import (
	"fmt"
	"strings"
)

// charset is a set of ASCII characters.
type charset [256]bool

// parseCharset reads characters and ranges such as A-Z. A dash first or last
// stands for itself.
func parseCharset(text string) (*charset, error) {
	var c charset
	for i := 0; i < len(text); i++ {
		from, to := text[i], text[i]
		if i+2 < len(text) && text[i+1] == '-' {
			to = text[i+2]
			i += 2
		}
		if from > to || to >= 0x80 || from < ' ' {
			return nil, fmt.Errorf("characters %q: bad range or not ASCII", text)
		}
		for x := from; x <= to; x++ {
			c[x] = true
		}
	}
	return &c, nil
}

func defaultCharset() *charset {
	c, err := parseCharset(DefaultCharacters)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return c
}

// all reports whether text holds nothing but characters of the set.
func (c *charset) all(text string) bool {
	for i := range len(text) {
		if !c[text[i]] {
			return false
		}
	}
	return true
}

// replace returns text with every other character as `_`. A character of several
// bytes gives one, as does a byte that is no UTF-8.
func (c *charset) replace(text string) string {
	if c.all(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r < 0x80 && c[r] {
			return r
		}
		return '_'
	}, text)
}

// String lists the set in order of code: the dash first, three or more neighbours
// as a range, and in between as Atlas prints it.
func (c *charset) String() string {
	var sb strings.Builder
	if c['-'] {
		sb.WriteByte('-')
	}
	for i := 0; i < len(c); i++ {
		if !c[i] || i == '-' {
			continue
		}
		end := i
		for end+1 < len(c) && c[end+1] && end+1 != '-' {
			end++
		}
		sb.WriteByte(byte(i))
		switch {
		case end-i >= 2:
			sb.WriteByte('-')
			sb.WriteByte(byte(end))
		case end > i:
			sb.WriteByte(byte(end))
		}
		i = end
	}
	return sb.String()
}
