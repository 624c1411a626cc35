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

// toolRig is a server that tells a webhook, and the amtool of the system.
type toolRig struct {
	*amtool
	pages chan string // "rule type" of each notification
	api   *client
}

func newToolRig(t *testing.T) *toolRig {
	t.Helper()
	path, err := exec.LookPath("amtool")
	if err != nil || testing.Short() {
		t.Skip("no amtool, or little time")
	}
	pages := make(chan string, 1000)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n struct{ Type, Rule string }
		if b, err := io.ReadAll(r.Body); err == nil && json.Unmarshal(b, &n) == nil {
			pages <- n.Rule + " " + n.Type
		}
	}))
	t.Cleanup(hook.Close)
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--step", "100ms", "--egress-allow", "127.0.0.0/8")
	am := &amtool{t, path, waitIn(t, &p.errors, p, `url=(http://[^/\s]+)`)[1]}
	api, err := newClient(am.url)
	must(t, err)
	r := &toolRig{am, pages, api}
	awaitReady(t, am.url)
	r.put("/api/v1/receivers/hook", fmt.Sprintf(`{"kind":"webhook","url":%q}`, hook.URL))
	return r
}

func (r *toolRig) put(path, body string) {
	r.t.Helper()
	must(r.t, r.api.send(context.Background(), http.MethodPut, path, []byte(body)))
}

// rule makes a rule that fires at once.
func (r *toolRig) rule(id string) {
	r.t.Helper()
	r.put("/api/v1/rules/"+id, `{"expr":"name,pulse.health.ready,:eq,:max,-1,:gt","severity":"page","labels":{"team":"playback"},"annotations":{"summary":"it is up"}}`)
}

// page returns the next notification.
func (r *toolRig) page() string {
	select {
	case text := <-r.pages:
		return text
	case <-time.After(30 * time.Second):
		return "nothing"
	}
}

// TestAmtool: the amtool of the system queries alerts, and its silence holds back the
// next notification of a server until it is expired.
func TestAmtool(t *testing.T) {
	am := newToolRig(t)
	rule, page := am.rule, am.page

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
	case text := <-am.pages:
		t.Errorf("told %s, too", text)
	default:
	}
}

// TestAmtoolSilencesRepeats: what is told again and again is told no more while amtool's
// silence means it, and again once it is expired.
func TestAmtoolSilencesRepeats(t *testing.T) {
	am := newToolRig(t)
	am.put("/api/v1/routes", `{"routes":[{"receiver":"hook","repeat_interval":"1s"}]}`)
	am.rule("clock")
	am.rule("other")
	// times returns how often the other was told while the clock was, so often.
	times := func(clocks int) (n int) {
		t.Helper()
		for seen := 0; seen < clocks; {
			switch got := am.page(); got {
			case "clock alert.firing":
				seen++
			case "other alert.firing":
				n++
			default:
				t.Fatalf("told %s", got)
			}
		}
		return n
	}
	if n := times(3); n == 0 {
		t.Errorf("told of the other %d times", n)
	}
	id := am.must("silence", "add", "alertname=other", "--author=ann", "--comment=known", "--duration=1h")
	times(2) // one may have been on its way
	if n := times(2); n > 0 {
		t.Errorf("told of the other %d times while it was silenced", n)
	}
	am.must("silence", "expire", id)
	times(2)
	if n := times(3); n == 0 {
		t.Error("not told of the other when its silence was over")
	}
}
