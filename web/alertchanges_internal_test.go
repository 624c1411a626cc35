package web

import (
	"fmt"
	"hash/maphash"
	"testing"

	"pulse/detect"
)

// TestAlertChangesForget: of alerts that left the list so many are known; who asked last
// before others left gets the whole list, and who asked since what is new.
func TestAlertChangesForget(t *testing.T) {
	f := alertFeed{boot: "b", seed: maphash.MakeSeed(), known: map[string]fedAlert{}}
	listed := func(from, to int) (list []detect.Alert) {
		for i := from; i < to; i++ {
			a := detect.Alert{State: detect.StateFiring}
			a.Incident = fmt.Sprint(i)
			list = append(list, a)
		}
		return list
	}
	look := func(from, to int) string {
		list := listed(from, to)
		f.look(list)
		return f.since("", list).Revision
	}
	const all = mostGone + 10
	begun, few := look(0, all), look(5, all)
	if got := f.since(begun, listed(5, all)); got.Complete || len(got.Gone) != 5 || len(got.Alerts) != 0 {
		t.Errorf("five left: complete %v, %d gone, %d changed", got.Complete, len(got.Gone), len(got.Alerts))
	}
	none := look(0, 0)
	for _, revision := range []string{begun, few} {
		if got := f.since(revision, nil); !got.Complete {
			t.Errorf("since %s: %d gone, of which not all are known", revision, len(got.Gone))
		}
	}
	look(0, 1)
	if got := f.since(none, listed(0, 1)); got.Complete || len(got.Gone) != 0 || len(got.Alerts) != 1 {
		t.Errorf("one is back: complete %v, %d gone, %d changed", got.Complete, len(got.Gone), len(got.Alerts))
	}
	if len(f.known) != 1 || len(f.gone) > mostGone {
		t.Errorf("%d are known, %d are gone", len(f.known), len(f.gone))
	}
}
