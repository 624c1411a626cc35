package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pulse/web"
)

// fill puts values into the braces of a route's path.
var fill = strings.NewReplacer("{name}", "some.name", "{id}", "some-id", "{key}", "name", "{file}", "app.js")

func TestHost(t *testing.T) {
	r := newRig(t, settings{web: web.Options{Hosts: []string{"pulse.example"}}})
	port := r.addr[strings.LastIndexByte(r.addr, ':'):]
	for host, ok := range map[string]bool{
		r.addr: true, "127.0.0.1": true, "localhost" + port: true, "LocalHost": true, "[::1]" + port: true, "127.1.2.3": true,
		"pulse.example": true, "Pulse.Example" + port: true,
		"evil.example": false, "evil.example" + port: false, "127.0.0.1.evil.example": false, "localhost.evil.example": false,
		"pulse.example.evil": false, "0.0.0.0": false, "10.0.0.1": false, "[::2]": false, "evil.example:80:80": false, "a@127.0.0.1": false, "2130706433": false,
	} {
		for _, path := range []string{"/ok", "/", "/api/v1/graph", "/nowhere"} {
			a := r.call("GET", path, nil, "Host: "+host)
			if !ok && a.status != 400 {
				wantError(t, host+" "+path, a, 403, "")
			}
			if ok && a.status == 403 {
				t.Errorf("%s %s: got %s", host, path, a)
			}
		}
	}
	open := newRig(t, settings{web: web.Options{AnyHost: true}})
	if a := open.call("GET", "/ok", nil, "Host: pulse.internal"); a.status != 200 {
		t.Errorf("any host: got %s", a)
	}
}

// changing reports whether a route of the table changes rules, receivers and
// the like, and ingesting whether it takes datapoints.
func changing(method, path string) bool { return method != "GET" && !ingesting(path) }

func ingesting(path string) bool {
	return strings.HasPrefix(path, "/api/v1/publish") || path == "/api/v1/import" || strings.HasPrefix(path, "/api/v4/update") || strings.HasPrefix(path, "/c/") || strings.HasPrefix(path, "/g/")
}

// TestCrossSite: what another site's page can make a browser send changes
// nothing; programs, which send none of these headers, are let in.
func TestCrossSite(t *testing.T) {
	r := newRig(t, settings{})
	same := "Origin: http://" + r.addr
	for _, c := range []struct {
		header           []string
		ingest, changing bool
	}{
		{nil, true, true},
		{[]string{"Sec-Fetch-Site: same-origin"}, true, true},
		{[]string{"Sec-Fetch-Site: none"}, true, true},
		{[]string{same, "Sec-Fetch-Site: same-origin"}, true, true},
		{[]string{same}, true, true},
		{[]string{"Sec-Fetch-Site: same-site"}, true, false},
		{[]string{"Sec-Fetch-Site: cross-site"}, false, false},
		{[]string{"Origin: http://evil.example"}, false, false},
		{[]string{"Origin: null"}, false, false},
		{[]string{"Origin: http://127.0.0.1"}, false, false}, // another port
		{[]string{"Origin: http://" + r.addr + ".evil.example"}, false, false},
		{[]string{"Origin: http://evil.example/" + r.addr}, false, false},
		{[]string{same, "Sec-Fetch-Site: cross-site"}, false, false},
	} {
		for _, line := range web.Routes() {
			method, path, _ := strings.Cut(line, " ")
			want := c.ingest
			switch {
			case changing(method, path):
				want = c.changing
			case !ingesting(path):
				continue
			}
			a := r.call(method, fill.Replace(path), "{", append(c.header, "Content-Type: application/json")...)
			if want && a.status == 403 {
				t.Errorf("%s %v: got %s", line, c.header, a)
			}
			if !want {
				wantError(t, fmt.Sprint(line, c.header), a, 403, "cross-site")
			}
		}
	}
	for _, a := range []answer{r.get("/ok"), r.call("GET", "/api/v1/tags", nil, "Origin: http://evil.example")} {
		if a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("another origin may read: %v", a.header)
		}
	}
}

// TestContentType: a form or a plain text, which a page may send anywhere, is
// not taken for a change.
func TestContentType(t *testing.T) {
	r := newRig(t, settings{})
	for _, line := range web.Routes() {
		method, path, _ := strings.Cut(line, " ")
		if !changing(method, path) {
			continue
		}
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""} {
			a := r.call(method, fill.Replace(path), "{}", "Content-Type: "+kind)
			wantError(t, line+" as "+kind, a, 415, "application/json")
		}
		for _, kind := range []string{"application/json", "Application/JSON; charset=utf-8"} {
			if a := r.call(method, fill.Replace(path), "{}", "Content-Type: "+kind); a.status == 415 {
				t.Errorf("%s as %s: got %s", line, kind, a)
			}
		}
	}
	for _, kind := range []string{"multipart/form-data; boundary=x", "Multipart/Mixed; boundary=x"} {
		form := "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + framingBody + "\r\n--x--\r\n"
		for _, path := range []string{"/api/v1/publish", "/api/v4/update"} {
			wantError(t, path+" as "+kind, r.call("POST", path, form, "Content-Type: "+kind), 415, "")
			wantError(t, path+" as packed "+kind, r.call("POST", path, packed("gzip", form), "Content-Type: "+kind, "Content-Encoding: gzip"), 415, "")
		}
	}
	for _, kind := range []string{"", "application/json", "text/plain", "application/x-www-form-urlencoded"} {
		if a := r.call("POST", "/api/v1/publish", framingBody, "Content-Type: "+kind); a.status != 200 {
			t.Errorf("publish as %q: got %s", kind, a)
		}
	}
}

func TestMethodsAndPaths(t *testing.T) {
	r := newRig(t, settings{})
	methods := map[string][]string{}
	for _, line := range web.Routes() {
		method, path, _ := strings.Cut(line, " ")
		methods[path] = append(methods[path], method)
	}
	for path, allowed := range methods {
		for other, more := range methods {
			if other != path && meant(other, path) {
				allowed = slices.Concat(allowed, more)
			}
		}
		slices.Sort(allowed)
		allowed = slices.Compact(allowed)
		for _, m := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW", "get"} {
			if slices.Contains(allowed, m) {
				continue
			}
			a := r.call(m, fill.Replace(path), nil)
			wantError(t, m+" "+path, a, 405, "")
			if got := strings.Split(a.header.Get("Allow"), ", "); !slices.Equal(got, allowed) {
				t.Errorf("%s %s: Allow is %q, want %v", m, path, got, allowed)
			}
		}
	}
	for _, path := range []string{
		"/nowhere", "/api", "/api/v1", "/api/v1/", "/api/v1/publish/", "/API/v1/publish", "/api/v1/rules/", "/api/v1/rules/a/b",
		"/api/v1/receivers/a/b", "/c", "/c/", "/debug/pprof/", "/debug/vars", "/ok/", "/metrics/x", "/-/quit", "/favicon.ico/x", "//ok/x", "/api/v2/silence", "/prometheus/api/v1/query",
	} {
		wantError(t, path, r.call("GET", path, nil), 404, "path not found")
	}
	wantError(t, "no rule", r.call("GET", "/api/v1/rules/none", nil), 404, "")
	wantError(t, "no band", r.call("GET", "/api/v1/rules/none/band", nil), 404, "")
	wantError(t, "no receiver", r.call("GET", "/api/v1/receivers/none", nil), 404, "")
	wantError(t, "no alert", r.call("GET", "/api/v1/alerts/none", nil), 404, "")
}

// meant reports whether a path without braces is also a name in those of another.
func meant(other, path string) bool {
	a, b := strings.Split(other, "/"), strings.Split(path, "/")
	return !strings.Contains(path, "{") && slices.EqualFunc(a, b, func(of, part string) bool { return of == part || strings.HasPrefix(of, "{") })
}

// TestHead answers as GET does, without the body.
func TestHead(t *testing.T) {
	r := newRig(t, settings{})
	for _, path := range []string{"/", "/ok", "/ready", "/metrics", "/api/v1/status", "/api/v1/tags", "/ui/app.js", "/nowhere", "/api/v1/rules/none"} {
		get, head := r.call("GET", path, nil), r.call("HEAD", path, nil)
		if head.status != get.status || len(head.body) != 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("%s: HEAD got %s, GET %s", path, head, get)
		}
	}
	a := r.call("HEAD", "/api/v1/stream?q=name,sps,:eq", nil)
	if a.status != 200 || len(a.body) != 0 {
		t.Errorf("stream: HEAD got %s", a)
	}
	if a := r.call("HEAD", "/api/v1/publish", nil); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("publish: HEAD got %s %v", a, a.header)
	}
}

// policy is what the page may load and do, letter for letter.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func TestSecurityHeaders(t *testing.T) {
	r := newRig(t, settings{})
	for _, line := range web.Routes() {
		method, path, _ := strings.Cut(line, " ")
		a := r.call(method, fill.Replace(path), nil)
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", line, a.header)
		}
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Set-Cookie", "X-Powered-By"} {
			if a.header.Get(name) != "" {
				t.Errorf("%s: sends %s: %s", line, name, a.header.Get(name))
			}
		}
		page := strings.Contains(a.header.Get("Content-Type"), "text/html")
		if got := a.header.Get("Content-Security-Policy"); (page || strings.HasPrefix(path, "/ui/{file}")) && got != policy {
			t.Errorf("%s: policy %q, want %q", line, got, policy)
		}
		if page && (strings.HasPrefix(path, "/api/") || a.header.Get("X-Frame-Options") != "DENY") {
			t.Errorf("%s: answers HTML", line)
		}
	}
}

// TestInert: text of a request comes back only inside JSON, and nothing in it
// could be read as markup.
func TestInert(t *testing.T) {
	r := newRig(t, settings{})
	evil := "%3Cscript%3Ealert(1)%3C/script%3E"
	for _, target := range []string{
		"/" + evil, "/api/v1/tags/" + evil, "/api/v1/graph?q=" + evil, "/api/v1/graph?q=name,a,:eq&s=" + evil, "/api/v1/graph?q=a&format=" + evil, "/api/v1/expr?q=" + evil,
		"/api/v1/rules/" + evil, "/api/v1/receivers/" + evil, "/api/v1/alerts/" + evil, "/api/v1/alerts?state=" + evil, "/api/v1/stream?q=" + evil,
		"/ui/" + evil, "/api/v1/tags?limit=" + evil, "/api/v1/expr?q=a&vocab=" + evil,
	} {
		a := r.call("GET", target, nil)
		if strings.Contains(string(a.body), "<script") || strings.Contains(a.header.Get("Content-Type"), "html") {
			t.Errorf("%s: got %s", target, a)
		}
	}
	r.call("GET", "/%1b%5b31m%0aforged", nil)
	if text := r.log.String(); strings.ContainsAny(text, "\x1b") {
		t.Errorf("control characters in the log: %q", text)
	}
}
