package detect_test

import (
	"maps"
	"testing"

	"pulse/detect/notify"
)

// TestReleasedWithNewestVerdict: what is told late has the id, the time and the texts of
// its beginning, and the verdict of the last step; its end knows nothing of that.
func TestReleasedWithNewestVerdict(t *testing.T) {
	for _, restart := range []string{"", "before a step", "after a step"} {
		r := newRig(t, second)
		r.put(`{"id":"warn","severity":"warn","annotations":{"summary":"{{.Value}} starts"},"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":10}}`)
		r.to(0)
		s := r.silence(`{region="eu"}`, "")
		r.feed(1, 3, map[string]float64{"eu": 1})
		began := r.alerts("firing")[0]
		if restart == "after a step" {
			r.restart(false)
		}
		r.feed(4, 62, map[string]float64{"eu": 4})
		r.feed(63, 63, map[string]float64{"eu": 7})
		if restart == "before a step" {
			r.restart(false)
		}
		if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
			t.Fatal(err)
		}
		r.settle()
		n := r.one(notify.TypeFiring)
		if n.ID != began.Incident+"-firing" || n.StartsAt != epoch+1000 || n.Annotations["summary"] != "1 starts" {
			t.Errorf("restart %s: got %+v", restart, n)
		}
		value, at := 7.0, int64(epoch+63_500)
		if restart == "before a step" { // nothing was judged since
			value, at = 1, epoch+2_500
		}
		if n.Value != value || n.EvaluatedAt != at || n.Upper == n.Upper || n.Completeness != 1 {
			t.Errorf("restart %s: value %v at %d, completeness %v", restart, n.Value, n.EvaluatedAt-epoch, n.Completeness)
		}
		want := map[string]string{"summary": "1 starts", "held_back": "held back for 1 min 3 s by silence " + s.ID + ` of ann, "upgrade"`}
		if !maps.Equal(n.Annotations, want) {
			t.Errorf("restart %s: annotations %v", restart, n.Annotations)
		}
		r.feed(65, 68, map[string]float64{"eu": 20})
		if n := r.one(notify.TypeResolved); n.Annotations["held_back"] != "" {
			t.Errorf("restart %s: its end has annotations %v", restart, n.Annotations)
		}
	}
}
