package detect_test

import (
	"slices"
	"strings"
	"testing"

	"pulse/detect/notify"
)

// TestTimeline: one list has what was seen, on how much and how old data, what the
// detector knew, what changed, the silence by its name and every attempt with its
// status, in order and once, the same after a restart.
func TestTimeline(t *testing.T) {
	r := newRig(t, second)
	r.to(0)
	r.put(lowFor3)
	r.feed(1, 9, map[string]float64{"eu": 100})
	r.feed(10, 15, map[string]float64{"eu": 1})
	n := r.one(notify.TypeFiring)
	s := r.silence(`{region="eu"}`, "")
	r.to(16_100)
	r.feed(17, 22, map[string]float64{"eu": 100})
	try := notify.Attempt{T: n.EvaluatedAt + 3, Incident: n.Incident, Type: n.Type, Receiver: "oncall", Number: 1, Outcome: notify.OutcomeAccepted, Status: 204, LatencyMs: 12}
	r.outbox.tries = []notify.Attempt{try, try} // one that was repeated after a crash
	r.explain()
	list := func() string {
		a, err := r.engine.AlertByID(t.Context(), n.Incident)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for i, x := range a.Timeline {
			if i > 0 && x.T < a.Timeline[i-1].T {
				t.Errorf("%+v after %+v", x, a.Timeline[i-1])
			}
			if slices.Index(a.Timeline, x) != i {
				t.Errorf("twice: %+v", x)
			}
			out = append(out, x.Kind+" "+x.Detail)
		}
		return strings.Join(out, "\n")
	}
	text := list()
	rest := text
	for _, want := range []string{
		"\npoint value 1, ", "; data age 600 ms; 1 of 1 sources had reported; detector: ", "\npending value 1, ",
		"\npoint value 1, ", "\nfiring value 1, ", "\nattempt alert.firing to oncall, attempt 1: accepted, status 204 in 12 ms",
		"\nsilenced silence " + s.ID + " of ann", "\nresolved back in band",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is missing, or out of order, in\n%s", want, text)
		}
		rest = after
	}
	r.restart(true)
	r.outbox.tries = []notify.Attempt{try, try}
	if got := list(); got != text {
		t.Errorf("after a restart\n%s\nbefore\n%s", got, text)
	}
}
