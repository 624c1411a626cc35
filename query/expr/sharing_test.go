package expr_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pulse/query/asl"
	"pulse/query/expr"
)

// words of one expression that choose lines, and what their conditions compute.
var chosen = []struct {
	word string
	also []string
}{
	{"max,2,:topk", nil},
	{"avg,1,:bottomk-others-avg", nil},
	{":stat-avg,:stat-max,0.5,:mul,:gt,:filter", []string{"avg,:stat", "max,:stat", "max,:stat,0.5,:mul"}},
	{":stat-min,:stat-max,:sub,:abs,1,:clamp-min,1,:gt,:filter", []string{"max,:stat", "min,:stat"}},
	{":stat-count,2,:ge,:stat-total,0,:le,:or,:filter", []string{"count,:stat", "total,:stat", "count,:stat,2,:ge"}},
	{":dup,0,:gt,:filter", []string{"0,:gt"}},
	{"last,:stat", nil},
	{"max,:stat,count,:stat", nil},
	{"avg,3m,:consolidate", []string{"sum,2m,:consolidate"}},
}

// What words leave of the values of others is not seen in any result: an
// expression has the same lines alone, with values that may be written over, as
// beside everything that it is computed from. Values that are not given away
// stay as they are.
func TestSharedValues(t *testing.T) {
	const steps, programs = 12, 500
	r := rand.New(rand.NewPCG(5, 6))
	series := programsData(r, 2*steps)
	in := asl.New(asl.All(), asl.Limits{})
	one := func(of []string) string { return of[r.IntN(len(of))] }
	shared := 0
	for evaluated := 0; evaluated < programs; {
		program := one(sources)
		parts := []string{program}
		for range 1 + r.IntN(4) {
			switch r.IntN(4) {
			case 0:
				other := one(sources)
				parts = append(parts, other)
				program += "," + other + ",:" + one(expr.BinaryOps())
			case 1:
				program += "," + one(words1)
			default:
				c := chosen[r.IntN(len(chosen))]
				for _, also := range c.also {
					parts = append(parts, program+","+also)
				}
				program += "," + c.word
			}
			parts = append(parts, program)
		}
		var roots []expr.TimeSeries
		for _, p := range slices.Backward(parts) {
			s, err := in.ParseTimeSeries(p)
			if err != nil {
				roots = nil
				break
			}
			roots = append(roots, s...)
		}
		if roots == nil {
			continue
		}
		alone, together := evaluator(t, roots[0]), evaluator(t, roots...)
		alone.Own()
		for at := int64(0); at < 2; at++ {
			w := expr.Window{Start: at * steps * minute, End: (at + 1) * steps * minute, Step: minute, Unknown: evaluated%3 == 0}
			_, errA := supply(t, alone, series, w)
			given, errB := supply(t, together, series, w)
			if errA != nil {
				break
			}
			if errB != nil {
				continue // something beside it fails
			}
			if !sameLines(alone.Lines(0), together.Lines(0)) {
				t.Errorf("%s:\n got %v\nwant %v", program, alone.Lines(0), together.Lines(0))
			}
			for i, d := range together.Data() {
				if want, err := expr.Collect(series, d, w); err != nil || !sameLines(given[i], want) {
					t.Errorf("%s: data were changed to %v, want %v", program, given[i], want)
				}
			}
			shared++
		}
		evaluated++
	}
	if shared < programs {
		t.Errorf("only %d windows were compared", shared)
	}
}

func evaluator(t *testing.T, roots ...expr.TimeSeries) *expr.Evaluator {
	t.Helper()
	e, err := expr.NewEvaluator(roots...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// supply evaluates a window of series and returns the data it was given.
func supply(t *testing.T, e *expr.Evaluator, series []expr.RawSeries, w expr.Window) (given [][]expr.Line, err error) {
	t.Helper()
	for i, d := range e.Data() {
		lines, err := expr.Collect(series, d, w)
		if err != nil {
			t.Fatal(err)
		}
		e.SetData(i, lines, true)
		given = append(given, lines)
	}
	return given, e.Eval(w)
}

// A node counts the values that it holds itself: what hands lines on has none.
func TestBudgetOfWideNodes(t *testing.T) {
	const n, steps = 100, 100
	const values, lines = n * steps * 8, n * expr.LineBytes
	f := func(words string, own bool, most int64) {
		t.Helper()
		var need int64
		for _, fits := range []bool{false, true} {
			e := evaluator(t, parse(t, "name,a,:eq,(,n,name,),:by,"+words)...)
			e.Budget = most
			if !fits {
				e.Budget = 1
			}
			if own {
				e.Own()
			}
			data := make([]expr.Line, n)
			for i := range data {
				data[i] = line(gappy(uint64(i), steps), "name", "a", "n", fmt.Sprint(i))
			}
			e.SetData(0, data, true)
			e.Reserve = func(bytes int64) error { need = bytes; return nil }
			err := e.Eval(expr.Window{Start: 0, End: steps * minute, Step: minute})
			var budget *expr.BudgetError
			if fits != (err == nil) || err != nil && !errors.As(err, &budget) {
				t.Errorf("%s: %v", words, err)
			}
		}
		if need < most-most/2 {
			t.Errorf("%s: %d bytes are counted, want nearly %d", words, need, most)
		}
	}
	f("max,5,:topk", false, lines)
	f("max,5,:topk-others-avg", false, lines+2*8*steps)
	f("node,n,:as,max,5,:topk", false, 2*lines)
	f(":stat-max,5,:gt,:filter", false, 4*lines)
	f(":stat-max,5,:gt,:filter,n,m,:as,max,5,:bottomk", false, 6*lines)
	f("100,:mul,max,5,:topk", false, values+3*lines)
	f("100,:mul,max,5,:topk", true, 3*lines)
	f(":abs,:neg,:sqrt,max,60s,:consolidate", false, values+4*lines)
	f(":dup,5,:gt,:filter", true, values+3*lines)
	f("100,:mul,:max", true, lines+lines/10)
	f("(,name,),:by", false, lines+lines/10)
}
