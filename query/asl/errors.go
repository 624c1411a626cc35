package asl

import (
	"fmt"
	"strings"

	"pulse/store/match"
)

// Kind says what is wrong with a program.
type Kind uint8

const (
	State    Kind = iota // the program does not fit the language or the stack
	Argument             // a word refuses the value of an argument
	NotFound             // a variable is not set
	Limit                // the program asks for more than the limits allow
)

// Error is a program that does not run.
type Error struct {
	Kind    Kind
	Offset  int    // byte in the program at which Token starts; -1 when unknown
	Token   string // as written; "" when the program as a whole is meant
	Message string // Atlas's

	// What helps, where something is known.
	Hint  string
	Stack []string // items that the word found, top last: `String 'a'`; the 10 topmost
	Needs []string // signatures of the word
}

// Error returns the message alone; where it happened is in the fields.
func (e *Error) Error() string { return e.Message }

// errArgument is the refusal of an argument's value.
func errArgument(format string, args ...any) error {
	return &Error{Kind: Argument, Offset: -1, Message: fmt.Sprintf(format, args...)}
}

// errLimit is a refusal because of a limit.
func errLimit(format string, args ...any) error {
	return &Error{Kind: Limit, Offset: -1, Message: fmt.Sprintf(format, args...)}
}

// typeSummary lists the types of stack, top last: `[String,List]`.
func typeSummary(stack []any) string {
	names := make([]string, len(stack))
	for i, item := range stack {
		names[i] = typeName(item)
	}
	return "[" + strings.Join(names, ",") + "]"
}

// typeName is the word by which errors call an item.
func typeName(item any) string {
	switch q := item.(type) {
	case string, Token:
		return "String"
	case List:
		return "List"
	case match.Const:
		if q {
			return "True"
		}
		return "False"
	case *match.Has:
		return "HasKey"
	case *match.Compare:
		return [...]string{"LessThan", "LessThanEqual", "GreaterThan", "GreaterThanEqual"}[q.Op]
	case *match.Regex:
		if q.IgnoreCase {
			return "RegexIgnoreCase"
		}
	}
	name := strings.TrimPrefix(fmt.Sprintf("%T", item), "*")
	return name[strings.LastIndexByte(name, '.')+1:]
}
