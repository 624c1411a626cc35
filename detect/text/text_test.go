package text_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pulse/detect/text"
)

var limits = text.Limits{Source: 4 << 10, Rendered: 8 << 10, Loop: func(string, int) error { return nil }}

// data is what the templates of these tests name.
type data struct {
	S     string
	List  []string
	Map   map[string]string
	N     text.Number
	X     float64
	At    text.Time
	Never text.Time
}

func TestFunctions(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 1, 30, 0, time.UTC)
	d := data{
		S: "dead letters", List: []string{"b", "a"}, Map: map[string]string{"k": "v"}, N: 1060, X: 0.00123,
		At: text.At(now.Add(-90*time.Second).UnixMilli(), now.UnixMilli()), Never: text.At(0, now.UnixMilli()),
	}
	f := func(source, want string) {
		t.Helper()
		tmpl, err := text.Parse("t", source, limits)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			return
		}
		if got, err := tmpl.Render(&d); err != nil || got != want {
			t.Errorf("%s\ngot  %q, %v\nwant %q", source, got, err, want)
		}
	}
	f(`{{.S | toUpper}} {{title .S}} {{title "o'neil x_y"}} {{toLower "ÄB"}} {{trimSpace " a "}}`, "DEAD LETTERS Dead Letters O'neil X_y äb a")
	f(`{{.List | join ", "}} {{stringSlice "x" "y" | join "-"}}`, "b, a x-y")
	f(`{{if match "^dead" .S}}yes{{end}}{{if match "^letters" .S}}no{{end}}`, "yes")
	f(`{{reReplaceAll "(d)e" "<$1>" .S}}`, "<d>ad letters")
	f(`{{humanize .N}} {{humanize .X}} {{humanize 0}} {{humanize "1234567"}} {{humanize -1e30}}`, "1.06k 1.23m 0 1.235M -1e+06Y")
	f(`{{humanize1024 2048}} {{humanize1024 1}} {{humanize1024 1e9}}`, "2ki 1 953.7Mi")
	f(`{{humanizeDuration 3700}} {{humanizeDuration 90061}} {{humanizeDuration 0.0125}} {{humanizeDuration -61}} {{humanizeDuration 1.5}} {{humanizeDuration 0}}`,
		"1h 1m 40s 1d 1h 1m 1s 12.5ms -1m 1s 1.5s 0s")
	f(`{{humanizePercentage .X}} {{percent .X}}`, "0.123% 0.123%")
	f(`{{humanizeTimestamp 1435065584.128}} {{humanizeTimestamp .At}}`, "2015-06-23 13:19:44.128 +0000 UTC 2026-03-01 12:00:00 +0000 UTC")
	f(`{{.At}}|{{.Never}}|{{date "15:04" .At}}|{{date "15:04" .Never}}|{{.At | tz "Asia/Tokyo" | date "15:04 MST"}}`, "2026-03-01T12:00:00.000Z||12:00||21:00 JST")
	f(`{{since .At}} {{since .Never}} {{since .At | humanizeDuration}} {{.At.Year}}`, "1m30s 0s 1m 30s 2026")
	f(`{{safeUrl "https://a.example/?b=c&d"}} {{.Map.none}}{{.Map.k}} {{urlquery "a b"}}`, "https://a.example/?b=c&d v a+b")
	f(`{{.N}} {{printf "%.1f" .N}}`, "1060 1060.0")
}

func TestRefused(t *testing.T) {
	f := func(source, want string) {
		t.Helper()
		tmpl, err := text.Parse("t", source, limits)
		if err == nil {
			_, err = tmpl.Render(&data{S: strings.Repeat("s", 5000), List: make([]string, 9000)})
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.HasPrefix(err.Error(), "template: ") {
			t.Errorf("%s\ngot  %v\nwant %s", source, err, want)
		}
	}
	f(`{{.Nope}}`, "Nope")
	f(`{{nope}}`, "nope")
	f(`{{match "(" .S}}`, "missing closing")
	f(`{{match `+"`"+strings.Repeat("a", 1100)+"`"+` .S}}`, "at most 1024")
	f(`{{reReplaceAll "s" "`+strings.Repeat("t", 1000)+`" .S}}`, "grows over")
	f(`{{.List | join "-"}}`, "grows over")
	f(`{{.S}}{{.S}}`, "grows over 8192 bytes")
	f(`{{humanize .List}}`, "is no number")
	f(`{{humanize "x"}}`, "is no number")
	f(`{{date "15:04" .S}}`, "is no time")
	f(`{{tz "Mars/Crater" .At}}`, "unknown time zone")
	f(`{{since .At.UTC}}`, "since wants")
	f(strings.Repeat("x", 4097), "at most 4096")
	if _, err := text.Parse("t", "{{range .List}}{{end}}", text.Limits{Source: 99, Rendered: 99}); err == nil {
		t.Error("a loop passed where none is allowed")
	}
}

func TestClip(t *testing.T) {
	f := func(s string, n int, want string) {
		t.Helper()
		if got := text.Clip(s, n); got != want || utf8.RuneCountInString(got) > n {
			t.Errorf("Clip(%q, %d) = %q, want %q", s, n, got, want)
		}
	}
	f("", 0, "")
	f("ab", 2, "ab")
	f("abc", 2, "a…")
	f("äöü", 3, "äöü")
	f("äöüx", 3, "äö…")
	f("😀😀😀", 1, "…")
	f("abc", 0, "")
	f("a\xff\xfe", 2, "a…")
	for n := range 12 {
		for _, s := range []string{"äöü€😀", "plain text", ""} {
			if got := text.ClipBytes(s, n); len(got) > n || !utf8.ValidString(got) || len(s) <= n && got != s {
				t.Errorf("ClipBytes(%q, %d) = %q", s, n, got)
			}
		}
	}
}

func TestNumber(t *testing.T) {
	for x, want := range map[text.Number]string{0: "0", 412.51234: "412.512", 1e15: "1e+15", 1234567: "1234567", 0.00001: "1e-05", text.Number(math.Inf(1)): "+Inf"} {
		if x.String() != want {
			t.Errorf("%v, want %s", x, want)
		}
	}
}
