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
		{region + ":completely-other", ":completely-other", "no word is called so; a text has no colon in front", "Equal 'name,sps,:eq'", ""},
		{region + ":", ":", "a word has a name after its colon; a colon in a text is written \\u003a", "Equal 'name,sps,:eq'", ""},
		{region + "region,:by", ":by", ":by needs keys, a list such as (,a,b,), but on top is String 'region'",
			"Equal 'name,sps,:eq' String 'region'", "Aggregate keys:List -- TimeSeries | TimeSeries keys:List -- TimeSeries"},
		{region + "(region),:by", ":by", ":by needs keys, a list such as (,a,b,), but on top is String '(region)'; the parentheses of a list are items of their own: (,a,b,)",
			"Equal 'name,sps,:eq' String '(region)'", "Aggregate keys:List -- TimeSeries | TimeSeries keys:List -- TimeSeries"},
		{"name,:eq", ":eq", ":eq takes 2 items, the stack has 1 item; before it goes a text", "String 'name'", "k:String v:String -- Query"},
		{"(,99,),:percentiles", ":percentiles", ":percentiles takes 2 items, the stack has 1 item; below goes an aggregate, perhaps grouped, such as name,sps,:eq,:sum,(,node,),:by", "List '(,99,)'", "Data percentiles:List -- TimeSeries"},
		{":drop", ":drop", ":drop takes 1 item, the stack has no items; before it goes any item", "", "a --"},
		{"name=sps,:sum", ":sum", ":sum needs a query such as name,sps,:eq, but on top is String 'name=sps'; a condition is written name,sps,:eq",
			"String 'name=sps'", "Query -- TimeSeries | TimeSeries -- TimeSeries"},
		{region + "5,:rolling-mean", ":rolling-mean", ":rolling-mean takes 3 items, the stack has 2 items; before it goes minNumValues, a whole number such as 5",
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
		{region + ":gt,5", ":gt", ":gt takes 2 items, the stack has 1 item; before it goes a time series such as name,sps,:eq,:sum", "Equal 'name,sps,:eq'",
			"k:String v:String -- Query | a:TimeSeries b:TimeSeries -- TimeSeries"},
		{region + "5m,:rolling-max", ":rolling-max", ":rolling-max needs a whole number such as 5, but on top is String '5m'; it counts datapoints, not time",
			"Equal 'name,sps,:eq' String '5m'", "TimeSeries n:Int -- TimeSeries"},
		{region + "0.5,10,0.1,:des", ":des", ":des needs training, a whole number such as 5, but 2 below the top is String '0.5'",
			"Equal 'name,sps,:eq' String '0.5' String '10' String '0.1'", "TimeSeries training:Int alpha:Double beta:Double -- TimeSeries"},
		{region + "a, b,:legend", ":legend", ":legend needs a time series such as name,sps,:eq,:sum, but below the top is String 'a'; a comma in a text is written \\u002c",
			"Equal 'name,sps,:eq' String 'a' String 'b'", "TimeSeries legend:String -- Style"},
		{region + "(,region),:by", "(", "the parentheses of a list are items of their own: region,)", "", ""},
		{region + "(,a", "(", "a list is written (,a,b,)", "", ""},
		{region + ":p99", ":p99", ":percentiles takes a list: (,99,),:percentiles", "Equal 'name,sps,:eq'", ""},
		{region + ":rate", ":rate", "a counter is a rate per second already; :per-step makes it the amount of a step", "Equal 'name,sps,:eq'", ""},
		{region + "5,>", ">", "> is written :gt, behind what it works on", "Equal 'name,sps,:eq' String '5' String '>'", ""},
		{region + "x,>", "x", "> is written :gt, behind what it works on", "Equal 'name,sps,:eq' String 'x' String '>'", ""},
		{"minute,5,:set,:minute", ":minute", "the variable is read by minute,:get", "", ""},
		{"minute,5,:set,minute", "minute", "the variable is read by minute,:get", "String 'minute'", ""},
		{"name,sps,:eq :sum", ":eq :sum", "a comma is missing behind :eq", "String 'name' String 'sps'", ""},
		{region + "$name :legend", "$name :legend", "a comma is missing: $name,:legend", "Equal 'name,sps,:eq' String '$name :legend'", ""},
		{"name,sps,eq", "name", "a word begins with a colon: :eq", "String 'name' String 'sps' String 'eq'", ""},
		{"name,sps,;eq", "name", "a word begins with a colon: :eq", "String 'name' String 'sps' String ';eq'", ""},
		{"name;sps;:eq", "name;sps;:eq", "items are separated by commas", "String 'name;sps;:eq'", ""},
		{"name:sps,:sum", ":sum", ":sum needs a query such as name,sps,:eq, but on top is String 'name:sps'; a condition is written name,sps,:eq",
			"String 'name:sps'", "Query -- TimeSeries | TimeSeries -- TimeSeries"},
		{"url,http:/*,:re", "/*", "a comment ends with */; in a text write \\u002f*", "", ""},
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
	f("1,\n/* ä\t*/ :x,2", "unknown word ':x'\n  1, /* ä */ :x,2\n             ^\nno word is called so; a text has no colon in front\nthe stack held, top last: String '1'")
	f("", "expecting time series expr, the expression is empty")
	f("1,:drop", "expecting time series expr, nothing is left on the stack")
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
