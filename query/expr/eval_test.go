package expr_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/store/match"
	"pulse/store/tags"
)

// parse returns the expressions a program leaves.
func parse(t testing.TB, program string) []expr.TimeSeries {
	t.Helper()
	ts, err := asl.New(asl.All(), asl.Limits{}).ParseTimeSeries(program)
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return ts
}

func line(values []float64, keysAndValues ...string) expr.Line {
	t := tags.Of(keysAndValues...)
	return expr.Line{Tags: t, Label: expr.TagsLabel(t), Values: values}
}

// A line that appears late, and one that is away for a while, count as NaN
// where they are not there.
func TestLinesComeAndGo(t *testing.T) {
	for name, all := range words() {
		for _, args := range all {
			group := expr.NewGroupBy(expr.NewAggregate(expr.AggSum, match.True), []string{"n"})
			x, err := expr.NewStateful(name, group, args...)
			if err != nil {
				t.Fatal(err)
			}
			values := gappy(5, 60)
			here := func(i int) bool { return i >= 7 && i < 25 || i >= 31 }
			masked := make([]float64, len(values))
			for i, v := range values {
				masked[i] = nan
				if here(i) {
					masked[i] = v
				}
			}
			want := feed(t, x, 0, masked, func(int) int { return len(masked) }, nil)
			e, err := expr.NewEvaluator(x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range values {
				lines := []expr.Line{line([]float64{1}, "n", "other")}
				if here(i) {
					lines = []expr.Line{line(values[i:i+1], "name", "x"), lines[0]}
				}
				e.SetData(0, lines, true)
				if err := e.Eval(expr.Window{Start: int64(i) * minute, End: int64(i+1) * minute, Step: minute}); err != nil {
					t.Fatal(err)
				}
				if got := e.Lines(0)[0].Values; here(i) && !sameBits(got, want[i:i+1]) {
					t.Fatalf("%s%v at %d: got %v, want %v", name, args, i, got, want[i])
				}
			}
		}
	}
}

// Lines that do not come back are forgotten, also by words that a gap does not
// empty.
func TestDepartedLinesAreForgotten(t *testing.T) {
	e, err := expr.NewEvaluator(parse(t, "name,a,:eq,(,n,),:by,3,0.5,0.5,:des,5,:rolling-sum")...)
	if err != nil {
		t.Fatal(err)
	}
	var early, late int
	for i := range int64(400) {
		e.SetData(0, []expr.Line{line([]float64{1}, "n", strconv.FormatInt(i, 10)), line([]float64{1}, "n", strconv.FormatInt(i+1, 10))}, true)
		if err := e.Eval(expr.Window{Start: i * minute, End: (i + 1) * minute, Step: minute}); err != nil {
			t.Fatal(err)
		}
		if size := len(e.AppendState(nil)); i == 100 {
			early = size
		} else if i == 399 {
			late = size
		}
	}
	if late > early+100 {
		t.Errorf("state grew from %d to %d bytes", early, late)
	}
}

// Steps that no window covers count as steps without data.
func TestSkippedSteps(t *testing.T) {
	x := fuzzed(t)
	values := gappy(9, 40)
	for i := 10; i < 23; i++ {
		values[i] = nan
	}
	whole := feed(t, x, 0, values, func(int) int { return 1 }, nil)
	e, err := expr.NewEvaluator(x)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if i >= 10 && i < 23 {
			continue
		}
		e.SetData(0, []expr.Line{line([]float64{v}, "name", "x")}, i == 0)
		if err := e.Eval(expr.Window{Start: int64(i) * minute, End: int64(i+1) * minute, Step: minute}); err != nil {
			t.Fatal(err)
		}
		if got := e.Lines(0)[0].Values; !sameBits(got, whole[i:i+1]) {
			t.Fatalf("at %d: got %v, want %v", i, got, whole[i])
		}
	}
}

func TestEqualPartsAreEvaluatedOnce(t *testing.T) {
	f := func(program string, nodes, data int) {
		t.Helper()
		e, err := expr.NewEvaluator(parse(t, program)...)
		if err != nil {
			t.Fatal(err)
		}
		if e.Nodes() != nodes || len(e.Data()) != data {
			t.Errorf("%s: %d nodes and %d data expressions, want %d and %d", program, e.Nodes(), len(e.Data()), nodes, data)
		}
	}
	f("name,a,:eq,:dup,:add", 2, 1)
	f("name,a,:eq,:abs,name,a,:eq,:abs,:add", 3, 1)
	f("name,a,:eq,:abs,name,a,:eq,:neg", 3, 1)
	f("name,a,:eq,:avg,name,a,:eq,:avg", 3, 2)
	f("name,a,:eq,name,a,:eq,1h,:offset", 2, 2)
	f("name,a,:eq,name,a,:eq,:cf-max", 2, 2)
	f("name,a,:eq,2,:rolling-count,name,a,:eq,3,:rolling-count", 3, 1)
	f("tz,Europe/Berlin,:set,0,now,:time-span,tz,UTC,:set,0,now,:time-span", 2, 0)
}

// The work for a chain of operations grows with its length, not with what all
// combinations of its parts would be.
func TestLongChains(t *testing.T) {
	for _, more := range []string{",1,:add", ",:abs,1,:swap,:mul", ",name,b,:eq,:sub", ",name,b,:eq,(,n,),:by,:div", ",1,:gt,2,:rolling-count", ",n,n,:as,1,:add"} {
		program := "name,a,:eq,(,n,m,),:by" + strings.Repeat(more, 100)
		x := parse(t, program)[0]
		if got := strings.Join(x.Keys(), " "); got != "n m" {
			t.Errorf("%.40s...: grouped by %s", program, got)
		}
		y, err := expr.CommonBy(x, []string{"k"})
		if err != nil || strings.Join(y.Keys(), " ") != "n m k" {
			t.Errorf("%.40s...: with a common key grouped by %v, %v", program, y.Keys(), err)
		}
		if _, err := expr.NewEvaluator(y); err != nil {
			t.Error(err)
		}
	}
}

func TestWindowsMustAscend(t *testing.T) {
	e, err := expr.NewEvaluator(parse(t, "1")...)
	if err != nil {
		t.Fatal(err)
	}
	f := func(w expr.Window, ok bool) {
		t.Helper()
		if err := e.Eval(w); (err == nil) != ok {
			t.Errorf("%+v: %v", w, err)
		}
	}
	f(expr.Window{Start: 0, End: 0, Step: 10}, false)
	f(expr.Window{Start: 0, End: 15, Step: 10}, false)
	f(expr.Window{Start: 0, End: 10}, false)
	f(expr.Window{Start: 0, End: 20, Step: 10}, true)
	f(expr.Window{Start: 10, End: 20, Step: 10}, false)
	f(expr.Window{Start: 20, End: 40, Step: 20}, false)
	f(expr.Window{Start: 50, End: 60, Step: 10}, true)
}

// A step with an unchanged set of lines allocates nothing.
func TestStepAllocatesNothing(t *testing.T) {
	const program = "name,a,:eq,(,n,),:by,:dup,10,0.1,0.02,:des,0.8,:mul,:lt,5,:rolling-count,3,:ge," +
		"name,b,:eq,(,n,m,),:by,:max,(,n,),:by,:avg,:pct,60,:trend,3,:rolling-max,1,:clamp-max,:per-step,:sqrt"
	e, err := expr.NewEvaluator(parse(t, strings.ReplaceAll(program, "60,:trend", "10m,:trend"))...)
	if err != nil {
		t.Fatal(err)
	}
	var as, bs []expr.Line
	for _, n := range []string{"1", "2", "3", "4"} {
		as = append(as, line([]float64{1}, "name", "a", "n", n))
		bs = append(bs, line([]float64{2}, "name", "b", "n", n, "m", "x"), line([]float64{3}, "name", "b", "n", n, "m", "y"))
	}
	at := int64(0)
	step := func() {
		for i := range e.Data() {
			lines := as
			if len(e.Data()[i].Keys()) == 2 {
				lines = bs
			}
			e.SetData(i, lines, at == 0)
		}
		if err := e.Eval(expr.Window{Start: at, End: at + minute, Step: minute}); err != nil {
			t.Fatal(err)
		}
		at += minute
	}
	step()
	testkit.NoAllocs(t, "evaluating a step", step)
}

// What is held counts for all nodes together, and by what each makes of its
// input.
func TestBudgetOfManyNodes(t *testing.T) {
	f := func(program string, most int64, fits bool) {
		t.Helper()
		e, err := expr.NewEvaluator(parse(t, program)...)
		if err != nil {
			t.Fatal(err)
		}
		e.Budget = most
		e.SetData(0, []expr.Line{line([]float64{1}, "name", "a", "n", "1", "percentile", "T0001")}, true)
		err = e.Eval(expr.Window{Start: 0, End: minute, Step: minute})
		var budget *expr.BudgetError
		if fits != (err == nil) || err != nil && !errors.As(err, &budget) {
			t.Errorf("%.60s: %v", program, err)
		}
	}
	delays := "name,a,:eq" + strings.Repeat(",1000,:delay", 10)
	f(delays, 50_000, false)
	f(delays, 100_000, true)
	f("name,a,:eq"+strings.Repeat(",:abs", 100), 20_000, false)
	wants := "name,a,:eq,(,0"
	for i := range 100 {
		wants += "," + strconv.Itoa(i)
	}
	f(wants+",),:percentiles", 20_000, false)
	f(wants+",),:percentiles", 40_000, true)
}

func TestBudget(t *testing.T) {
	e, err := expr.NewEvaluator(parse(t, "name,a,:eq,:abs,1000,:rolling-sum")...)
	if err != nil {
		t.Fatal(err)
	}
	e.Budget = 8000
	e.SetData(0, []expr.Line{line([]float64{1}, "name", "a")}, true)
	err = e.Eval(expr.Window{Start: 0, End: minute, Step: minute})
	var budget *expr.BudgetError
	if !errors.As(err, &budget) || budget.Need <= 8000 {
		t.Errorf("error %v, want a budget of 8000 bytes exceeded", err)
	}
	e.SetData(0, []expr.Line{line([]float64{1}, "name", "a")}, false)
	if err := e.Eval(expr.Window{Start: minute, End: 2 * minute, Step: minute}); !errors.As(err, &budget) {
		t.Errorf("error %v at the next step", err)
	}
}

// A failed step is over: it fails again as long as its cause lasts, and what
// remembers takes it for a step without data.
func TestFailedStep(t *testing.T) {
	const program = "name,b,:eq,(,z,),:by,name,a,:eq,(,x,y,),:by,x,z,:as,y,z,:as,:add,5,:rolling-sum,name,c,:eq,5,:rolling-sum"
	few := []expr.Line{line([]float64{1}, "x", "1", "y", "1")}
	many := append([]expr.Line{line([]float64{1}, "x", "2", "y", "1")}, few...) // both become z=1
	evaluator := func() *expr.Evaluator {
		e, err := expr.NewEvaluator(parse(t, program)...)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e, skipping := evaluator(), evaluator()
	step := func(e *expr.Evaluator, i int64, lines []expr.Line, changed bool) error {
		e.SetData(0, []expr.Line{line([]float64{float64(i)}, "z", "1")}, i == 0)
		e.SetData(1, lines, changed)
		e.SetData(2, []expr.Line{line([]float64{float64(i)}, "name", "c")}, i == 0)
		return e.Eval(expr.Window{Start: i * minute, End: (i + 1) * minute, Step: minute, Aligned: true})
	}
	for i := range int64(12) {
		lines, fails := few, i == 4 || i == 5
		if fails {
			lines = many
		}
		err := step(e, i, lines, i == 0 || i == 4 || i == 6)
		if fails != (err != nil) {
			t.Fatalf("step %d: %v", i, err)
		}
		if fails {
			continue
		}
		if err := step(skipping, i, lines, i == 0); err != nil {
			t.Fatal(err)
		}
		if a, b := e.Lines(0)[0].Values, skipping.Lines(0)[0].Values; !sameBits(a, b) {
			t.Errorf("step %d: %v, want %v", i, a, b)
		}
	}
}

func TestLookback(t *testing.T) {
	f := func(program string, want int64) {
		t.Helper()
		got, err := expr.Lookback(parse(t, program)[0], minute)
		if err != nil || got != want*minute {
			t.Errorf("%s: %d min, %v, want %d min", program, got/minute, err, want)
		}
	}
	f("name,a,:eq", 0)
	f("name,a,:eq,5,:rolling-count", 4)
	f("name,a,:eq,5,:delay,:derivative", 6)
	f("name,a,:eq,5,:rolling-max,name,b,:eq,8,2,:rolling-mean,:add", 7)
	f("name,a,:eq,10m,:trend", 9)
	f("name,a,:eq,1h,:offset,3,:rolling-sum", 62)
	f("name,a,:eq,7,0.1,0.02,:sdes", 14)
	f("name,a,:eq,:sdes-slow", 20)
	refuse := func(program, word string) {
		t.Helper()
		_, err := expr.Lookback(parse(t, program)[0], minute)
		if err == nil || !strings.Contains(err.Error(), ":"+word+" not supported for streaming evaluation [[") {
			t.Errorf("%s: error %v", program, err)
		}
	}
	refuse("name,a,:eq,:integral", "integral")
	refuse("name,a,:eq,:cumulative-max,2,:mul", "cumulative-max")
	refuse("name,a,:eq,:stat-max,1,:gt,:filter", "filter")
	refuse("name,a,:eq,max,:stat", "stat")
	refuse("name,a,:eq,(,n,),:by,max,3,:topk", "topk")
	refuse("name,a,:eq,(,n,),:by,max,3,:bottomk-others-sum,2,:mul", "bottomk")
	refuse("name,a,:eq,max,5m,:consolidate", "consolidate")
	refuse("name,a,:eq,10,0,0,:des", "des")
}

// After its look-back, smoothing does not depend on what came before.
func TestSmoothingForgets(t *testing.T) {
	for _, program := range []string{"10,0.1,0.5,:des", "10,0.1,0.02,:des", "10,0.05,0.03,:des", "10,0.03,0.04,:des"} {
		x := parse(t, "name,a,:eq,"+program)[0]
		ms, err := expr.Lookback(x, minute)
		if err != nil {
			t.Fatal(err)
		}
		n := int(ms/minute) + 20
		calm, wild := make([]float64, n), make([]float64, n)
		for i := range n {
			calm[i], wild[i] = 100, 100
			if i < 10 {
				wild[i] = 1e3
			}
		}
		all := func(int) int { return n }
		a, b := feed(t, x, 0, calm, all, nil), feed(t, x, 0, wild, all, nil)
		for i := n - 10; i < n; i++ {
			if d := (a[i] - b[i]) / 900; d > 2e-5 || d < -2e-5 {
				t.Errorf("%s: still %g of the start at %d of %d", program, d, i, n)
			}
		}
	}
}
