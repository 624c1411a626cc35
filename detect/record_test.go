package detect

import (
	"encoding/json"
	"math"
	"testing"

	"pulse/detect/alert"
	"pulse/detect/notify"
)

// TestIncidentRecord: the record is what encoding/json writes, and reads back.
func TestIncidentRecord(t *testing.T) {
	nan := math.NaN()
	for _, in := range []*incident{
		{ID: "a", Rule: "r", State: StatePending, PendingSince: 5, At: 6, Events: []Event{{5, "pending", "value 1"}},
			Sent: notify.Notification{Value: nan, Expected: 1.5, Lower: 1e-9, Upper: 1e300, Score: nan}},
		{ID: "b", Rule: `<"é\`, State: StateNoData, Absence: true, PendingSince: -1, At: math.MaxInt64, Turn: 3,
			Machine: alert.State{Phase: alert.Firing, PendingSince: 1, StartsAt: 2, LastOut: 3, Held: 4, HadData: true, Absent: 5, NoDataAt: 6,
				Fires: alert.Streak{Times: 3, Calm: 10_000}, Losses: alert.Streak{Times: 1}},
			Notify: []string{"x", "y\n"},
			Sent: notify.Notification{ID: "b-firing", Type: notify.TypeFiring, Labels: map[string]string{"z": "1", "a": "2"}, Detector: json.RawMessage(`{"kind":"static"}`),
				StartsAt: 1_700_000_000_001, Contributors: []notify.Contributor{{Tags: map[string]string{"k": "v"}, Delta: -540, Share: .95}}},
			Events: []Event{{1, "pending", "a"}, {2, "firing", "b & c"}}, Began: &Figures{Value: 12, Expected: Number(nan), Lower: 1e-9, Upper: 1e300}},
		{ID: "c", Rule: "r", State: StateFiring, Silences: []string{"s"}, Routed: true, Inhibited: []Cause{{"over<", "a"}}, Events: []Event{},
			Sent: notify.Notification{ID: "c-firing", Type: notify.TypeFiring, Value: nan, Expected: nan, Lower: nan, Upper: nan, Score: nan},
			Legs: []leg{{Receiver: "x", Told: 5, Quiet: []string{"silence s"}, Group: &legGroup{"k", map[string]string{"b": "1", "a": "&"}, 1, 2, 3}}, {Receiver: "y", MutedBy: []string{"m"}, Outside: []string{"o"}}}},
	} {
		want, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := in.appendRecord(nil)
		if err != nil || string(got) != string(want) {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
		if err := json.Unmarshal(got, &incident{}); err != nil {
			t.Error(err)
		}
	}
	bad := &incident{Sent: notify.Notification{Detector: json.RawMessage(`{`)}}
	if text, err := bad.appendRecord(nil); err == nil {
		t.Errorf("half an object was stored as %s", text)
	}
}
