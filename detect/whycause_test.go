package detect_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"regexp"
	"testing"

	"pulse/detect/notify"
)

// An alert of each cause that is not a fall or a rise at once is in the API with
// that cause and in words that say what was seen.
func TestWordsOfCauses(t *testing.T) {
	const steps = 12 * 360 // of 10 s, before the incident
	leak := func(i int) float64 { return math.Max(0.3, 1-0.25*float64(max(0, i-steps))/360) }
	for _, c := range []struct {
		cause, detector string
		share           func(i int) float64 // of what is usual
		frozen          bool
		words           string
	}{
		{"drift", `{"kind":"exponential"}`, leak, false, `^\d+(\.\d)? % below what was expected, a little but for long: \d,?\d+, expected \d,?\d+ .*completeness 1/1`},
		{"frozen", `{"kind":"exponential"}`, func(int) float64 { return 1 }, true, `^the same value \d+ again and again, on a stream that varies: .*completeness 1/1`},
		{"worse", `{"kind":"compare","baseline":"name,base,:eq,:sum"}`, func(i int) float64 {
			if i > steps {
				return 1.3
			}
			return 1
		}, false, `^worse than what it is compared with: 0?\.\d+ % more, surely (at least )?0\.\d+ % more.*completeness 2/2`},
	} {
		t.Run(c.cause, func(t *testing.T) {
			r := newRig(t, 10_000)
			r.put(`{"id":"x","expr":"name,sps,:eq,:sum","detector":` + c.detector + `,"annotations":{"summary":"{{.Cause}}: {{.Why}}"}}`)
			random := rand.New(rand.NewPCG(9, 9))
			noisy := func(v float64) float64 { return math.Round(v + math.Sqrt(v/3)*random.NormFloat64()) }
			last := 0.0
			var sent []notify.Notification
			for i := 1; len(sent) == 0 && i < steps+4*360; i++ {
				v := noisy(1000 * c.share(i))
				if c.frozen && i > steps {
					v = last
				}
				last = v
				r.at(int64(i)*10_000 - 500)
				r.send("a", p(v, "name", "sps"), p(noisy(1000), "name", "base"))
				r.to(int64(i)*10_000 + 100)
				if sent = r.took(); len(sent) > 0 && i < steps {
					t.Fatalf("step %d: %s", i, brief(sent))
				}
			}
			if len(sent) != 1 || sent[0].Cause != c.cause {
				t.Fatalf("sent %s, want one for %s", brief(sent), c.cause)
			}
			words := regexp.MustCompile(c.words)
			if got := sent[0].Annotations["summary"]; len(got) < len(c.cause)+2 || got[:len(c.cause)] != c.cause || !words.MatchString(got[len(c.cause)+2:]) {
				t.Errorf("summary %q", got)
			}
			r.shows(sent[0].Incident, c.cause, words)
		})
	}
}

// shows checks what the API says of an alert.
func (r *rig) shows(incident, cause string, words *regexp.Regexp) {
	r.t.Helper()
	r.explain()
	a, err := r.engine.AlertByID(context.Background(), incident)
	if err != nil {
		r.t.Fatal(err)
	}
	body, err := json.Marshal(a)
	if err != nil {
		r.t.Fatal(err)
	}
	var shown struct {
		Cause string
		Why   struct {
			Text      string
			Decisions []struct{ Cause string }
		}
	}
	if err := json.Unmarshal(body, &shown); err != nil {
		r.t.Fatal(err)
	}
	decisions := shown.Why.Decisions
	if shown.Cause != cause || !words.MatchString(shown.Why.Text) || len(decisions) == 0 || decisions[len(decisions)-1].Cause != cause {
		r.t.Errorf("the API says %+v", shown)
	}
}
