package detect

import (
	"math"
	"strings"
	"testing"
)

func TestAnnotations(t *testing.T) {
	d := TemplateData{
		Rule: "sps-drop", Severity: "page", Tags: map[string]string{"region": "eu", "z": "<b>"}, Labels: map[string]string{"team": "playback"},
		Value: 412.51234, Expected: 980.1, Lower: 900.2, Upper: 1060, Score: 0.998, StartsAt: rfc3339(1_700_000_000_000),
	}
	f := func(text, want string) {
		t.Helper()
		as, err := parseAnnotations(map[string]string{"s": text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if got := as.render(&d)["s"]; got != want {
			t.Errorf("%s\ngot  %q\nwant %q", text, got, want)
		}
	}
	f("plain", "plain")
	f("", "")
	f("{{.Tags.region}}: {{.Value}} starts/s, expected {{.Expected}}", "eu: 412.512 starts/s, expected 980.1")
	f("{{.Tags.none}}|{{.Labels.team}}|{{.Rule}}|{{.Severity}}", "|playback|sps-drop|page")
	f("{{range $k, $v := .Tags}}{{$k}}={{$v}};{{end}}", "region=eu;z=<b>;")
	f("{{.Tags}} is low{{.Labels.none}}", "region=eu, z=<b> is low")
	f(`{{printf "%.1f" .Value}} {{printf "12345 %s 100%%" .Rule}}`, "412.5 12345 sps-drop 100%")
	f("{{if lt .Value .Expected}}below{{else}}above{{end}}", "below")
	f("{{percent .Score}} {{humanize .Upper}} {{toUpper .Tags.region}}", "99.8% 1.06k EU")
	f("{{.StartsAt}}", "2023-11-14T22:13:20.000Z")
	f("{{with .Tags}}{{.region}}{{end}}", "eu")
	d.Expected = Number(math.NaN())
	f("{{.Value}}, expected {{.Expected}} ({{percent .Expected}})", "412.512, expected – (–)")
	f("{{.Value}}{{if .Expected.Known}}, expected {{.Expected}}{{end}}{{if .Value.Known}} now{{end}}", "412.512 now")
}

func TestAnnotationsRefused(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := parseAnnotations(map[string]string{"s": text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
	f("{{.Nope}}", "Nope")
	f("{{nope}}", "nope")
	f("{{", "s:1")
	f("{{range 1000000000}}{{end}}", "range over 1000000000")
	f("{{$x := 5}}{{range $x}}{{end}}", "range over $x")
	f("{{range .Tags}}{{range $.Tags}}{{end}}{{end}}", "range inside a range")
	f("{{if true}}{{range 9}}{{end}}{{end}}", "range over 9")
	f(`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, "define and block")
	f(`{{template "s"}}`, "template calls")
	f(`{{printf "%1000000000d" 1}}`, "two digits")
	f(`{{printf "%.999f" .Value}}`, "two digits")
	f(`{{printf "%*d" 1000000 1}}`, "not supported")
	double := `{{$x := "0123456789abcdef"}}` + strings.Repeat(`{{$x = print $x $x}}`, 30)
	f(double, "grows over 8192 bytes")
}

// TestAnnotationRunTimeError: a template that fails only on real data still
// yields a text.
func TestAnnotationRunTimeError(t *testing.T) {
	as, err := parseAnnotations(map[string]string{"s": `{{if eq .Rule "x"}}{{index .Rule 99}}{{end}}`})
	if err != nil {
		t.Fatal(err)
	}
	if got := as.render(&TemplateData{Rule: "x"})["s"]; !strings.HasPrefix(got, "(template: ") || len(got) > 250 {
		t.Errorf("got %q", got)
	}
	long, err := parseAnnotations(map[string]string{"s": strings.Repeat("{{.Rule}}", 200)})
	if err != nil {
		t.Fatal(err)
	}
	if got := long.render(&TemplateData{Rule: strings.Repeat("y", 100)})["s"]; !strings.Contains(got, "grows over") {
		t.Errorf("got %d bytes: %.80q", len(got), got)
	}
}

func TestNumber(t *testing.T) {
	f := func(x float64, want string) {
		t.Helper()
		if got := Number(x).String(); got != want {
			t.Errorf("Number(%v) = %q, want %q", x, got, want)
		}
	}
	f(0, "0")
	f(math.Copysign(0, -1), "0")
	f(1, "1")
	f(412.5, "412.5")
	f(980.1342342, "980.134")
	f(1234567.89, "1234568")
	f(0.1+0.2, "0.3")
	f(0.00012345678, "0.000123")
	f(-2.50, "-2.5")
	f(1e-9, "1e-09")
	f(1e20, "1e+20")
	f(math.NaN(), "–")
	f(math.Inf(1), "+Inf")
}
