package asl_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pulse/query/asl"
)

// What an error says beside Atlas's message.
func TestErrorsTeach(t *testing.T) {
	const region = "name,sps,:eq,"
	for _, c := range []struct{ program, at, hint, held, needs string }{
		{region + ":avgg", ":avgg", "did you mean :avg?", "Equal 'name,sps,:eq'", ""},
		{region + ":AVG", ":AVG", "did you mean :avg?", "Equal 'name,sps,:eq'", ""},
		{region + ":mxa", ":mxa", "did you mean :max?", "Equal 'name,sps,:eq'", ""},
		{region + "(,a,),:group-by", ":group-by", "did you mean :by?", "Equal 'name,sps,:eq' List '(,a,)'", ""},
		{region + ":completely-other", ":completely-other", "", "Equal 'name,sps,:eq'", ""},
		{region + ":", ":", "a word has a name after its colon; a colon in a text is written \\u003a", "Equal 'name,sps,:eq'", ""},
		{region + "region,:by", ":by", ":by needs a list such as (,a,b,) on top, but finds String 'region'",
			"Equal 'name,sps,:eq' String 'region'", "Aggregate keys:List -- TimeSeries | TimeSeries keys:List -- TimeSeries"},
		{region + "(region),:by", ":by", ":by needs a list such as (,a,b,) on top, but finds String '(region)'; the parentheses of a list are items of their own: (,a,b,)",
			"Equal 'name,sps,:eq' String '(region)'", "Aggregate keys:List -- TimeSeries | TimeSeries keys:List -- TimeSeries"},
		{"name,:eq", ":eq", ":eq takes 2 items, the stack has 1 item; it needs a text", "String 'name'", "k:String v:String -- Query"},
		{":drop", ":drop", ":drop takes 1 item, the stack has no items; it needs any item", "", "a --"},
		{"name=sps,:sum", ":sum", ":sum needs a query such as name,sps,:eq, but finds String 'name=sps'; a condition is written name,sps,:eq",
			"String 'name=sps'", "Query -- TimeSeries | TimeSeries -- TimeSeries"},
		{region + "5,:rolling-mean", ":rolling-mean", ":rolling-mean takes 3 items, the stack has 2 items; it needs a whole number such as 5",
			"Equal 'name,sps,:eq' String '5'", "TimeSeries n:Int minNumValues:Int -- TimeSeries"},
		{region + "0,:rolling-count", ":rolling-count", "", "Equal 'name,sps,:eq' String '0'", "TimeSeries n:Int -- TimeSeries"},
		{region + "(,a,),:percentiles", ":percentiles", ":percentiles cannot work with List '(,a,)'", "Equal 'name,sps,:eq' List '(,a,)'", "Data percentiles:List -- TimeSeries"},
		{"a,5,:pick", ":pick", "", "String 'a' String '5'", "aN ... a0 N -- aN ... a0 aN"},
		{"(,a,b,),(,:dupp,),:each", ":dupp", "did you mean :dup?", "String 'b'", ""},
		{"minute,5,:set,minuet,:get", ":get", "did you mean the variable minute?", "String 'minuet'", ""},
		{"minute,:get", ":get", "a variable is set by minute,value,:set", "String 'minute'", ""},
		{region + "(,a", "(", "a list is written (,a,b,)", "", ""},
		{"sum(rate(foo[5m]))", "sum(rate(foo[5m]))", "this is no stack language; it reads name,sps,:eq,(,region,),:by", "String 'sum(rate(foo[5m]))'", ""},
		{region + "sum", "sum", "a word begins with a colon: :sum", "Equal 'name,sps,:eq' String 'sum'", ""},
		{region + "region", "region", "no word used it; a condition is written key,value,:eq", "Equal 'name,sps,:eq' String 'region'", ""},
		{region + "(,a,)", "", "no word used the list, such as :by or :in", "Equal 'name,sps,:eq' List '(,a,)'", ""},
		{"name,users,:eq,:approx-distinct", ":approx-distinct", "add the parameter features=unstable", "Equal 'name,users,:eq'", ""},
	} {
		_, err := every().ParseStyle(c.program)
		var e *asl.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.program, err)
			continue
		}
		if e.Token != c.at || e.Hint != c.hint || strings.Join(e.Stack, " ") != c.held || strings.Join(e.Needs, " | ") != c.needs {
			t.Errorf("%s:\n at %q\n hint %q\n held %q\n needs %q", c.program, e.Token, e.Hint, e.Stack, e.Needs)
		}
		if c.at != "" && !strings.HasPrefix(c.program[e.Offset:], c.at) {
			t.Errorf("%s: offset %d is not at %q", c.program, e.Offset, c.at)
		}
	}
}

func TestExplain(t *testing.T) {
	f := func(program, want string) {
		t.Helper()
		_, err := every().ParseStyle(program)
		var e *asl.Error
		if !errors.As(err, &e) || e.Explain(program) != want {
			t.Errorf("%s:\n%s", program, e.Explain(program))
		}
	}
	f("name,sps,:eq,:agv", "unknown word ':agv'\n  name,sps,:eq,:agv\n               ^\ndid you mean :avg?\nthe stack held, top last: Equal 'name,sps,:eq'")
	f("1,\n/* ä\t*/ :x,2", "unknown word ':x'\n  1, /* ä */ :x,2\n             ^\nthe stack held, top last: String '1'")
	f("", "expecting time series expr, the expression is empty")
}

// Many items and long ones stay short in an error.
func TestErrorsStayShort(t *testing.T) {
	program := strings.Repeat("x", 3000) + strings.Repeat(",y", 900) + ",:call"
	_, err := every().Run(program)
	var e *asl.Error
	if !errors.As(err, &e) || len(e.Stack) != 10 {
		t.Fatalf("%d items in the error", len(e.Stack))
	}
	_, err = every().Run(strings.Repeat("x", 3000) + ",:eq")
	if !errors.As(err, &e) || len(e.Stack[0]) > 100 || len(e.Explain(program)) > 1000 {
		t.Errorf("%q", e.Stack)
	}
	if i := slices.IndexFunc(e.Stack, func(s string) bool { return strings.HasSuffix(s, "...'") }); i != 0 {
		t.Errorf("%q", e.Stack)
	}
}
