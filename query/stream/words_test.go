package stream_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/query/stream"
	"pulse/store"
)

// statefulPrograms is every word whose result depends on earlier values, applied
// to one line, to the line of each region and to another that remembers, with what
// refuses it in rules.
var statefulPrograms = []struct {
	word    string // without arguments
	args    []string
	refused bool // in rules: it never forgets
}{
	{"delay", []string{"1", "7"}, false},
	{"rolling-count", []string{"1", "5"}, false},
	{"rolling-min", []string{"1", "6"}, false},
	{"rolling-max", []string{"2", "9"}, false},
	{"rolling-mean", []string{"1,1", "5,3"}, false},
	{"rolling-sum", []string{"1", "8"}, false},
	{"des", []string{"2,0.1,0.02", "10,0.9,0.5"}, false},
	{"sdes", []string{"1,0.5,0.5", "7,0.3,0.1"}, false},
	{"trend", []string{"1s", "6s"}, false},
	{"derivative", []string{""}, false},
	{"integral", []string{""}, true},
	{"cumulative-max", []string{""}, true},
	{"des-simple", []string{""}, false},
	{"des-fast", []string{""}, false},
	{"des-slower", []string{""}, false},
	{"des-slow", []string{""}, false},
	{"sdes-simple", []string{""}, false},
	{"sdes-fast", []string{""}, false},
	{"sdes-slower", []string{""}, false},
	{"sdes-slow", []string{""}, false},
	{"des-epic-signal", []string{"3,0.1,0.5,0.2,0.2,4"}, false},
}

// programsOf returns the programs that a word is tested in.
func programsOf(word, args string) []string {
	if args != "" {
		args = "," + args
	}
	call := args + ",:" + word
	return []string{
		"name,sps,:eq" + call,
		"name,sps,:eq,(,region,),:by" + call,
		"name,sps,:eq,(,node,),:by,3,:rolling-sum" + call,
	}
}

// TestStatefulWords runs every stateful word of the language through the same
// checks. Step by step it gives what a batch over stored data gives. Saved and
// restored between any two steps, by whatever stream of the expression, it goes on as if
// nothing had been. A look at a step that is not closed yet changes nothing, whatever
// is looked at. Over gaps, which may be longer than what it remembers, it gives what
// steps without data give; idle, it forgets within the look-back that it states.
func TestStatefulWords(t *testing.T) {
	tested := map[string]bool{}
	for _, x := range statefulPrograms {
		tested[x.word] = true
		for _, args := range x.args {
			for _, program := range programsOf(x.word, args) {
				t.Run(program, func(t *testing.T) {
					o := stream.Options{Rule: !x.refused, ZeroFill: true}
					equalsBatch(t, program, o)
					survivesGaps(t, program, o)
					if x.refused {
						refuses(t, program)
						return
					}
					forgets(t, program)
				})
			}
		}
	}
	for _, w := range asl.StatefulWords() {
		if !tested[w.Name] {
			t.Errorf(":%s is not tested", w.Name)
		}
	}
	for _, name := range expr.StatefulOps() {
		if !tested[name] {
			t.Errorf(":%s is not tested", name)
		}
	}
}

// equalsBatch compares steps as they close, one after the other, looked at before,
// and saved and restored in between, with history over the same data.
func equalsBatch(t *testing.T, program string, o stream.Options) {
	t.Helper()
	w := newWorld(t, 8)
	hub := stream.NewHub(w.st)
	const steps = 60
	plain, looked, saved := w.open(hub, program, second, o), w.open(hub, program, second, o), w.open(hub, program, second, o)
	nothing := func(int64, []stream.Line) error { return nil }
	for _, s := range []*stream.Stream{plain, looked, saved} {
		if err := s.History(context.Background(), start-second, start, nothing); err != nil {
			t.Fatal(err)
		}
	}
	var got [3][]string
	late := ""
	for i := range steps {
		if i == steps/2 {
			w.add("sps", 8+i) // a line that comes later
			late = fmt.Sprint(8 + i)
		}
		if _, err := looked.Peek(0, w.now+second); err != nil { // before any point is there
			t.Fatal(err)
		}
		at := w.tick()
		before := looked.AppendState(nil)
		peeked, err := looked.Peek(hub.Round(), at)
		if err != nil {
			t.Fatal(err)
		}
		peek := text(at, peeked)
		if !slices.Equal(before, looked.AppendState(nil)) {
			t.Fatalf("step %d: a look changed the state", i)
		}
		for k, s := range []*stream.Stream{plain, looked, saved} {
			lines, err := s.Step(at)
			if err != nil {
				t.Fatal(err)
			}
			got[k] = append(got[k], text(at, lines))
		}
		if peek != got[1][i] {
			t.Fatalf("step %d:\nlooked at %s\nclosed    %s", i, peek, got[1][i])
		}
		state := append(saved.AppendState(nil), 'x')
		if i%3 == 0 { // in another process
			saved = w.open(hub, program, second, o)
		}
		if rest, err := saved.Restore(state); err != nil || string(rest) != "x" {
			t.Fatalf("restore: %q, %v", rest, err)
		}
	}
	past := w.open(hub, program, second, o)
	var want []string
	err := past.History(context.Background(), start, w.now, func(at int64, lines []stream.Line) error {
		want = append(want, text(at, lines))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for k, how := range []string{"step by step", "looked at", "saved and restored"} {
		for i := range want {
			want := want[i]
			if i < steps/2 { // live, a line is there when its series is
				want = without(want, late)
			}
			if got[k][i] != want {
				t.Fatalf("%s, step %d:\n got %s\nwant %s", how, i, got[k][i], want)
			}
		}
	}
}

// without returns a step without the line of a node.
func without(step, node string) string {
	fields := strings.Split(step, " ")
	for i, f := range fields {
		if strings.Contains(f, "node="+node) {
			from := i
			if fields[i-1] == "name=sps," {
				from--
			}
			return strings.Join(slices.Delete(fields, from, i+1), " ")
		}
	}
	return step
}

// survivesGaps compares a stream that skips steps with one that evaluates them
// without data.
func survivesGaps(t *testing.T, program string, o stream.Options) {
	t.Helper()
	for _, gap := range []int{1, 4, 70} {
		w := newWorld(t, 5)
		hub := stream.NewHub(w.st)
		skips, goes := w.open(hub, program, second, o), w.open(hub, program, second, o)
		for i := range 40 {
			if i == 20 {
				for range gap {
					w.now += second
					if _, err := goes.Step(w.now); err != nil {
						t.Fatal(err)
					}
				}
			}
			at := w.tick()
			a, err := skips.Step(at)
			if err != nil {
				t.Fatal(err)
			}
			x := text(at, a)
			b, err := goes.Step(at)
			if err != nil {
				t.Fatal(err)
			}
			if y := text(at, b); x != y {
				t.Fatalf("gap of %d, step %d:\nskipped %s\nwalked  %s", gap, i, x, y)
			}
		}
	}
}

// forgets compares two streams that have seen different values, after the look-back
// that they state: smoothing to a millionth, the others to the last bit.
func forgets(t *testing.T, program string) {
	t.Helper()
	o := stream.Options{Rule: true}
	a, b := newWorld(t, 3), newWorld(t, 3)
	send := func(w *world, v float64) int64 {
		w.now += second
		batch := store.Batch{Source: w.source, Arrival: w.now}
		for i, ref := range w.refs {
			batch.Add(ref, w.now, v+float64(i))
		}
		w.st.Append(&batch, w.now)
		return w.now
	}
	x, y := a.open(stream.NewHub(a.st), program, second, o), b.open(stream.NewHub(b.st), program, second, o)
	steps := int(x.Lookback()/second) + 1
	if steps > 3000 {
		t.Fatalf("look-back of %d steps", steps)
	}
	for i := range 30 + steps {
		va := 100 + float64(i*i%17)
		vb := va
		if i < 30 {
			vb = 100 + float64(i*7%13)
		}
		p, err := x.Step(send(a, va))
		if err != nil {
			t.Fatal(err)
		}
		q, err := y.Step(send(b, vb))
		if err != nil {
			t.Fatal(err)
		}
		if i < 29+steps {
			continue
		}
		for k := range p {
			if d := math.Abs(p[k].Value - q[k].Value); d > 1e-6*200 || math.IsNaN(p[k].Value) != math.IsNaN(q[k].Value) {
				t.Errorf("%s: %v and %v after the look-back of %d steps", p[k].Label, p[k].Value, q[k].Value, steps)
			}
		}
	}
}

// refuses checks that a rule is told which word it may not use, why, and what to
// use.
func refuses(t *testing.T, program string) {
	t.Helper()
	w := newWorld(t, 1)
	_, err := stream.NewHub(w.st).OpenProgram(program, second, stream.Options{Rule: true})
	if err == nil || !strings.Contains(err.Error(), "it remembers everything since evaluation began; use :rolling-") {
		t.Errorf("in a rule: %v", err)
	}
}
