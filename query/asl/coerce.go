package asl

import (
	"math"
	"strconv"
	"strings"
	"time"

	"pulse/query/expr"
	"pulse/query/when"
	"pulse/store/match"
)

// The Is functions are tests for Args, the As functions give the value.

// IsAnything holds for every item.
func IsAnything(any) bool { return true }

// IsString holds for a string, which may also be a number or a duration.
func IsString(item any) bool {
	_, ok := item.(string)
	return ok
}

// IsList holds for a list.
func IsList(item any) bool {
	_, ok := item.(List)
	return ok
}

// IsQuery holds for a query.
func IsQuery(item any) bool {
	_, ok := item.(match.Query)
	return ok
}

// IsInt holds for what AsInt accepts.
func IsInt(item any) bool {
	_, ok := AsInt(item)
	return ok
}

// IsDouble holds for what AsDouble accepts.
func IsDouble(item any) bool {
	_, ok := AsDouble(item)
	return ok
}

// IsDuration holds for a string that spells a duration.
func IsDuration(item any) bool {
	_, ok := AsDuration(item)
	return ok
}

// IsStringList holds for a list of strings only.
func IsStringList(item any) bool {
	_, ok := AsStringList(item)
	return ok
}

// AsQuery returns item if it is a query.
func AsQuery(item any) (match.Query, bool) {
	q, ok := item.(match.Query)
	return q, ok
}

// AsInt returns the 32-bit integer that a string spells in decimal, and that of a
// constant without its fraction.
func AsInt(item any) (int, bool) {
	if c, ok := item.(*expr.Const); ok {
		return int(c.Value), math.Abs(c.Value) <= math.MaxInt32
	}
	s, ok := item.(string)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return int(n), err == nil
}

// AsDouble returns the number that a string spells in decimal, and that of a
// constant; `NaN` and `Infinity` with or without a sign are numbers too.
func AsDouble(item any) (float64, bool) {
	if c, ok := item.(*expr.Const); ok {
		return c.Value, true
	}
	s, ok := item.(string)
	if !ok {
		return 0, false
	}
	switch s {
	case "NaN", "+NaN", "-NaN":
		return math.NaN(), true
	case "Infinity", "+Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	if s == "" || strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(v, 0) { // out of range is infinite
		return 0, false
	}
	return v, true
}

// AsDuration returns the duration that a string spells.
func AsDuration(item any) (time.Duration, bool) {
	s, ok := item.(string)
	if !ok {
		return 0, false
	}
	d, err := when.ParseDuration(s)
	return d, err == nil
}

// AsStringList returns the strings of a list. Elements that were written in
// the program are unescaped now, once.
func AsStringList(item any) ([]string, bool) {
	list, ok := item.(List)
	if !ok {
		return nil, false
	}
	out := make([]string, len(list))
	for i, x := range list {
		s, ok := cooked(x).(string)
		if !ok {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}

// cooked returns a list's element as a word sees it.
func cooked(item any) any {
	if t, ok := item.(Token); ok {
		return Unescape(t.Text)
	}
	return item
}

// Text returns the program text that puts item on the stack.
func Text(item any) string { return string(appendItem(nil, item)) }

func appendItem(dst []byte, item any) []byte {
	switch v := item.(type) {
	case string:
		return match.AppendEscaped(dst, v)
	case Token:
		return append(dst, v.Text...)
	case List:
		dst = append(dst, "(,"...)
		for _, x := range v {
			dst = append(appendItem(dst, x), ',')
		}
		return append(dst, ')')
	case match.Query:
		return v.AppendText(dst)
	case interface{ String() string }:
		return append(dst, v.String()...)
	}
	panic("BUG: item of type " + typeName(item) + " on the stack")
}
