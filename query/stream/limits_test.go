package stream_test

import (
	"errors"
	"strings"
	"testing"

	"pulse/query"
	"pulse/query/expr"
	"pulse/query/stream"
	"pulse/store"
)

// Groups whose series are gone leave a stream, also one that is held together
// with others, and do not count for its limits.
func TestGroupsComeAndGo(t *testing.T) {
	w := newWorld(t, 0)
	var err error
	if w.st, err = store.New(store.Options{Step: second, Retention: 240 * second}); err != nil {
		t.Fatal(err)
	}
	w.source = w.st.Source("test", start)
	hub := stream.NewHub(w.st)
	const program = "name,sps,:eq,(,node,),:by,:dup,3,0.5,0.5,:des,:add"
	a := w.open(hub, program, second, stream.Options{MaxLines: 600})
	b := w.open(hub, program, 5*second, stream.Options{MaxLines: 600})
	w.add("sps", 0)
	most := 0
	for i := range 2500 {
		if i%100 == 99 { // a hundred nodes come, those before are not heard of again
			w.refs = w.refs[:1]
			for n := range 100 {
				w.add("sps", 1+100*i+n)
			}
		}
		at := w.tick()
		lines, err := a.Step(at)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		most = max(most, len(lines))
		if at%(5*second) == 0 {
			if _, err := b.Step(at); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		if i%500 == 0 {
			state := a.AppendState(nil)
			if rest, err := a.Restore(state); err != nil || len(rest) != 0 {
				t.Fatal(err)
			}
		}
	}
	if most < 400 {
		t.Errorf("there were %d groups at most, too few to be a test", most)
	}
}

func TestLimitOfLines(t *testing.T) {
	w := newWorld(t, 5)
	s := w.open(stream.NewHub(w.st), "name,sps,:eq,(,node,),:by", second, stream.Options{MaxLines: 4})
	_, err := s.Step(w.tick())
	if !errors.Is(err, query.ErrLimit) {
		t.Errorf("error %v, want a limit", err)
	}
}

// Limits of memory hold for long steps and for what is read ahead, which falls
// back to a single step.
func TestLimitOfMemory(t *testing.T) {
	w := newWorld(t, 20)
	for range 30 {
		w.tick()
	}
	hub := stream.NewHub(w.st)
	step := func(program string, step int64, most int64) error {
		t.Helper()
		s, err := hub.OpenProgram(program, step, stream.Options{MemoryBytes: most})
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = s.Step((w.now + 200*second) / step * step)
		return err
	}
	const all = "name,sps,:eq,(,node,),:by"
	const line = expr.LineBytes + 8
	f := func(program string, ms, most int64, ok bool) {
		t.Helper()
		err := step(program, ms, most)
		if ok != (err == nil) || err != nil && !errors.Is(err, query.ErrLimit) {
			t.Errorf("%s by %d ms, %d bytes: %v", program, ms, most, err)
		}
	}
	f(all, second, 20*line, true)
	f(all, second, 20*expr.LineBytes-1, false)
	f(all+",name,sps,:eq,:max,(,node,),:by", second, 30*line, false)
	f(all+",1h,:offset", second, 20*line, true)
	f(all+",1h,:offset", second, 20*line-1, false)
	f(all+",1h,:offset", 50*second, 20*(expr.LineBytes+50*8), true)
	f(all, 50*second, 20*expr.LineBytes, false)
	if err := step(all, 1<<50/1000*1000, 0); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a step of %d ms: %v", int64(1)<<50, err)
	}
}
