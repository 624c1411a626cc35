package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// drawn is a graph with one value for each step of each line.
func drawn(stepMs int64, lines ...[]float64) *graph {
	g := &graph{Start: 1_700_000_000_000, Step: stepMs}
	for j, values := range lines {
		g.Legend = append(g.Legend, fmt.Sprintf("line %d", j))
		for i, v := range values {
			if len(g.Values) <= i {
				g.Values = append(g.Values, make([]quoted, len(lines)))
			}
			g.Values[i][j] = quoted(v)
		}
	}
	return g
}

func chartOf(g *graph, width, height int) string { return string(appendChart(nil, g, width, height)) }

func TestChart(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name          string
		g             *graph
		width, height int
		want          string
	}{
		{"a value fills its step, no data is blank", drawn(60_000, []float64{0, 8, nan, 4}, []float64{-1, -1, -1, -1}), 51, 9, `
        8 ┤          ••••••••••
          ┤
          ┤                              ••••••••••
          ┤
        0 ┤••••••••••
          ┤++++++++++++++++++++++++++++++++++++++++
          ┤
          ┤
       -8 ┤
           2023-11-14 22:13:20Z to
           2023-11-14 22:16:20Z
                last       min       max
  • line 0         4         0         8
  + line 1        -1        -1        -1
`},
		{"the values of a column that has several", drawn(10_000, []float64{1, 2, 1, 2, 1, 5, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2,
			1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2}), 41, 5, `
        5 ┤  •
          ┤
          ┤
          ┤•• •••••••••••••••••••••••••••
        1 ┤••••••••••••••••••••••••••••••
           2023-11-14 22:13:20Z to
           2023-11-14 22:23:10Z
                last       min
  • line 0         2         1
`},
		{"one value", drawn(60_000, []float64{42}), 40, 4, `
    48.75 ┤
          ┤
          ┤•••••••••••••••••••••••••••••
          ┤
           2023-11-14 22:13:20Z
                last       min
  • line 0        42        42
`},
	} {
		if got := chartOf(c.g, c.width, c.height); got != strings.TrimPrefix(c.want, "\n") {
			t.Errorf("%s:\n%s", c.name, got)
		}
	}
}

// Every value is drawn within the chart, whatever it is, and no line is longer than
// the chart is wide.
func TestChartOfAnything(t *testing.T) {
	values := []float64{0, 1, -1, 0.1, 42, 1e-5, 5e-324, -1e-308, 123456, 999.999, 1e15, 1e15 + 1, -1e17, 1e300, math.MaxFloat64, -math.MaxFloat64}
	for _, a := range values {
		for _, b := range values {
			for height := 4; height <= 30; height++ {
				g := drawn(10_000, []float64{a, b, math.NaN()}, []float64{(a + b) / 2, a, b})
				g.Legend[0] = strings.Repeat("long ", 50) + "\x1b[2J"
				g.Legend[1], g.Notices = strings.Repeat("日本語e\u0301", 20), []string{strings.Repeat("mind the gap ", 20)}
				width := []int{minColumns, 47, 60, 131}[height%4]
				text := chartOf(g, width, height)
				for line := range strings.Lines(text) {
					if n := textColumns(strings.TrimSuffix(line, "\n")); n > width || strings.Contains(line, "\x1b") || strings.Contains(line, "NaN") && !math.IsInf(a+b, 0) {
						t.Fatalf("%v and %v in %d rows: %d columns\n%s", a, b, height, n, text)
					}
				}
				s := newScale(min(a, b), max(a, b), height)
				if lo, hi := s.row(max(a, b)), s.row(min(a, b)); lo < 0 || hi >= height || hi < lo || a != b && max(a, b) < 1e300 && min(a, b) > -1e300 && max(a, b)-min(a, b) > 1e-300 && hi == lo && height > 8 {
					t.Fatalf("%v and %v in %d rows: rows %d and %d of %+v", a, b, height, lo, hi, s)
				}
			}
		}
	}
}

func TestChartWithoutValues(t *testing.T) {
	g := drawn(10_000, []float64{math.NaN(), math.NaN()})
	for n, want := range map[int64]string{
		0: "no data: no series was read: none matches, or the\nexpression asks for none\n  note: mind\n",
		1: "no data: 1 series was read, and there is no value\nat 2023-11-14 22:13:20Z to 2023-11-14 22:13:30Z\n  note: mind\n",
		7: "no data: 7 series were read, and there is no value\nat 2023-11-14 22:13:20Z to 2023-11-14 22:13:30Z\n  note: mind\n",
	} {
		g.Notices, g.Explain.InputLines = []string{"mind"}, n
		if got := chartOf(g, 50, 8); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"starts", 6, "starts"}, {"starts", 5, "st…ts"}, {"starts", 4, "st…s"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日…語"}, {"日本語", 4, "日…"}, {"ｱｲｳ", 3, "ｱｲｳ"},
		{"e\u0301e\u0301", 2, "e\u0301e\u0301"}, {"🚀🚀🚀", 5, "🚀…🚀"}, {"starts", 1, "…"},
	} {
		if got := shorten(c.text, c.n); got != c.want || textColumns(got) > c.n {
			t.Errorf("%s in %d: %s, want %s", c.text, c.n, got, c.want)
		}
	}
	if got := printable("a\x1b[2J\u202eb\u0085\xff"); got != "a?[2J?b?\ufffd" {
		t.Errorf("%q", got)
	}
}
