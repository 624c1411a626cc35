package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// verdicts is what the npm package makes of a notification, with one secret: "ok"
// or why it is refused.
type verdicts struct{ Genuine, Tampered, Renamed, Late, Early string }

// verified is a notification as the npm package saw it, with a verdict per secret.
type verified struct {
	ID, Type, Header string
	Verdicts         []verdicts
}

// startVerifier starts the receiver of bench/clients/standardwebhooks and returns its
// URL and what it says of each notification.
func startVerifier(t *testing.T, secrets ...string) (url string, came <-chan verified) {
	t.Helper()
	folder := filepath.Join("..", "..", "bench", "clients", "standardwebhooks")
	node, err := exec.LookPath("node")
	if _, missing := os.Stat(filepath.Join(folder, "node_modules", "standardwebhooks")); err != nil || missing != nil || testing.Short() {
		t.Skip("no Node.js, or the package is not installed (npm ci in bench/clients/standardwebhooks), or little time")
	}
	cmd := exec.Command(node, append([]string{"receive.js"}, secrets...)...)
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	list := make(chan verified, 100)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range list { // until the reader has ended
		}
		_ = cmd.Wait()
	})
	if !lines.Scan() {
		close(list)
		t.Fatalf("the receiver ended: %v", lines.Err())
	}
	url = lines.Text()
	go func() {
		defer close(list)
		for lines.Scan() {
			var v verified
			if json.Unmarshal(lines.Bytes(), &v) != nil {
				v.Type = lines.Text()
			}
			list <- v
		}
	}()
	return url, list
}

// TestStandardWebhooks: the npm package standardwebhooks verifies what a server signs,
// with either secret of a rotation and with no other, and refuses what was tampered
// with, what has another id, and what is not of now.
func TestStandardWebhooks(t *testing.T) {
	secretOf := func(text string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(text)) }
	current, previous, foreign := secretOf("the secret that is current"), secretOf("the secret of the months before"), secretOf("the secret of somebody else")
	url, came := startVerifier(t, current, previous, foreign)
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--step", "100ms", "--egress-allow", "127.0.0.0/8")
	base := waitIn(t, &p.errors, p, `url=(http://[^/\s]+)`)[1]
	awaitReady(t, base)
	api, err := newClient(base)
	must(t, err)
	put := func(path, body string) {
		t.Helper()
		must(t, api.send(context.Background(), http.MethodPut, path, []byte(body)))
	}
	next := func(kind string) verified {
		t.Helper()
		select {
		case v := <-came:
			if v.Type != kind || v.ID == "" || v.Header != v.ID {
				t.Fatalf("got %+v, want %s with its id in the header", v, kind)
			}
			return v
		case <-time.After(30 * time.Second):
			t.Fatalf("no %s", kind)
		}
		return verified{}
	}
	const mismatch, old, ahead = "No matching signature found", "Message timestamp too old", "Message timestamp too new"
	good := verdicts{"ok", mismatch, mismatch, old, ahead}
	bad := verdicts{mismatch, mismatch, mismatch, old, ahead}
	check := func(v verified, want ...verdicts) {
		t.Helper()
		for i := range want {
			if v.Verdicts[i] != want[i] {
				t.Errorf("%s, secret %d: %+v, want %+v", v.Type, i, v.Verdicts[i], want[i])
			}
		}
	}

	put("/api/v1/receivers/hook", fmt.Sprintf(`{"url":%q,"secret":%q,"previous_secret":%q}`, url, current, previous))
	put("/api/v1/rules/up", `{"expr":"name,pulse.health.ready,:eq,:max,-1,:gt","severity":"page","annotations":{"summary":"it is up: déjà vu, 起動, 🎬"}}`)
	check(next("alert.firing"), good, good, bad)

	put("/api/v1/receivers/hook", fmt.Sprintf(`{"url":%q,"secret":%q}`, url, current))
	must(t, api.send(context.Background(), http.MethodDelete, "/api/v1/rules/up", nil))
	check(next("alert.resolved"), good, bad, bad)
}
