package asl_test

import (
	"strings"
	"testing"

	"pulse/query/asl"
)

// Every word runs on its own examples, refuses those marked so, and what it
// leaves reads back as itself.
func TestExamples(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	for _, w := range in.Vocabulary() {
		if w.Signature == "" || w.Doc == "" || len(w.Examples) == 0 {
			t.Errorf(":%s lacks a signature, documentation or examples", w.Name)
		}
		for _, example := range w.Examples {
			body, fails := strings.CutPrefix(example, "ERROR:")
			program := body + ",:" + w.Name
			c, err := in.RunWith(program, asl.Options{Unstable: true})
			if fails {
				if err == nil {
					t.Errorf("%s does not fail", program)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", program, err)
				continue
			}
			for _, item := range c.Stack {
				text := asl.Text(item)
				again, err := in.RunWith(text, asl.Options{Unstable: true})
				if err != nil {
					t.Errorf("%s leaves %s, which fails: %v", program, text, err)
				} else if len(again.Stack) != 1 || asl.Text(again.Stack[0]) != text {
					t.Errorf("%s leaves %s, which reads as another expression", program, text)
				}
			}
		}
	}
}
