package stream_test

import (
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
