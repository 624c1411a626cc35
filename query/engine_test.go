package query_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse/bench/testkit"
	"pulse/query"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/clock"
	"pulse/store/tags"
)

// open returns a store with a step of one minute.
func open(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.New(store.Options{Step: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// load writes a series whose first value is stamped first; NaN is left out.
func load(t testing.TB, st *store.Store, first int64, ts tags.Tags, values ...float64) {
	t.Helper()
	step := st.Step()
	ref, err := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, first)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		now := first + int64(i)*step
		b := store.Batch{Arrival: now}
		b.Add(ref, now, v)
		st.Append(&b, now)
	}
}

func parseTags(t testing.TB, text string) tags.Tags {
	var kv []string
	for _, pair := range strings.Split(text, ",") {
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			t.Fatalf("tags %q", text)
		}
		kv = append(kv, k, v)
	}
	return tags.Of(kv...)
}

func format(values []float64) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strconv.FormatFloat(v, 'g', 6, 64)
	}
	return strings.Join(out, " ")
}

// The scripts have two commands. load takes lines of tags and values, one per
// minute from 00:01 on. eval takes an expression; arguments are the first
// minute not wanted, the last one, and the step in minutes.
func TestScripts(t *testing.T) {
	testkit.Run(t, "testdata/*.txt", func(t *testing.T) func(c *testkit.Command) string {
		st := open(t)
		engine := query.New(st, query.Options{})
		return func(c *testkit.Command) string {
			switch c.Name {
			case "load":
				for _, line := range c.Lines() {
					f := strings.Fields(line)
					var values []float64
					for _, x := range f[1:] {
						v, err := strconv.ParseFloat(x, 64)
						if err != nil {
							t.Fatal(err)
						}
						values = append(values, v)
					}
					load(t, st, 60_000, parseTags(t, f[0]), values...)
				}
				return ""
			case "eval":
				minutes := func(key, otherwise string) int64 {
					n, err := strconv.ParseInt(c.Arg(key, otherwise), 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					return n * 60_000
				}
				r, err := engine.Eval(context.Background(), query.Request{
					Program: strings.TrimSpace(c.Input), CQ: c.Arg("cq", ""), Unstable: true,
					Start: minutes("start", "0"), End: minutes("end", "6"), Step: minutes("step", "1"),
				})
				if err != nil {
					return "error: " + err.Error() + "\n"
				}
				var b strings.Builder
				for _, l := range r.Lines {
					offset, _ := l.Tags.Get("atlas.offset")
					if offset != "0w" {
						offset = " shifted by " + offset
					} else {
						offset = ""
					}
					fmt.Fprintf(&b, "%s [%s]%s: %s\n", l.Legend, l.Tags.Without("atlas.offset"), offset, format(l.Values))
				}
				for _, n := range r.Notices {
					fmt.Fprintf(&b, "notice: %s\n", n)
				}
				return b.String()
			}
			t.Fatalf("unknown command %s", c.Name)
			return ""
		}
	})
}

func TestLimits(t *testing.T) {
	st := open(t)
	for i := range 20 {
		load(t, st, 60_000, tags.Of("name", "x", "node", strconv.Itoa(i), "atlas.dstype", "gauge"), 1, 2, 3)
	}
	eval := func(l query.Limits, program string) error {
		e := query.New(st, query.Options{Limits: l})
		_, err := e.Eval(context.Background(), query.Request{Program: program, End: 600_000, Step: 60_000})
		return err
	}
	f := func(l query.Limits, program, want string) {
		t.Helper()
		err := eval(l, program)
		var limit *query.LimitError
		if !errors.As(err, &limit) || !errors.Is(err, query.ErrLimit) || limit.What != want {
			t.Errorf("%s: %v, want a limit of %s", program, err, want)
		}
		if want == "bytes" && !strings.Contains(err.Error(), "raise --max-query-memory") {
			t.Errorf("%s: %v does not name the limit", program, err)
		}
	}
	const by = "name,x,:eq,(,node,),:by"
	f(query.Limits{Lines: 19}, by, "lines")
	f(query.Limits{Lines: 19}, by+",30,:limit", "lines")
	f(query.Limits{DatapointsPerLine: 9}, by, "datapoints per line")
	f(query.Limits{DatapointsRead: 199}, by, "datapoints")
	f(query.Limits{DatapointsRead: 399}, by+",name,x,:eq,:max,(,node,),:by,:add", "datapoints")
	const lines = 20 * (expr.LineBytes + 10*8)
	f(query.Limits{MemoryBytes: 100}, by, "bytes")
	f(query.Limits{MemoryBytes: lines - 1}, by, "bytes")
	f(query.Limits{MemoryBytes: lines + 20*expr.LineBytes - 1}, by+",:abs", "bytes")
	f(query.Limits{MemoryBytes: 2*lines - 1}, by+",:dup,:mul", "bytes")
	f(query.Limits{MemoryBytes: 2*lines - 1}, by+",name,x,:eq,:max,(,node,),:by", "bytes")
	f(query.Limits{MemoryBytes: 2*lines + 20*8000}, by+",1000,:rolling-sum", "bytes")
	f(query.Limits{MemoryBytes: 2 << 20}, "name,x,:eq"+strings.Repeat(",10000,:delay", 30), "bytes")
	for _, program := range []string{by + ",19,:limit", by + ",:sum", by + ",max,5,:topk", by + ",1,:add,:sum"} {
		if err := eval(query.Limits{Lines: 19, MemoryBytes: 2 * lines}, program); err != nil {
			t.Errorf("%s: %v", program, err)
		}
	}
}

// A list of shifts multiplies an expression, as the query of a request does.
func TestLimitOfShiftedNodes(t *testing.T) {
	e := query.New(open(t), query.Options{})
	f := func(program, cq string, ok bool) {
		t.Helper()
		_, err := e.Eval(context.Background(), query.Request{Program: program, CQ: cq, End: 60_000, Step: 60_000})
		if ok != (err == nil) || err != nil && !strings.Contains(err.Error(), "expression too large") {
			t.Errorf("%.50s: %v", program, err)
		}
	}
	shifts := ",(," + strings.Repeat("1h,", 100) + "),:offset"
	large := "name,x,:eq" + strings.Repeat(",:dup,:add", 9)
	f("name,x,:eq"+shifts, "", true)
	f(large, "", true)
	f(large+shifts, "", false)
	f("name,x,:eq"+shifts, "a,b,:eq"+strings.Repeat(",:dup,:and", 9), false)
	f(large, "a,b,:eq"+strings.Repeat(",:dup,:and", 9), false)
	f("s,(,"+strings.Repeat("1h,", 100)+"),:set"+strings.Repeat(",name,x,:eq,:dup,:add,:dup,:add,:dup,:add,s,:get,:offset", 40), "", false)
}

func TestTimeLimit(t *testing.T) {
	st := open(t)
	load(t, st, 60_000, tags.Of("name", "x"), 1)
	e := query.New(st, query.Options{Limits: query.Limits{Time: time.Nanosecond}})
	r := query.Request{Program: "name,x,:eq", End: 600_000, Step: 60_000}
	if _, err := e.Eval(context.Background(), r); !errors.Is(err, query.ErrTimeout) {
		t.Errorf("error %v, want the time limit", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e = query.New(st, query.Options{})
	if _, err := e.Eval(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// watched is a clock that goes on by so much whenever somebody looks.
type watched struct {
	*clock.Manual
	by time.Duration
}

func (c watched) Now() time.Time {
	c.Manual.Advance(c.by)
	return c.Manual.Now()
}

// A query lets others work while it does, so that one processor is enough for both,
// but not whenever it looks whether to go on: others take longer.
func TestQueriesAreTimely(t *testing.T) {
	st := open(t)
	for i := range 1000 {
		load(t, st, 60_000, tags.Of("name", "x", "node", strconv.Itoa(i)), 1, 2, 3)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	turns := func(by time.Duration) (n int) {
		e := query.New(st, query.Options{Clock: watched{clock.NewManual(time.Unix(0, 0)), by}})
		done, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-done:
					return
				default:
					n++
					runtime.Gosched()
				}
			}
		}()
		_, err := e.Eval(context.Background(), query.Request{Program: "name,x,:eq", End: 600_000, Step: 60_000})
		close(done)
		<-ended
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := turns(time.Millisecond); n < 50 {
		t.Errorf("others had %d turns, want one for each partition that is read", n)
	}
	if n := turns(0); n > 20 {
		t.Errorf("others had %d turns while no time passed", n)
	}
}

func TestInvalidRange(t *testing.T) {
	e := query.New(open(t), query.Options{})
	for _, r := range []query.Request{
		{Start: 0, End: 0, Step: 60_000}, {Start: 0, End: 60_000}, {Start: 1, End: 60_001, Step: 60_000},
		{Start: 60_000, End: 0, Step: 60_000}, {Start: 0, End: 90_000, Step: 90_000},
	} {
		r.Program = "1"
		if _, err := e.Eval(context.Background(), r); err == nil {
			t.Errorf("%+v does not fail", r)
		}
	}
}

func TestResolveRange(t *testing.T) {
	const minute, hour = 60_000, 3600_000
	now := int64(1_700_000_123_456)
	f := func(r query.Range, start, end, step int64) {
		t.Helper()
		r.Now = now
		s, e, st, err := query.ResolveRange(r, minute, 1440)
		if err != nil {
			t.Fatal(err)
		}
		if s != start || e != end || st != step {
			t.Errorf("%+v: (%d, %d] by %d, want (%d, %d] by %d", r, s, e, st, start, end, step)
		}
	}
	floor := func(x, m int64) int64 { return x - x%m }
	f(query.Range{}, floor(now, minute)-3*hour, floor(now, minute), minute)
	f(query.Range{Start: "e-5m"}, floor(now, minute)-5*minute, floor(now, minute), minute)
	f(query.Range{Start: "e-1d", Width: 600}, floor(now-24*hour, 3*minute), floor(now, 3*minute), 3*minute)
	f(query.Range{Start: "now", End: "now"}, floor(now, minute)-minute, floor(now, minute), minute)
	f(query.Range{Start: "e-1h", Step: "7m"}, floor(now-hour, 10*minute), floor(now, 10*minute), 10*minute)
	f(query.Range{Start: "e-10d"}, floor(now-240*hour, 10*minute), floor(now, 10*minute), 10*minute)
	for _, bad := range []query.Range{{Start: "x-y"}, {Step: "fast"}, {Step: "0s"}, {Start: "e-1h", End: "s+1h"}} {
		if _, _, _, err := query.ResolveRange(bad, minute, 1440); err == nil {
			t.Errorf("%+v does not fail", bad)
		}
	}
}

func TestExplain(t *testing.T) {
	st := open(t)
	load(t, st, 60_000, tags.Of("name", "x", "node", "a"), 1, 2, 3)
	load(t, st, 60_000, tags.Of("name", "x", "node", "b"), 1, 2, 3)
	r, err := query.New(st, query.Options{}).Eval(context.Background(), query.Request{
		Program: "name,x,:eq,(,node,),:by,name,x,:eq,(,node,),:by,:sum", End: 300_000, Step: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	want := query.Explain{InputLines: 2, InputDatapoints: 10, IntermediateLines: 2, IntermediateDatapoints: 10, GraphLines: 3, GraphDatapoints: 15}
	if r.Explain != want {
		t.Errorf("got %+v, want %+v", r.Explain, want)
	}
}

func TestSimpleLegends(t *testing.T) {
	st := open(t)
	r, err := query.New(st, query.Options{SimpleLegends: true}).Eval(context.Background(), query.Request{
		Program: "name,cpu,:eq,name,disk,:eq,:avg,name,net,:eq,own,:legend", End: 60_000, Step: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range r.Lines {
		got = append(got, l.Legend)
	}
	if s := strings.Join(got, " "); s != "cpu disk own" {
		t.Errorf("legends %s", s)
	}
}

func ExampleEngine_Eval() {
	st, _ := store.New(store.Options{Step: 60_000})
	ts := tags.Of("name", "starts", "atlas.dstype", "gauge")
	ref, _ := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, 60_000)
	b := store.Batch{Arrival: 60_000}
	b.Add(ref, 60_000, 21)
	st.Append(&b, 60_000)
	r, _ := query.New(st, query.Options{}).Eval(context.Background(), query.Request{
		Program: "name,starts,:eq,2,:mul,$name,:legend", End: 60_000, Step: 60_000})
	fmt.Println(r.Lines[0].Legend, r.Lines[0].Values)
	// Output: starts [42]
}
