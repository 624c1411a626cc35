package detect_test

import (
	"testing"

	"pulse/detect/notify"
)

// TestLogWithGaps: an alert fires while the log takes no marks. However often the process
// ends after that, before or after the log takes marks again, nobody is told anew.
func TestLogWithGaps(t *testing.T) {
	for _, kill := range []struct{ inTheGap, after bool }{{true, false}, {true, true}, {false, true}} {
		r := newTapedRig(t, second)
		r.put(`{"id":"there","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"for":"2s","no_data":"alert"}`)
		r.to(0)
		r.feed(1, 20, map[string]float64{"eu": 100})
		r.tape.deaf = true
		for s := int64(21); s <= 30; s++ {
			r.to(s*second + 500)
		}
		n := r.one(notify.TypeFiring)
		end := func() {
			r.recover()
			if sent := r.took(); len(sent) > 0 {
				t.Errorf("%+v: told of %s after a restart", kill, brief(sent))
			}
			if got := r.alerts("firing"); len(got) != 1 || got[0].Incident != n.Incident {
				t.Errorf("%+v: after a restart these fire: %+v", kill, got)
			}
		}
		if kill.inTheGap {
			end()
		}
		r.tape.deaf = false
		for s := int64(31); s <= 40; s++ {
			r.to(s*second + 500)
		}
		if kill.after {
			end()
			end()
		}
		r.feed(41, 46, map[string]float64{"eu": 100})
		r.one(notify.TypeResolved)
	}
}
