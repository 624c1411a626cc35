package stream_test

import (
	"errors"
	"testing"

	"pulse/query"
	"pulse/query/stream"
	"pulse/store/budget"
)

// Streams of clients share a budget that those of rules do not need.
func TestStreamsShareMemory(t *testing.T) {
	const program = "name,sps,:eq,(,node,),:by"
	w := newWorld(t, 500) // 500 lines of 256 bytes
	for range 5 {
		w.tick()
	}
	b := budget.New(600 << 10)
	hub := stream.NewHub(w.st)
	hub.Within(b)
	var open []*stream.Stream
	var refused error
	for range 20 {
		s, err := hub.OpenProgram(program, second, stream.Options{})
		if err == nil {
			_, err = s.Step(w.tick())
			open = append(open, s)
		}
		if err != nil {
			refused = err
			break
		}
	}
	if !errors.Is(refused, query.ErrBusy) || len(open) < 2 || len(open) > 5 {
		t.Errorf("%d streams, then %v", len(open), refused)
	}
	rule := w.open(hub, program, second, stream.Options{Rule: true})
	if _, err := rule.Step(w.tick()); err != nil {
		t.Errorf("a rule's stream: %v", err)
	}
	rule.Close()
	for _, s := range open {
		s.Close()
	}
	if b.Used() != 0 || b.Stats().Peak > b.Limit() {
		t.Errorf("%d bytes are not given back, %d were in use", b.Used(), b.Stats().Peak)
	}
}
