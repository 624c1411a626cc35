package expr_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/store/tags"
)

// given are six minutes of two nodes with two disks, and a rate.
func given() []expr.RawSeries {
	s := func(gauge bool, values []float64, kv ...string) expr.RawSeries {
		return expr.RawSeries{Tags: tags.Of(kv...), Gauge: gauge, Start: 0, Step: minute, Values: values}
	}
	return []expr.RawSeries{
		s(true, []float64{1, 2, 3, 4, nan, 6}, "name", "disk", "node", "a", "disk", "0"),
		s(true, []float64{10, nan, 30, 40, 50, 60}, "name", "disk", "node", "a", "disk", "1"),
		s(true, []float64{5, 5, 5, 5, 5, 5}, "name", "disk", "node", "b", "disk", "0"),
		s(false, []float64{1, 1, nan, 1, 1, 1}, "name", "req", "node", "a"),
		s(true, []float64{nan, nan, nan, nan, nan, nan}, "name", "idle", "node", "c"),
	}
}

// result writes lines as `label: values`, one per text.
func result(t *testing.T, program string, w expr.Window) string {
	t.Helper()
	styles, err := asl.New(asl.All(), asl.Limits{}).ParseStyleWith(program, asl.Options{Unstable: true})
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, s := range styles {
		lines, err := expr.EvalRaw(s.Expr, given(), w)
		if err != nil {
			return "error: " + err.Error()
		}
		for _, l := range lines {
			out = append(out, fmt.Sprintf("%s: %s", l.Label, strings.Trim(fmt.Sprint(l.Values), "[]")))
		}
	}
	return strings.Join(out, "\n")
}

func TestEvaluation(t *testing.T) {
	whole := expr.Window{Start: 0, End: 6 * minute, Step: minute}
	coarse := expr.Window{Start: 2 * minute, End: 8 * minute, Step: 3 * minute} // two steps: minutes 0 to 2 and 3 to 5
	f := func(w expr.Window, program, want string) {
		t.Helper()
		if got := result(t, program, w); got != want {
			t.Errorf("%s:\n got %s\nwant %s", program, got, want)
		}
	}
	f(whole, "name,disk,:eq", "name=disk: 16 7 38 49 55 71")
	f(whole, "name,disk,:eq,:count,name,idle,:eq,:count", "name=disk: 3 2 3 3 2 3\nname=idle: NaN NaN NaN NaN NaN NaN")
	f(whole, "node,:has,(,node,),:by", "(node=a): 12 3 33 45 51 67\n(node=b): 5 5 5 5 5 5\n(node=c): NaN NaN NaN NaN NaN NaN")
	f(whole, "name,req,:eq,1h,:offset,name,req,:eq,(,node,),:by,1h,:offset", "name=req: 1 1 NaN 1 1 1\n(node=a): 1 1 NaN 1 1 1")
	f(whole, "name,none,:eq,name,none,:eq,(,node,),:by,name,none,:eq,(,node,),:by,:max",
		"NO DATA: NaN NaN NaN NaN NaN NaN\nNO DATA: NaN NaN NaN NaN NaN NaN")
	f(whole, "name,disk,:eq,(,node,),:by,name,req,:eq,(,node,),:by,:div", "name=disk, node=a: 11 2 NaN 44 50 66")
	f(whole, "name,req,:eq,name,disk,:eq,(,disk,),:by,:add",
		"disk=0, name=disk: 7 8 8 10 6 12\ndisk=1, name=disk: 11 1 30 41 51 61")
	f(whole, "name,disk,:eq,(,node,disk,),:by,name,disk,:eq,(,node,),:by,:fsub",
		"disk=0, name=disk, node=a: -10 0 -30 -40 NaN -60\ndisk=1, name=disk, node=a: -1 NaN -3 -4 0 -6\ndisk=0, name=disk, node=b: 0 0 0 0 0 0")
	f(whole, "name,disk,:eq,(,node,),:by,node,n,:as,name,req,:eq,(,node,),:by,node,n,:as,:mul", "n=a, name=disk: 11 2 NaN 44 50 66")
	f(whole, "name,disk,:eq,(,node,disk,),:by,:count,(,node,),:by", "(node=a): 2 1 2 2 1 2\n(node=b): 1 1 1 1 1 1")
	f(whole, "name,disk,:eq,(,node,disk,),:by,:stddev", "name=disk: 3.681787005729087 1.5 12.283683848458853 16.73983937265296 22.5 25.69478978746902")
	f(whole, "name,disk,:eq,:all,name,req,:eq,:all,:mul", "disk=0, name=disk, node=a: 1 2 NaN 4 NaN 6\ndisk=0, name=disk, node=b: 5 5 NaN 5 5 5\ndisk=1, name=disk, node=a: 10 NaN NaN 40 50 60")
	f(whole, "name,req,:eq,:all,name,disk,:eq,:all,:mul", "disk=0, name=disk, node=a: 1 2 NaN 4 NaN 6\ndisk=0, name=disk, node=b: 5 5 NaN 5 5 5\ndisk=1, name=disk, node=a: 10 NaN NaN 40 50 60")
	f(whole, "name,disk,:eq,:all,:dup,:sub", "disk=0, name=disk, node=a: 0 0 0 0 NaN 0\ndisk=0, name=disk, node=b: 0 0 0 0 0 0\ndisk=1, name=disk, node=a: 0 NaN 0 0 0 0")
	f(whole, "name,disk,:eq,:all,node,a,:eq,:all,:add", "disk=0, name=disk, node=a: 2 4 6 8 NaN 12\ndisk=1, name=disk, node=a: 20 NaN 60 80 100 120")

	f(coarse, "name,req,:eq,node,b,:eq", "name=req: 0.6666666666666666 1\nnode=b: 5 5")
	f(coarse, "name,disk,:eq,:max,name,disk,:eq,:cf-max", "name=disk: 30 60\nname=disk: 38 71")
	f(coarse, "disk,1,:eq,disk,1,:eq,:cf-sum,disk,1,:eq,:max,:cf-min", "disk=1: 20 50\ndisk=1: 40 150\ndisk=1: 10 40")
	f(coarse, "name,req,:eq,:per-step", "name=req: 120 180")

	f(whole, "name,disk,:eq,(,node,disk,),:by,max,1,:topk-others-avg",
		"disk=--others--, name=disk, node=--others--: 3 3.5 4 4.5 5 5.5\n(node=a disk=1): 10 NaN 30 40 50 60")
	f(whole, "node,:has,(,node,),:by,avg,1,:topk", "(node=c): NaN NaN NaN NaN NaN NaN")
	f(whole, "node,:has,(,node,),:by,min,1,:bottomk", "(node=a): 12 3 33 45 51 67")
	f(whole, "name,disk,:eq,(,node,),:by,:stat-min,4,:gt,:filter", "(node=b): 5 5 5 5 5 5")
	f(whole, "name,disk,:eq,0,:filter,name,disk,:eq,:stat-max,70,:gt,:filter", "name=disk: 16 7 38 49 55 71")
	f(whole, "name,disk,:eq,(,node,),:by,:stat-avg,:stat-count,:mul,:stat-total,:sub,:abs,1e-6,:lt,:filter,last,:stat",
		"stat-last((node=a)): 66 66 66 66 66 66\nstat-last((node=b)): 5 5 5 5 5 5")
	// Conditions that share a key by a new name keep nothing of that key only.
	f(whole, "name,disk,:eq,(,node,),:by,name,disk,:eq,(,disk,node,),:by,disk,node,:as,0,:gt,:filter", "")
	f(whole, "name,disk,:eq,(,node,),:by,name,disk,:eq,(,node,disk,),:by,disk,x,:as,0,:gt,:filter", "(node=b): 5 5 5 5 5 5")
	f(whole, "name,disk,:eq,median,:stat", "error: unknown statistic: median")
	f(whole, "name,req,:eq,avg,2m,:consolidate,node,b,:eq,avg,2m,:consolidate", "name=req: 0.5 0.5 0.5 1 1 0.5\nnode=b: 5 5 5 5 5 5")

	f(whole, ":pi,:cos,:pi,4,:div,:tan,0,:sec,1,:neg,:abs,:csc", fmt.Sprintf("%[1]s: %[2]s\n%[3]s: %[4]s\n1.0: 1 1 1 1 1 1\n%[5]s: %[6]s",
		"-1.0", six(math.Sin(math.Pi/2-math.Pi)), expr.FormatDouble(math.Sin(math.Pi/4)/math.Sin(math.Pi/2-math.Pi/4)), six(math.Sin(math.Pi/4)/math.Sin(math.Pi/2-math.Pi/4)),
		expr.FormatDouble(1/math.Sin(1)), six(1/math.Sin(1))))
	f(whole, "gs,e-2m,:time-span", "error: end time is relative to itself")
	f(whole, "e-2m,s+2m,:time-span", "error: start and end time are relative to each other")
	f(whole, "e-1m,gs,:time-span", "e-1m to gs: 1 0 0 0 0 0")
	f(whole, "2m,3m,:time-span", "error: invalid date 2m")
	f(whole, "e-2m,3m,:time-span", "error: invalid date 3m")
	f(whole, "ge,gs,:time-span", "error: requirement failed: start must be <= end")
}

func six(v float64) string { return strings.TrimSpace(strings.Repeat(fmt.Sprint(v)+" ", 6)) }

func TestPercentiles(t *testing.T) {
	var series []expr.RawSeries
	add := func(count float64, kv ...string) {
		series = append(series, expr.RawSeries{Tags: tags.Of(append(kv, "name", "lat")...), Step: minute, Values: []float64{count, 0, nan}})
	}
	for v := int64(1); v <= 100; v++ {
		tag := expr.BucketTag(expr.BucketIndex(v), false)
		if n := len(series); n > 0 {
			if last, _ := series[n-1].Tags.Get("percentile"); last == tag {
				series[n-1].Values[0]++
				continue
			}
		}
		add(1, "percentile", tag, "app", "x")
	}
	add(10, "percentile", "T0019", "app", "y")
	add(1, "app", "z")
	w := expr.Window{Start: 0, End: 3 * minute, Step: minute}
	p := func(program string) []expr.Line {
		t.Helper()
		lines, err := expr.EvalRaw(parse(t, program)[0], series, w)
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	lines := p("name,lat,:eq,(,app,),:by,(,0,50,100,),:percentiles")
	if len(lines) != 6 || lines[1].Label != "percentile((app=x),  50.0)" {
		t.Fatalf("lines %v", lines)
	}
	if v := lines[1].Values; math.Abs(v[0]-50) > 2 || !math.IsNaN(v[1]) || !math.IsNaN(v[2]) {
		t.Errorf("median of 1 to 100 is %v", v)
	}
	if v := lines[5].Values[0]; v != float64(expr.BucketBounds()[25])*1e-9 {
		t.Errorf("maximum of the timer is %v", v)
	}
	lines = p("name,lat,:eq,(,app,),:by,(,50,90,),:percentiles,:max,(,percentile,),:by")
	if len(lines) != 2 || lines[0].Label != "(percentile= 50.0)" {
		t.Errorf("lines %v", lines)
	}
	if v := p("app,x,:eq,51,84,:sample-count")[0].Values[0]; v != 34 {
		t.Errorf("%v samples in the bucket of 51 to 84, want 34", v)
	}
	series = append(series, expr.RawSeries{Tags: tags.Of("name", "lat", "app", "x", "percentile", "d000a"), Step: minute, Values: []float64{1, 1, 1}})
	if _, err := expr.EvalRaw(parse(t, "name,lat,:eq,(,50,),:percentiles")[0], series, w); err == nil || !strings.Contains(err.Error(), "invalid percentile encoding") {
		t.Errorf("error %v", err)
	}
}

func TestApproxDistinct(t *testing.T) {
	// register is the series of one register of the metric users.
	register := func(tag string, values ...float64) expr.RawSeries {
		return expr.RawSeries{Tags: tags.Of("name", "users", "app", "www", "distinct", tag), Gauge: true, Step: minute, Values: values}
	}
	all := func(values ...float64) (series []expr.RawSeries) {
		for i := range 64 {
			series = append(series, register(fmt.Sprintf("R%02X", i), values...))
		}
		return series
	}
	f := func(program string, series []expr.RawSeries, want string) {
		t.Helper()
		s, err := asl.New(asl.All(), asl.Limits{}).ParseStyleWith(program, asl.Options{Unstable: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		lines, err := expr.EvalRaw(s[0].Expr, series, expr.Window{Start: 0, End: 3 * minute, Step: minute})
		if err != nil {
			got = append(got, err.Error())
		}
		for _, l := range lines {
			got = append(got, fmt.Sprintf("%s: %.6g", l.Label, l.Values))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %s, want %s", program, s, want)
		}
	}
	const each, cumulative = "name,users,:eq,:approx-distinct", "name,users,:eq,:approx-distinct-cumulative"
	one := fmt.Sprintf("%.6g", 64*math.Log(64.0/63))
	two := fmt.Sprintf("%.6g", 64*math.Log(64.0/62))
	full := fmt.Sprintf("%.6g", 0.7213/(1+1.079/64)*64*64/(64.0/8))
	f(each, append(all(nan, nan, 3)[1:], register("R00", nan, 1, 3)), "approx-distinct(name=users): [NaN "+one+" "+full+"]")
	first := register("R00", 1, nan, nan)
	f(each, []expr.RawSeries{first}, "approx-distinct(name=users): ["+one+" NaN NaN]")
	f(cumulative, []expr.RawSeries{first}, "approx-distinct(name=users): ["+one+" "+one+" "+one+"]")
	f("name,users,:eq,(,app,),:by,:cumulative-max,:approx-distinct", []expr.RawSeries{first}, "(app=www): ["+one+" "+one+" "+one+"]")
	f("name,users,:eq,2,:rolling-max,:approx-distinct", []expr.RawSeries{first}, "approx-distinct(name=users): ["+one+" "+one+" NaN]")
	// A register that is zero is not used, and without one there was no sketch.
	f(each, []expr.RawSeries{first, register("R01", 0, 0, 2)}, "approx-distinct(name=users): ["+one+" NaN "+one+"]")
	f(cumulative, []expr.RawSeries{first, register("R01", 0, 0, 2)}, "approx-distinct(name=users): ["+one+" "+one+" "+two+"]")
	f(each, all(0, 0, 0), "approx-distinct(name=users): [NaN NaN NaN]")
	f(each, nil, "")
	f(cumulative, nil, "")
	f(each, []expr.RawSeries{register("R0A", 1), register("R0a", 1)}, "requirement failed: invalid distinct encoding: [R0A,R0a]")
	f(each, []expr.RawSeries{register("R40", 1)}, "requirement failed: invalid distinct encoding: [R40]")
	f(each, []expr.RawSeries{register("", 1)}, "requirement failed: invalid distinct encoding: []")
}

// A grouping that follows goes to the registers.
func TestApproxDistinctGrouped(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	for program, want := range map[string]string{
		"name,u,:eq,:approx-distinct,(,app,),:by":                            "name,u,:eq,:sum,(,app,),:by,:approx-distinct",
		"name,u,:eq,:approx-distinct,2,:mul,(,app,),:by":                     "name,u,:eq,:sum,(,app,),:by,:approx-distinct,2.0,:const,:mul",
		"name,u,:eq,:approx-distinct-cumulative,(,app,),:by":                 "name,u,:eq,:approx-distinct-cumulative,(,app,),:by",
		"name,u,:eq,:approx-distinct,(,app,),:cg,(,b,),:cg,(,app,),:by":      "name,u,:eq,:sum,(,app,b,),:by,:approx-distinct,:sum,(,app,),:by",
		"name,u,:eq,:cumulative-max,:approx-distinct,(,app,),:by":            "name,u,:eq,:sum,(,app,),:by,:cumulative-max,:approx-distinct",
		"name,u,:eq,:approx-distinct-cumulative,1h,:offset,(,app,),:by,:max": "name,u,:eq,:approx-distinct-cumulative,1h,:offset,(,app,),:by,:max",
	} {
		s, err := in.ParseStyleWith(program, asl.Options{Unstable: true})
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		if got := s[0].String(); got != want {
			t.Errorf("%s: got %s, want %s", program, got, want)
		}
		if keys := s[0].Expr.Keys(); !strings.HasSuffix(program, ":max") && strings.Join(keys, " ") != "app" {
			t.Errorf("%s: grouped by %v", program, keys)
		}
	}
}

func TestLegends(t *testing.T) {
	vars := tags.Of("name", "sps", "node", "i-1_2E", "1", "one")
	f := func(program, label, want string) {
		t.Helper()
		s, err := asl.New(asl.All(), asl.Limits{}).ParseStyle(program)
		if err != nil {
			t.Fatal(err)
		}
		if got := s[0].Legend(label, vars); got != want {
			t.Errorf("%s: got %q, want %q", program, got, want)
		}
	}
	f("1", "1.0", "1.0")
	f("name,a,:eq,1d,:offset", "x", "x (offset=1d)")
	f("name,a,:eq,1d,:offset", "x (offset=1d)", "x (offset=1d)")
	f("1,$name/$(node) $missing $() $,:legend", "", "sps/i-1_2E missing $ $")
	f("1,$node,:legend,hex,:decode,i-(.),<$1>$name,:s", "", "<1>sps.")
	f("1,aaa,:legend,a,b,:s,bb,c,:s", "", "cb")
	f(`1,a\u002cb,:legend,\u002c,-,:s`, "", "a-b")
	f("1,x-y,:legend,(?<first>[a-z])-([a-z]),$2$first,:s", "", "yx")
	f("1,(x),:legend,\\(,[,:s", "", "[x)")
}

// Words that make a legend longer and longer, or slow to work out, end.
func TestLegendsAreBounded(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	f := func(program, want string) {
		t.Helper()
		s, err := in.ParseStyle(program)
		if err != nil {
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", program, err, want)
			}
			return
		}
		text := s[0].Legend(strings.Repeat("x", 2000), tags.Of("a", strings.Repeat("ä", 100)))
		if want != "" || len(text) > 1024 || len(text) < 1000 || !utf8.ValidString(text) {
			t.Errorf("%s: %d bytes, valid %v, want %q", program, len(text), utf8.ValidString(text), want)
		}
	}
	f("1,ab,:legend"+strings.Repeat(",.,$0$0,:s", 20), "")
	f("1,y"+strings.Repeat("$a", 1000)+",:legend", "")
	f("1,.,$0,:s", "")
	f("1,_,:legend,_,y"+strings.Repeat("$a", 20)+",:s", "")
	f("1,ab,:legend"+strings.Repeat(",.,$0$0,:s", 21), "too many search, replace and decode words")
	f("1,(?:a?){100}b,x,:s", "instructions")
	f("1,"+strings.Repeat("a", 1025)+",x,:s", "1025 bytes")
}

func TestColours(t *testing.T) {
	f := func(program, want string) {
		t.Helper()
		s, err := asl.New(asl.All(), asl.Limits{}).ParseStyle(program)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimPrefix(s[0].String(), "1.0,:const"); got != want {
			t.Errorf("%s: got %s, want %s", program, got, want)
		}
	}
	f("1,f00,:color", ",ffff0000,:color")
	f("1,102030,:color", ",ff102030,:color")
	f("1,40,:alpha,f00,:color", ",ffff0000,:color")
	f("1,f00,:color,40,:alpha", ",40ff0000,:color")
	f("1,blue1,:color,40,:alpha", ",blue1,:color,40,:alpha")
	f("1,f00,:color,reds,:palette,40,:alpha", ",reds,:palette,40,:alpha")
	f("1,reds,:palette,f00,:color", ",ffff0000,:color")
	f("1,a,:legend,:strip-style", "")
}
