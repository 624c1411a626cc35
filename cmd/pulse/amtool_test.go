package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// amtool runs Alertmanager's tool against a server.
type amtool struct {
	t    *testing.T
	path string
	url  string
}

// run returns what amtool says on standard output, and whether it succeeded.
func (a *amtool) run(args ...string) (string, error) {
	a.t.Helper()
	cmd := exec.Command(a.path, append([]string{"--alertmanager.url=" + a.url, "--no-version-check"}, args...)...)
	cmd.Env = []string{"HOME=" + a.t.TempDir()} // nobody's configuration
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("amtool %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return strings.TrimSpace(string(out)), err
}

func (a *amtool) must(args ...string) string {
	a.t.Helper()
	out, err := a.run(args...)
	must(a.t, err)
	return out
}

// until repeats a query until its answer has the text.
func (a *amtool) until(text string, args ...string) string {
	a.t.Helper()
	var out string
	for range 200 {
		if out = a.must(args...); strings.Contains(out, text) {
			return out
		}
		time.Sleep(50 * time.Millisecond)
	}
	a.t.Fatalf("amtool %s: %q does not appear in:\n%s", strings.Join(args, " "), text, out)
	return ""
}

// TestAmtool: the amtool of the system queries alerts, and its silence holds back the
// next notification of a server until it is expired.
func TestAmtool(t *testing.T) {
	path, err := exec.LookPath("amtool")
	if err != nil || testing.Short() {
		t.Skip("no amtool, or little time")
	}
	pages := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n struct{ Type, Rule string }
		if b, err := io.ReadAll(r.Body); err == nil && json.Unmarshal(b, &n) == nil {
			pages <- n.Rule + " " + n.Type
		}
	}))
	defer hook.Close()
	page := func() string {
		select {
		case text := <-pages:
			return text
		case <-time.After(30 * time.Second):
			return "nothing"
		}
	}
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--step", "100ms", "--egress-allow", "127.0.0.0/8")
	am := &amtool{t, path, waitIn(t, &p.errors, p, `url=(http://[^/\s]+)`)[1]}
	api, err := newClient(am.url)
	must(t, err)
	put := func(path, body string) {
		t.Helper()
		for range 200 { // it may be loading
			err = api.send(context.Background(), http.MethodPut, path, []byte(body))
			if err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatal(err)
	}
	rule := func(id string) {
		t.Helper()
		put("/api/v1/rules/"+id, `{"expr":"name,pulse.health.ready,:eq,:max,-1,:gt","severity":"page","labels":{"team":"playback"},"annotations":{"summary":"it is up"}}`)
	}
	put("/api/v1/receivers/hook", fmt.Sprintf(`{"kind":"webhook","url":%q}`, hook.URL))

	rule("first")
	if got := page(); got != "first alert.firing" {
		t.Fatalf("told %s", got)
	}
	am.until("it is up", "alert", "query")
	if out := am.must("-o", "extended", "alert", "query", "team=~play.*", "alertname=first"); !strings.Contains(out, `severity="page"`) {
		t.Errorf("got %s", out)
	}
	if out := am.must("-o", "simple", "alert", "query", "team=other"); strings.Contains(out, "first") {
		t.Errorf("got %s", out)
	}

	id := am.must("silence", "add", "alertname=~second|third", "team=playback", "--author=ann", "--comment=an upgrade", "--duration=1h")
	rule("second")
	am.until("second", "alert", "query", "--silenced")
	if out := am.must("alert", "query"); !strings.Contains(out, "first") || strings.Contains(out, "second") {
		t.Errorf("not silenced: %s", out)
	}
	if out := am.must("-o", "extended", "silence", "query", "alertname=second|third"); !strings.Contains(out, id) || !strings.Contains(out, "ann") || !strings.Contains(out, "an upgrade") {
		t.Errorf("got %s", out)
	}
	if out := am.must("silence", "query", "-q", "alertname=other"); out != "" {
		t.Errorf("got %s", out)
	}
	am.must("silence", "update", "--duration=3h", id)
	if out := am.must("silence", "query", "-q"); out != id {
		t.Errorf("a longer end makes %s of %s", out, id)
	}
	rule("fourth") // what comes after is told, so what is silenced would have been
	if got := page(); got != "fourth alert.firing" {
		t.Errorf("told %s, want the fourth only", got)
	}

	am.must("silence", "expire", id)
	if got := page(); got != "second alert.firing" {
		t.Errorf("told %s, want the second now", got)
	}
	if out := am.must("silence", "query", "-q"); out != "" {
		t.Errorf("still there: %s", out)
	}
	if out := am.must("silence", "query", "-q", "--expired"); out != id {
		t.Errorf("over: %s, want %s", out, id)
	}
	am.until("second", "alert", "query", "alertname=second")

	if _, err := am.run("silence", "add", "team!=other", "--author=ann", "--comment=all"); err == nil || !strings.Contains(err.Error(), "without any label") {
		t.Errorf("a silence of everything: %v", err)
	}
	if _, err := am.run("silence", "expire", "00000000-0000-0000-0000-000000000000"); err == nil {
		t.Error("a silence that is not there was expired")
	}
	select {
	case text := <-pages:
		t.Errorf("told %s, too", text)
	default:
	}
}
