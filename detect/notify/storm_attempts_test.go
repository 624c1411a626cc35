package notify_test

import (
	"testing"
	"time"

	"pulse/detect/notify"
)

// TestStormLeavesAttempts: of each of ten thousand alerts that begin and end at once,
// for three receivers, it is known what became of both notifications at all of them.
func TestStormLeavesAttempts(t *testing.T) {
	if testing.Short() {
		t.Skip("60,000 notifications")
	}
	bubble(t, notify.Options{}, func(r *rig) {
		receivers := []string{"a", "b", "c"}
		for _, name := range receivers {
			r.put(name)
		}
		begin, end := storm(10_000)
		r.enqueue(begin...)
		after(time.Second)
		r.enqueue(end...)
		after(5 * time.Minute)
		r.stop()
		r.start()
		lost := 0
		for _, n := range begin {
			said := map[[2]string]bool{}
			for _, a := range r.svc.Attempts(n.Incident) {
				said[[2]string{a.Receiver, a.Type}] = true
			}
			if len(said) != 2*len(receivers) {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("of %d alerts nobody knows what became of all notifications", lost)
		}
	})
}
