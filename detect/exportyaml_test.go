package detect_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"pulse/detect"
	"pulse/detect/notify"
)

// TestExport: a file is written as a person may read it.
func TestExport(t *testing.T) {
	file, err := detect.ParseRulesYAML([]byte(`{"rules":[` + fullJSON + `],"receivers":[{"name":"oncall","url":"https://x.example/hook?token=secret","secret":"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := file.AppendYAML(nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "export.yaml"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
}

// TestExportReadsBack: whatever texts a rule has, it comes back from its YAML.
func TestExportReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", " ", "~", "null", "Yes", "off", "0x1F", "1e5", "1_000", "- a", "a: b", "a #b", "#", "{{.Value}}",
			"'", `"`, `\`, "a\nb\n", "\t", "|", ">", "&a", "*a", "!a", "%", "@", "`", "\u0085", "\u2028", "\ufeff", "😀", "name,sps,:eq,:sum,(,region,),:by", "2026-01-01", "=", "<<", "e5", "a:", "é"}),
			rapid.StringMatching(`[a-z0-9:,() .#'"\\\-\n{}\[\]&*!|>%@]{0,12}`))
		rule := detect.Rule{
			ID: text.Draw(t, "id"), Expr: text.Draw(t, "expr"), Severity: "p" + text.Draw(t, "severity"), Owner: "o", NoData: "keep",
			Labels:      rapid.MapOfN(text, text, 0, 3).Draw(t, "labels"),
			Annotations: rapid.MapOfN(text, text, 0, 3).Draw(t, "annotations"),
			Notify:      rapid.SliceOfN(text, 0, 3).Draw(t, "notify"),
			For:         detect.Duration(rapid.Int64Range(0, 1e9).Draw(t, "for")),
		}
		rule.Detector.Kind = "static"
		rule.Detector.Params = map[string]any{"above": rapid.Float64Range(-1e300, 1e300).Draw(t, "above"), "width": json.Number("1e-7")}
		file := detect.File{Rules: []detect.Rule{rule}, Receivers: []notify.Receiver{{Name: text.Draw(t, "name"), DisabledReason: text.Draw(t, "reason")}}}
		out, err := file.AppendYAML(nil)
		if err != nil {
			t.Fatal(err)
		}
		back, err := detect.ParseRulesYAML(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		again, err := back.AppendYAML(nil)
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("%v, first\n%s\nthen\n%s", err, out, again)
		}
		for key, value := range rule.Labels {
			if back.Rules[0].Labels[key] != value {
				t.Fatalf("label %q is %q, was %q\n%s", key, back.Rules[0].Labels[key], value, out)
			}
		}
		if back.Rules[0].Expr != rule.Expr || back.Rules[0].ID != rule.ID {
			t.Fatalf("got %+v of %+v", back.Rules[0], rule)
		}
	})
}
