package web_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pulse/web"
	"pulse/web/token"
)

// entry is what the matrix expects of one route.
type entry struct {
	scope  string // ingest, query, admin, or open
	status int    // of the request below by somebody who may send it
	query  string
	body   string
}

// matrix has every route of the table: which scope it wants, and a request that
// changes nothing, whose outcome shows that the handler was reached.
var matrix = map[string]entry{
	"POST /api/v1/publish":      {"ingest", 400, "", "{"},
	"POST /api/v1/publish-fast": {"ingest", 400, "", "{"},
	"POST /api/v4/update":       {"ingest", 400, "", "{"},
	"POST /c/{name}":            {"ingest", 400, "", "x"},
	"POST /g/{name}":            {"ingest", 400, "", "x"},
	"POST /api/v1/import":       {"ingest", 400, "", "{"},

	"GET /api/v1/graph":             {"query", 400, "", ""},
	"GET /api/v1/tags":              {"query", 200, "", ""},
	"GET /api/v1/tags/{key}":        {"query", 200, "", ""},
	"GET /api/v1/cardinality":       {"query", 200, "", ""},
	"GET /api/v1/cardinality/{key}": {"query", 200, "", ""},
	"GET /api/v1/expr":              {"query", 200, "q=name,a,:eq", ""},
	"GET /api/v1/expr/debug":        {"query", 200, "q=name,a,:eq", ""},
	"GET /api/v1/expr/normalize":    {"query", 200, "q=name,a,:eq", ""},
	"GET /api/v1/expr/complete":     {"query", 200, "q=name,a,:eq", ""},
	"GET /api/v1/expr/queries":      {"query", 200, "q=name,a,:eq", ""},
	"GET /api/v1/expr/strip":        {"query", 200, "q=name,a,:eq", ""},
	"GET /api/v1/expr/rewrite":      {"query", 200, "q=name,a,:eq", ""},
	"GET /api/v1/expr/words":        {"query", 200, "", ""},
	"GET /api/v2/fetch":             {"query", 400, "", ""},
	"GET /api/v1/stream":            {"query", 400, "", ""},

	"GET /api/v1/rules":                     {"query", 200, "", ""},
	"POST /api/v1/rules/check":              {"query", 400, "", "{}"},
	"GET /api/v1/rules/{id}":                {"query", 404, "", ""},
	"PUT /api/v1/rules/{id}":                {"admin", 400, "", "{"},
	"DELETE /api/v1/rules/{id}":             {"admin", 404, "", ""},
	"GET /api/v1/rules/{id}/band":           {"query", 404, "", ""},
	"GET /api/v1/rules/{id}/groups":         {"query", 404, "", ""},
	"GET /api/v1/rules/{id}/why":            {"query", 404, "", ""},
	"GET /api/v1/rules/{id}/contributors":   {"query", 404, "since=1&t=2", ""},
	"GET /api/v1/rules/{id}/stats":          {"query", 404, "", ""},
	"GET /api/v1/owners":                    {"query", 200, "", ""},
	"POST /api/v1/backtest":                 {"query", 400, "", "{"},
	"GET /api/v1/receivers":                 {"admin", 200, "", ""},
	"GET /api/v1/receivers/{name}":          {"admin", 404, "", ""},
	"PUT /api/v1/receivers/{name}":          {"admin", 400, "", "{"},
	"DELETE /api/v1/receivers/{name}":       {"admin", 404, "", ""},
	"POST /api/v1/receivers/{name}/test":    {"admin", 404, "", "{}"},
	"GET /api/v1/receivers/{name}/dead":     {"admin", 404, "", ""},
	"POST /api/v1/receivers/{name}/dead":    {"admin", 404, "", "{}"},
	"GET /api/v1/alerts":                    {"query", 200, "", ""},
	"GET /api/v1/alerts/changes":            {"query", 200, "", ""},
	"GET /api/v1/alerts/{id}":               {"query", 404, "", ""},
	"GET /api/v1/silences":                  {"query", 200, "", ""},
	"GET /api/v1/silences/{id}":             {"query", 404, "", ""},
	"POST /api/v1/silences":                 {"admin", 400, "", "{"},
	"PUT /api/v1/silences/{id}":             {"admin", 400, "", "{"},
	"DELETE /api/v1/silences/{id}":          {"admin", 404, "", ""},
	"POST /api/v1/silences/preview":         {"query", 400, "", "{"},
	"GET /api/v1/routes":                    {"query", 200, "", ""},
	"PUT /api/v1/routes":                    {"admin", 400, "", "{"},
	"DELETE /api/v1/routes":                 {"admin", 204, "", ""},
	"POST /api/v1/routes/test":              {"query", 400, "", "{"},
	"GET /api/v1/inhibit":                   {"query", 200, "", ""},
	"GET /api/v1/inhibit/{name}":            {"query", 404, "", ""},
	"PUT /api/v1/inhibit/{name}":            {"admin", 400, "", "{"},
	"DELETE /api/v1/inhibit/{name}":         {"admin", 404, "", ""},
	"GET /api/v1/mute":                      {"query", 200, "", ""},
	"GET /api/v1/mute/{name}":               {"query", 404, "", ""},
	"PUT /api/v1/mute/{name}":               {"admin", 400, "", "{"},
	"DELETE /api/v1/mute/{name}":            {"admin", 404, "", ""},
	"GET /api/v2/alerts":                    {"query", 200, "", ""},
	"GET /api/v2/alerts/groups":             {"query", 200, "", ""},
	"GET /api/v2/receivers":                 {"query", 200, "", ""},
	"GET /api/v2/status":                    {"query", 200, "", ""},
	"GET /api/v2/silences":                  {"query", 200, "", ""},
	"POST /api/v2/silences":                 {"admin", 400, "", "{"},
	"GET /api/v2/silence/{id}":              {"query", 404, "", ""},
	"DELETE /api/v2/silence/{id}":           {"admin", 404, "", ""},
	"GET /api/v1/receivers/{name}/attempts": {"admin", 404, "", ""},
	"GET /api/v1/export":                    {"admin", 200, "", ""},
	"POST /-/reload":                        {"admin", 400, "", "{}"},
	"POST /-/backup":                        {"admin", 400, "", "{}"},

	"GET /ok":            {"open", 200, "", ""},
	"GET /healthcheck":   {"open", 200, "", ""},
	"GET /ready":         {"open", 200, "", ""},
	"GET /metrics":       {"admin", 200, "", ""},
	"GET /api/v1/status": {"admin", 200, "", ""},

	"GET /debug/pprof/profile":      {"admin", 200, "", ""},
	"GET /debug/pprof/heap":         {"admin", 200, "", ""},
	"GET /debug/pprof/allocs":       {"admin", 200, "", ""},
	"GET /debug/pprof/goroutine":    {"admin", 200, "", ""},
	"GET /debug/pprof/threadcreate": {"admin", 200, "", ""},
	"GET /api/v1/sources":           {"query", 200, "", ""},
	"GET /api/v1/queries":           {"admin", 200, "", ""},
	"DELETE /api/v1/queries/{id}":   {"admin", 404, "", ""},

	"GET /":                 {"open", 200, "", ""},
	"GET /board":            {"open", 200, "", ""},
	"GET /alerts":           {"open", 200, "", ""},
	"GET /alerts/{id}":      {"open", 200, "", ""},
	"GET /silences":         {"open", 200, "", ""},
	"GET /rules":            {"open", 200, "", ""},
	"GET /rules/{id}":       {"open", 200, "", ""},
	"GET /data":             {"open", 200, "", ""},
	"GET /sources":          {"open", 200, "", ""},
	"GET /receivers":        {"open", 200, "", ""},
	"GET /receivers/{name}": {"open", 200, "", ""},
	"GET /server":           {"open", 200, "", ""},
	"GET /ui/{file}":        {"open", 200, "", ""},
	"GET /ui/editor/{file}": {"open", 404, "", ""},
	"GET /ui/pages/{file}":  {"open", 404, "", ""},
	"GET /ui/vendor/{file}": {"open", 404, "", ""},
}

// keyring is the tokens of a rig.
type keyring struct {
	set     atomic.Pointer[token.Set]
	lines   []string
	secrets map[string]string // by name
}

// newKeyring makes tokens named for what they may do, such as "ingest,query".
func newKeyring(t testing.TB, names ...string) *keyring {
	t.Helper()
	k := &keyring{secrets: map[string]string{}}
	for i, name := range names {
		var allowed token.Scope
		for part := range strings.SplitSeq(name, ",") {
			scope, err := token.ParseScope(part)
			if err != nil {
				t.Fatal(err)
			}
			allowed |= scope
		}
		secret, line, err := token.New(strings.ReplaceAll(name, ",", "-"), allowed, bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, 32)))
		if err != nil {
			t.Fatal(err)
		}
		k.lines, k.secrets[name] = append(k.lines, line), secret.Reveal()
	}
	k.use(t, k.lines...)
	return k
}

// use makes the lines the tokens that are valid now.
func (k *keyring) use(t testing.TB, lines ...string) {
	t.Helper()
	set, err := token.Parse(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	k.set.Store(set)
}

func (k *keyring) bearer(name string) string { return "Authorization: Bearer " + k.secrets[name] }

// TestMatrix sends every method to every route with every kind of token.
func TestMatrix(t *testing.T) {
	if list := web.Unscoped(); len(list) > 0 {
		t.Errorf("routes without a scope: %v", list)
	}
	methods := map[string][]string{} // of a path
	for _, line := range web.Routes() {
		if _, ok := matrix[line]; !ok {
			t.Errorf("route without an entry: %s", line)
		}
		method, path, _ := strings.Cut(line, " ")
		methods[path] = append(methods[path], method)
	}
	for line := range matrix {
		if !slices.Contains(web.Routes(), line) {
			t.Errorf("entry without a route: %s", line)
		}
	}

	keys := newKeyring(t, "ingest", "query", "admin", "ingest,query", "ingest,query,admin")
	revoked := keys.bearer("ingest,query,admin")
	keys.use(t, keys.lines[:4]...)
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load}})
	r.web.Forgive(1 << 30)
	callers := []struct {
		name   string
		header []string
		scopes string
	}{
		{"none", nil, ""},
		{"garbage", []string{"Authorization: Bearer garbage"}, ""},
		{"revoked", []string{revoked}, ""},
		{"ingest", []string{keys.bearer("ingest")}, "ingest"},
		{"query", []string{keys.bearer("query")}, "query"},
		{"admin", []string{keys.bearer("admin")}, "admin"},
		{"ingest+query", []string{keys.bearer("ingest,query")}, "ingest query"},
	}
	for path, has := range methods {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			line := method + " " + path
			if method == "HEAD" && slices.Contains(has, "GET") {
				line = "GET " + path
			}
			e, ok := matrix[line]
			if dir, last := cutLast(path); !ok && (last == "check" || last == "preview") { // which are ids as well
				e, ok = matrix[strings.Replace(method, "HEAD", "GET", 1)+" "+dir+"/{id}"]
			}
			for _, who := range callers {
				want := e.status
				switch {
				case !ok:
					want = 405
				case e.scope == "open" || slices.Contains(strings.Fields(who.scopes), e.scope):
				case who.scopes == "":
					want = 401
				default:
					want = 403
				}
				target := fill.Replace(path)
				if e.query != "" {
					target += "?" + e.query
				}
				a := r.call(method, target, e.body, append(who.header, "Content-Type: application/json")...)
				what := fmt.Sprintf("%s %s as %s", method, path, who.name)
				if a.status != want {
					t.Errorf("%s: got %s, want %d", what, a, want)
					continue
				}
				if want == 401 && (a.header.Get("WWW-Authenticate") != "Bearer" || method != "HEAD" && string(a.body) != `{"type":"error","message":"unauthorized"}`) {
					t.Errorf("%s: got %v %s", what, a.header, a)
				}
				if want >= 400 && method != "HEAD" && (line != "POST /api/v2/silences" || want != e.status) { // a text
					wantError(t, what, a, want, "")
				}
			}
		}
	}
	for _, path := range []string{"/nowhere", "/api/v1", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap/x", "/debug/pprof", "/-/quit"} {
		wantError(t, path, r.call("GET", path, nil), 404, "")
	}
}

// TestForgedPages: a token does not open what a page of another site, another
// Host or a form may not do, and neither of them learns more than without.
func TestForgedPages(t *testing.T) {
	keys := newKeyring(t, "ingest,query,admin")
	all := keys.bearer("ingest,query,admin")
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load, Hosts: []string{"pulse.example"}}})
	r.web.Forgive(1 << 30)
	for line, e := range matrix {
		method, path, _ := strings.Cut(line, " ")
		target := fill.Replace(path)
		if e.query != "" {
			target += "?" + e.query
		}
		call := func(header ...string) answer {
			if !slices.ContainsFunc(header, func(h string) bool { return strings.HasPrefix(h, "Content-Type") }) {
				header = append(header, "Content-Type: application/json")
			}
			return r.call(method, target, e.body, header...)
		}
		guarded := method != "GET" || strings.HasPrefix(path, "/debug/") || path == "/api/v1/stream" || path == "/api/v2/fetch"
		for _, header := range []string{"Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Origin: https://pulse.example.evil"} {
			want := e.status
			if guarded {
				want = 403
			}
			if a := call(all, header); a.status != want || a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s with %s: got %s, want %d", line, header, a, want)
			}
			if a := call(header); e.scope != "open" && a.status != 401 {
				t.Errorf("%s with %s and no token: got %s, want 401", line, header, a)
			}
		}
		for _, header := range []string{"Origin: http://" + r.addr, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"} {
			if a := call(all, header); a.status != e.status {
				t.Errorf("%s with %s: got %s, want %d", line, header, a, e.status)
			}
		}
		for _, host := range []string{"evil.example", "10.1.2.3", "pulse.example.evil"} {
			if a := call(all, "Host: "+host); a.status != 403 {
				t.Errorf("%s as %s: got %s, want 403", line, host, a)
			}
		}
		if a := call(all, "Host: pulse.example"); a.status != e.status {
			t.Errorf("%s as pulse.example: got %s, want %d", line, a, e.status)
		}
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded"} {
			want := e.status
			if method != "GET" && e.scope != "ingest" && (method != "DELETE" || e.body != "") {
				want = 415
			}
			if a := call(all, "Content-Type: "+kind); a.status != want {
				t.Errorf("%s as %s: got %s, want %d", line, kind, a, want)
			}
		}
	}
}

// TestTokenForms: a secret is taken from one header in one form only.
func TestTokenForms(t *testing.T) {
	keys := newKeyring(t, "query")
	secret := keys.secrets["query"]
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load}})
	r.web.Forgive(1 << 30)
	for header, want := range map[string]int{
		"Authorization: Bearer " + secret:                           200,
		"Authorization: bearer " + secret:                           200,
		"Authorization: Basic " + secret:                            401,
		"Authorization: " + secret:                                  401,
		"Authorization: Bearer x" + secret:                          401,
		"Authorization: Bearer":                                     401,
		"X-Api-Key: " + secret:                                      401,
		"Cookie: token=" + secret:                                   401,
		"Proxy-Authorization: Bearer " + secret:                     401,
		"Authorization: Bearer " + strings.Fields(keys.lines[0])[2]: 401,
	} {
		if a := r.call("GET", "/api/v1/tags", nil, header); a.status != want {
			t.Errorf("%.40s: got %s, want %d", header, a, want)
		}
	}
	for _, target := range []string{"/api/v1/tags?token=" + secret, "/api/v1/tags?access_token=" + secret, "/api/v1/tags?authorization=Bearer%20" + secret} {
		wantError(t, target, r.call("GET", target, nil), 401, "unauthorized")
	}
	answers, _ := r.raw("GET /api/v1/tags HTTP/1.1\r\nHost: $host\r\nAuthorization: Bearer x\r\nAuthorization: Bearer " + secret + "\r\n\r\n")
	if len(answers) != 1 || answers[0].status != 400 {
		t.Errorf("two tokens: got %v, want 400", answers)
	}
	answers, _ = r.raw("GET http://$host/api/v1/tags HTTP/1.1\r\nHost: $host\r\n\r\nGET //api/v1/tags HTTP/1.1\r\nHost: $host\r\n\r\nGET /x/../api/v1/tags HTTP/1.1\r\nHost: $host\r\n\r\nGET /api/v1/%74ags HTTP/1.1\r\nHost: $host\r\n\r\n")
	for i, a := range answers {
		if a.status == 200 {
			t.Errorf("spelling %d of a path needs no token: %s", i, a)
		}
	}
	keys.use(t) // all revoked
	wantError(t, "revoked", r.call("GET", "/api/v1/tags", nil, keys.bearer("query")), 401, "unauthorized")
}

// cutLast cuts a path before its last segment.
func cutLast(path string) (dir, last string) {
	i := strings.LastIndexByte(path, '/')
	return path[:i], path[i+1:]
}
