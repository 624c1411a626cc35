package query_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"pulse/query"
)

// Decimals as Java's formatter writes them: half of the shortest decimals away
// from zero, not half of the binary number to even.
func TestAppendFixed(t *testing.T) {
	for _, c := range []struct {
		v        float64
		decimals int
		want     string
	}{
		{0, 6, "0.000000"},
		{math.Copysign(0, -1), 6, "-0.000000"},
		{1.5, 6, "1.500000"},
		{-1e-9, 6, "-0.000000"},
		{0.25, 1, "0.3"},
		{0.35, 1, "0.4"},
		{-0.25, 1, "-0.3"},
		{0.1234565, 6, "0.123457"},
		{0.1234564, 6, "0.123456"},
		{9.99, 1, "10.0"},
		{-99.96, 1, "-100.0"},
		{0.96, 1, "1.0"},
		{1e22, 1, "10000000000000000000000.0"},
		{1e-300, 3, "0.000"},
		{math.NaN(), 6, "NaN"},
		{math.Inf(1), 6, "Infinity"},
		{math.Inf(-1), 6, "-Infinity"},
	} {
		if got := string(query.AppendFixed([]byte("x"), c.v, c.decimals)); got != "x"+c.want {
			t.Errorf("%v with %d decimals: got %s, want x%s", c.v, c.decimals, got, c.want)
		}
	}
}

// evalLines evaluates what needs no data over two minutes.
func evalLines(t *testing.T, r query.Request) []query.ResultLine {
	t.Helper()
	r.End, r.Step = 120_000, 60_000
	result, err := query.New(open(t), query.Options{}).Eval(context.Background(), r)
	if err != nil {
		t.Fatalf("%s: %v", r.Program, err)
	}
	return result.Lines
}

// Statistics in legends have one decimal and the unit prefixes of the axis.
func TestLegendStatistics(t *testing.T) {
	for _, c := range []struct{ value, decimal, binary string }{
		{"0", "0.0", "0.0"},
		{"1e-13", "0.0", "0.0"},
		{"1e-12", "1.0p", "1.0p"},
		{"0.000025", "25.0μ", "25.0μ"},
		{"0.25", "250.0m", "250.0m"},
		{"42", "42.0", "42.0"},
		{"-1000", "-1.0k", "-1000.0"},
		{"1024", "1.0k", "1.0Ki"},
		{"1536000", "1.5M", "1.5Mi"},
		{"1e24", "1.0Y", "847.0Zi"},
		{"2e27", "2e+27", "2e+27"},
		{"NaN", "NaN", "NaN"},
	} {
		program := c.value + ",$atlas.max,:legend," + c.value + ",$(atlas.last)/$(atlas.min)/$(atlas.avg),:legend,2,:axis"
		for i, l := range evalLines(t, query.Request{Program: program, Binary: []int{2}}) {
			want := []string{c.decimal, c.binary + "/" + c.binary + "/" + c.binary}[i]
			if l.Legend != want {
				t.Errorf("%s on axis %d: got %q, want %q", c.value, 2*i, l.Legend, want)
			}
		}
	}
}

// A line keeps its place for colours whatever the order and the limit.
func TestPlacesOfLines(t *testing.T) {
	st := open(t)
	for i, node := range []string{"a", "b", "c"} {
		load(t, st, 60_000, parseTags(t, "name=m,node="+node), float64(5-i), float64(5-i))
	}
	engine := query.New(st, query.Options{})
	for program, want := range map[string]string{
		"name,m,:eq,(,node,),:by":                                     "(node=a) 0 0/3, (node=b) 0 1/3, (node=c) 0 2/3",
		"name,m,:eq,(,node,),:by,max,:sort":                           "(node=c) 0 2/3, (node=b) 0 1/3, (node=a) 0 0/3",
		"1,name,m,:eq,(,node,),:by,max,:sort,1,:limit":                "1.0 0 0/1, (node=c) 1 2/3",
		"name,m,:eq,(,node,),:by,$node,:legend,[ab],z,:s,desc,:order": "z 0 1/3, z 0 2/3, c 0 0/3",
	} {
		result, err := engine.Eval(context.Background(), query.Request{Program: program, End: 120_000, Step: 60_000})
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		got := ""
		for i, l := range result.Lines {
			if i > 0 {
				got += ", "
			}
			got += fmt.Sprintf("%s %d %d/%d", l.Legend, l.Expr, l.Nth, l.Of)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", program, got, want)
		}
	}
}
