package detect_test

import (
	"testing"

	"pulse/detect/notify"
)

// TestReplayBeforeChange: a restart reads marks of before a rule was changed with the
// times that it had then, so that it tells nothing new of what was decided by them.
func TestReplayBeforeChange(t *testing.T) {
	for name, changed := range map[string]string{
		"keep": `"for":"0s","keep":"1s","flap":"off"`,
		"for":  `"for":"20s","keep":"9s","flap":"off"`,
		"flap": `"for":"0s","keep":"9s","flap":{"times":2,"calm":"60s"}`,
	} {
		r := newTapedRig(t, second)
		put := func(times string) {
			r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},` + times + `}`)
		}
		put(`"for":"0s","keep":"9s","flap":"off"`)
		r.to(0)
		low, well := map[string]float64{"eu": 10}, map[string]float64{"eu": 100}
		r.feed(1, 5, low)
		r.feed(6, 8, well) // not for long enough to be over
		r.feed(9, 12, low)
		n := r.one(notify.TypeFiring)
		put(changed)
		r.feed(13, 14, low)
		for range 2 {
			r.recover()
			if got := r.alerts("firing"); len(got) != 1 || got[0].Incident != n.Incident || got[0].StartsAt != n.StartsAt {
				t.Errorf("%s: after the restart these fire: %+v", name, got)
			}
			if sent := r.took(); len(sent) > 0 {
				t.Errorf("%s: told again: %s", name, brief(sent))
			}
		}
		r.feed(15, 40, well)
		if sent := r.took(); len(sent) != 1 || sent[0].Type != notify.TypeResolved {
			t.Errorf("%s: sent %s in the end", name, brief(sent))
		}
	}
}

// TestSameStepTwice: when the clock was set back over a whole alert, the next one begins
// at the same step. It is another one, with keys of its own.
func TestSameStepTwice(t *testing.T) {
	for _, killed := range []bool{false, true} {
		r := newTapedRig(t, second)
		r.put(`{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"keep":"1s","flap":"off"}`)
		r.to(0)
		ids := map[string]bool{}
		for range 3 {
			r.feed(20, 29, map[string]float64{"eu": 100})
			r.feed(30, 32, map[string]float64{"eu": 10})
			if killed {
				r.recover()
			}
			r.feed(33, 36, map[string]float64{"eu": 100})
			for _, n := range r.took() {
				if ids[n.ID] {
					t.Errorf("killed %v: %s is told twice", killed, n.ID)
				}
				ids[n.ID] = true
			}
			if killed {
				r.recover()
			}
		}
		if len(ids) != 6 {
			t.Errorf("killed %v: %d notifications of three alerts", killed, len(ids))
		}
	}
}
