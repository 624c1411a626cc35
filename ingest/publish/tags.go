package publish

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"pulse/store/tags"
)

func unknownOp(op int64) string {
	return fmt.Sprintf("unknown operation %d, expected add (0) or max (10)", op)
}

// AppendTags appends the tags written in text, which came from Batch.Tags or
// Batch.Common, in the order they stand there and with repetitions; tags that
// are null are left out. The strings share one copy of text, so that the caller
// may reuse it.
func AppendTags(dst tags.Tags, text []byte) tags.Tags {
	if len(text) == 0 {
		return dst
	}
	kept := string(text)
	i := skip(text, 1)
	for i < len(text) && text[i] == '"' {
		var key, value string
		key, i = stringAt(kept, text, i)
		i = skip(text, skip(text, i)+1) // the colon
		if text[i] == '"' {
			value, i = stringAt(kept, text, i)
			dst = append(dst, tags.Tag{Key: key, Value: value})
		} else {
			i += len("null")
		}
		i = skip(text, i)
		if text[i] == ',' {
			i = skip(text, i+1)
		}
	}
	return dst
}

// stringAt returns the string whose quote stands at i and the index behind it.
// kept and text are the same text, which is known to be well formed.
func stringAt(kept string, text []byte, i int) (string, int) {
	from := i + 1
	end := plainEnd(text, from)
	if text[end] == '"' {
		return kept[from:end], end + 1
	}
	for text[end] == '\\' {
		end = plainEnd(text, end+escapeLen(text[end:]))
	}
	return string(appendDecoded(nil, text[from:end])), end + 1
}

// appendDecoded appends the characters that the inside of a well-formed string
// stands for. Half of a surrogate pair becomes U+FFFD.
func appendDecoded(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			end := plainEnd(text, i)
			dst = append(dst, text[i:end]...)
			i = end
			continue
		}
		c := text[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(text[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				low, ok := lowSurrogate(text[i:])
				if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
					r = pair
					i += 6
				} else {
					r = utf8.RuneError
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// lowSurrogate returns the code of the \u escape at the front of text.
func lowSurrogate(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	return hex4(text[2:])
}

// hex4 reads four hex digits.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
