// Package asl reads the Atlas Stack Language: a program is a list of tokens
// separated by commas; literals are pushed on a stack, words work on it.
//
//	name,sps,:eq,(,region,),:by
//
// lexer.go makes tokens, interpreter.go runs them, the words_*.go files say
// what each word does. Vocabulary is the table from which execution, completion
// and documentation come.
package asl

import (
	"strings"

	"pulse/store/match"
)

// Token is one piece of a program before unescaping.
type Token struct {
	Text   string
	Offset int // of its first byte in the program; -1 for what no program wrote
}

// List is an item of the stack: items in the order written. An item is a
// Token where the list was written in the program, else whatever a word put
// there. A List is never changed once it is on a stack.
type List []any

// Tokenize removes comments, splits at commas, trims white space and drops
// empty tokens. Nothing is unescaped.
func Tokenize(program string) ([]Token, error) {
	text, origin, err := stripComments(program)
	if err != nil {
		return nil, err
	}
	var tokens []Token
	for start := 0; start <= len(text); {
		end := strings.IndexByte(text[start:], ',')
		if end < 0 {
			end = len(text)
		} else {
			end += start
		}
		first := start
		for first < end && text[first] <= ' ' {
			first++
		}
		if part := strings.TrimRightFunc(text[first:end], func(r rune) bool { return r <= ' ' }); part != "" {
			tokens = append(tokens, Token{part, offsetOf(origin, first)})
		}
		start = end + 1
	}
	return tokens, nil
}

// StripComments returns program without its comments, which may nest. It fails
// when an opening or closing mark lacks its partner.
func StripComments(program string) (string, error) {
	text, _, err := stripComments(program)
	return text, err
}

// piece says that the text from position at on stood at origin in the program.
type piece struct{ at, origin int }

func offsetOf(pieces []piece, at int) int {
	offset := at
	for _, p := range pieces {
		if p.at > at {
			break
		}
		offset = p.origin + at - p.at
	}
	return offset
}

func stripComments(program string) (string, []piece, error) {
	if !strings.Contains(program, "/*") && !strings.Contains(program, "*/") {
		return program, nil, nil
	}
	var out strings.Builder
	pieces := []piece{{0, 0}}
	depth, open := 0, 0
	for i := 0; i < len(program); {
		switch {
		case strings.HasPrefix(program[i:], "/*"):
			if depth == 0 {
				open = i
			}
			depth++
			i += 2
		case strings.HasPrefix(program[i:], "*/"):
			if depth == 0 {
				return "", nil, &Error{Offset: i, Token: "*/", Message: "unclosed comment", Hint: "a comment begins with /*; in a text write *\\u002f"}
			}
			depth--
			i += 2
			if depth == 0 {
				pieces = append(pieces, piece{out.Len(), i})
			}
		default:
			if depth == 0 {
				out.WriteByte(program[i])
			}
			i++
		}
	}
	if depth > 0 {
		return "", nil, &Error{Offset: open, Token: "/*", Message: "unclosed comment", Hint: "a comment ends with */; in a text write \\u002f*"}
	}
	return out.String(), pieces, nil
}

// Escape returns text as one literal of a program; see match.Escape.
func Escape(text string) string { return match.Escape(text) }

// Unescape is the inverse of Escape.
func Unescape(text string) string { return match.Unescape(text) }
