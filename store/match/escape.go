package match

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape returns s in the form in which an expression spells it as one literal:
// what would end, split or change the token is written \uXXXX in lower-case
// hex. Unescape is its inverse.
func Escape(s string) string {
	for i := 0; i < len(s); i++ {
		if !plain(s[i]) {
			return string(AppendEscaped(make([]byte, 0, len(s)+16), s))
		}
	}
	return s
}

// plain reports whether c needs no look at its neighbours.
func plain(c byte) bool {
	return c > ' ' && c < utf8.RuneSelf && !strings.ContainsRune(`,:()\/`, rune(c))
}

// AppendEscaped appends Escape(s) to dst.
func AppendEscaped(dst []byte, s string) []byte {
	if s == "(" || s == ")" {
		return appendUnit(dst, rune(s[0]))
	}
	first := strings.IndexFunc(s, inner)
	last := strings.LastIndexFunc(s, inner)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		_, escapeSize := decodeEscape(s[i:])
		switch {
		case r == ',' || r == ':',
			edge(r) && (r != ' ' || i < first || i > last),
			r == '\\' && escapeSize > 0,
			r == '/' && (strings.HasPrefix(s[i:], "/*") || i > 0 && s[i-1] == '*'):
			dst = appendUnit(dst, r)
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return dst
}

// edge reports whether a lexer may trim r from the ends of a token.
func edge(r rune) bool {
	switch {
	case r <= ' ':
		return true
	case r == 0x1680, r >= 0x2000 && r <= 0x200a && r != 0x2007, r == 0x2028, r == 0x2029, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}

func inner(r rune) bool { return !edge(r) }

func appendUnit(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// Unescape replaces every \uXXXX in s, with four hex digits of either case, by
// its character; two of them that form a surrogate pair are one character.
// Every other backslash is left alone, and so is half a pair.
func Unescape(s string) string {
	at := strings.Index(s, `\u`)
	if at < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if r, size := decodeEscape(s[i:]); size > 0 {
			out = utf8.AppendRune(out, r)
			i += size
			continue
		}
		out = append(out, s[i])
		i++
	}
	return string(out)
}

// decodeEscape reads an escape at the front of s; size is 0 if there is none.
func decodeEscape(s string) (r rune, size int) {
	r, ok := decodeUnit(s)
	switch {
	case !ok:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	low, ok := decodeUnit(s[6:])
	if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
		return r, 12
	}
	return 0, 0
}

func decodeUnit(s string) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range []byte(s[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
