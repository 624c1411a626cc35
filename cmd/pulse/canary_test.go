package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCanaries: what must stay secret shows up nowhere: not in the log at its
// most talkative, not in any answer, not in an error, not in the printed
// configuration.
func TestCanaries(t *testing.T) {
	dir := t.TempDir()
	list, rules := filepath.Join(dir, "tokens"), filepath.Join(dir, "rules.yaml")
	all := newToken(t, list, "ops", "admin", "query", "ingest")
	whsec := func(text string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(text)) }
	canaries := map[string]string{
		"token": all, "unknown token": "pulse_canary-unknown",
		"secret by API": whsec("canary-secret-of-the-api-00000"), "previous secret": whsec("canary-secret-of-before-000000"),
		"secret in a file": whsec("canary-secret-of-the-file-0000"), "query of a URL": "canary-in-the-query",
		"routing key": "canary-routing-key-0123456789abc", "API key": "canary-api-key-of-opsgenie", "password": "canary-password-of-mail", "path of Slack": "canary-in-the-path",
	}
	seen := func(where, text string) {
		t.Helper()
		for what, canary := range canaries {
			if strings.Contains(text, canary) {
				at := strings.Index(text, canary)
				t.Errorf("%s shows the %s: …%.200q", where, what, text[max(0, at-100):])
			}
		}
	}
	good := fmt.Sprintf("receivers:\n  - name: filed\n    kind: webhook\n    url: http://127.0.0.1:9/hook?key=%s\n    secret: %s\n", canaries["query of a URL"], canaries["secret in a file"]) +
		fmt.Sprintf("  - name: pager\n    kind: pagerduty\n    url: http://127.0.0.1:9/\n    routing_key: %s\n", canaries["routing key"])
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	address := freeAddress(t)
	args := []string{"serve", "--listen", address, "--data", filepath.Join(dir, "data"), "--step", "1s", "--log-level", "debug", "--log-format", "json", "--tokens", list, "--rules", rules, "--egress-allow", "127.0.0.1/32"}
	server := start(t, args...)
	awaitReady(t, "http://"+address)

	call := func(method, path, body, secret string) string {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+secret)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(res.Status, res.Header, string(b))
		seen(method+" "+path, text)
		return text
	}
	receiver := fmt.Sprintf(`{"url":"http://127.0.0.1:9/hook?key=%s","secret":"%s","previous_secret":"%s"}`, canaries["query of a URL"], canaries["secret by API"], canaries["previous secret"])
	for _, bad := range []string{
		strings.Replace(receiver, "127.0.0.1", "10.0.0.1", 1), strings.Replace(receiver, "http", "gopher", 1), strings.Replace(receiver, ":9/", ":99999/", 1),
		strings.Replace(receiver, "whsec_", "whsec_!", 1), receiver + "x", strings.Replace(receiver, "url", "uri", 1), receiver[:len(receiver)-20], strings.Replace(receiver, "whsec_", "", 1),
	} {
		if text := call("PUT", "/api/v1/receivers/oncall", bad, all); !strings.HasPrefix(text, "400") {
			t.Errorf("%s: %s", bad, text)
		}
	}
	if text := call("PUT", "/api/v1/receivers/oncall", receiver, all); !strings.HasPrefix(text, "200") {
		t.Fatal(text)
	}
	call("POST", "/api/v1/receivers/oncall/test", "{}", all)
	for name, body := range map[string]string{
		"og":    fmt.Sprintf(`{"kind":"opsgenie","url":"http://127.0.0.1:9","api_key":"%s"}`, canaries["API key"]),
		"slack": fmt.Sprintf(`{"kind":"slack","url":"http://127.0.0.1:9/services/%s"}`, canaries["path of Slack"]),
		"mail":  fmt.Sprintf(`{"kind":"email","to":"a@example.com","from":"b@example.com","smarthost":"127.0.0.1:9","username":"u","password":"%s"}`, canaries["password"]),
	} {
		if text := call("PUT", "/api/v1/receivers/"+name, body, all); !strings.HasPrefix(text, "200") {
			t.Errorf("%s: %s", name, text)
		}
		call("POST", "/api/v1/receivers/"+name+"/test", "{}", all)
		call("PUT", "/api/v1/receivers/"+name, body[:len(body)-3], all)
		call("PUT", "/api/v1/receivers/"+name, strings.Replace(body, `"kind"`, `"title":"{{.Nope}}","kind"`, 1), all)
	}
	call("PUT", "/api/v1/rules/r", `{"expr":"name,pulse.ingest.requests,:eq,:sum","detector":{"kind":"static","above":-1},"notify":["oncall"]}`, all)
	for _, bad := range []string{good + "  - name: [", strings.Replace(good, "secret: ", "secrets: ", 1), strings.Replace(good, "whsec_", "", 1), strings.Replace(good, "kind: webhook", "kind: {a: "+canaries["secret in a file"]+"}", 1), strings.Replace(good, "http:", "gopher:", 1), strings.Replace(good, "    secret", "   secret", 1),
		strings.Replace(good, "    routing_key", "   routing_key", 1), strings.Replace(good, "routing_key: ", "routing_key: |\n  ", 1), strings.Replace(good, "routing_key: canary", "routing_key:\n     - canary", 1),
		strings.Replace(good, "kind: pagerduty", "kind: pigeon", 1), strings.Replace(good, "routing_key", "api_key", 1)} {
		write(bad)
		if text := call("POST", "/-/reload", "{}", all); strings.HasPrefix(text, "200") {
			t.Errorf("reload of %q: %s", bad, text)
		}
	}
	for _, path := range []string{"/api/v1/receivers", "/api/v1/receivers/oncall", "/api/v1/receivers/filed", "/api/v1/rules", "/api/v1/alerts", "/api/v1/status", "/api/v1/sources", "/metrics", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/ready", "/nowhere", "/api/v1/graph", "/"} {
		call("GET", path, "", all)
		call("GET", path, "", canaries["unknown token"])
	}
	for _, raw := range []string{
		"GET /api/v1/tags HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nno colon here\r\n\r\n", "GET /api/v1/tags HTTP/9.9\r\nAuthorization: Bearer %s\r\n\r\n",
		"GET /?%s\r\n\r\n", "POST /api/v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: x\r\n\r\n", "GET / HTTP/1.1\r\nAuthorization: Bearer %s\r\nX: " + strings.Repeat("x", 20000) + "\r\n\r\n",
		"Authorization: Bearer %s\r\n\r\n",
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, raw, all)
		c.(*net.TCPConn).CloseWrite()
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		b, _ := io.ReadAll(c)
		c.Close()
		if !strings.HasPrefix(raw, "GET /?") { // whose request line comes back to who sent it
			seen("the answer to "+raw, string(b))
		}
	}
	checkPrivate(t, filepath.Join(dir, "data"))
	server.end(t)
	log, _ := server.errors.read()
	if !strings.Contains(log, `"level":"debug"`) {
		t.Errorf("the log is not at its most talkative:\n%s", log)
	}
	seen("the log", log)

	lines, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PULSE_TOKENS", string(lines))
	t.Setenv("PULSE_TOKEN", all)
	for _, args := range [][]string{
		{"--check-config"}, {"--check-config", "--rules", rules}, {"serve", "--data", filepath.Join(dir, "other"), "--rules", rules, "--listen", "127.0.0.1:0"}, {"--tokens", all}, {"--tokens", rules}, {"--help"},
		{"rules", "check", rules}, {"query", "name,a,:eq", "--target", "http://127.0.0.1:1"}, {"query", "name,a,:eq", "--target", "http://u:" + all + "@127.0.0.1:1"}, {"query", "name,a,:eq", "--target", "ftp://" + all},
		{"replay", rules, "--name", "a", "--target", "http://u:" + all + "@127.0.0.1:1"},
		{"--base-url", "http://u:" + all + "@x"},
	} {
		p := start(t, args...)
		select {
		case code := <-p.done:
			p.stop = nil
			out, _ := p.out.read()
			errs, _ := p.errors.read()
			what := "pulse " + strings.ReplaceAll(strings.Join(args, " "), all, "TOKEN")
			seen(what, out)
			if seen(what, errs); code != 0 && errs == "" {
				t.Errorf("%s: exit code %d without a word", what, code)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("pulse %v goes on", args)
		}
	}
}

// checkPrivate fails when anybody but the owner may look into a folder or file.
func checkPrivate(t *testing.T, dir string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen++
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o, want %o", name, got, want)
		}
		return nil
	})
	if err != nil || seen < 2 {
		t.Errorf("%s: %v, %d files", dir, err, seen)
	}
}

// TestPrivateFolder: a folder that others could look into is closed to them, and
// so is everything in it: log, state, snapshots.
func TestPrivateFolder(t *testing.T) {
	for _, mode := range []string{"sync", "none"} {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		address := freeAddress(t)
		server := start(t, "serve", "--listen", address, "--data", dir, "--log-level", "error", "--durability", mode)
		awaitReady(t, "http://"+address)
		res, err := http.Post("http://"+address+"/c/starts", "text/plain", nil)
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatal(res, err)
		}
		res.Body.Close()
		checkPrivate(t, dir)
		server.end(t)
		checkPrivate(t, dir)
		if names, _ := filepath.Glob(filepath.Join(dir, "snapshot", "*")); mode == "none" && len(names) == 0 {
			t.Error("no snapshot was there to look at")
		}
	}
}
