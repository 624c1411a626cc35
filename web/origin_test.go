package web_test

import (
	"slices"
	"strings"
	"testing"

	"pulse/web"
)

// TestOrigins: pages of a configured origin may use the API, with a token; no
// other page learns or does more than without.
func TestOrigins(t *testing.T) {
	const wiki = "https://wiki.example"
	keys := newKeyring(t, "query,admin")
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load, Origins: []string{wiki, "http://localhost:3000"}}})
	r.web.Forgive(1 << 30)
	all := keys.bearer("query,admin")
	allowed := func(a answer) string { return a.header.Get("Access-Control-Allow-Origin") }

	if a := r.call("GET", "/api/v1/tags", nil, all, "Origin: "+wiki); a.status != 200 || allowed(a) != wiki || !slices.Contains(a.header.Values("Vary"), "Origin") || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a page that may: %s %v", a, a.header)
	}
	if a := r.call("GET", "/api/v1/tags", nil, "Origin: "+wiki); a.status != 401 || allowed(a) != wiki {
		t.Errorf("without a token: %s %v", a, a.header) // the page must be able to read the refusal
	}
	if a := r.call("DELETE", "/api/v1/rules/none", nil, all, "Origin: "+wiki, "Sec-Fetch-Site: cross-site"); a.status != 404 {
		t.Errorf("a change by a page that may: %s", a)
	}
	preflight := func(path, origin string, more ...string) answer {
		return r.call("OPTIONS", path, nil, append(more, "Origin: "+origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization, content-type")...)
	}
	a := preflight("/api/v1/rules/x", wiki)
	if a.status != 204 || allowed(a) != wiki || a.header.Get("Access-Control-Allow-Methods") != "DELETE, GET, PUT" || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") || len(a.body) != 0 {
		t.Errorf("preflight: %s %v", a, a.header)
	}
	if a := preflight("/nowhere", wiki); a.status != 404 {
		t.Errorf("preflight of nothing: %s", a)
	}
	if a := preflight("/api/v1/rules/x", wiki, "Host: evil.example"); a.status != 403 || allowed(a) != "" {
		t.Errorf("preflight of another host: %s %v", a, a.header)
	}
	for _, origin := range []string{"http://evil.example", "null", "*", "http://wiki.example", "https://wiki.example:8443", "https://wiki.example.evil", "https://WIKI.example", "https://wiki.example/", "http://localhost:3001", "http://localhost"} {
		if a := preflight("/api/v1/rules/x", origin); a.status != 405 || allowed(a) != "" || a.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("preflight of %s: %s %v", origin, a, a.header)
		}
		if a := r.call("GET", "/api/v1/tags", nil, all, "Origin: "+origin); a.status != 200 || allowed(a) != "" {
			t.Errorf("a read of %s: %s %v", origin, a, a.header)
		}
		if a := r.call("DELETE", "/api/v1/rules/none", nil, all, "Origin: "+origin); a.status != 403 || allowed(a) != "" {
			t.Errorf("a change by %s: %s %v", origin, a, a.header)
		}
	}
	if a := r.call("OPTIONS", "/api/v1/tags", nil, "Origin: "+wiki); a.status != 405 {
		t.Errorf("OPTIONS that is no preflight: %s", a)
	}
	closed := newRig(t, settings{})
	if a := closed.call("OPTIONS", "/api/v1/tags", nil, "Origin: "+wiki, "Access-Control-Request-Method: GET"); a.status != 405 || allowed(a) != "" || len(a.header.Values("Vary")) != 0 {
		t.Errorf("by default: %s %v", a, a.header)
	}
}

// TestNamedHosts: on an address that others can reach, names decide once some
// are configured; an address is no name that somebody could point here.
func TestNamedHosts(t *testing.T) {
	r := newRig(t, settings{web: web.Options{AnyHost: true, Hosts: []string{"pulse.example"}}})
	for host, want := range map[string]int{
		"pulse.example": 200, "PULSE.example:7101": 200, "10.1.2.3:7101": 200, "[2001:db8::1]:7101": 200, "localhost": 200, r.addr: 200,
		"evil.example": 403, "pulse.example.evil": 403, "10.1.2.3.evil": 403,
	} {
		if a := r.call("GET", "/ok", nil, "Host: "+host); a.status != want {
			t.Errorf("%s: %s, want %d", host, a, want)
		}
	}
}
