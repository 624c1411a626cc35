package web_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse/store"
	"pulse/store/disk"
	"pulse/web"
)

// TestFailuresAreLimited: an address may send some wrong tokens, and then few a
// second. Who has a valid one is let in all the same, and who sends none is told
// to.
func TestFailuresAreLimited(t *testing.T) {
	keys := newKeyring(t, "query")
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load}})
	r.web.Forgive(20)
	wrong := func() answer { return r.call("GET", "/api/v1/tags", nil, "Authorization: Bearer guess") }
	for i := range 20 {
		wantError(t, fmt.Sprint("guess ", i), wrong(), 401, "unauthorized")
	}
	a := wrong()
	wantError(t, "guess 21", a, 429, "")
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 || n > 60 {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	if a := r.call("GET", "/api/v1/tags", nil, keys.bearer("query")); a.status != 200 {
		t.Errorf("a valid token from the same address: %s", a)
	}
	wantError(t, "no token", r.call("GET", "/api/v1/tags", nil), 401, "unauthorized")
	if a := r.call("GET", "/ok", nil, "Authorization: Bearer guess"); a.status != 200 {
		t.Errorf("an open route: %s", a)
	}
	r.clock.Advance(2 * time.Second)
	for i, want := range []int{401, 401, 429} {
		wantError(t, fmt.Sprint("later ", i), wrong(), want, "")
	}
	if n := strings.Count(r.log.String(), "unknown tokens"); n != 2 {
		t.Errorf("%d lines in the log, want one per refusal:\n%s", n, r.log)
	}
}

// TestStrangersBodies: what somebody sends who may not is not received beyond
// the size that costs nothing.
func TestStrangersBodies(t *testing.T) {
	keys := newKeyring(t, "ingest", "query")
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load, MaxBody: 1 << 20}})
	const head = "POST /api/v1/publish HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
	for _, c := range []struct {
		header string
		want   int
	}{
		{"Content-Length: 1000000\r\n\r\n", 401},
		{"Authorization: Bearer garbage\r\nContent-Length: 1000000\r\n\r\n", 401},
		{keys.bearer("query") + "\r\nContent-Length: 1000000\r\n\r\n", 403},
		{keys.bearer("query") + "\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", 403},
		{"Transfer-Encoding: chunked\r\n\r\n10000\r\n", 401},
		{keys.bearer("query") + "\r\nContent-Length: 5000000\r\n\r\n", 403},
		{keys.bearer("ingest") + "\r\nContent-Length: 5000000\r\n\r\n", 413},
		{"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n", 401},
	} {
		conn := r.dial()
		fmt.Fprintf(conn, head, r.addr)
		io.WriteString(conn, c.header) // and no byte of the body
		answers, err := readAnswers(conn)
		if err != nil || len(answers) != 1 || answers[0].status != c.want || errorFault(answers[0]) != "" {
			t.Errorf("%.60q: got %v %v, want %d", c.header, answers, err, c.want)
		}
	}
	if n := r.web.Known(); n != 0 {
		t.Errorf("%d requests are known after their answers", n)
	}
	body := strings.Repeat(" ", 100_000) + metrics(point(epoch, 1, "gauge", "taken"))
	for _, header := range []string{"Expect: 100-continue", "X-None: 1"} {
		if a := r.call("POST", "/api/v1/publish", body, keys.bearer("ingest"), header); a.status != 200 {
			t.Errorf("with a token, %s: %s", header, a)
		}
	}
}

// TestTokenIsTheSource: datapoints belong to the token that brought them, under
// its name.
func TestTokenIsTheSource(t *testing.T) {
	keys := newKeyring(t, "ingest", "query")
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load}})
	if a := r.call("POST", "/api/v1/publish", metrics(point(epoch, 1, "gauge", "some")), keys.bearer("ingest")); a.status != 200 {
		t.Fatal(a)
	}
	list := decode[[]struct{ Source string }](t, r.call("GET", "/api/v1/sources", nil, keys.bearer("query")))
	if len(list) != 1 || list[0].Source != "token:ingest" {
		t.Errorf("sources: %v", list)
	}
}

// TestReloadRule: without tokens only this host may reload and profile; with
// them an operator's token may, whose Options.Reload is called.
func TestReloadRule(t *testing.T) {
	calls := 0
	var fault error
	keys := newKeyring(t, "admin", "query")
	o := web.Options{Reload: func() error { calls++; return fault }}
	r := newRig(t, settings{web: o})
	if a := r.call("POST", "/-/reload", "{}", "Content-Type: application/json"); a.status != 200 || calls != 1 {
		t.Errorf("from loopback: %s, %d calls", a, calls)
	}
	far := newRig(t, settings{web: o, listen: func(ln net.Listener) net.Listener { return elsewhere{ln} }})
	for _, line := range []string{"POST /-/reload", "GET /debug/pprof/heap", "GET /debug/pprof/profile"} {
		method, path, _ := strings.Cut(line, " ")
		wantError(t, line, far.call(method, path, "{}", "Content-Type: application/json"), 403, "loopback")
	}
	o.Tokens = keys.set.Load
	fault = errors.New("line 3 of something")
	far = newRig(t, settings{web: o, listen: func(ln net.Listener) net.Listener { return elsewhere{ln} }})
	wantError(t, "reload as reader", far.call("POST", "/-/reload", "{}", "Content-Type: application/json", keys.bearer("query")), 403, "scope")
	wantError(t, "reload as operator", far.call("POST", "/-/reload", "{}", "Content-Type: application/json", keys.bearer("admin")), 400, "line 3")
	if calls != 2 {
		t.Errorf("%d reloads, want 2", calls)
	}
}

// elsewhere gives connections an address that is not loopback.
type elsewhere struct{ net.Listener }

func (l elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return elsewhereConn{c}, nil
}

type elsewhereConn struct{ net.Conn }

func (elsewhereConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 9}
}

// TestLoading: until the stored data is there, nothing that needs it is
// answered, and the server says so and lives.
func TestLoading(t *testing.T) {
	fs, err := disk.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, settings{durable: &store.Durable{FS: fs}})
	always := map[string]bool{"/ok": true, "/metrics": true, "/api/v1/status": true, "/": true}
	for _, line := range web.Routes() {
		method, path, _ := strings.Cut(line, " ")
		a := r.call(method, fill.Replace(path), "{}", "Content-Type: application/json")
		switch {
		case always[path] || strings.HasPrefix(path, "/ui/") || strings.HasPrefix(path, "/debug/") || strings.Contains(a.header.Get("Content-Type"), "text/html"):
			if a.status == 503 {
				t.Errorf("%s: %s", line, a)
			}
		default:
			wantError(t, line, a, 503, "loading")
		}
	}
	if _, err := r.store.Replay(t.Context(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/ready", "/healthcheck", "/api/v1/tags"} {
		r.get(path)
	}
}

// TestRevokedStream: a client whose token is revoked gets no more events.
func TestRevokedStream(t *testing.T) {
	keys := newKeyring(t, "query", "ingest,query")
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load}})
	events := map[string]*bufio.Reader{}
	for name := range keys.secrets {
		c := r.dial()
		c.SetReadDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "GET /api/v1/stream?q=name,some,:eq,:sum HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", r.addr, keys.bearer(name))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		events[name] = bufio.NewReader(resp.Body)
	}
	until := func(name string) error { // an event, or the end
		for {
			r.clock.Advance(time.Second)
			line, err := events[name].ReadString('\n')
			if err != nil || strings.HasPrefix(line, "data: ") {
				return err
			}
		}
	}
	for name := range events {
		if err := until(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	keys.use(t, keys.lines[0])
	gone := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, events["ingest,query"]); gone <- err }()
	for ended := false; !ended; r.clock.Advance(time.Second) {
		select {
		case err := <-gone:
			if ended = true; err != nil {
				t.Errorf("the end of a revoked stream: %v", err)
			}
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("a revoked stream goes on")
		}
	}
	if err := until("query"); err != nil {
		t.Errorf("the other stream: %v", err)
	}
}
