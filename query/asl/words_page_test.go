package asl_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"pulse/query/asl"
)

var rewrite = flag.Bool("rewrite", false, "write WORDS.md anew")

// WORDS.md lists every word with what its examples leave on the stack.
func TestWordsPage(t *testing.T) {
	const file = "WORDS.md"
	want := wordsPage()
	if *rewrite {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date: run go test ./query/asl -run TestWordsPage -rewrite and review the change", file)
	}
}

func wordsPage() string {
	var out strings.Builder
	out.WriteString("# Words\n\nEvery word of the language, with the stack its examples leave (top last). " +
		"Generated from the vocabulary: `go test ./query/asl -run TestWordsPage -rewrite`.\n")
	in := asl.New(asl.All(), asl.Limits{})
	seen := 0
	for _, name := range []string{"std", "query", "data", "math", "stateful", "filter", "style", "custom"} {
		words, _, _ := asl.ByName(name)
		fmt.Fprintf(&out, "\n## %s\n", name)
		for _, w := range words[seen:] {
			fmt.Fprintf(&out, "\n### :%s\n\n`%s`", w.Name, strings.TrimSpace(w.Signature))
			if w.Unstable {
				out.WriteString(" (unstable)")
			}
			fmt.Fprintf(&out, "\n\n%s\n", w.Doc)
			for i, example := range w.Examples {
				if i == 0 {
					out.WriteString("\n")
				}
				writeExample(&out, in, w, example)
			}
		}
		seen = len(words)
	}
	return out.String()
}

func writeExample(out *strings.Builder, in *asl.Interpreter, w asl.Word, example string) {
	body, fails := strings.CutPrefix(example, "ERROR:")
	program := strings.TrimPrefix(body+",:"+w.Name, ",")
	c, err := in.RunWith(program, asl.Options{Unstable: true})
	switch {
	case err != nil && fails:
		fmt.Fprintf(out, "- `%s` is refused\n", program)
	case err != nil:
		fmt.Fprintf(out, "- `%s` fails: %v\n", program, err)
	case len(c.Stack) == 0:
		fmt.Fprintf(out, "- `%s` leaves nothing\n", program)
	default:
		items := make([]string, len(c.Stack))
		for i, item := range c.Stack {
			items[i] = "`" + asl.Text(item) + "`"
		}
		fmt.Fprintf(out, "- `%s` leaves %s\n", program, strings.Join(items, " "))
	}
}
