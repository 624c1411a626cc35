package algo

import (
	"testing"
	"unsafe"
)

// TestFetchedIsWhatIsRead: what is asked for ahead is where the types have it.
func TestFetchedIsWhatIsRead(t *testing.T) {
	var s seasonal
	windows := unsafe.Offsetof(s.windows)
	slow := windows + unsafe.Offsetof(s.windows.slow)
	for _, c := range []struct {
		name string
		got  uintptr
		want uintptr
	}{
		{"cusumSize", cusumSize, unsafe.Sizeof(cusum{})},
		{"smoothingSize", smoothingSize, unsafe.Sizeof(smoothing{})},
		{"compareSize", compareSize, unsafe.Sizeof(compare{})},
		{"bandSize", bandSize, unsafe.Sizeof(learnedBand{})},
		{"seasonalStep", seasonalStep, slow + unsafe.Offsetof(s.windows.slow.own)},
		{"seasonalClose", seasonalClose, windows + unsafe.Sizeof(s.windows)},
		{"seasonalPlain", seasonalPlain, unsafe.Offsetof(s.calendar)},
		{"seasonalRest", seasonalRest, unsafe.Offsetof(s.plain) + unsafe.Sizeof(s.plain) - unsafe.Offsetof(s.calendar)},
		{"seasonalDay", seasonalDay, unsafe.Offsetof(s.profile) + unsafe.Offsetof(s.profile.day)},
		{"seasonalWeek", seasonalWeek, unsafe.Offsetof(s.profile) + unsafe.Offsetof(s.profile.week)},
		{"seasonalSize", seasonalSize, unsafe.Sizeof(s)},
	} {
		if c.got != c.want && unsafe.Sizeof(c.got) == 8 {
			t.Errorf("%s is %d, the type has %d", c.name, c.got, c.want)
		}
	}
}

// TestFetchAnything: asking changes nothing, and takes any detector.
func TestFetchAnything(t *testing.T) {
	for _, kind := range Kinds() {
		spec := Spec{Kind: kind.Name}
		switch kind.Name {
		case "static":
			spec.Params = map[string]any{"below": 1}
		case "compare":
			spec.Params = map[string]any{"baseline": "x"}
		}
		m, err := Prepare(spec, 60_000)
		if err != nil {
			t.Fatal(err)
		}
		d := m.New()
		was := string(d.AppendState(nil))
		for at := range int64(10) {
			f := m.Fetcher((at - 5) * 60_000)
			f.Fetch(nil)
			f.Fetch(d)
		}
		if string(d.AppendState(nil)) != was {
			t.Errorf("%s: the state changed", kind.Name)
		}
	}
}
