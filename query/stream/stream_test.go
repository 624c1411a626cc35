package stream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/query"
	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/tags"
)

var programs = []string{
	"name,sps,:eq",
	"name,sps,:eq,(,region,),:by",
	"name,sps,:eq,(,region,node,),:by,:max,(,region,),:by",
	"name,sps,:eq,(,region,),:by,:avg,name,sps,:eq,:max,:div",
	"name,sps,:eq,:dup,5,2,:rolling-mean,:swap,3,:delay",
	"name,sps,:eq,(,region,),:by,10,0.1,0.02,:des,name,sps,:eq,(,region,),:by,:gt,4,:rolling-count,2,:gt",
	"name,sps,:eq,7,0.3,0.1,:sdes,name,sps,:eq,30s,:trend,:sub",
	"name,sps,:eq,:count,name,sps,:eq,:min,:cf-avg",
	"name,sps,:eq,:all,3,:rolling-sum",
	"name,sps,:eq,30s,:offset,name,sps,:eq,:sub,:derivative",
	"name,sps,:eq,100s,:offset,(,region,),:by",
	"name,sps,:eq,:cf-max,(,region,),:by,name,sps,:eq,:sum,:cf-min,2,:rolling-max",
	"name,none,:eq,name,none,:eq,(,a,),:by,1",
	"minuteOfHour,:time,:random,:mul",
	"gs,s+3s,:time-span,now-5s,s+2s,:time-span,e-4s,ge,:time-span,name,sps,:eq,:mul",
}

// Live steps, history over stored data, and a stream restored in the middle
// give the same lines and the same bits.
func TestStepEqualsHistory(t *testing.T) {
	for _, m := range []int64{1, 5, 20} {
		for _, fill := range []bool{false, true} {
			w := newWorld(t, 10)
			hub := stream.NewHub(w.st)
			step := m * second
			o := stream.Options{ZeroFill: fill}
			live := make([]*stream.Stream, len(programs))
			got := make([]strings.Builder, len(programs))
			nothing := func(int64, []stream.Line) error { return nil }
			for i, p := range programs {
				live[i] = w.open(hub, p, step, o)
				if err := live[i].History(context.Background(), start-step, start, nothing); err != nil {
					t.Fatal(err)
				}
			}
			steps := 0
			for steps < 40 {
				at := w.tick()
				if at%step != 0 {
					continue
				}
				steps++
				for i, s := range live {
					lines, err := s.Step(at)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintln(&got[i], text(at, lines))
				}
			}
			end := w.now - w.now%step
			for i, p := range programs {
				past := w.open(hub, p, step, o)
				var want strings.Builder
				if err := past.History(context.Background(), end-40*step, end, func(at int64, lines []stream.Line) error {
					fmt.Fprintln(&want, text(at, lines))
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if a, b := got[i].String(), want.String(); a != b {
					t.Errorf("%s by %d s, zero fill %v: %s", p, m, fill, firstDifference(a, b))
				}
			}
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return "\nlive    " + x[i] + "\nhistory " + y[i]
		}
	}
	return fmt.Sprintf("%d and %d steps", len(x), len(y))
}

// A stream that is put back to an earlier state judges the step anew.
func TestRestore(t *testing.T) {
	w := newWorld(t, 6)
	hub := stream.NewHub(w.st)
	for _, p := range programs {
		a, b := w.open(hub, p, second, stream.Options{}), w.open(hub, p, second, stream.Options{})
		for i := range 30 {
			at := w.tick()
			x, err := a.Step(at)
			if err != nil {
				t.Fatal(err)
			}
			want := text(at, x)
			state := b.AppendState(nil)
			if _, err := b.Step(at); err != nil {
				t.Fatal(err)
			}
			if rest, err := b.Restore(append(state, 1, 2)); err != nil || len(rest) != 2 {
				t.Fatalf("restore: %d bytes left, %v", len(rest), err)
			}
			y, err := b.Step(at)
			if err != nil {
				t.Fatal(err)
			}
			if got := text(at, y); got != want {
				t.Fatalf("%s step %d:\n got %s\nwant %s", p, i, got, want)
			}
		}
	}
}

// A graph over the same range has the same values where its state begins at
// the same step.
func TestStreamEqualsGraph(t *testing.T) {
	w := newWorld(t, 6)
	hub := stream.NewHub(w.st)
	const program = "name,sps,:eq,(,region,),:by,:avg,name,sps,:eq,:max,:div,name,sps,:eq,(,region,),:by,3,:rolling-max"
	s := w.open(hub, program, second, stream.Options{})
	got := map[string][]float64{}
	for range 50 {
		lines, err := s.Step(w.tick())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			key := fmt.Sprint(l.Expr, l.Label)
			got[key] = append(got[key], l.Value)
		}
	}
	r, err := query.New(w.st, query.Options{}).Eval(context.Background(), query.Request{Program: program, Start: start, End: w.now, Step: second})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range r.Lines {
		n := 0
		if i > 0 {
			n = 1
		}
		values := got[fmt.Sprint(n, l.Label)]
		for j := range l.Values {
			if bits(values[j]) != bits(l.Values[j]) {
				t.Errorf("%s at %d: stream %v, graph %v", l.Label, j, values[j], l.Values[j])
			}
		}
	}
}

// History of a new stream begins as far back as its words remember.
func TestHistoryWarmsUp(t *testing.T) {
	w := newWorld(t, 4)
	hub := stream.NewHub(w.st)
	const program = "name,sps,:eq,20,:rolling-sum,5,:delay,7,0.3,0.1,:sdes"
	long := w.open(hub, program, second, stream.Options{Rule: true})
	want := map[int64]float64{}
	for range 90 {
		at := w.tick()
		lines, err := long.Step(at)
		if err != nil {
			t.Fatal(err)
		}
		want[at] = lines[0].Value
	}
	short := w.open(hub, program, second, stream.Options{Rule: true})
	if short.Lookback() != (19+5+14)*second {
		t.Errorf("look-back %d", short.Lookback())
	}
	err := short.History(context.Background(), w.now-20*second, w.now, func(at int64, lines []stream.Line) error {
		if v := lines[0].Value; bits(v) != bits(want[at]) {
			t.Errorf("at %d: %v, want %v", at-start, v, want[at])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	at := w.tick()
	a, err := long.Step(at)
	if err != nil {
		t.Fatal(err)
	}
	b, err := short.Step(at)
	if err != nil {
		t.Fatal(err)
	}
	if x, y := a[0].Value, b[0].Value; bits(x) != bits(y) {
		t.Errorf("first live step %v, want %v", y, x)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, 1)
	hub := stream.NewHub(w.st)
	f := func(program string, step int64, o stream.Options, want string) {
		t.Helper()
		s, err := hub.OpenProgram(program, step, o)
		if err == nil {
			s.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", program, err, want)
		}
	}
	rule := stream.Options{Rule: true}
	f("name,sps,:eq,:integral", second, rule, ":integral not supported")
	f("name,sps,:eq,:integral", second, rule, "use :rolling-sum")
	f("name,sps,:eq,10,1e-9,0.1,:des", second, rule, "use a larger alpha, or :sdes")
	f("name,sps,:eq,max,5m,:consolidate", second, rule, ":consolidate not supported")
	f("name,sps,:eq,max,5m,:consolidate", second, rule, "evaluate at the longer step")
	f("name,sps,:eq,avg,:stat", second, rule, "use :rolling-mean")
	f("name,sps,:eq,(,region,),:by,max,2,:bottomk", second, rule, ":bottomk not supported")
	f("name,sps,:eq,(,region,),:by,max,2,:topk", second, rule, "compare each line with a limit")
	f("name,sps,:eq,:integral", second, stream.Options{}, "")
	f("name,sps,:eq,:cumulative-max", second, rule, ":cumulative-max not supported")
	f("name,sps,:eq,(,region,),:by,max,2,:topk", second, stream.Options{}, ":topk not supported")
	f("name,sps,:eq,:stat-max,2,:gt,:filter", second, stream.Options{}, ":filter not supported")
	f("name,sps,:eq", second+1, stream.Options{}, "multiple of the primary step")
	f("name,sps,:eq", 0, stream.Options{}, "multiple of the primary step")
	f("name,sps", second, stream.Options{}, "expecting time series expr")
	f("name,sps,:eq,1h,:offset,:des-fast", second, rule, "")
	f("name,sps,:eq"+strings.Repeat(",80000,:rolling-sum", 4), second, rule, "")
	f("name,sps,:eq"+strings.Repeat(",80000,:rolling-sum", 5), second, rule, "looks back 399995 steps, the limit is 345600")
	f("name,sps,:eq,100000s,:trend", second, rule, "window size must be between 1 and 86400")
	if n := hub.Sources(); n != 0 {
		t.Errorf("%d sources are left", n)
	}
}

func TestOrderOfSteps(t *testing.T) {
	w := newWorld(t, 1)
	s := w.open(stream.NewHub(w.st), "name,sps,:eq", second, stream.Options{})
	at := w.tick()
	if _, err := s.Step(at); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []int64{at, at - second, at + 1} {
		if _, err := s.Step(bad); err == nil {
			t.Errorf("step %d is accepted", bad-start)
		}
	}
	none := func(int64, []stream.Line) error { return nil }
	if err := s.History(context.Background(), at-second, at, none); err == nil {
		t.Error("history before the last step is accepted")
	}
	if err := s.History(context.Background(), at, at+second+1, none); err == nil {
		t.Error("history off the grid is accepted")
	}
	stop := errors.New("stop")
	if err := s.History(context.Background(), at, at+second, func(int64, []stream.Line) error { return stop }); err != stop {
		t.Errorf("error %v, want the one of yield", err)
	}
}

// A step over an unchanged set of lines allocates nothing.
func TestStepAllocatesNothing(t *testing.T) {
	w := newWorld(t, 30)
	hub := stream.NewHub(w.st)
	for _, o := range []stream.Options{{}, {ZeroFill: true}} {
		for _, step := range []int64{1, 5} {
			s := w.open(hub, "name,sps,:eq,(,region,node,),:by,:dup,:des-fast,0.8,:mul,:lt,5,:rolling-count,3,:gt", step*second, o)
			for range 12 {
				w.tick()
			}
			at := w.now - w.now%(step*second)
			if _, err := s.Step(at); err != nil {
				t.Fatal(err)
			}
			testkit.NoAllocs(t, "a step", func() {
				at += step * second
				if _, err := s.Step(at); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func BenchmarkStep(b *testing.B) {
	for _, groups := range []int{1, 1000} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			w := newWorld(b, groups)
			in := asl.New(asl.All(), asl.Limits{})
			ts, err := in.ParseTimeSeries("name,sps,:eq,(,node,),:by,:dup,:des-fast,0.8,:mul,:lt,5,:rolling-count,3,:gt")
			if err != nil {
				b.Fatal(err)
			}
			s, err := stream.NewHub(w.st).Open([]expr.TimeSeries{ts[0]}, second, stream.Options{Rule: true})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			at := w.tick()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Step(at); err != nil {
					b.Fatal(err)
				}
				at += second
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(groups), "ns/group")
		})
	}
}

func ExampleHub_OpenProgram() {
	st, _ := store.New(store.Options{Step: 1000})
	ts := tags.Of("name", "starts", "atlas.dstype", "gauge")
	ref, _ := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, 1000)
	s, _ := stream.NewHub(st).OpenProgram("name,starts,:eq,2,:rolling-sum", 1000, stream.Options{Rule: true})
	defer s.Close()
	for i := int64(1); i <= 3; i++ {
		b := store.Batch{Arrival: i * 1000}
		b.Add(ref, i*1000, float64(i))
		st.Append(&b, i*1000)
		lines, _ := s.Step(i * 1000)
		fmt.Println(lines[0].Label, lines[0].Value)
	}
	// Output:
	// rolling-sum(sum(name=starts)) 1
	// rolling-sum(sum(name=starts)) 3
	// rolling-sum(sum(name=starts)) 5
}
