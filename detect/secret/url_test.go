package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"pulse/detect/secret"
)

func TestURLShows(t *testing.T) {
	f := func(text, host, path string) {
		t.Helper()
		u := secret.NewURL(text)
		if u.String() != host || u.WithPath().String() != path || u.Reveal() != text || u.WithPath().Reveal() != text {
			t.Errorf("%q shows %q and %q, want %q and %q", text, u, u.WithPath(), host, path)
		}
	}
	f("", "", "")
	f("https://a.example", "https://a.example", "https://a.example")
	f("https://a.example:8443/", "https://a.example:8443", "https://a.example:8443/")
	f("https://a.example/services/T/B/x", "https://a.example/***", "https://a.example/services/T/B/x")
	f("https://a.example/?token=canary&x=1&canary", "https://a.example/***", "https://a.example/?token=***&x=***&***")
	f("https://canary:canary@a.example/x", "https://a.example/***", "https://a.example/x")
	f("https://a.example#canary", "https://a.example/***", "https://a.example")
	f("canary", "***", "***")
	f("http://a b/canary", "***", "***")
	f("http://a\x00/canary", "***", "***")
}

func TestURLIsHidden(t *testing.T) {
	u := secret.NewURL("https://a.example/" + canary)
	hidden := struct{ u secret.URL }{u}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		wantHidden(t, verb, fmt.Sprintf(verb+verb+verb, u, &u, hidden))
	}
	asJSON, err := json.Marshal(map[string]any{"url": u, "list": []secret.URL{u}})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(struct{ U secret.URL }{u})
	if err != nil {
		t.Fatal(err)
	}
	wantHidden(t, "JSON and YAML", string(asJSON)+string(asYAML))
	if !strings.Contains(string(asJSON), `"url":"https://a.example/***"`) {
		t.Errorf("JSON %s", asJSON)
	}
	var back secret.URL
	if err := json.Unmarshal([]byte(`"https://b.example/x"`), &back); err != nil || back.Reveal() != "https://b.example/x" {
		t.Errorf("read %q, %v", back.Reveal(), err)
	}
}
