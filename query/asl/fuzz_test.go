package asl_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pulse/query/asl"
)

// seeds are the examples of every word and programs that test the limits.
func seeds(in *asl.Interpreter) []string {
	out := []string{
		"name,sps,:eq,(,region,),:by", "a,b,:freeze,c,:2over", `k,\u005cu0041,:eq`, "(,1,2,),(,:dup,),:each,:list",
		"f,(,f,:fcall,),:set,f,:fcall", "a,:has" + strings.Repeat(",:dup,:and", 40), "a/* x */,b*/", "%5.1f|%-3s,(,1,x,),:format",
		"((,)),(,(,),),:call", "a,.*x$,:re,:not,:dup,:or", ",,,", "a,-1,:roll", "a,2147483648,:nlist",
	}
	for _, w := range in.Vocabulary() {
		for _, e := range w.Examples {
			out = append(out, strings.TrimPrefix(e, "ERROR:")+",:"+w.Name)
		}
	}
	return out
}

// hasSpelling is false for programs with words that make what no program can
// spell: rewrites named after no word, and empty literals.
func hasSpelling(program string) bool {
	tokens, err := asl.Tokenize(program)
	return err == nil && !slices.ContainsFunc(tokens, func(k asl.Token) bool {
		return k.Text == ":named-rewrite" || k.Text == ":format"
	})
}

// A program never panics and fails with an *asl.Error; what it leaves on the
// stack reads back as itself.
func FuzzInterpreter(f *testing.F) {
	in := asl.New(asl.All(), asl.Limits{})
	for _, s := range seeds(in) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, program string) {
		c, err := in.RunWith(program, asl.Options{Unstable: true})
		if err != nil {
			var e *asl.Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: %T %v", program, err, err)
			}
			if e.Offset > len(program) || e.Offset >= 0 && e.Token == "" {
				t.Fatalf("%q: error at %d of %d, token %q", program, e.Offset, len(program), e.Token)
			}
			return
		}
		if len(c.Stack) > 1024 {
			t.Fatalf("%q leaves %d items", program, len(c.Stack))
		}
		if !hasSpelling(program) {
			return
		}
		for _, item := range c.Stack {
			text := asl.Text(item)
			again, err := asl.New(in.Vocabulary(), asl.Limits{Bytes: 1 << 22, Words: 1 << 20, Steps: 1 << 21, Work: 1 << 30}).RunWith(text, asl.Options{Unstable: true})
			if err != nil {
				t.Fatalf("%q leaves %q, which fails: %v", program, text, err)
			}
			if len(again.Stack) != 1 || asl.Text(again.Stack[0]) != text {
				t.Fatalf("%q leaves %q, which reads as %d items, the first %q", program, text, len(again.Stack), asl.Text(again.Stack[0]))
			}
		}
	})
}
