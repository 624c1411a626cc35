package expr_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/store/tags"
)

// Parts of programs that can be evaluated step by step: expressions, words of
// one, and words of two.
var (
	sources = []string{
		"name,disk,:eq", "name,disk,:eq,(,node,),:by", "name,disk,:eq,(,node,disk,),:by", "name,none,:eq",
		"name,none,:eq,(,node,),:by", "name,disk,:eq,:max,:count", "3", ":random", "hourOfDay,:time",
		"name,lat,:eq,(,50,90,),:percentiles", "name,lat,:eq,(,node,),:by,:median", "name,lat,:eq,5,50,:sample-count,(,node,),:by",
		"name,users,:eq,:approx-distinct", "name,users,:eq,(,node,),:by,3,:rolling-max,:approx-distinct",
		"name,timer,:eq,:dist-avg", "name,timer,:eq,:dist-stddev,(,node,),:by", "name,timer,:eq,:dist-max",
	}
	words1 = []string{
		":abs", ":neg", ":sqrt", ":sin", ":cos", ":tan", ":cot", ":sec", ":csc", ":per-step", "2,:clamp-max", "-1,:clamp-min",
		":sum", ":count", ":min", ":max", ":avg", ":pct", ":stddev", "(,node,),:by", "(,disk,),:cg", "node,n,:as",
		"3,:rolling-sum", "4,2,:rolling-mean", "5,:rolling-count", "3,:rolling-min", "3,:rolling-max", "2,:delay", ":derivative",
		":integral", ":cumulative-max", "5m,:trend", "3,0.3,0.1,:des", "3,0.3,0.1,:sdes", ":des-fast", ":sdes-slow",
	}
)

// programsData are series with gaps of everything that sources select.
func programsData(r *rand.Rand, n int) (series []expr.RawSeries) {
	add := func(gauge bool, kv ...string) {
		series = append(series, expr.RawSeries{Tags: tags.Of(kv...), Gauge: gauge, Step: minute, Values: gappy(r.Uint64(), n)})
	}
	for _, node := range []string{"a", "b", "c"} {
		for i, d := range []string{"0", "1"} {
			add(true, "name", "disk", "node", node, "disk", d)
			add(false, "name", "lat", "node", node, "percentile", "D00"+d+"5")
			add(true, "name", "users", "node", node, "distinct", "R0"+d)
			add(false, "name", "timer", "node", node, "statistic", []string{"count", "totalTime"}[i])
		}
	}
	return series
}

// Made-up programs give the same lines, bit for bit, over a window and over its
// steps, and so do their canonical texts.
func TestProgramsStepByStep(t *testing.T) {
	const steps, programs = 30, 400
	r := rand.New(rand.NewPCG(3, 4))
	series := programsData(r, steps)
	in := asl.New(asl.All(), asl.Limits{})
	whole := expr.Window{End: steps * minute, Step: minute}
	one := func(of []string) string { return of[r.IntN(len(of))] }
	for evaluated := 0; evaluated < programs; {
		program := one(sources)
		for range r.IntN(4) {
			if r.IntN(3) == 0 {
				program += "," + one(sources) + ",:" + one(expr.BinaryOps())
			} else {
				program += "," + one(words1)
			}
		}
		s, err := in.ParseStyleWith(program, asl.Options{Unstable: true})
		if err != nil {
			continue // groupings that do not fit together
		}
		want, err := expr.EvalRaw(s[0].Expr, series, whole)
		if err != nil {
			continue
		}
		evaluated++
		again, err := in.ParseStyleWith(s[0].String(), asl.Options{Unstable: true})
		if err != nil {
			t.Fatalf("%s is written as %s: %v", program, s[0], err)
		}
		if got, err := expr.EvalRaw(again[0].Expr, series, whole); err != nil || !sameLines(got, want) {
			t.Errorf("%s is written as %s, which gives\n     %v, %v\nwant %v", program, s[0], got, err, want)
		}
		if got := stepByStep(t, s[0].Expr, series, whole); !sameLines(got, want) {
			t.Errorf("%s step by step:\n got %v\nwant %v", program, got, want)
		}
	}
}

// stepByStep evaluates the steps of a window one after the other.
func stepByStep(t *testing.T, x expr.TimeSeries, series []expr.RawSeries, whole expr.Window) (out []expr.Line) {
	t.Helper()
	e, err := expr.NewEvaluator(x)
	if err != nil {
		t.Fatal(err)
	}
	for at := whole.Start; at < whole.End; at += whole.Step {
		w := expr.Window{Start: at, End: at + whole.Step, Step: whole.Step}
		for i, d := range e.Data() {
			lines, err := expr.Collect(series, d, w)
			if err != nil {
				t.Fatal(err)
			}
			e.SetData(i, lines, true)
		}
		if err := e.Eval(w); err != nil {
			t.Fatalf("%s: %v", x, err)
		}
		for i, l := range e.Lines(0) {
			if at == whole.Start {
				out = append(out, expr.Line{Tags: l.Tags, Label: l.Label})
			}
			if i >= len(out) || !l.Tags.Equal(out[i].Tags) {
				t.Fatalf("%s: other lines at %d", x, at)
			}
			out[i].Values = append(out[i].Values, l.Values[0])
		}
	}
	return out
}

func sameLines(a, b []expr.Line) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Tags.Equal(b[i].Tags) || a[i].Label != b[i].Label || !sameBits(a[i].Values, b[i].Values) {
			return false
		}
	}
	return true
}

// Every word of one expression that can be evaluated step by step is tried.
func TestProgramsHaveAllWords(t *testing.T) {
	all := strings.Join(slices.Concat(sources, words1), ",") + ","
	for _, name := range slices.Concat(expr.UnaryOps(), expr.StatefulOps()) {
		if !strings.Contains(all, ":"+name+",") {
			t.Errorf(":%s is not tried", name)
		}
	}
}
