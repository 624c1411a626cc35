package web_test

import (
	"fmt"
	"strings"
	"testing"

	"pulse/detect/notify"
	"pulse/detect/secret"
	"pulse/web"
)

// TestPanic: a fault of the server is an answer and a line in its log, neither
// of which tells a secret that was at hand.
func TestPanic(t *testing.T) {
	keys := newKeyring(t, "query")
	const canary = "whsec_canaryCanaryCanaryCanaryCanary"
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load}})
	r.panics = true
	held := struct {
		Token    secret.Text
		Receiver notify.Receiver
		Hidden   []any
	}{secret.New(canary), notify.Receiver{Name: "r", Secret: secret.New(canary)}, []any{secret.New(canary)}}
	for i, v := range []any{held, &held, fmt.Errorf("with %v and %+v", held, held.Hidden), held.Token} {
		r.web.Break("/broken", v)
		a := r.call("GET", "/broken", nil, keys.bearer("query"))
		if wantError(t, fmt.Sprint(i), a, 500, "internal error"); a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers %v", a.header)
		}
	}
	log := r.log.String()
	if n := strings.Count(log, "request failed"); n != 4 {
		t.Errorf("%d lines in the log, want 4:\n%s", n, log)
	}
	for _, text := range []string{canary, keys.secrets["query"]} {
		if strings.Contains(log, text) {
			t.Errorf("the log tells a secret:\n%s", log)
		}
	}
	if !strings.Contains(log, "panic_test.go") && !strings.Contains(log, "export_test.go") {
		t.Errorf("the log does not say where:\n%s", log)
	}
}
