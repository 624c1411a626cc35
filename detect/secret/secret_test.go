package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rs/zerolog"

	"pulse/detect/secret"
)

// canary is what must not be seen.
const canary = "canary-secret"

// holder has a secret where a method is called and where none can be.
type holder struct {
	Token  secret.Text
	Absent secret.Text `json:",omitzero"`
	hidden secret.Text
	Many   []secret.Text
}

func held() (secret.Text, holder) {
	s := secret.New(canary)
	return s, holder{Token: s, hidden: s, Many: []secret.Text{s}}
}

func wantHidden(t *testing.T, where, out string) {
	t.Helper()
	for _, leak := range []string{canary, canary[:8], fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary))} {
		if strings.Contains(out, leak) {
			t.Errorf("%s shows %q: %s", where, leak, out)
		}
	}
}

func TestFormat(t *testing.T) {
	s, h := held()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10v"} {
		for _, v := range []any{s, &s, h, &h, []any{s}, map[string]any{"k": s}, struct{ hidden *holder }{&h}} {
			wantHidden(t, fmt.Sprintf("%s of %T", verb, v), fmt.Sprintf(verb, v))
		}
		if out := fmt.Sprintf(verb, s); verb != "%T" && out != secret.Mask {
			t.Errorf("%s is %q, want %s", verb, out, secret.Mask)
		}
	}
	wantHidden(t, "an error", fmt.Errorf("with %v and %+v", s, h).Error())
	wantHidden(t, "text", s.String()+fmt.Sprint(s, h)+fmt.Sprintln(&s, &h))
}

func TestEncoders(t *testing.T) {
	s, h := held()
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"Token":"***","Many":["***"]}`; string(asJSON) != want {
		t.Errorf("JSON %s, want %s", asJSON, want)
	}
	asYAML, err := yaml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if wantHidden(t, "YAML", string(asYAML)); !strings.Contains(string(asYAML), secret.Mask) {
		t.Errorf("YAML %s", asYAML)
	}
	var out strings.Builder
	log := zerolog.New(&out)
	log.Info().Interface("held", h).Interface("secret", s).Stringer("text", s).Any("hidden", struct{ h *holder }{&h}).Msg("")
	if wantHidden(t, "the log", out.String()); strings.Count(out.String(), secret.Mask) != 4 {
		t.Errorf("log %s", out.String())
	}
}

func TestDecoders(t *testing.T) {
	for _, text := range []string{canary, secret.Mask, ""} {
		src := fmt.Appendf(nil, `{"Token":%q,"Many":[%q]}`, text, text)
		for name, unmarshal := range map[string]func([]byte, any) error{
			"JSON": json.Unmarshal,
			"YAML": func(src []byte, v any) error { return yaml.Unmarshal([]byte(strings.ToLower(string(src))), v) },
		} {
			var h holder
			if err := unmarshal(src, &h); err != nil {
				t.Errorf("%s of %q: %v", name, text, err)
				continue
			}
			if h.Token.Reveal() != text || len(h.Many) != 1 || h.Many[0].Reveal() != text || h.Token.IsZero() != (text == "") {
				t.Errorf("%s of %q: %q", name, text, h.Token.Reveal())
			}
		}
	}
}

func TestNone(t *testing.T) {
	s, _ := held()
	if s.IsZero() || s.Reveal() != canary {
		t.Errorf("a secret reveals %q", s.Reveal())
	}
	for _, none := range []secret.Text{{}, secret.New("")} {
		if !none.IsZero() || none.Reveal() != "" || fmt.Sprint(none) != "" {
			t.Errorf("no secret is %q, shown as %v", none.Reveal(), none)
		}
	}
}
