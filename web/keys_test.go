package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pulse/ingest"
)

// TestIdempotencyKey: a request with a key is done once, whatever its route.
func TestIdempotencyKey(t *testing.T) {
	r := newRig(t, settings{ingest: ingest.Options{Limits: ingest.Limits{Keys: 6}}})
	sum := point(epoch, 3, "sum", "published")
	for _, c := range []struct {
		path, body string
		status     int
		answer     string
	}{
		{"/api/v1/publish", metrics(sum), 200, ""},
		{"/api/v1/publish-fast", metrics(sum, point(epoch, 1, "sum", "a b")), 202, `"errorCount":1`},
		{"/api/v4/update", `[2,"name","updated",1,0,1,0,1]`, 200, "{}"},
		{"/c/counted?region=eu", "2", 204, ""},
		{"/g/level", "2", 204, ""},
	} {
		key := "Idempotency-Key: " + c.path
		first := r.call("POST", c.path, c.body, key)
		if first.status != c.status || !strings.Contains(string(first.body), c.answer) || first.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: %s", c.path, first)
		}
		again := r.call("POST", c.path, packed("gzip", c.body), key, "Content-Encoding: gzip")
		if strings.Contains(c.path, "/c/") || strings.Contains(c.path, "/g/") { // these take no packed bodies
			again = r.call("POST", c.path, c.body, key)
		}
		if again.status != first.status || string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Content-Type") != first.header.Get("Content-Type") {
			t.Errorf("%s again: %s (replayed %q), first %s", c.path, again, again.header.Get("Idempotency-Replayed"), first)
		}
		wantError(t, c.path+" with another body", r.call("POST", c.path, c.body+"1", key), 409, "another request")
	}
	for _, bad := range []string{"", strings.Repeat("k", 65), "\u00fc"} {
		wantError(t, fmt.Sprintf("key %q", bad), r.call("POST", "/c/counted", "1", "Idempotency-Key: "+bad), 400, "Idempotency-Key")
	}
	if a := r.call("POST", "/c/counted", "1", "Idempotency-Key: sixth"); a.status != 204 {
		t.Errorf("the sixth of six keys: %s", a)
	}
	wantError(t, "a seventh of six keys", r.call("POST", "/c/counted", "1", "Idempotency-Key: seventh"), 503, "more than 6")
	r.clock.Advance(2 * time.Minute)
	if a := r.call("POST", "/c/counted", "1", "Idempotency-Key: seventh"); a.status != 204 {
		t.Errorf("two minutes later: %s", a)
	}
	for expr, want := range map[string]any{"published": 6.0, "updated": 1.0, "counted": 3.0} {
		got := r.column("name,"+expr+",:eq,:sum", epoch-step, epoch)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %v, want %v", expr, got, want)
		}
	}
}
