package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// malformed lists values that a parameter of a route must refuse. The other
// parameters of the request are the route's own in with.
var malformed = []struct {
	path   string
	with   string
	param  string
	values []string
}{
	{"/api/v1/graph", "q=name,known,:eq", "s", []string{"foo", "x-3h", "e-", "-1h", "2026-13-01", "e-3x", "99999999999999999999", "\x00", "e-9999999999999w"}},
	{"/api/v1/graph", "q=name,known,:eq", "e", []string{"tomorrow", "foo+1h", "now-", "now-3", "2026-01-01T25:00", "💥", "--"}},
	{"/api/v1/graph", "q=name,known,:eq", "tz", []string{"Nowhere", "../../etc/passwd", "/etc/passwd", strings.Repeat("A", 1000), "UTC\x00"}},
	{"/api/v1/graph", "q=name,known,:eq", "step", []string{"fast", "-1s", "0s", "10", "1y1y", "9999999999999999999h"}},
	{"/api/v1/graph", "q=name,known,:eq", "w", []string{"0", "-1", "many", "1.5", "99999999999999999999", "1e3"}},
	{"/api/v1/graph", "q=name,known,:eq", "h", []string{"0", "-1", "many", "0x10"}},
	{"/api/v1/graph", "q=name,known,:eq", "zoom", []string{"0", "-1", "NaN", "Inf", "big", "1e9"}},
	{"/api/v1/graph", "q=name,known,:eq", "format", []string{"gif", "PNG", "json2", "../png", "csv,"}},
	{"/api/v1/graph", "q=name,known,:eq", "theme", []string{"blue"}},
	{"/api/v1/graph", "q=name,known,:eq", "layout", []string{"round"}},
	{"/api/v1/graph", "q=name,known,:eq", "palette", []string{"none-such"}},
	{"/api/v1/graph", "q=name,known,:eq", "scale", []string{"cubic"}},
	{"/api/v1/graph", "q=name,known,:eq", "vision", []string{"xray", "NORMAL"}},
	{"/api/v1/graph", "q=name,known,:eq", "palette", []string{"hash:none", "colors:", "colors:f00,nothing", "(,", strings.Repeat("f00,", 1000)}},
	{"/api/v1/graph", "q=name,known,:eq", "palette.0", []string{"none-such"}},
	{"/api/v1/graph", "q=name,known,:eq", "tick_labels", []string{"roman"}},
	{"/api/v1/graph", "q=name,known,:eq", "heatmap_scale", []string{"cubic"}},
	{"/api/v1/graph", "q=name,known,:eq", "heatmap_l", []string{"low", "NaN"}},
	{"/api/v1/graph", "q=name,known,:eq", "heatmap_palette", []string{"none-such"}},
	{"/api/v1/graph", "format=svg", "q", append(programs, unshown...)},
	{"/api/v1/graph", "q=name,known,:eq", "u", []string{"high", "NaN", "Inf", "1e999"}},
	{"/api/v1/graph", "q=name,known,:eq", "l", []string{"low", "-Inf"}},
	{"/api/v1/graph", "q=name,known,:eq", "cq", []string{"name", ":true,:true", "name,:eq,:eq", ":nope", "name,known,:eq,:sum"}},
	{"/api/v1/graph", "format=json", "q", append(programs, unshown...)},
	{"/api/v1/expr", "", "q", append(programs, unshown...)},
	{"/api/v1/expr", "q=name,known,:eq", "vocab", []string{"none", "STYLE", "style,math"}},
	{"/api/v1/expr/debug", "", "q", append(programs, unshown...)},
	{"/api/v1/expr/normalize", "", "q", programs},
	{"/api/v1/expr/queries", "", "q", programs},
	{"/api/v1/expr/complete", "typed=1", "q", []string{":nope,", "name,:eq,x", "),x", "/*", strings.Repeat("x", 8193) + ","}},
	{"/api/v1/expr/rewrite", "", "q", programs},
	{"/api/v2/fetch", "", "q", append(programs, unshown...)},
	{"/api/v2/fetch", "q=name,known,:eq", "s", []string{"foo", "e-", "-1h", "e-3x"}},
	{"/api/v2/fetch", "q=name,known,:eq", "tz", []string{"Nowhere"}},
	{"/api/v2/fetch", "q=name,known,:eq", "step", []string{"fast", "0s"}},
	{"/api/v1/stream", "", "q", append(programs, unshown...)},
	{"/api/v1/stream", "q=name,known,:eq", "step", []string{"fast", "-1s", "0s", "1500ms", "2h", "10", "9999999999999999999h"}},
	{"/api/v1/stream", "q=name,known,:eq", "backlog", []string{"-1", "10001", "some", "1.5", "99999999999999999999"}},
	{"/api/v1/tags", "", "limit", []string{"0", "-1", "all", "1e1", "2147483648", "99999999999999999999"}},
	{"/api/v1/tags", "", "format", []string{"xml", "JSON"}},
	{"/api/v1/tags", "", "q", []string{"name", ":nope", "name,:eq", "name,known,:eq,:sum", "a,b,:eq,c,d,:eq", "name,(,:eq", "name,known,(,:re"}},
	{"/api/v1/tags/name", "", "limit", []string{"0", "-1", "all"}},
	{"/api/v1/tags/name", "", "format", []string{"xml"}},
	{"/api/v1/tags/name", "", "q", []string{"name", ":nope"}},
	{"/api/v1/rules/known/band", "", "s", []string{"e-", "2026-13-01"}},
	{"/api/v1/rules/known/band", "", "e", []string{"now-", "1-1-1"}},
	{"/api/v1/rules/known/band", "", "tz", []string{"Nowhere"}},
	{"/api/v1/rules/known/band", "", "tags", []string{"region", "=eu", "region=eu,x", ","}},
	{"/api/v1/rules/known/band", "", "format", []string{"png", "CSV"}},
	{"/api/v1/rules/known/band", "", "facts", []string{"yes", "2"}},
	{"/api/v1/rules/known/groups", "", "tags", []string{"region", "=eu", ","}},
	{"/api/v1/rules/known/groups", "", "limit", []string{"0", "-1", "all"}},
	{"/api/v1/alerts", "", "state", []string{"asleep", "FIRING", "firing,asleep"}},
	{"/api/v1/alerts", "", "limit", []string{"0", "-1", "10001", "many", "1e3"}},
	{"/api/v1/alerts", "", "after", []string{"nothing", "5d1c"}},
}

// unshown are programs that run, but give nothing that a graph can show.
var unshown = []string{"name,known", "1,:list", "\x00"}

// programs do not run.
var programs = []string{
	":nope", ":eq", "name,:eq", "name,known,:eq,:nope", "(,(,(", ")", "name,known,:eq,(,:by", "name,known,:eq,:sum,name,:by,:call", ":swap", ":each",
	"name,(?!x),:re", "name,[,:re", "name," + strings.Repeat("a", 1025) + ",:re", strings.Repeat("1,", 1001) + ":add", strings.Repeat("(,", 5000), strings.Repeat("x", 8193),
	"(,:dup,:call,),:dup,:call", "a,b,:set,:get", "name,known,:eq,:sum,foo,:offset", "name,known,:eq,:sum,-5,:rolling-count", "name,known,:eq,:sum,1e99,:rolling-count", "💥,:eq",
}

// TestMalformedParameters: each is refused with a message that names it.
func TestMalformedParameters(t *testing.T) {
	r := newRig(t, settings{})
	r.publish(point(epoch, 1, "gauge", "known", "region", "eu"))
	r.putRule("known", `{"expr":"name,known,:eq,:sum"}`)
	for _, c := range malformed {
		for _, v := range c.values {
			target := c.path + "?" + c.with + "&" + c.param + "=" + url.QueryEscape(v)
			begun := time.Now()
			a := r.call("GET", target, nil)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s took %v", target, took)
			}
			if a.status < 400 || a.status > 499 || errorFault(a) != "" {
				t.Errorf("%.300s: got %s, want 4xx with the error object", target, a)
				continue
			}
			var e struct{ Message string }
			json.Unmarshal(a.body, &e)
			named := regexp.MustCompile(`(?i)(^|[^a-z])` + c.param + `([^a-z]|$)`).MatchString(strings.ReplaceAll(e.Message, v, ""))
			if c.param != "q" && !named {
				t.Errorf("%.300s: %q does not name the parameter %s", target, e.Message, c.param)
			}
			if len(e.Message) > 2000 {
				t.Errorf("%.300s: a message of %d bytes", target, len(e.Message))
			}
		}
	}
	for _, path := range []string{"/api/v1/graph", "/api/v1/expr", "/api/v1/expr/debug", "/api/v1/expr/normalize", "/api/v1/expr/complete", "/api/v1/expr/queries", "/api/v1/stream"} {
		for _, query := range []string{"", "?Q=1"} {
			wantError(t, path+query, r.call("GET", path+query, nil), 400, "'q'")
		}
	}
	for _, path := range []string{"/api/v1/graph?q=", "/api/v1/stream?q="} {
		wantError(t, path, r.call("GET", path, nil), 400, "'q'")
	}
	wantError(t, "last event", r.call("GET", "/api/v1/stream?q=name,known,:eq", nil, "Last-Event-ID: soon"), 400, "Last-Event-ID")
	wantError(t, "last event", r.call("GET", "/api/v1/stream?q=name,known,:eq", nil, fmt.Sprintf("Last-Event-ID: %d", epoch+1)), 400, "Last-Event-ID")
	wantError(t, "last event", r.call("GET", "/api/v1/stream?q=name,known,:eq", nil, fmt.Sprintf("Last-Event-ID: %d", epoch+3_600_000)), 400, "Last-Event-ID")
}

// TestGraphFormats reads the same two steps in every format.
func TestGraphFormats(t *testing.T) {
	r := newRig(t, settings{})
	r.move(step * time.Millisecond)
	r.publish(point(epoch+step, 1.5, "gauge", "known", "region", "=eu"[1:]))
	r.move(step * time.Millisecond)
	base := fmt.Sprintf("/api/v1/graph?q=name,known,:eq,:sum,(,region,),:by&s=%d&e=%d&step=1s", epoch, epoch+2*step)

	g := decode[graphAnswer](t, r.get(base+"&format=json"))
	if g.Start != epoch+step || g.Step != step || len(g.Legend) != 1 || g.Metrics[0]["region"] != "eu" || g.Metrics[0]["name"] != "known" ||
		fmt.Sprint(g.Values) != "[[1.5] [NaN]]" || g.Notices == nil {
		t.Errorf("json: %+v", g)
	}
	if a := r.get(base + "&format=std.json"); !strings.Contains(string(a.body), `"NaN"`) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("std.json: %s", a)
	}
	csv := r.get(base + "&format=csv")
	if want := "\"timestamp\",\"(region=eu)\"\n2026-01-01T00:00:01Z,1.500000\n2026-01-01T00:00:02Z,NaN\n"; string(csv.body) != want {
		t.Errorf("csv: %s, want %q", csv, want)
	}
	txt := r.get(base + "&format=txt&tz=Europe/Berlin")
	if want := "\"timestamp\"\t\"(region=eu)\"\n2026-01-01T01:00:01+01:00\t1.500000\n2026-01-01T01:00:02+01:00\tNaN\n"; string(txt.body) != want {
		t.Errorf("txt: %s, want %q", txt, want)
	}
	for _, more := range []string{"", "&format=png", "&w=4000000&h=4000000", "&only_graph=1&theme=dark", "&w=1&h=1"} {
		a := r.get(base + more)
		size, err := png.DecodeConfig(bytes.NewReader(a.body))
		if err != nil || a.header.Get("Content-Type") != "image/png" || size.Width > 4096 || size.Height > 4096 {
			t.Errorf("%s: %s %v %+v", more, a, err, size)
		}
	}
	bad := r.call("GET", "/api/v1/graph?q=:nope", nil, "Accept: image/avif,image/webp,image/png", "Sec-Fetch-Dest: image")
	if _, err := png.DecodeConfig(bytes.NewReader(bad.body)); err != nil || bad.status != 200 {
		t.Errorf("an error as a picture: %s %v", bad, err)
	}
	long := r.call("GET", base+"&format=csv", nil, "Accept-Encoding: gzip")
	if long.header.Get("Content-Encoding") != "" {
		t.Errorf("a short answer is packed: %v", long.header)
	}
	long = r.call("GET", strings.Replace(base, fmt.Sprint("s=", epoch), "s=e-10m", 1)+"&format=csv", nil, "Accept-Encoding: gzip;q=1, br")
	if long.header.Get("Content-Encoding") != "gzip" || !bytes.HasPrefix(long.body, []byte{0x1f, 0x8b}) {
		t.Errorf("a long answer is not packed: %v", long.header)
	}
}

// TestCSVGuard: a legend that a spreadsheet would run is text.
func TestCSVGuard(t *testing.T) {
	r := newRig(t, settings{})
	r.publish(point(epoch, 1, "gauge", "known"))
	for _, legend := range []string{"=cmd", "+1", "-1", "@x"} {
		a := r.get("/api/v1/graph?format=csv&s=e-1m&q=" + url.QueryEscape("name,known,:eq,:sum,"+legend+",:legend"))
		if head, _, _ := strings.Cut(string(a.body), "\n"); head != `"timestamp","'`+legend+`"` {
			t.Errorf("%s: header %s", legend, head)
		}
	}
}

// TestExpr shows what the expression tools answer for a good program.
func TestExpr(t *testing.T) {
	r := newRig(t, settings{})
	q := "?q=name,sps,:eq,:avg"
	if got := string(r.get("/api/v1/expr/normalize" + q).body); got != `["name,sps,:eq,:avg"]` {
		t.Errorf("normalize: %s", got)
	}
	for _, vocab := range []string{"", "&vocab=all", "&vocab=custom"} { // what can be drawn can be looked at
		if got := string(r.get("/api/v1/expr/normalize?q=name,sps,:eq,:node-avg" + vocab).body); got != `["name,sps,:eq,:node-avg"]` {
			t.Errorf("normalize with the words of graphs, %q: %s", vocab, got)
		}
	}
	if got := string(r.get("/api/v1/expr/queries" + q).body); got != `["name,sps,:eq"]` {
		t.Errorf("queries: %s", got)
	}
	for _, path := range []string{"/api/v1/expr", "/api/v1/expr/debug"} {
		steps := decode[[]struct {
			Program []string
			Context struct {
				Stack     []string
				Variables map[string]string
			}
		}](t, r.get(path+q))
		if len(steps) != 5 || len(steps[0].Program) != 4 || len(steps[4].Program) != 0 || fmt.Sprint(steps[2].Context.Stack) != "[sps name]" {
			t.Errorf("%s: %+v", path, steps)
		}
	}
	words := decode[[]struct{ Name, Signature, Description string }](t, r.get("/api/v1/expr/complete?q=name,sps"))
	found := false
	for _, w := range words {
		found = found || w.Name == "eq" && w.Signature != ""
	}
	if !found {
		t.Errorf("complete: %d words without eq", len(words))
	}
}
