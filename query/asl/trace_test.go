package asl_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pulse/query/asl"
)

// TestTrace: a line per step, which is the text it is written in, then the stack
// with the top last and a star before what is new, then the variables it set.
func TestTrace(t *testing.T) {
	for _, c := range []struct{ program, want, err string }{
		{"", "", ""},
		{"name,starts", "name | *text name\nstarts | text name, *text starts", ""},
		{" name ,\nstarts,/* which? */ :eq,:sum", "name | *text name\nstarts | text name, *text starts\n:eq | *query name,starts,:eq\n:sum | *aggregate name,starts,:eq,:sum", ""},
		{"(,a,(,b,),),1,:abs", "(,a,(,b,),) | *list (,a,(,b,),)\n1 | list (,a,(,b,),), *text 1\n:abs | list (,a,(,b,),), *time series 1.0,:const", ""},
		{"1,x,:legend", "1 | *text 1\nx | text 1, *text x\n:legend | *style 1.0,:const,x,:legend", ""},
		{"a,dup,:set,a,:get", "a | *text a\ndup | text a, *text dup\n:set |  | a=dup\na | *text a\n:get | *text dup", ""},
		{"a,b,:swap,:freeze,c", "a | *text a\nb | text a, *text b\n:swap | *text b, *text a\n:freeze | \nc | *text b, *text a, *text c", ""},
		{"name,é,:eqq,:sum", "name | *text name\né | text name, *text é", "8 :eqq"},
		{"a,(,b", "a | *text a", "2 ("},
		{"a,/*", "", "2 /*"},
	} {
		steps, err := every().Trace(c.program, asl.Options{})
		var lines []string
		for _, s := range steps {
			var stack []string
			for _, item := range slices.Backward(s.Stack) {
				stack = append(stack, map[bool]string{true: "*"}[item.New]+item.Kind+" "+item.Text)
			}
			line := c.program[s.Offset:s.End] + " | " + strings.Join(stack, ", ")
			for k, v := range s.Variables {
				line += " | " + k + "=" + v
			}
			lines = append(lines, line)
		}
		if got := strings.Join(lines, "\n"); got != c.want {
			t.Errorf("%q:\n%s\nwant\n%s", c.program, got, c.want)
		}
		at := ""
		if e := (*asl.Error)(nil); errors.As(err, &e) {
			at = fmt.Sprint(e.Offset, " ", e.Token)
		}
		if at != c.err {
			t.Errorf("%q: error %v at %q, want %q", c.program, err, at, c.err)
		}
	}
}

// TestTraceIsBounded: long items are cut, and the text of all steps together has a
// limit.
func TestTraceIsBounded(t *testing.T) {
	steps, err := every().Trace("k,"+strings.Repeat("é", 400)+",:eq", asl.Options{})
	if err != nil || len(steps) != 3 {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
	for _, s := range steps {
		if n := len(s.Stack[0].Text); n > 403 {
			t.Errorf("an item of %d bytes", n)
		}
	}
	wide := strings.Repeat("x", 120)
	steps, err = every().Trace(wide+strings.Repeat(",:dup", 900), asl.Options{})
	if err == nil || len(steps) == 0 || !strings.Contains(err.Error(), "bytes of text") {
		t.Errorf("%d steps, %v", len(steps), err)
	}
}
