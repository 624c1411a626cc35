package asl_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pulse/query/asl"
	"pulse/store/match"
)

func interpreter(l asl.Limits) *asl.Interpreter {
	return asl.New(asl.Join(asl.Standard(), asl.QueryWords()), l)
}

// stack runs a program and returns its stack, top last, as one text.
func stack(t *testing.T, program string) string {
	t.Helper()
	c, err := interpreter(asl.Limits{}).Run(program)
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return text(c)
}

func text(c *asl.Context) string {
	items := make([]string, len(c.Stack))
	for i, item := range c.Stack {
		items[i] = asl.Text(item)
	}
	return strings.Join(items, " ")
}

func TestTokenize(t *testing.T) {
	f := func(program, want string) {
		t.Helper()
		tokens, err := asl.Tokenize(program)
		if err != nil {
			t.Fatalf("%q: %v", program, err)
		}
		var got []string
		for _, k := range tokens {
			got = append(got, k.Text)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q: got %q, want %q", program, got, want)
		}
	}
	f("", "")
	f(" , ,\t,\n,", "")
	f("  a\n,\t\nb ,c,", "a|b|c")
	f("a,/* x, /* y */ z */b,:eq", "a|b|:eq")
	f("a/* x */b", "ab")
	f(`a\u002cb,c`, `a\u002cb|c`)
}

func TestTokenOffsets(t *testing.T) {
	const program = " a , /* c */ b,/*x*/c/*y*/d,:eq"
	tokens, err := asl.Tokenize(program)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 13, 20, 28} {
		if tokens[i].Offset != want {
			t.Errorf("token %q at %d, want %d", tokens[i].Text, tokens[i].Offset, want)
		}
	}
}

func TestStackWords(t *testing.T) {
	f := func(program, want string) {
		t.Helper()
		if got := stack(t, program); got != want {
			t.Errorf("%s: got %s, want %s", program, got, want)
		}
	}
	f("a,b,:swap", "b a")
	f("a,b,c,:rot", "b c a")
	f("a,b,c,:-rot", "c a b")
	f("a,b,c,2,:roll", "b c a")
	f("a,b,c,0,:roll", "a b c")
	f("a,b,c,2,:pick", "a b c a")
	f("a,b,c,2,:nlist", "a (,b,c,)")
	f("a,b,:list", "(,b,a,)")
	f("a,b,c,9,:ndrop", "")
	f("a,-1,:ndrop", "a")
	f("a,b,:list,(,x,:swap,),:each", "x a x b")
	f("(,a,b,),(,:dup,),:each", "b b a a")
	f("(,1,2,),(,(,x%s,),:swap,:drop,),:map", "(,(,x%s,),(,x%s,),)")
	f("a,b,:freeze,c,:clear,d", "a b d")
	f("k,1,:set,k,:get,k,:get", "1 1")
	f("2,k,:sset,k,:get", "2")
	f("f,(,(,a,),:call,:dup,),:set,f,:fcall", "a a")
	f("a,:depth,:depth", "a 1 2")
	f(`\u002c,(,\u002c,)`, `\u002c (,\u002c,)`)
	// Texts in a list that words made are a program, too.
	f(`a,\u003a%s,(,dup,),:format,1,:nlist,:call`, "a a")
	f(`\u0028,b,\u0029,3,:nlist,:call`, "(,b,)")
	f(`f,a,\u003adup,2,:nlist,:set,f,:fcall`, "a a")
	f("%s-%2$s,(,a,b,),:format", "a-b")
}

// An element of a list is unescaped exactly once, whichever word takes it.
func TestListsUnescapeOnce(t *testing.T) {
	f := func(program, want string) {
		t.Helper()
		c, err := interpreter(asl.Limits{}).Run(program)
		if err != nil {
			t.Fatal(err)
		}
		if q := c.Stack[0].(*match.Equal); q.Value != want {
			t.Errorf("%s: value %q, want %q", program, q.Value, want)
		}
	}
	const literal = `\u005cu0041` // spells \u0041
	f("k,"+literal+",:eq", `\u0041`)
	f("k,(,"+literal+",),:in", `\u0041`)
	f("(,k,"+literal+",:eq,),:call", `\u0041`)
	f("(,"+literal+",),(,k,:swap,:eq,),:each", `\u0041`)
	f("(,"+literal+",),(,:dup,:drop,),:map,k,:swap,:in", `\u0041`)
	f("k,"+literal+",:list,(,:dup,:drop,),:each,:eq", `\u0041`)
	f(`k,\u003aeq,:list,(,:dup,:drop,),:each,:eq`, ":eq")
}

func TestErrors(t *testing.T) {
	f := func(program, message string, offset int) {
		t.Helper()
		_, err := interpreter(asl.Limits{}).Run(program)
		var e *asl.Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: error %v", program, err)
		}
		if e.Message != message || e.Offset != offset {
			t.Errorf("%s: got %q at %d, want %q at %d", program, e.Message, e.Offset, message, offset)
		}
	}
	f("foo,:nope", "unknown word ':nope'", 4)
	f("a,)", "unmatched closing parenthesis", 2)
	f("a,(,b,(,)", "unmatched opening parenthesis", 2)
	f("x,y */", "unclosed comment", 4)
	f("a,b,:eq,(,),c,:and",
		"no matches for word ':and' with stack [Equal,List,String], candidates: [Query Query -- Query]", 14)
	f("nope,:get", "key not found: nope", 5)
	f("f,(,f,:fcall,),:set,f,:fcall", "looping detected", 6)
	f("(,a,:nope,),:call", "unknown word ':nope'", 4)
	f("name,a(?!b),:re", "invalid regular expression 'a(?!b)' at 1: lookahead cannot be matched in linear time; "+
		"write the exception as a query of its own with :re,:not,:and", 12)
	f("a,5,:pick", "no item 5 on a stack of 1", 4)
	f("%d,(,x,),:format", "'x' is not an integer", 9)
	f(`\u003anope,1,:nlist,:call`, "unknown word ':nope'", 20)
	f(`\u0029,1,:nlist,:call`, "unmatched closing parenthesis", 16)
	f(`\u0028,1,:nlist,:call`, "unmatched opening parenthesis", 16)
}

func TestLimits(t *testing.T) {
	f := func(name, program, contains string) {
		t.Helper()
		_, err := interpreter(asl.Limits{}).Run(program)
		var e *asl.Error
		if !errors.As(err, &e) || e.Kind != asl.Limit || !strings.Contains(err.Error(), contains) {
			t.Errorf("%s: got %v, want %q", name, err, contains)
		}
	}
	f("bytes", strings.Repeat("a", 8193), "expression too long: 8193 bytes, the limit is 8192")
	f("words", strings.Repeat("a,", 1001), "expression too long: 1001 words, the limit is 1000")
	f("stack", "a"+strings.Repeat(",:dup", 10)+",(,"+strings.Repeat("a,", 900)+"),"+
		"(,:dup,),:each", "stack overflow: stack size exceeds limit of 1024")
	f("doubling a query", "a,:has"+strings.Repeat(",:dup,:and", 300), "expression too large: more than 10000 nodes")
	f("doubling a list", "(,a,)"+strings.Repeat(",:dup,2,:nlist", 300), "expression too large: more than 10000 nodes")
	f("doubling a text", "x"+strings.Repeat(",:dup,:list,%s%s,:swap,:format", 150),
		"formatted text is longer than 16384 bytes")
	loop := "(,1,2,3,4,5,6,7,8,9,0,)"
	f("nested loops", strings.Repeat(loop+",(,:drop,", 7)+strings.Repeat("),:each,", 7),
		"expression is too expensive: operation limit exceeded, limit of 20000")
	f("costly words", "k,a,:has"+strings.Repeat(",:dup,:and", 12)+",:set,"+
		"(,"+strings.Repeat("a,", 300)+"),(,:drop,k,:get,:drop,),:each", "expression too costly: more than 250000 nodes built")
	f("costly patterns", "p,[a-z]{999}.{999}.{999}.{999},:set,(,"+strings.Repeat("a,", 300)+"),(,:drop,k,p,:get,:re,:drop,),:each",
		"expression too costly: more than 250000 nodes built")
}

func TestStackSizeIsReachable(t *testing.T) {
	in := interpreter(asl.Limits{Stack: 10})
	c, err := in.Run("1" + strings.Repeat(",:dup", 9))
	if err != nil || len(c.Stack) != 10 {
		t.Fatalf("got %v, %v", c, err)
	}
	if _, err = in.Run("1" + strings.Repeat(",:dup", 10)); err == nil {
		t.Fatal("an eleventh item fits on a stack of ten")
	}
}

func TestPresetVariablesSurviveFreeze(t *testing.T) {
	preset := map[string]any{"foo": "original"}
	c, err := interpreter(asl.Limits{}).RunWith("foo,1,:set,x,2,:set,:freeze,foo,:get", asl.Options{Vars: preset})
	if err != nil {
		t.Fatal(err)
	}
	if got := text(c); got != "original" {
		t.Errorf("got %s", got)
	}
	if len(preset) != 1 || preset["foo"] != "original" {
		t.Errorf("the run changed its input: %v", preset)
	}
}

func TestUnstableWords(t *testing.T) {
	in := asl.New(asl.Vocabulary{{Name: "new", Unstable: true, Match: asl.Any,
		Run: func(c *asl.Context) error { c.Push("x"); return nil }}}, asl.Limits{})
	if _, err := in.Run(":new"); err == nil || err.Error() != "to use :new enable unstable features" {
		t.Errorf("got %v", err)
	}
	if c, err := in.RunWith(":new", asl.Options{Unstable: true}); err != nil || text(c) != "x" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestQueryWords(t *testing.T) {
	f := func(program, want string) {
		t.Helper()
		if got := stack(t, program); got != want {
			t.Errorf("%s: got %s, want %s", program, got, want)
		}
	}
	f("a,b,:eq,:true,:and", "a,b,:eq")
	f("a,(,),:in", ":false")
	f("a,(,b,),:in", "a,b,:eq")
	f("a,(,c,b,c,),:in,:not", "a,(,c,b,c,),:in,:not")
	f("a,b.c,:contains", `a,.*b\.c,:re`)
	f("a,b.c,:starts", `a,b\.c,:re`)
	f("a,b.c,:ends", `a,.*b\.c$,:re`)
	f("a,b|c,:starts", `a,b\|c,:re`)
	f("a,B,:reic", "a,B,:reic")
	f("a,1,:lt,a,2,:le,a,3,:gt,a,4,:ge", "a,1,:lt a,2,:le a,3,:gt a,4,:ge")
}

func TestDebug(t *testing.T) {
	steps, err := interpreter(asl.Limits{}).Debug("a,(,b,c,),:freeze,x,k,:sset", asl.Anything, asl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 7 {
		t.Fatalf("%d steps, want 7: %v", len(steps), steps)
	}
	if got := steps[2]; !slices.Equal(got.Stack, []string{"(,b,c,)", "a"}) || len(got.Program) != 4 {
		t.Errorf("after the list: %v", got)
	}
	if got := steps[3]; len(got.Stack) != 0 {
		t.Errorf("frozen items appear before the end: %v", got)
	}
	last := steps[6]
	if !slices.Equal(last.Stack, []string{"(,b,c,)", "a"}) || last.Variables["k"] != "x" || len(last.Program) != 0 {
		t.Errorf("at the end: %v", last)
	}
	big := "a,:has" + strings.Repeat(",:dup,:and", 12) + strings.Repeat(",:dup", 400)
	if _, err := interpreter(asl.Limits{}).Debug(big, asl.Anything, asl.Options{}); err == nil {
		t.Error("the text of all steps is not limited")
	}
}

func TestComplete(t *testing.T) {
	words, err := interpreter(asl.Limits{}).Complete("a,b", asl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, w := range words {
		names = append(names, w.Name)
	}
	want := []string{"has", "eq", "lt", "le", "gt", "ge", "re", "contains", "starts", "ends"}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	words, err = interpreter(asl.Limits{}).Complete("a,(b", asl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(words, func(w asl.Word) bool { return w.Name == "re" }) {
		t.Error("offers :re, which would refuse the pattern")
	}
}
