package stream_test

import (
	"fmt"
	"strings"
	"testing"

	"pulse/query/stream"
	"pulse/store"
)

// TestRoundOfCoarseSteps: streams of one round see the same columns, also of the several
// that a longer step has, and also between them those of a shorter one.
func TestRoundOfCoarseSteps(t *testing.T) {
	w := newWorld(t, 10)
	hub := stream.NewHub(w.st)
	const program = "name,sps,:eq,:sum"
	a, b := w.open(hub, program, 5*second, stream.Options{Rule: true}), w.open(hub, program, 5*second, stream.Options{Rule: true})
	fine := w.open(hub, program, second, stream.Options{Rule: true})
	for now := w.tick(); ; now = w.tick() {
		if now%(5*second) != 0 {
			continue
		}
		in := hub.Round()
		step := func(s *stream.Stream) string {
			lines, err := s.StepIn(in, now)
			if err != nil {
				t.Fatal(err)
			}
			return text(now, lines)
		}
		first := step(a)
		step(fine)
		late := store.Batch{Source: w.source, Arrival: w.now}
		late.Add(w.refs[1], now-4*second, 1e6)
		w.st.Append(&late, w.now)
		if got := step(b); got != first {
			t.Fatalf("at %d: %s, then %s", now-start, first, got)
		}
		if now > start+60*second {
			return
		}
	}
}

// TestRoundAfterTheClockWasSetBack: the same holds for columns that are earlier than those
// read before.
func TestRoundAfterTheClockWasSetBack(t *testing.T) {
	w := newWorld(t, 10)
	hub := stream.NewHub(w.st)
	const program = "name,sps,:eq,:sum"
	open := func() *stream.Stream { return w.open(hub, program, 5*second, stream.Options{Rule: true}) }
	ahead, a, b := open(), open(), open()
	for w.tick()%(10*second) != 0 {
	}
	if _, err := ahead.StepIn(hub.Round(), w.now); err != nil {
		t.Fatal(err)
	}
	in, back := hub.Round(), w.now-5*second
	step := func(s *stream.Stream) string {
		lines, err := s.StepIn(in, back)
		if err != nil {
			t.Fatal(err)
		}
		return text(back, lines)
	}
	first := step(a)
	for i := range int64(5) {
		late := store.Batch{Source: w.source, Arrival: w.now}
		late.Add(w.refs[1], back-i*second, 1e6)
		w.st.Append(&late, w.now)
	}
	if got := step(b); got != first {
		t.Errorf("%s, then %s", first, got)
	}
}

// TestPrepare: a step that was prepared reads nothing of shifted data that can change no
// more, nor do those that were read with it; what comes with new series is read.
func TestPrepare(t *testing.T) {
	w := newWorld(t, 3)
	hub := stream.NewHub(w.st)
	shifted := w.open(hub, "name,sps,:eq,(,node,),:by,2m,:offset", second, stream.Options{Rule: true})
	for range 300 {
		w.tick()
	}
	step := func(t0 int64) string {
		lines, err := shifted.Step(t0)
		if err != nil {
			t.Fatal(err)
		}
		return text(0, lines)
	}
	replace := func(at int64, v float64) {
		l := store.ImportLine{Ref: w.refs[0], Times: []int64{at}, Values: []float64{v}}
		if r, err := w.st.Import(&store.ImportBatch{Lines: []store.ImportLine{l}}, w.now); err != nil || r.Accepted != 1 {
			t.Fatal(r, err)
		}
	}
	at := w.now - 120*second
	replace(at, 1)
	shifted.Prepare(w.now)
	replace(at, 77777)
	replace(at+second, 88888)
	if got := step(w.now); !strings.Contains(got, fmt.Sprintf("%016x", bits(1))) {
		t.Errorf("it was read when the step was evaluated: %s", got)
	}
	w.tick()
	if got := step(w.now); strings.Contains(got, fmt.Sprintf("%016x", bits(88888))) {
		t.Errorf("the next was read when it was evaluated: %s", got)
	}
	replace(at+2*second, 99999)
	w.add("sps", 3)
	w.tick()
	shifted.Prepare(w.now)
	if got := step(w.now); !strings.Contains(got, fmt.Sprintf("%016x", bits(99999))) {
		t.Errorf("with a new series nothing was read anew: %s", got)
	}
}
