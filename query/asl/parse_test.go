package asl_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse/query/asl"
	"pulse/query/expr"
)

func TestParseStyle(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	f := func(program string, want ...string) {
		t.Helper()
		styles, err := in.ParseStyle(program)
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		var got []string
		for _, s := range styles {
			got = append(got, s.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", program, got, want)
		}
	}
	f("name,a,:eq", "name,a,:eq,:sum")
	f("1,2", "1.0,:const", "2.0,:const")
	f("name,a,:eq,5.9,:const,2,:const,:rolling-mean", "name,a,:eq,:sum,5,2,:rolling-mean")
	f("name,a,:eq,1,:const,:clamp-min", "name,a,:eq,:sum,1.0,:clamp-min")
	f("name,a,:eq,:freeze,name,b,:eq,:max,x,:legend", "name,a,:eq,:sum", "name,b,:eq,:max,x,:legend")
	f("name,a,:eq,:dup,1,:add,:list,(,app,b,:eq,:cq,),:each",
		"name,a,:eq,app,b,:eq,:and,:sum", "name,a,:eq,app,b,:eq,:and,:sum,1.0,:const,:add")
}

func TestParseErrors(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	f := func(_ any, err error, want string) {
		t.Helper()
		var e *asl.Error
		if !errors.As(err, &e) || e.Message != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	styles, err := in.ParseStyle("name,a,:eq,foo")
	f(styles, err, "expecting time series expr, found String 'foo'")
	styles, err = in.ParseStyle("(,a,)")
	f(styles, err, "expecting time series expr, found List '(,a,)'")
	styles, err = in.ParseStyle(" , ")
	f(styles, err, "expecting time series expr, the expression is empty")
	series, err := in.ParseTimeSeries("1,x,:legend")
	f(series, err, "expecting time series expr, found StyleExpr '1.0,:const,x,:legend'")
	q, err := in.ParseQuery("a,b,:eq,c,:has")
	f(q, err, "expecting one query, found [Equal,HasKey]")
	q, err = in.ParseQuery("a,b,:eq,:sum")
	f(q, err, "expecting query, found Sum 'a,b,:eq,:sum'")
	styles, err = in.ParseStyle("name,a,:eq,2,:sub,name,a,:eq,:max,:neg,name,a,:eq,:avg,name,a,:eq,1,:gt,3,:rolling-max,NaN,:const,:delay")
	f(styles, err, "no matches for word ':delay' with stack [Subtract,Negate,NamedRewrite,RollingMax,Constant], candidates: [TimeSeries n:Int -- TimeSeries]")
	long, err := in.ParseStyle(strings.Repeat("x", 500))
	f(long, err, "expecting time series expr, found String '"+strings.Repeat("x", 200)+"...'")
}

// However often a program doubles what is on the stack, it ends soon.
func TestDoublingEnds(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	for _, program := range []string{
		"a,:has,:sum" + strings.Repeat(",:dup,:add", 400),
		"a,:has" + strings.Repeat(",:avg", 900),
		"a,:has" + strings.Repeat(",:stddev", 900),
		"a,:has,(,b,),:by" + strings.Repeat(",:pct", 900),
		"a,:has,:sum" + strings.Repeat(",:dup,:filter", 400),
		"a,:has,:sum" + strings.Repeat(",:dup,:dup,:add,(,k,),:cg,:sub", 150),
		"a,:has,:sum" + strings.Repeat(",:dup,:add", 11) + strings.Repeat(",b,c,:eq,:cq,1h,:offset,(,k,),:cg", 90),
		"a,:has,:sum" + strings.Repeat(",:dup,:add", 11) + strings.Repeat(",:abs", 900),
		strings.Repeat("a,:has,:sum"+strings.Repeat(",:dup,:add", 11)+",", 40),
	} {
		start := time.Now()
		styles, err := in.ParseStyle(program)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%.60s... took %v", program, took)
		}
		var e *asl.Error
		if !errors.As(err, &e) || e.Kind != asl.Limit {
			t.Errorf("%.60s... gives %d styles, %v", program, len(styles), err)
		}
	}
}

func TestNormalize(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	f := func(program string, want ...string) {
		t.Helper()
		got, err := in.Normalize(program, asl.Options{})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", program, got, err, want)
		}
	}
	f("zoo,z,:eq,name,n,:eq,:and,$name,:legend,:line", "name,n,:eq,zoo,z,:eq,:and,:sum,$(name),:legend")
	f("name,n,:eq,(,a,),:by,:dup,max,:stat,5,:gt,:filter", "name,n,:eq,:sum,(,a,),:by,:stat-max,5.0,:gt,:filter")
	f("foo,1,(,x,)", "1.0")
	many := "a,:has,b,:has,:or" + strings.Repeat(",:dup,:and", 5)
	if _, err := in.Normalize(many, asl.Options{}); err == nil || !strings.HasPrefix(err.Error(), "query is too complex") {
		t.Errorf("got %v", err)
	}
}

func TestQueriesAndStrip(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	got, err := in.Queries("name,b,:eq,:dup,:sum,name,a,:eq,:max,1,foo", asl.Options{})
	if err != nil || !slices.Equal(got, []string{"name,a,:eq", "name,b,:eq"}) {
		t.Errorf("queries %q, %v", got, err)
	}
	got, err = in.Strip("name,a,:eq,k,v,:eq,:and,(,k,j,),:by,max,5,:topk,x,:legend", []string{"k"}, []string{"filter", "style"}, asl.Options{})
	if err != nil || !slices.Equal(got, []string{"name,a,:eq,:sum,(,j,),:by"}) {
		t.Errorf("strip %q, %v", got, err)
	}
	got, err = in.Strip("name,a,:eq,name,b,:eq", nil, nil, asl.Options{})
	if err != nil || !slices.Equal(got, []string{"name,b,:eq,:sum", "name,a,:eq,:sum"}) {
		t.Errorf("strip %q, %v", got, err)
	}
	if _, err = in.Strip("1", nil, []string{"math"}, asl.Options{}); err == nil || err.Error() != "vocabulary 'math' not supported" {
		t.Errorf("got %v", err)
	}
}

// The list of shifts that :offset once took is written with the word, the last
// expression first.
func TestRewrite(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	f := func(program string, want ...string) {
		t.Helper()
		got, err := in.Rewrite(program, asl.Options{})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", program, got, err, want)
		}
		if before, after := drawn(t, in, program), drawn(t, in, want...); !slices.Equal(before, after) {
			t.Errorf("%s: %q, after %q", program, before, after)
		}
	}
	f("a,1,:eq,b,2,:eq,:and,:avg", "a,1,:eq,b,2,:eq,:and,:avg")
	f("a,1,:eq,(,),:offset", "a,1,:eq,:sum,(,),:offset")
	f("a,1,:eq,(,0d,),:offset", "a,1,:eq,:sum")
	f("a,1,:eq,x,:legend,(,7d,),:offset", "a,1,:eq,:sum,x,:legend,1w,:offset")
	f("a,1,:eq,(,0d,1d,2w,),:offset,x,:legend", "Query0,a,1,:eq,:sum,x,:legend,:set,Query0,:get,Query0,:get,1d,:offset,Query0,:get,2w,:offset")
	f("a,1,:eq,(,1d,2d,),:offset,b,2,:eq", "b,2,:eq,:sum", "Query1,a,1,:eq,:sum,:set,Query1,:get,1d,:offset,Query1,:get,2d,:offset")
	if got, err := in.Rewrite("a,1,:eq,(,soon,),:offset", asl.Options{}); err == nil || err.Error() != "invalid period soon" {
		t.Errorf("got %q, %v", got, err)
	}
}

// drawn returns the texts of what a graph draws for the programs, sorted.
func drawn(t *testing.T, in *asl.Interpreter, programs ...string) []string {
	t.Helper()
	var out []string
	for _, program := range programs {
		styles, err := in.ParseStyle(program)
		if err == nil {
			styles, err = expr.SplitOffsets(styles)
		}
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		for _, s := range styles {
			out = append(out, s.String())
		}
	}
	slices.Sort(out)
	return out
}

func TestVocabularyByName(t *testing.T) {
	for _, c := range []struct{ name, has, lacks string }{
		{"std", "dup", "eq"}, {"query", "cq", "sum"}, {"data", "sum", "add"}, {"math", "add", "delay"},
		{"stateful", "delay", "filter"}, {"filter", "topk", "legend"}, {"style", "legend", "node-avg"}, {"", "node-avg", "none"},
	} {
		v, _, ok := asl.ByName(c.name)
		if !ok || len(v.Named(c.has)) == 0 || len(v.Named(c.lacks)) > 0 {
			t.Errorf("%q: lacks :%s or has :%s", c.name, c.has, c.lacks)
		}
	}
	if _, _, ok := asl.ByName("nope"); ok {
		t.Error("there is a vocabulary nope")
	}
	words, want, _ := asl.ByName("query")
	_, err := asl.New(words, asl.Limits{}).Debug("a,:has,b,:has", want, asl.Options{})
	if err == nil || err.Error() != "expected a single query, found [HasKey,HasKey]" {
		t.Errorf("got %v", err)
	}
}

func BenchmarkParse(b *testing.B) {
	in := asl.New(asl.All(), asl.Limits{})
	const program = "nf.app,www,:eq,name,http.requests,:eq,:and,:dup,status,5.*,:re,:and,(,region,),:by,:swap,(,region,),:by," +
		":div,100,:mul,:dup,:des-fast,1.2,:mul,:gt,5,:rolling-count,3,:gt,$region,:legend,f00,:color"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.ParseStyle(program); err != nil {
			b.Fatal(err)
		}
	}
}
