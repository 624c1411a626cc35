package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// canaries are secrets by what they are, each with a core that nothing else has.
type canaries map[string]string

// of makes a canary, n bytes of letters and digits.
func (c canaries) of(what string, n int) string {
	core := fmt.Sprintf("cnry%02dQ7x%s", len(c), strings.Repeat("vK3", 20))[:n]
	c[what] = core
	return core
}

// signing makes a webhook's secret, of whose base64 the core is a part.
func (c canaries) signing(what string) string { return "whsec_" + c.of(what, 32) }

// forms are the texts of which none may be seen for a canary: itself as far as it is not
// shared, in hexadecimal and in base64 wherever in a longer text it began. Forms that
// escape leave letters and digits as they are.
func forms(canary string) []string {
	core := canary[:9]
	out := []string{core, strings.ToLower(core), strings.ToUpper(core), hex.EncodeToString([]byte(core)), strings.ToUpper(hex.EncodeToString([]byte(core))),
		fmt.Sprint([]byte(core)), fmt.Sprintf("%q", []byte(core))}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + core))
		out = append(out, text[[]int{0, 2, 3}[shift]:len(text)-4])
	}
	if raw, err := base64.StdEncoding.DecodeString(canary[:len(canary)/4*4]); err == nil { // a signing key is what its text stands for
		out = append(out, hex.EncodeToString(raw[:6]), fmt.Sprint(raw[:6]))
	}
	return out
}

// warren is a server as a process, its receivers, and who looks for secrets.
type warren struct {
	t     *testing.T
	all   canaries
	dir   string
	rules string
	good  string // the rule file
	token string
	url   string
	echo  *echo
	cmd   *exec.Cmd
	over  chan struct{}

	mu   sync.Mutex
	said bytes.Buffer // standard output and error
	seen int          // bytes that were looked at
	thin int          // of so many slips of the pen one is tried
}

func (w *warren) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(p)
}

func (w *warren) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

// look fails when a text has a canary in any form.
func (w *warren) look(where, text string) {
	w.t.Helper()
	w.seen += len(text)
	for what, canary := range w.all {
		for _, form := range forms(canary) {
			if at := strings.Index(text, form); at >= 0 {
				w.t.Errorf("%s shows the %s as %q: …%.400q", where, what, form, text[max(0, at-200):])
				return
			}
		}
	}
}

func newWarren(t *testing.T) *warren {
	t.Helper()
	w := &warren{t: t, all: canaries{}, dir: t.TempDir(), echo: newEcho(t), over: make(chan struct{}), thin: 13}
	if os.Getenv("PULSE_SLIPS") == "all" {
		w.thin = 1
	}
	w.rules = filepath.Join(w.dir, "rules.yaml")
	list := filepath.Join(w.dir, "tokens")
	w.token = newToken(t, list, "ops", "admin", "query", "ingest")
	must(t, os.WriteFile(filepath.Join(w.dir, "root.pem"), w.echo.root, 0o600))
	w.good = w.fileOf()
	w.write(w.good)
	binary, err := os.Executable()
	must(t, err)
	address := freeAddress(t)
	w.url = "http://" + address
	w.cmd = exec.Command(binary)
	w.cmd.Args = []string{"pulse", "serve", "--listen", address, "--data", filepath.Join(w.dir, "data"), "--step", "1s", "--log-level", "debug", "--log-format", "json",
		"--tokens", list, "--rules", w.rules, "--egress-allow", "127.0.0.1/32"}
	w.cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(w.dir, "root.pem"), "GOTRACEBACK=system")
	w.cmd.Stdout, w.cmd.Stderr = w, w
	must(t, w.cmd.Start())
	go func() { defer close(w.over); _ = w.cmd.Wait() }()
	t.Cleanup(func() { _ = w.cmd.Process.Kill(); <-w.over })
	awaitReady(t, w.url)
	return w
}

func (w *warren) write(text string) {
	w.t.Helper()
	must(w.t, os.WriteFile(w.rules, []byte(text), 0o600))
}

// fileOf is a rule file with a receiver of each kind, whose secrets stand in it and in
// files of their own.
func (w *warren) fileOf() string {
	c, at, mail := w.all, w.echo.web.Addr(), w.echo.post.Addr()
	own := func(name, text string) string {
		path := filepath.Join(w.dir, name)
		must(w.t, os.WriteFile(path, []byte(text+"\n"), 0o600))
		return path
	}
	return fmt.Sprintf("receivers:\n"+
		"  - name: f-hook\n    kind: webhook\n    url: http://%s/hook?key=%s\n    secret: %s\n    previous_secret: %s\n    timeout: 1s\n"+
		"  - name: f-pd\n    kind: pagerduty\n    url: http://%s/\n    routing_key: %s\n    timeout: 1s\n"+
		"  - name: f-og\n    kind: opsgenie\n    url: http://%s\n    api_key: \"%s\"\n    timeout: 1s\n"+
		"  - name: f-mail\n    kind: email\n    to: a@example.com\n    from: b@example.com\n    smarthost: %s\n    username: u\n    password: '%s'\n    timeout: 1s\n"+
		"  - {name: f-am, kind: alertmanager, url: 'https://%s/am?token=%s', username: u, password: %s, timeout: 1s}\n"+
		"  - name: f-slack\n    kind: slack\n    url_file: %s\n    timeout: 1s\n  - name: f-hook2\n    kind: webhook\n    url_file: %s\n    secret_file: %s\n    previous_secret_file: %s\n    timeout: 1s\n"+
		"  - name: f-pd2\n    kind: pagerduty\n    url: https://%s/\n    routing_key_file: %s\n    timeout: 1s\n  - name: f-og2\n    kind: opsgenie\n    url: https://%s\n    api_key_file: %s\n    timeout: 1s\n"+
		"  - name: f-v4\n    kind: webhook\n    format: alertmanager\n    url: https://%s/\n    username: u\n    password_file: %s\n    timeout: 1s\n"+
		"rules:\n  - {id: always, expr: 'name,pulse.ingest.requests,:eq,:sum', detector: {kind: static, above: -1}}\n",
		at, c.of("query of a webhook in a file", 20), c.signing("secret in a file"), c.signing("previous secret in a file"),
		at, c.of("routing key in a file", 32), at, c.of("API key in a file", 30), mail, c.of("password of mails in a file", 20),
		at, c.of("query of an Alertmanager in a file", 20), c.of("password of an Alertmanager in a file", 20),
		own("slack", "https://"+at.String()+"/services/"+c.of("path of Slack in its own file", 24)), own("hook", "https://"+at.String()+"/hook?k="+c.of("query of a webhook in its own file", 24)),
		own("secret", c.signing("secret in its own file")), own("previous", c.signing("previous secret in its own file")),
		at, own("pd", c.of("routing key in its own file", 32)), at, own("og", c.of("API key in its own file", 24)), at, own("password", c.of("password in its own file", 24)))
}

// overAPI are receivers of each kind as the API takes them.
func (w *warren) overAPI() map[string]string {
	c, at, mail := w.all, w.echo.web.Addr(), w.echo.post.Addr()
	return map[string]string{
		"hook": fmt.Sprintf(`{"kind":"webhook","url":"https://%s/hook?key=%s&%s#%s","secret":"%s","previous_secret":"%s","timeout":"1s"}`, at,
			c.of("query by API", 20), c.of("query without a name by API", 20), c.of("fragment by API", 20), c.signing("secret by API"), c.signing("previous secret by API")),
		"v4":    fmt.Sprintf(`{"kind":"webhook","format":"alertmanager","url":"http://%s/","username":"u","password":"%s","timeout":"1s"}`, at, c.of("password of a webhook by API", 20)),
		"am":    fmt.Sprintf(`{"kind":"alertmanager","url":"http://%s/?t=%s","username":"u","password":"%s","timeout":"1s"}`, at, c.of("query of an Alertmanager by API", 20), c.of("password of an Alertmanager by API", 20)),
		"pd":    fmt.Sprintf(`{"kind":"pagerduty","url":"https://%s/","routing_key":"%s","timeout":"1s"}`, at, c.of("routing key by API", 32)),
		"og":    fmt.Sprintf(`{"kind":"opsgenie","url":"http://%s","api_key":"%s","timeout":"1s"}`, at, c.of("API key by API", 24)),
		"slack": fmt.Sprintf(`{"kind":"slack","url":"https://%s/services/%s?x=%s","timeout":"1s"}`, at, c.of("path of Slack by API", 24), c.of("query of Slack by API", 24)),
		"teams": fmt.Sprintf(`{"kind":"teams","url":"https://%s/workflows/%s?sig=%s","timeout":"1s"}`, at, c.of("path of Teams by API", 24), c.of("signature of Teams by API", 24)),
		"mail":  fmt.Sprintf(`{"kind":"email","to":"a@example.com","from":"b@example.com","smarthost":"%s","username":"u","password":"%s","timeout":"1s"}`, mail, c.of("password of mails by API", 24)),
	}
}

// call sends a request and looks at all of its answer.
func (w *warren) call(method, path, body string) (int, string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	must(w.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.token)
	res, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil && ctx.Err() == nil {
		w.t.Fatal(err)
	}
	w.look(method+" "+path, fmt.Sprint(res.Status, res.Header, string(text)))
	return res.StatusCode, string(text)
}

// until asks until an answer has something.
func (w *warren) until(path string, want *regexp.Regexp) string {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, text := w.call("GET", path, "")
		if found := want.FindString(text); found != "" {
			return found
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s does not come to have %v: %.3000s", path, want, text)
		}
	}
}

// TestNoSecretIsSeen: secrets of every kind of receiver in every place are seen nowhere,
// whatever receivers make of what they are told: in no answer, log, dump or output.
func TestNoSecretIsSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	w := newWarren(t)
	made := w.overAPI()
	for name, body := range made {
		if status, text := w.call("PUT", "/api/v1/receivers/"+name, body); status != 200 {
			t.Fatalf("%s: %d %s", name, status, text)
		}
	}
	var names []string
	_, text := w.call("GET", "/api/v1/receivers", "")
	for _, m := range regexp.MustCompile(`"name":"([^"]+)","kind"`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	if len(names) != len(made)+10 {
		t.Fatalf("receivers %v", names)
	}
	for _, how := range echoes { // a test of each in each way, all at once
		w.echo.answers(how)
		w.test(names, how == "200")
	}
	w.echo.answers("400") // and alerts, which become dead letters
	w.until("/metrics", regexp.MustCompile(`pulse_notify_dead_letters[a-z_]* [1-9]`))
	w.everything()
	w.echo.answers("200")
	w.test(names, true)
	for what, canary := range w.all { // the test is worth something
		if !strings.Contains(what, "secret") && !strings.Contains(what, "fragment") && !strings.Contains(w.echo.all(), canary) {
			t.Errorf("nobody was told the %s", what)
		}
	}
	w.mistakes(made)
	w.faultyFiles()
	w.commands()
	w.everything()
	for line := range strings.Lines(w.log()) {
		if !strings.HasPrefix(line, "{") {
			t.Errorf("somebody writes past the log: %q", line)
		}
	}
	_ = w.cmd.Process.Signal(syscall.SIGQUIT) // which has Go print all that every goroutine does
	select {
	case <-w.over:
	case <-time.After(20 * time.Second):
		t.Fatal("no dump")
	}
	w.look("standard error", w.log())
	if log := w.log(); !strings.Contains(log, "goroutine ") || !strings.Contains(log, `"message":"notification attempted"`) {
		t.Errorf("no dump, or no log:\n%.3000s", log)
	}
	t.Logf("%d canaries in %d forms each, %d MiB looked at, %d KiB of log", len(w.all), len(forms(strings.Repeat("x", 32))), w.seen>>20, len(w.log())>>10)
}

// TestLibraries: what libraries repeat of others stays out of the log.
func TestLibraries(t *testing.T) {
	var out bytes.Buffer
	std := stdlog.New(libraries{zerolog.New(&out)}, "", 0)
	std.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "canary\ncanary", "<nil>")
	std.Printf("forged\n{\"level\":\"info\",\"message\":\"canary\"}")
	if text := out.String(); strings.Contains(text, "canary") || strings.Count(text, "\n") != 2 || !strings.Contains(text, "Unsolicited response") {
		t.Errorf("log %s", text)
	}
}

// test has every receiver tested at once.
func (w *warren) test(names []string, good bool) {
	w.t.Helper()
	var group sync.WaitGroup
	texts := make([]string, len(names))
	for i, name := range names {
		group.Go(func() {
			req, _ := http.NewRequest("POST", w.url+"/api/v1/receivers/"+name+"/test", strings.NewReader("{}"))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+w.token)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				texts[i] = err.Error()
				return
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			texts[i] = res.Status + string(text)
		})
	}
	group.Wait()
	for i, text := range texts {
		w.look("test of "+names[i], text)
		if good && !strings.Contains(text, `"ok":true`) && !strings.Contains(names[i], "slack") { // whose answer must be ok
			w.t.Errorf("test of %s: %s", names[i], text)
		}
	}
}

// everything asks for all that can be asked for, by the server's own list.
func (w *warren) everything() {
	w.t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "web", "routes.go"))
	must(w.t, err)
	id := regexp.MustCompile(`"incident":"([^"]+)"`).FindStringSubmatch(w.until("/api/v1/alerts", regexp.MustCompile(`"incident":"[^"]+"`)))[1]
	paths := []string{"/nowhere", "/api/v1/receivers/nobody", "/api/v1/alerts/nothing", "/api/v1/graph?q=%00", "/debug/pprof/goroutine?debug=2", "/debug/pprof/goroutine?debug=1", "/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1"}
	for _, m := range regexp.MustCompile(`\{"GET", "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		path := m[1]
		if path == "/api/v1/stream" || path == "/api/v2/fetch" { // which have no end
			continue
		}
		switch {
		case strings.HasPrefix(path, "/api/v1/receivers/{name}"):
			for _, name := range []string{"hook", "v4", "am", "pd", "og", "slack", "teams", "mail", "f-hook", "f-slack", "f-mail", "f-og2"} {
				paths = append(paths, strings.ReplaceAll(path, "{name}", name))
			}
			continue
		case strings.HasPrefix(path, "/api/v1/rules/{id}"):
			path = strings.ReplaceAll(path, "{id}", "always")
		}
		paths = append(paths, strings.NewReplacer("{id}", id, "{name}", "x", "{key}", "name", "{file}", "app.js").Replace(path))
	}
	if len(paths) < 50 {
		w.t.Errorf("paths %v", paths)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "/why") {
			path += "?t=now-5s"
		}
		if path == "/debug/pprof/profile" {
			path += "?seconds=1"
		}
		w.call("GET", path, "")
	}
	w.call("POST", "/api/v1/routes/test", `{"labels":{"rule":"always"}}`)
	w.call("POST", "/-/backup", "{}")
	w.call("POST", "/-/reload", "{}")
}

// mistakes puts what a slip of the pen makes of receivers.
func (w *warren) mistakes(made map[string]string) {
	w.t.Helper()
	refused := 0
	for name, body := range made {
		path := "/api/v1/receivers/slip-" + name
		for i := 0; i < len(body); i += w.thin {
			for _, slip := range []string{body[:i] + body[i+1:], body[:i] + `"` + body[i:], body[:i]} {
				if status, _ := w.call("PUT", path, slip); status != 200 {
					refused++
				}
			}
		}
		for other, of := range made { // keys of one kind under another
			if other == "slack" || other == "teams" { // whose paths are secrets; those of others are not
				continue
			}
			w.call("PUT", path, strings.Replace(of, regexp.MustCompile(`"kind":"[a-z]+"`).FindString(of), regexp.MustCompile(`"kind":"[a-z]+"`).FindString(body), 1))
		}
		for _, x := range [][2]string{{"127.0.0.1", "10.0.0.1"}, {"http", "gopher"}, {`"timeout":"1s"`, `"timeout":"x"`}, {`"kind"`, `"title":"{{.Nope}}","kind"`}, {"//", "//user:pass@"}, {"127.0.0.1:", "127.0.0.1:9999999"}} {
			w.call("PUT", path, strings.Replace(body, x[0], x[1], 1))
		}
		w.call("DELETE", path, "")
	}
	if refused < 100 {
		w.t.Errorf("%d slips were refused", refused)
	}
}

// faultyFiles reloads what a slip of the pen makes of the rule file.
func (w *warren) faultyFiles() {
	w.t.Helper()
	tried := 0
	try := func(text string) {
		if tried++; tried%w.thin != 0 {
			return
		}
		w.write(text)
		if status, _ := w.call("POST", "/-/reload", "{}"); status != 200 {
			w.call("GET", "/api/v1/status", "")
		}
		code, out := command("rules", "check", w.rules)
		w.look(fmt.Sprint("rules check: ", code), out)
	}
	secret := regexp.MustCompile(`\n *(url|secret|previous_secret|routing_key|api_key|password|[a-z_]+_file): `)
	for _, at := range secret.FindAllStringIndex(w.good, -1) {
		end := at[1] + strings.IndexByte(w.good[at[1]:], '\n')
		for _, slip := range []string{"", "\t", "'", `"`, "[", "{", "- ", "|", "|\n", ">", "&", "*", "!", "%", "@", "`", "? ", ": ", "#", "\x00", "\xff", "\n", "\r", "---\n", "!!binary ", "!!int ", "!!map ", "&a ", "<<: "} {
			for _, place := range []int{at[0] + 1, at[0] + 5, at[1] - 2, at[1] - 1, at[1], at[1] + 4, end} {
				if slip == "" {
					try(w.good[:place] + w.good[place+1:])
				} else if len(slip)+place%3 < 3 || place == at[1] {
					try(w.good[:place] + slip + w.good[place:])
				}
			}
		}
		key := strings.TrimSpace(w.good[at[0]:at[1]])
		for _, other := range []string{"secrets:", "kind:", "timeout:", "max_alerts:", "smarthost:", "priority:", "format:", "title:", key + " " + key, "disabled:", "to:", "send_resolved:", "responders:"} {
			try(w.good[:at[0]] + strings.Replace(w.good[at[0]:end], key, other, 1) + w.good[end:])
		}
	}
	w.write(w.good)
	if status, text := w.call("POST", "/-/reload", "{}"); status != 200 {
		w.t.Errorf("the good file: %d %s", status, text)
	}
}

// commands runs what people run.
func (w *warren) commands() {
	w.t.Helper()
	w.t.Setenv("PULSE_TOKEN", w.token)
	data := filepath.Join(w.dir, "data")
	for _, args := range [][]string{
		{"--check-config", "--rules", w.rules}, {"rules", "check", w.rules}, {"rules", "test", w.rules}, {"rules", "export", "--target", w.url}, {"rules", "backtest", w.rules, "--target", w.url},
		{"rules", "why", "always", "--target", w.url}, {"routes", "test", "a=b", "--target", w.url}, {"routes", "test", "a=b", "--json", "--target", w.url}, {"query", "name,pulse.ingest.requests,:eq", "--target", w.url},
		{"store", "check", data}, {"store", "dump", data}, {"serve", "--data", data, "--rules", w.rules, "--listen", "127.0.0.1:0"}, {"token", "new", "x"}, {"version"}, {"--help"},
	} {
		_, out := command(args...)
		if slices.Contains([]string{"rules", "routes"}, args[0]) && out == "" {
			w.t.Errorf("pulse %v says nothing", args)
		}
		w.look("pulse "+strings.Join(args, " "), out)
	}
	for name := range strings.FieldsSeq("state.db log") { // kept where only the owner may look
		if info, err := os.Stat(filepath.Join(data, name)); err == nil && info.Mode().Perm()&0o077 != 0 {
			w.t.Errorf("%s has the mode %v", name, info.Mode())
		}
	}
}
