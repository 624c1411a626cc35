package asl_test

import (
	"errors"
	"strings"
	"testing"

	"pulse/query/asl"
)

// texts are what a made program pushes: arguments of words, and what stands in
// their way.
var texts = []string{
	"name", "sps", "5", "0.5", "-1", "NaN", "1e300", "10m", "avg", "max", "area", "f00", "40", "2", "e-5m", "hourOfDay", "$name", "(.*)a", "$1", "reds", "hex",
	"(,node,)", "(,a,b,)", "(,50,99.9,)", "(,0h,1d,)", "(,)", "(,:dup,:add,)", "a\\u002cb", "x y", "\\u005cu002c", "name,sps,:eq", "node,i-.*,:re", "app,(,x,y,),:in",
}

// madeProgram is a program of words that fit, as the bytes choose.
func madeProgram(in *asl.Interpreter, choices []byte) string {
	var program []string
	for _, b := range choices[:min(len(choices), 40)] {
		if b < 110 {
			program = append(program, texts[int(b)%len(texts)])
			continue
		}
		c, err := in.RunWith(strings.Join(program, ","), asl.Options{Unstable: true})
		if err != nil {
			return strings.Join(program, ",")
		}
		var fit []string
		for _, w := range in.Vocabulary() {
			if w.Match(c.Stack) && w.Name != "named-rewrite" && w.Name != "format" { // they make what has no spelling
				fit = append(fit, ":"+w.Name)
			}
		}
		program = append(program, fit[int(b-110)*7919%len(fit)])
	}
	return strings.Join(program, ",")
}

// Expressions made of words that fit print as text that makes them again; their
// normal form is an expression, and its own normal form.
func FuzzWords(f *testing.F) {
	in := every()
	for i := range 200 {
		f.Add([]byte{byte(30 + i%3), byte(i), byte(i * 7), byte(111 + i), byte(i * 13), byte(200 - i), byte(i * 3), byte(255 - i)})
	}
	wide := asl.New(in.Vocabulary(), asl.Limits{Bytes: 1 << 22, Words: 1 << 20, Stack: 1 << 20, Steps: 1 << 21, Work: 1 << 30, Nodes: 1 << 24})
	f.Fuzz(func(t *testing.T, choices []byte) {
		program := madeProgram(in, choices)
		o := asl.Options{Unstable: true}
		c, err := in.RunWith(program, o)
		if err != nil {
			var e *asl.Error
			if !errors.As(err, &e) || e.Explain(program) == "" {
				t.Fatalf("%s: %v", program, err)
			}
			return
		}
		for _, item := range c.Stack {
			text := asl.Text(item)
			again, err := wide.RunWith(text, o)
			if err != nil || len(again.Stack) != 1 || asl.Text(again.Stack[0]) != text {
				t.Fatalf("%s leaves %s, which is not read back: %v", program, text, err)
			}
			if !asl.IsStyle(item) {
				continue
			}
			normal, err := wide.Normalize(text, o)
			if err != nil {
				if !strings.Contains(err.Error(), "query is too complex") {
					t.Fatalf("%s leaves %s, which has no normal form: %v", program, text, err)
				}
				continue
			}
			twice, err := wide.Normalize(strings.Join(normal, ","), o)
			if err != nil || strings.Join(twice, ",") != strings.Join(normal, ",") {
				t.Fatalf("%s leaves %s, whose normal form %s is read as %s: %v", program, text, normal, twice, err)
			}
		}
		if _, err := in.Typing(program, o); err != nil {
			return // what stands before the last token need not run
		}
	})
}
