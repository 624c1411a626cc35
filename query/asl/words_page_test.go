package asl_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"pulse/query/asl"
)

var rewrite = flag.Bool("rewrite", false, "write docs/asl.md anew")

// The reference page is made of what is written by hand and of the vocabulary,
// every word with what its examples leave on the stack.
func TestPageOfWords(t *testing.T) {
	const file = "../../docs/asl.md"
	head, err := os.ReadFile("testdata/head.md")
	if err != nil {
		t.Fatal(err)
	}
	want := string(head) + wordsPage()
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
		t.Errorf("%s is out of date: run go generate ./query/asl and review the change", file)
	}
}

// Expressions that the page shows run, and the error that it shows is that error.
func TestExpressionsOfThePage(t *testing.T) {
	head, err := os.ReadFile("testdata/head.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```asl\n(.*?)```").FindAllStringSubmatch(string(head), -1)
	if len(shown) < 5 {
		t.Fatalf("%d expressions", len(shown))
	}
	for _, m := range shown {
		if _, err := every().ParseStyle(m[1]); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	var e *asl.Error
	const program = "name,starts,:eq,:agv"
	if _, err := every().ParseStyle(program); !errors.As(err, &e) || !strings.Contains(string(head), "```\n"+e.Explain(program)+"\n```") {
		t.Errorf("the page does not show\n%v", e.Explain(program))
	}
}

// vocabularies are the sections of the page.
var vocabularies = []struct{ name, title, about string }{
	{"std", "Arranging the stack", "They know nothing of what the items mean. `a b` means that b is on top."},
	{"query", "Selecting series", "By their tags. A condition on a key that a series lacks is false."},
	{"data", "What is fetched", "One line, or one for each group, made of the series of a query."},
	{"math", "Computing", "With the lines, value by value."},
	{"stateful", "Looking back", "The result depends on values before; a graph begins without any."},
	{"filter", "Choosing lines", "By looking at the whole range of the graph."},
	{"style", "Showing lines", "They set what the picture and the legend need."},
	{"custom", "Averages over machines", "Words that a configuration could add."},
}

func wordsPage() string {
	var out strings.Builder
	out.WriteString("\n# Words\n\n<!-- made by go generate ./query/asl from the vocabulary -->\n\nEach with what it takes and leaves, and examples with the stack that they leave, the top last.\n\n| | |\n| --- | --- |\n")
	in := asl.New(asl.All(), asl.Limits{})
	seen := 0
	for _, v := range vocabularies {
		words, _, _ := asl.ByName(v.name)
		fmt.Fprintf(&out, "| [%s](#%s) |", v.title, strings.ReplaceAll(strings.ToLower(v.title), " ", "-"))
		for i, w := range words[seen:] {
			if i == 0 || words[seen+i-1].Name != w.Name {
				fmt.Fprintf(&out, " `:%s`", w.Name)
			}
		}
		out.WriteString(" |\n")
		seen = len(words)
	}
	seen = 0
	for _, v := range vocabularies {
		words, _, _ := asl.ByName(v.name)
		fmt.Fprintf(&out, "\n## %s\n\n%s\n", v.title, v.about)
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
