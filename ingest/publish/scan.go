package publish

import (
	"encoding/binary"
	"math/bits"
)

// scanner walks one body from front to back.
//
// Its methods take the index of the next byte and return the index behind what
// they read. An index of -1 means that the body is malformed and err says why;
// once set, err stays. Methods never read past len(b), and none allocates
// unless the body is malformed or, in decoded, holds an escape.
type scanner struct {
	b       []byte
	limits  Limits
	quick   bool
	stamp   stamp
	err     error
	written int    // bytes of a flat array's tags, see maxWritten
	scratch []byte // decoded text of the last field name that held an escape
}

func (s *scanner) fail(at int, message string) int {
	if s.err == nil {
		s.err = &SyntaxError{Offset: min(at, len(s.b)), Message: message}
	}
	return -1
}

// skip passes white space and comments. It stands still at a comment that does
// not end, where the caller then misses its token.
func skip(b []byte, i int) int {
	if i < len(b) && b[i] > ' ' && b[i] != '/' {
		return i
	}
	return skipSlow(b, i)
}

func skipSlow(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ' ', '\t', '\n', '\r':
			i++
		case '/':
			end := commentEnd(b, i)
			if end == i {
				return i
			}
			i = end
		default:
			return i
		}
	}
	return i
}

// commentEnd returns the index behind the comment at i, or i when what stands
// there is no complete comment. A line comment ends before its line break.
func commentEnd(b []byte, i int) int {
	if i+1 >= len(b) {
		return i
	}
	switch b[i+1] {
	case '/':
		j := i + 2
		for j < len(b) && b[j] != '\n' && b[j] != '\r' {
			j++
		}
		return j
	case '*':
		for j := i + 2; j+1 < len(b); j++ {
			if b[j] == '*' && b[j+1] == '/' {
				return j + 2
			}
		}
	}
	return i
}

// plainEnd returns the index of the first byte at or after i that cannot stand
// for itself inside a string: a quote, a backslash, a control character.
func plainEnd(b []byte, i int) int {
	const ones = 0x0101010101010101
	const highs = 0x8080808080808080
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		// Each term marks the high bit of a byte that is zero, or below 32. A
		// borrow can mark bytes above the first hit only, and only the first counts.
		found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
		i++
	}
	return i
}

// str passes the string whose opening quote stands at i.
func (s *scanner) str(i int) int {
	b := s.b
	if i >= len(b) || b[i] != '"' {
		return s.fail(i, "expected a string")
	}
	i = plainEnd(b, i+1)
	if i < len(b) && b[i] == '"' {
		return i + 1
	}
	return s.strRest(i)
}

// strRest passes the rest of a string from a byte that is not plain.
func (s *scanner) strRest(i int) int {
	b := s.b
	for i < len(b) {
		switch {
		case b[i] == '"':
			return i + 1
		case b[i] == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return s.fail(i, "unknown escape in a string")
			}
			i += n
		default:
			return s.fail(i, "control character in a string")
		}
		i = plainEnd(b, i)
	}
	return s.fail(i, "string does not end")
}

// escapeLen returns the length of the escape at the front of b, 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

// field passes the name of a field with its colon. The name is valid until the
// next call; end is the index of the field's value.
func (s *scanner) field(i int) (name []byte, end int) {
	b := s.b
	if i >= len(b) || b[i] != '"' {
		return nil, s.fail(i, "expected a field name")
	}
	from := i + 1
	i = plainEnd(b, from)
	if i < len(b) && b[i] == '"' {
		name = b[from:i]
		i++
	} else {
		if i = s.strRest(i); i < 0 {
			return nil, -1
		}
		s.scratch = appendDecoded(s.scratch[:0], b[from:i-1])
		name = s.scratch
	}
	if i = skip(b, i); i >= len(b) || b[i] != ':' {
		return nil, s.fail(i, "expected ':'")
	}
	return name, skip(b, i+1)
}

// next passes the comma before another element, or the bracket closing at the
// end. more says which; end is then the index of the next element, or the index
// behind the bracket.
func (s *scanner) next(i int, closing byte) (end int, more bool) {
	b := s.b
	i = skip(b, i)
	if i < len(b) {
		switch b[i] {
		case ',':
			return skip(b, i+1), true
		case closing:
			return i + 1, false
		}
	}
	if closing == ']' {
		return s.fail(i, "expected ',' or ']'"), false
	}
	return s.fail(i, "expected ',' or '}'"), false
}

// literal passes word, which stands at i.
func (s *scanner) literal(i int, word string) int {
	if len(s.b)-i >= len(word) && string(s.b[i:i+len(word)]) == word {
		return i + len(word)
	}
	return s.fail(i, "expected a value")
}

// value passes any value. depth is the number of objects and lists around it.
func (s *scanner) value(i, depth int) int {
	b := s.b
	if i >= len(b) {
		return s.fail(i, "expected a value")
	}
	switch b[i] {
	case '"':
		return s.str(i)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	case '{', '[':
		if depth >= s.limits.Depth {
			return s.fail(i, "nested too deeply")
		}
		if b[i] == '{' {
			return s.object(i, depth+1)
		}
		return s.list(i+1, depth+1)
	}
	_, i = s.number(i)
	return i
}

func (s *scanner) object(i, depth int) int {
	b := s.b
	if i = skip(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	for more := true; more; {
		if _, i = s.field(i); i < 0 {
			return -1
		}
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		if i, more = s.next(i, '}'); i < 0 {
			return -1
		}
	}
	return i
}

// list passes the elements of a list and its closing bracket; i stands behind
// the opening one.
func (s *scanner) list(i, depth int) int {
	b := s.b
	if i = skip(b, i); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for more := true; more; {
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		if i, more = s.next(i, ']'); i < 0 {
			return -1
		}
	}
	return i
}

// end checks that nothing but white space and comments follows the payload.
func (s *scanner) end(i int) error {
	if i >= 0 {
		if i = skip(s.b, i); i < len(s.b) {
			s.fail(i, "unexpected text behind the payload")
		}
	}
	return s.err
}
