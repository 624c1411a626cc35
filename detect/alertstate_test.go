package detect

import (
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"pulse/detect/alert"
	"pulse/store/field"
)

func readAlert(src []byte) (a groupAlert, detector, ok bool) {
	r := field.Reader{Rest: src}
	detector = a.readState(&r)
	return a, detector, !r.Bad && len(r.Rest) == 0
}

// TestAlertState: whatever a group's alert remembers is read back as it was.
func TestAlertState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 1<<50))
		streak := rapid.Custom(func(t *rapid.T) (k alert.Streak) {
			if k.Times = rapid.Int32Range(0, maxFlaps).Draw(t, "times"); k.Times > 0 {
				k.Calm = ms.Draw(t, "calm")
			}
			return k
		})
		want := groupAlert{missing: ms.Draw(t, "missing"), state: alert.State{
			Phase: alert.Phase(rapid.IntRange(0, 2).Draw(t, "phase")), HadData: rapid.Bool().Draw(t, "had data"),
			Absent: ms.Draw(t, "absent"), NoDataAt: ms.Draw(t, "no data at"), Fires: streak.Draw(t, "fires"), Losses: streak.Draw(t, "losses"),
		}}
		if s := &want.state; s.Phase != alert.Inactive {
			s.PendingSince, s.StartsAt, s.LastOut, s.Held = ms.Draw(t, "pending since"), ms.Draw(t, "starts at"), ms.Draw(t, "last out"), ms.Draw(t, "held")
		}
		detector := rapid.Bool().Draw(t, "detector")
		src := want.appendState(nil, detector)
		if got, gotDetector, ok := readAlert(src); !ok || got != want || gotDetector != detector {
			t.Fatalf("%x is read as %+v, detector %v, whole %v; want %+v, %v", src, got, gotDetector, ok, want, detector)
		}
	})
}

// TestAlertStateOfBefore: states that were stored before alerts could flap are read, and
// those of alerts that have been calm for long are stored as they were then.
func TestAlertStateOfBefore(t *testing.T) {
	for text, want := range map[string]groupAlert{
		"84":                                 {state: alert.State{HadData: true}},
		"8d80a0abfef96200a0bcacfef962c0b802": {state: alert.State{Phase: alert.Pending, HadData: true, PendingSince: 1_700_000_000_000, LastOut: 1_700_000_010_000, Held: 20_000}},
		"ce80a0abfef962e0f4aefef9628091b0fef96200904e": {state: alert.State{
			Phase: alert.Firing, HadData: true, PendingSince: 1_700_000_000_000, StartsAt: 1_700_000_030_000, LastOut: 1_700_000_040_000}, missing: 5000},
		"f4c0a90780a0abfef962a0fe0a": {state: alert.State{HadData: true, Absent: 60_000, NoDataAt: 1_700_000_000_000}, missing: 90_000},
	} {
		src, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, detector, _ := readAlert(src)
		if got != want || !detector {
			t.Errorf("%s is read as %+v, detector %v; want %+v", text, got, detector, want)
		}
		if again := want.appendState(nil, true); hex.EncodeToString(again) != text {
			t.Errorf("%+v is stored as %x, want %s", want, again, text)
		}
	}
}

// FuzzAlertState: no bytes panic, and what is read is stored and read as the same.
func FuzzAlertState(f *testing.F) {
	for _, a := range []groupAlert{
		{state: alert.State{HadData: true}},
		{state: alert.State{Phase: alert.Firing, HadData: true, PendingSince: 1, StartsAt: 2, LastOut: 3, Held: 4, Fires: alert.Streak{Times: 5, Calm: 6}}, missing: 7},
		{state: alert.State{HadData: true, Absent: 1, NoDataAt: 2, Losses: alert.Streak{Times: 2}}},
	} {
		f.Add(a.appendState(nil, true))
		f.Add(a.appendState(nil, false))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		a, detector, ok := readAlert(src)
		if !ok {
			return
		}
		if s := &a.state; s.Fires.Times > maxFlaps || s.Losses.Times > maxFlaps || s.Fires.Calm < 0 || s.Losses.Calm < 0 {
			t.Fatalf("%x is read as %+v", src, a)
		}
		if got, gotDetector, ok := readAlert(a.appendState(nil, detector)); !ok || got != a || gotDetector != detector {
			t.Errorf("%x is read as %+v, and that as %+v", src, a, got)
		}
	})
}
