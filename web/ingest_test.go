package web_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pulse/ingest"
	"pulse/store"
)

// partial is the answer of a publish with refused points.
type partial struct {
	Type       string   `json:"type"`
	ErrorCount int      `json:"errorCount"`
	Message    []string `json:"message"`
}

func TestPublishAnswers(t *testing.T) {
	good := point(epoch, 1, "gauge", "good")
	old := point(epoch-3_600_000, 1, "gauge", "old")
	short := point(epoch, 1, "gauge", "good", "k", "v")
	repeat := func(text string, n int) string { return strings.TrimSuffix(strings.Repeat(text+",", n), ",") }
	r := newRig(t, settings{})
	for _, c := range []struct {
		name     string
		body     string
		status   int
		errors   int    // errorCount, for 202 and 400 with a list
		messages int    // how many are listed
		text     string // in the first message
	}{
		{"one", metrics(good), 200, 0, 0, ""},
		{"a list", "[" + good + "]", 200, 0, 0, ""},
		{"common tags first", `{"tags":{"nf.app":"www"},"metrics":[` + good + `]}`, 200, 0, 0, ""},
		{"common tags last", `{"metrics":[` + good + `],"tags":{"nf.app":"www"}}`, 200, 0, 0, ""},
		{"comments and old spellings", `/* c */ {"metrics":[{"tags":{"name":"old.spelling"},"start":` + fmt.Sprint(epoch) + `,"values":[1,2]}] // d` + "\n}", 200, 0, 0, ""},
		{"NaN", `{"metrics":[{"tags":{"name":"nan"},"timestamp":` + fmt.Sprint(epoch) + `,"value":NaN}]}`, 200, 0, 0, ""},
		{"NaN as text", `{"metrics":[{"tags":{"name":"nan"},"timestamp":` + fmt.Sprint(epoch) + `,"value":"NaN"}]}`, 200, 0, 0, ""},
		{"number as text", `{"metrics":[{"tags":{"name":"text"},"timestamp":` + fmt.Sprint(epoch) + `,"value":"1.5"}]}`, 200, 0, 0, ""},
		{"unknown field of a metric", `{"metrics":[{"x":[{}],"tags":{"name":"extra"},"timestamp":` + fmt.Sprint(epoch) + `,"value":1}]}`, 200, 0, 0, ""},
		{"one of two", metrics(good, old), 202, 1, 1, "data is too old"},
		{"ten of eleven", metrics(good, repeat(short, 10)), 202, 10, 5, "key too short: [k] (1 < 2)"},
		{"all", metrics(old, old), 400, 2, 2, "data is too old"},
		{"from the future", metrics(point(epoch+3_600_000, 1, "gauge", "future")), 400, 1, 1, "data is from future"},
		{"no name", `{"metrics":[{"tags":{"app":"x"},"timestamp":` + fmt.Sprint(epoch) + `,"value":1}]}`, 400, 1, 1, "missing key 'name'"},
		{"characters", metrics(point(epoch, 1, "gauge", "a b")), 400, 1, 1, "invalid characters in value: name = [a b]"},
		{"reserved", metrics(point(epoch, 1, "gauge", "good", "nf.what", "v")), 400, 1, 1, "invalid key for reserved prefix 'nf.': nf.what"},
		{"empty payload", `{"metrics":[]}`, 400, 0, 0, "empty payload"},
		{"empty list", `[]`, 400, 0, 0, "empty payload"},
		{"nothing in it", `{}`, 400, 0, 0, "empty payload"},
		{"empty body", ``, 400, 0, 0, ""},
		{"half", metrics(good)[:20], 400, 0, 0, ""},
		{"more behind", metrics(good) + "{}", 400, 0, 0, ""},
		{"unknown field at the top", `{"metrics":[` + good + `],"other":1}`, 400, 0, 0, "unknown field"},
		{"not JSON", "hello", 400, 0, 0, ""},
		{"a number", "1", 400, 0, 0, ""},
		{"bytes", "\x00\xff\xfe", 400, 0, 0, ""},
		{"nesting", `{"metrics":[{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}]}`, 400, 0, 0, ""},
		{"nesting without end", strings.Repeat("[", 1<<20), 400, 0, 0, ""},
		{"too many points", "[" + repeat("{}", 100_001) + "]", 413, 0, 0, "100000"},
	} {
		for _, path := range []string{"/api/v1/publish", "/api/v1/publish-fast"} {
			a := r.call("POST", path, c.body)
			switch {
			case c.status == 200:
				if a.status != 200 || len(a.body) != 0 {
					t.Errorf("%s: got %s, want 200 and no body", c.name, a)
				}
			case c.errors == 0:
				wantError(t, c.name, a, c.status, c.text)
			default:
				p := decode[partial](t, a)
				kind := map[int]string{202: "partial", 400: "error"}[c.status]
				if a.status != c.status || p.Type != kind || p.ErrorCount != c.errors || len(p.Message) != c.messages ||
					!strings.HasPrefix(p.Message[0], c.text) || !strings.Contains(p.Message[0], " (tags={") {
					t.Errorf("%s: got %s, want %d with %d errors, %d of them listed, the first %q", c.name, a, c.status, c.errors, c.messages, c.text)
				}
			}
		}
	}
	if got := decode[[]string](t, r.get("/api/v1/tags/name")); !reflect.DeepEqual(got, []string{"extra", "good", "old.spelling", "text"}) {
		t.Errorf("names: %v", got)
	}
}

func TestUpdateAnswers(t *testing.T) {
	r := newRig(t, settings{})
	for _, c := range []struct {
		name   string
		body   string
		status int
		text   string
	}{
		{"two", `[9,"count","cpu","gauge","name","nf.app","requests","statistic","www","zzz",3,4,7,6,0,3,5,0,125.5,3,4,7,6,2,3,1,10,42.0]`, 200, "{}"},
		{"bad characters", `[2,"name","a b",1,0,1,0,1]`, 200, "{}"},
		{"one refused", `[4,"name","ok","k","v",1,0,1,0,1,2,0,1,2,3,0,1]`, 202, "key too short"},
		{"all refused", `[2,"k","v",1,0,1,0,1]`, 400, "errorCount"},
		{"unknown operation", `[2,"name","ok",1,0,1,5,1]`, 400, "unknown operation 5, expected add (0) or max (10)"},
		{"index outside", `[2,"name","ok",1,0,7,0,1]`, 400, ""},
		{"not an array", `{}`, 400, ""},
		{"table larger than the array", `[1000000000,"a"]`, 400, ""},
		{"half", `[2,"name","ok",1,0,1,0`, 400, ""},
		{"empty", ``, 400, ""},
	} {
		a := r.call("POST", "/api/v4/update", c.body)
		if a.status != c.status || !strings.Contains(string(a.body), c.text) || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %s, want %d with %q", c.name, a, c.status, c.text)
		}
		if c.status == 200 && string(a.body) != "{}" {
			t.Errorf("%s: got %s, want {}", c.name, a)
		}
	}
	if got := decode[[]string](t, r.get("/api/v1/tags/name")); !reflect.DeepEqual(got, []string{"a_b", "cpu", "ok", "requests"}) {
		t.Errorf("names: %v", got)
	}
}

func TestOneLine(t *testing.T) {
	r := newRig(t, settings{})
	many := ""
	for i := range 40 {
		many += fmt.Sprintf("k%d=v&", i)
	}
	r.clock.Advance(step / 2 * time.Millisecond) // into the middle of the step that ends at epoch+1000
	for _, c := range []struct {
		target string
		body   string
		status int
		text   string
	}{
		{"/c/starts?region=eu", "3", 204, ""},
		{"/c/starts?region=eu", "", 204, ""},
		{"/c/starts?region=eu", " 4.5\n", 204, ""},
		{"/c/%73tarts?region=e%75", "1", 204, ""},
		{"/g/queue.length", "17", 204, ""},
		{"/g/queue.length", "16", 204, ""},
		{"/g/queue.length", "", 400, "body"},
		{"/c/starts", "many", 400, "body"},
		{"/c/starts", "1 2", 400, "body"},
		{"/c/starts", "{}", 400, "body"},
		{"/c/starts", "-1", 400, ""},
		{"/c/starts", "Inf", 400, ""},
		{"/c/a%20b", "1", 400, "invalid characters"},
		{"/c/x", "1", 400, "value too short"},
		{"/c/starts?k=v", "1", 400, "key too short"},
		{"/c/starts?region=", "1", 400, ""},
		{"/c/starts?nf.x=1", "1", 400, "reserved prefix"},
		{"/c/", "1", 404, ""},
		{"/c/a/b", "1", 404, ""},
		{"/c/%2573tarts", "1", 400, "invalid characters"}, // unescaped once
		{"/c/starts?" + many, "1", 400, "too many user tags: 41"},
	} {
		a := r.call("POST", c.target, c.body)
		if a.status != c.status || !strings.Contains(string(a.body), c.text) {
			t.Errorf("POST %s %q: got %s, want %d with %q", c.target, c.body, a, c.status, c.text)
		}
		if a.status == 204 && len(a.body) != 0 {
			t.Errorf("POST %s: 204 with a body: %s", c.target, a)
		}
	}
	r.move(step * time.Millisecond)
	for expr, want := range map[string]any{"name,starts,:eq,:sum": 9.5, "name,queue.length,:eq,:max": 17.0} {
		if got := r.column(expr, epoch, epoch+step); !reflect.DeepEqual(got, []any{want}) {
			t.Errorf("%s: got %v, want %v", expr, got, want)
		}
	}
}

// TestBusy: a limit on series is 429, one on the server 503, both say when to
// come again and neither harms what is known already.
func TestBusy(t *testing.T) {
	r := newRig(t, settings{store: store.Options{MaxSeries: 2}, ingest: ingest.Options{Limits: ingest.Limits{Expansions: 1}}})
	known := point(epoch, 1, "gauge", "known")
	r.publish(known, point(epoch, 1, "gauge", "known.too"))
	if a := r.call("POST", "/api/v1/publish", metrics(known, point(epoch, 1, "gauge", "new"))); a.status != 202 {
		t.Errorf("known and new: got %s, want 202", a)
	}
	a := r.call("POST", "/api/v1/publish", metrics(point(epoch, 1, "gauge", "new")))
	wantError(t, "only new", a, 429, "series")
	wantError(t, "only new by /c/", r.call("POST", "/c/new", "1"), 429, "series")

	_, done, err := r.pipeline.Expand(packed("gzip", "{}"), "gzip") // takes the one place
	if err != nil {
		t.Fatal(err)
	}
	a = r.call("POST", "/api/v1/publish", packed("gzip", metrics(known)), "Content-Encoding: gzip")
	wantError(t, "busy", a, 503, "")
	r.publish(known)
	done()
	if a = r.call("POST", "/api/v1/publish", packed("gzip", metrics(known)), "Content-Encoding: gzip"); a.status != 200 {
		t.Errorf("not busy any more: %s", a)
	}
}
