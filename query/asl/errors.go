package asl

import (
	"fmt"
	"strconv"
	"strings"

	"pulse/query/expr"
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
func errLimit(format string, args ...any) *Error {
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

// typeName is what errors call an item: the class that Atlas has for it.
func typeName(item any) string {
	switch v := item.(type) {
	case string, Token:
		return "String"
	case List:
		return "List"
	case match.Const:
		return camel(strconv.FormatBool(bool(v)))
	case *match.Has:
		return "HasKey"
	case *match.Compare:
		return [...]string{"LessThan", "LessThanEqual", "GreaterThan", "GreaterThanEqual"}[v.Op]
	case *match.Regex:
		if v.IgnoreCase {
			return "RegexIgnoreCase"
		}
	case *expr.Aggregate:
		return camel(v.Agg.Name())
	case *expr.MathAggregate:
		return camel(v.Agg.Name())
	case *expr.MathGroupBy:
		return "GroupBy"
	case *expr.Const:
		return "Constant"
	case *expr.Rewrite:
		return "NamedRewrite"
	case *expr.Style:
		return "StyleExpr"
	case *expr.Unary:
		return camel(v.Op)
	case *expr.Binary:
		return camel(v.Op)
	case *expr.Stateful:
		return camel(v.Name)
	}
	name := strings.TrimPrefix(fmt.Sprintf("%T", item), "*")
	return name[strings.LastIndexByte(name, '.')+1:]
}

// camel returns the name of the class behind a word: RollingMean for rolling-mean.
func camel(word string) string {
	switch word {
	case "sub":
		return "Subtract"
	case "mul":
		return "Multiply"
	case "div":
		return "Divide"
	case "pow":
		return "Power"
	case "gt":
		return "GreaterThan"
	case "ge":
		return "GreaterThanEqual"
	case "lt":
		return "LessThan"
	case "le":
		return "LessThanEqual"
	case "fadd", "fsub", "fmul", "fdiv":
		return "F" + camel(word[1:])
	case "neg":
		return "Negate"
	case "sin":
		return "Sine"
	case "sdes":
		return "SlidingDes"
	}
	var out strings.Builder
	for part := range strings.SplitSeq(word, "-") {
		out.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return out.String()
}
