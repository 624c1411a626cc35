package asl_test

import (
	"strings"
	"testing"

	"pulse/query/asl"
	"pulse/query/expr"
)

// every is an interpreter of the whole language.
func every() *asl.Interpreter { return asl.New(asl.All(), asl.Limits{}) }

func TestCanonicalText(t *testing.T) {
	f := func(program, want string) {
		t.Helper()
		styles, err := every().ParseStyleWith(program, asl.Options{Unstable: true})
		if err != nil {
			t.Errorf("%s: %v", program, err)
			return
		}
		var got []string
		for _, s := range styles {
			got = append(got, s.String())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s:\n got %s\nwant %s", program, s, want)
		}
	}
	f("name,a,:eq", "name,a,:eq,:sum")
	f("42", "42.0,:const")
	f("1e10,5e-4,-0", "1.0E10,:const 5.0E-4,:const -0.0,:const")
	f("name,a,:eq,:max,:cf-avg,1h,:offset", "name,a,:eq,:max,:cf-avg,1h,:offset")
	f("name,a,:eq,:max,:cf-max", "name,a,:eq,:max")
	f("name,a,:eq,(,x,),:by,90s,:offset", "name,a,:eq,:sum,(,x,),:by,90s,:offset")
	f("name,a,:eq,:avg,:cf-max", "name,a,:eq,:sum,:cf-max,name,a,:eq,:count,:cf-max,:div")
	f("name,a,:eq,:avg,1h,:offset,:cf-min,(,x,),:by", "name,a,:eq,:sum,:cf-min,(,x,),:by,1h,:offset,name,a,:eq,:count,:cf-min,(,x,),:by,1h,:offset,:div")
	f("name,a,:eq,(,x,),:by,:abs,name,b,:eq,:max,:mul,:cf-max", "name,a,:eq,:sum,:cf-max,(,x,),:by,:abs,name,b,:eq,:max,:mul")
	f("name,a,:eq,:node-avg,:cf-sum,1,:cf-sum", "name,a,:eq,:sum,:cf-sum,name,poller.asg.instance,:eq,:sum,:cf-sum,:div 1.0,:const")
	f("name,a,:eq,(,50,),:percentiles,:cf-max,1h,:offset", "name,a,:eq,(,50.0,),:percentiles,:cf-max,1h,:offset")
	f("name,a,:eq,$x,:legend,:cf-max", "name,a,:eq,:sum,:cf-max,$x,:legend")
	f("name,a,:eq,(,x,y,),:by,:avg,(,x,),:by,(,z,),:cg", "name,a,:eq,:sum,(,x,y,z,),:by,:avg,(,x,z,),:by")
	f("name,a,:eq,:sum,:des-fast,(,x,),:by", "name,a,:eq,:sum,(,x,),:by,:des-fast")
	f("name,a,:eq,:des-fast,(,x,),:by", "name,a,:eq,:des-fast,(,x,),:by")
	f("name,a,:eq,(,x,),:by,(,99,50,50,),:percentiles", "name,a,:eq,(,x,),:by,(,50.0,99.0,),:percentiles")
	f(`name,a,:eq,a\u002cb\u003a,:legend,red,:color,:area`, `name,a,:eq,:sum,:area,a\u002cb\u003a,:legend,red,:color`)
	f("name,a,:eq,(,1d,2d,),:offset,(,f00,0f0,),:palette", "name,a,:eq,:sum,(,f00,0f0,),:palette,(,1d,2d,),:offset")
	f("name,a,:eq,x(.),_$1,:s,hex,:decode", "name,a,:eq,:sum,x(.),_$1,:s,hex,:decode")
	f("1,2,:add,3,:mul", "9.0,:const")
	f("name,a,:eq,:dist-avg,b,c,:eq,:cq", "name,a,:eq,b,c,:eq,:and,:dist-avg")
	f("name,a,:eq,10,0.1,0.5,0.2,0.3,name,n,:eq,:des-epic-signal,:clear,line,:get,pred,:get,trainingSize,:get,alpha,:get,beta,:get,maxPercent,:get,minPercent,:get,noise,:get,minPredNoiseBound,:get",
		"name,a,:eq,:sum name,a,:eq,:sum,10,0.1,0.5,:des 10.0,:const 0.1,:const 0.5,:const 0.2,:const 0.3,:const name,n,:eq,:sum name,a,:eq,:sum,10,0.1,0.5,:des,name,n,:eq,:sum,:sub")
	f("name,a,:eq,5,:rolling-count,3,2,:rolling-mean,PT5M,:trend", "name,a,:eq,:sum,5,:rolling-count,3,2,:rolling-mean,5m,:trend")
}

// A word that an operator configures and that keeps its short form is written
// with all that follows it.
func TestConfiguredRewrites(t *testing.T) {
	words, err := asl.AllWith(asl.Custom{Words: []asl.CustomWord{
		{Name: "plain", Body: ":dup,:sum,plain,:named-rewrite"},
		{Name: "double", Body: ":dup,2,:mul,double,:named-rewrite"},
		{Name: "top", Body: ":dup,:max,top,:named-rewrite"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	in := asl.New(words, asl.Limits{})
	f := func(program, want, keys string) {
		t.Helper()
		s, err := in.ParseStyle(program)
		if err != nil {
			t.Errorf("%s: %v", program, err)
			return
		}
		again, err := in.ParseStyle(want)
		if err != nil || !expr.Equal(s[0], again[0]) {
			t.Errorf("%s: %v is not what its text gives: %v, %v", program, s[0], again, err)
		}
		if got := s[0].String(); got != want || strings.Join(s[0].Expr.Keys(), " ") != keys {
			t.Errorf("%s: got %s grouped by %v, want %s by %s", program, got, s[0].Expr.Keys(), want, keys)
		}
	}
	f("name,a,:eq,:plain", "name,a,:eq,:plain", "")
	f("name,a,:eq,:plain,(,x,),:by", "name,a,:eq,:plain,(,x,),:by", "x")
	f("name,a,:eq,:plain,1h,:offset,b,:has,:cq", "name,a,:eq,b,:has,:and,:plain,1h,:offset", "")
	f("name,a,:eq,:plain,1h,:offset,(,x,),:by,b,:has,:cq", "name,a,:eq,b,:has,:and,:plain,1h,:offset,(,x,),:by", "x")
	f("name,a,:eq,:plain,(,x,),:cg,(,y,x,),:cg", "name,a,:eq,:plain,(,x,y,),:by", "x y")
	f("name,a,:eq,:double,(,x,),:by", "name,a,:eq,:double,(,x,),:by", "x")
	f("name,a,:eq,:sum,:double,(,x,),:by,1h,:offset", "name,a,:eq,:sum,(,x,),:by,1h,:offset,:double", "x")
	f("name,a,:eq,$x,:legend,:double", "name,a,:eq,:sum,:double,$x,:legend", "")
	f("name,a,:eq,(,x,y,),:by,:top,(,x,),:by", "name,a,:eq,:sum,(,x,y,),:by,:top,(,x,),:by", "x")
	f("name,a,:eq,(,x,),:by,:top,(,y,),:cg", "name,a,:eq,:sum,(,x,y,),:by,:top", "")
	f("name,a,:eq,(,x,y,),:by,:top,(,x,),:by,(,z,),:cg,b,:has,:cq,1h,:offset", "name,a,:eq,b,:has,:and,:sum,(,x,y,z,),:by,1h,:offset,:top,(,x,z,),:by", "x z")
}

// A grouping after a word that folds lines would fold the groups into one, so
// it must say what it folds first.
func TestGroupingOfFoldedLines(t *testing.T) {
	for _, program := range []string{"name,a,:eq,:stddev,(,x,),:by", "name,a,:eq,:sum,:avg,(,x,),:by", "name,a,:eq,2,:mul,:sum,:pct,(,x,),:by"} {
		s, err := every().ParseStyle(program)
		if err == nil || !strings.Contains(err.Error(), "must already be grouped") {
			t.Errorf("%s: %v, %v", program, s, err)
		}
	}
}

// A statistic that stands outside of a filter means nothing, also in what a
// filter filters: what is done with the filter later does not make it grow.
func TestStatisticsOutsideFilters(t *testing.T) {
	const filters = ":stat-last,:avg,:stat-count,:filter,:stat-count,:filter"
	s, err := every().ParseStyle(filters + strings.Repeat(",a,:has,:cq,1h,:offset", 30))
	if err != nil || s[0].String() != filters {
		t.Fatalf("%v, %v", s, err)
	}
	if n := s[0].Expr.(interface{ Size(limit int) int }).Size(1000); n > 50 {
		t.Errorf("%d nodes", n)
	}
	if got, err := every().Normalize(filters, asl.Options{}); err != nil || strings.Join(got, " ") != filters {
		t.Errorf("normal form %v, %v", got, err)
	}
}
