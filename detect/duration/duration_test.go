package duration_test

import (
	"testing"

	"pgregory.net/rapid"

	"pulse/detect/duration"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]duration.Duration{
		"0": 0, "0s": 0, "100ms": 100, "30s": 30_000, "1m30s": 90_000, "90m": 5_400_000, "1w2d3h": 788_400_000,
	} {
		if got, err := duration.Parse(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "s", "-1s", "1.5h", "1 h", "1y", "9007199254740993ms", "99999999999999999999s"} {
		if got, err := duration.Parse(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := duration.Duration(rapid.Int64Range(0, 1<<53).Draw(t, "ms"))
		if got, err := duration.Parse(want.String()); err != nil || got != want {
			t.Fatalf("%d is %s, which reads as %d, %v", want, want, got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("1h30m")
	f.Add("0")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := duration.Parse(text)
		if err != nil {
			return
		}
		if again, err := duration.Parse(d.String()); err != nil || again != d {
			t.Fatalf("%q is %d, %s, which is %d, %v", text, d, d, again, err)
		}
	})
}
