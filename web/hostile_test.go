package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse/web"
)

// surface says where text of a client reaches a route.
type surface struct {
	params []string // of the query
	bodies []string // besides the ones for all
	good   string   // query that makes the request right but for what is attacked
}

var exprSurface = surface{params: []string{"q", "vocab", "features"}}

// surfaces has every route of the table, so that a new one does not go untested.
var surfaces = map[string]surface{
	"POST /api/v1/publish":      {bodies: hostilePublish},
	"POST /api/v1/publish-fast": {bodies: hostilePublish},
	"POST /api/v4/update":       {bodies: hostileUpdate},
	"POST /c/{name}":            {params: []string{"key", "name", "atlas.dstype", ""}, bodies: hostileNumbers},
	"POST /g/{name}":            {params: []string{"key", "name", "atlas.dstype", ""}, bodies: hostileNumbers},
	"POST /api/v1/import":       {bodies: hostileImports},

	"GET /api/v1/graph":          {params: []string{"q", "s", "e", "tz", "step", "w", "h", "zoom", "format", "cq", "theme", "layout", "u", "l", "scale", "title", "ylabel.4", "palette", "sort", "order", "sort.3", "hints"}, good: "q=name,good,:eq,:sum"},
	"GET /api/v1/tags":           {params: []string{"q", "limit", "offset", "verbose", "format"}},
	"GET /api/v1/tags/{key}":     {params: []string{"q", "limit", "offset", "verbose", "format"}},
	"GET /api/v1/expr":           exprSurface,
	"GET /api/v1/expr/debug":     {params: []string{"q", "vocab", "features", "typed"}},
	"GET /api/v1/expr/normalize": exprSurface,
	"GET /api/v1/expr/complete":  {params: []string{"q", "vocab", "features", "typed", "limit"}},
	"GET /api/v1/expr/words":     {params: []string{"vocab"}},
	"GET /api/v1/expr/queries":   exprSurface,
	"GET /api/v1/expr/rewrite":   exprSurface,
	"GET /api/v1/expr/strip":     {params: []string{"q", "vocab", "k", "r"}, good: "q=name,good,:eq,:sum"},
	"GET /api/v2/fetch":          {params: []string{"q", "s", "e", "tz", "step", "cq", "hints", "w", "title"}, good: "q=name,good,:eq,:sum"},
	"GET /api/v1/stream":         {params: []string{"q", "step", "backlog"}, good: "q=name,good,:eq,:sum"},

	"GET /api/v1/rules":                   {params: []string{"stats", "find", "state", "owner", "advice", "sort", "order", "limit", "offset"}},
	"POST /api/v1/rules/check":            {bodies: hostileRules},
	"GET /api/v1/rules/{id}":              {},
	"PUT /api/v1/rules/{id}":              {bodies: hostileRules},
	"DELETE /api/v1/rules/{id}":           {},
	"GET /api/v1/rules/{id}/band":         {params: []string{"s", "e", "tz", "tags", "format", "facts"}},
	"GET /api/v1/rules/{id}/groups":       {params: []string{"tags", "limit"}},
	"GET /api/v1/rules/{id}/why":          {params: []string{"tags", "t"}},
	"GET /api/v1/rules/{id}/contributors": {params: []string{"tags", "since", "t"}},
	"POST /api/v1/backtest":               {bodies: hostileRules},
	"GET /api/v1/receivers":               {},
	"GET /api/v1/receivers/{name}":        {},
	"PUT /api/v1/receivers/{name}":        {bodies: hostileReceivers},
	"DELETE /api/v1/receivers/{name}":     {},
	"POST /api/v1/receivers/{name}/test":  {},
	"GET /api/v1/receivers/{name}/dead":   {},
	"POST /api/v1/receivers/{name}/dead":  {},
	"GET /api/v1/alerts":                  {params: []string{"state", "limit", "after"}},
	"GET /api/v1/alerts/changes":          {params: []string{"since"}},
	"GET /api/v1/alerts/{id}":             {},
	"GET /api/v1/export":                  {},
	"POST /-/reload":                      {},
	"POST /-/backup":                      {},

	"GET /api/v1/cardinality":               {params: []string{"q", "limit", "window"}},
	"GET /api/v1/cardinality/{key}":         {params: []string{"q", "limit", "offset", "find"}},
	"GET /api/v1/receivers/{name}/attempts": {params: []string{"limit", "before", "failed"}},
	"GET /api/v1/queries":                   {},
	"DELETE /api/v1/queries/{id}":           {},

	"GET /api/v1/silences":          {params: []string{"state"}},
	"GET /api/v1/silences/{id}":     {},
	"POST /api/v1/silences":         {bodies: hostileSilences},
	"PUT /api/v1/silences/{id}":     {bodies: hostileSilences},
	"DELETE /api/v1/silences/{id}":  {},
	"POST /api/v1/silences/preview": {bodies: hostileSilences},
	"GET /api/v1/routes":            {},
	"PUT /api/v1/routes":            {bodies: hostileRoutes},
	"DELETE /api/v1/routes":         {},
	"POST /api/v1/routes/test":      {bodies: hostileRoutes},
	"GET /api/v1/inhibit":           {},
	"GET /api/v1/inhibit/{name}":    {},
	"PUT /api/v1/inhibit/{name}":    {bodies: hostileRoutes},
	"DELETE /api/v1/inhibit/{name}": {},
	"GET /api/v1/mute":              {},
	"GET /api/v1/mute/{name}":       {},
	"PUT /api/v1/mute/{name}":       {bodies: hostileRoutes},
	"DELETE /api/v1/mute/{name}":    {},
	"GET /api/v2/alerts":            {params: []string{"filter", "receiver", "active"}},
	"GET /api/v2/alerts/groups":     {params: []string{"filter", "receiver", "silenced"}},
	"GET /api/v2/receivers":         {},
	"GET /api/v2/status":            {},
	"GET /api/v2/silences":          {params: []string{"filter"}},
	"POST /api/v2/silences":         {bodies: hostileSilences},
	"GET /api/v2/silence/{id}":      {},
	"DELETE /api/v2/silence/{id}":   {},

	"GET /ok":             {},
	"GET /healthcheck":    {},
	"GET /ready":          {},
	"GET /metrics":        {},
	"GET /api/v1/status":  {},
	"GET /api/v1/sources": {},
	"GET /api/v1/owners":  {},

	"GET /api/v1/rules/{id}/stats": {},

	"GET /debug/pprof/profile":      {params: []string{"seconds"}},
	"GET /debug/pprof/heap":         {params: []string{"debug"}},
	"GET /debug/pprof/allocs":       {params: []string{"debug"}},
	"GET /debug/pprof/goroutine":    {params: []string{"debug"}},
	"GET /debug/pprof/threadcreate": {params: []string{"debug"}},

	"GET /":                 {},
	"GET /board":            {},
	"GET /alerts":           {},
	"GET /alerts/{id}":      {},
	"GET /silences":         {},
	"GET /rules":            {},
	"GET /rules/{id}":       {},
	"GET /data":             {},
	"GET /sources":          {},
	"GET /receivers":        {},
	"GET /receivers/{name}": {},
	"GET /server":           {},
	"GET /ui/pages/{file}":  {},
	"GET /ui/editor/{file}": {},
	"GET /ui/{file}":        {},
	"GET /ui/vendor/{file}": {},
}

// hostileText goes into parameters and, escaped, into paths.
var hostileText = []string{
	"%00", "%ff%fe", "%F0%9F%92%A5", "..%2f..%2fetc%2fpasswd", "%3Cscript%3E", "%0d%0aX-Injected:%20yes", "%25%7B%7D", strings.Repeat("a", 9000),
	"-1", "0", "1e309", "NaN", "9223372036854775808", "(,(,(", ":true,:sum,(,name,),:by", ":true,:all", ":each,:call", strings.Repeat("(,", 2000), strings.Repeat("1,:dup,", 900),
	"name,(a|aa)*b,:re", "name,(?=x),:re", "name," + strings.Repeat("(", 500) + ",:re", "name,a,:re,:not,:not,:not", "name,good,:eq,:sum,100000000,:rolling-mean", "name,good,:eq,:sum,1000000w,:offset",
	"e-100y", "s%2B1d", "1970-01-01", "9999999999999",
}

var hostileJSON = []string{
	"", " ", "{", "}", "[", "null", "true", "0", `""`, `"`, "[]", "{}", "[[]]", "[null]", `{"":""}`, "\x00", "\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00", "{\"a\":\"\xff\"}", `{"a":"\ud800"}`,
	strings.Repeat("[", 3000), strings.Repeat(`{"a":`, 700), "[" + strings.Repeat("0,", 1500) + "0]", `{"id":{},"expr":[],"name":1,"url":null}`, "1e999999999", "-", "/*", "//", `{"a":1,"a":2}`,
	strings.Repeat("a", 4000), "<xml/>", "a=b&c=d", "\x1f\x8b", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xff", "\x28\xb5\x2f\xfd",
}

var hostilePublish = []string{
	`{"metrics":{}}`, `{"metrics":[0]}`, `{"metrics":[null]}`, `{"metrics":[[]]}`, `{"tags":[],"metrics":[]}`, `{"tags":{"a":{}},"metrics":[{}]}`, `{"metrics":[{"tags":null}]}`, `{"metrics":[{"tags":{"name":null}}]}`,
	`{"metrics":[{"tags":{"name":"evil"},"timestamp":"now","value":1}]}`, `{"metrics":[{"tags":{"name":"evil"},"timestamp":1e400,"value":1}]}`, `{"metrics":[{"tags":{"name":"evil"},"timestamp":-9223372036854775808,"value":1}]}`,
	`{"metrics":[{"tags":{"name":"evil"},"timestamp":1767225600000,"value":1e400}]}`, `{"metrics":[{"tags":{"name":"evil"},"timestamp":1767225600000,"value":"Infinity"}]}`, `{"metrics":[{"tags":{"name":"evil"},"timestamp":1767225600000,"value":{}}]}`,
	`{"metrics":[{"tags":{"name":"evil"},"timestamp":1767225600000,"values":[[]]}]}`, `{"metrics":[{"tags":{"name":"` + strings.Repeat("x", 100_000) + `"},"timestamp":1767225600000,"value":1}]}`,
	`{"metrics":[{"tags":{"name":"evil","name":"good"},"timestamp":1767225600000,"value":1}]}`, `{"metrics":[{"tags":{"name":"evil\u0000"},"timestamp":1767225600000,"value":1}]}`, `{"metrics":[{"tags":{"name":"\u0065vil"},"timestamp":1767225600000,"value":-1}]}`,
	`{"tags":{` + strings.Repeat(`"k`+`":"v",`, 5000) + `"x":"y"},"metrics":[{}]}`, `[` + strings.Repeat(`{"tags":{"name":"evil"}},`, 5000) + `{}]`,
}

var hostileUpdate = []string{
	`[]`, `[0]`, `[-1]`, `[1e18]`, `[9999999999]`, `[1]`, `[1,0]`, `[1,"name"]`, `[1,"name",-1]`, `[1,"name",1e9]`, `[1,"name",1,0,0,0]`, `[2,"name","evil",1,0,1,0,"x"]`, `[2,"name","evil",1,0,1,0,1e400]`, `[2,"name","evil",1,0,1,0,-1]`,
	`[2,"name","evil",1,0,1,0.5,1]`, `[2,"name","evil",1,0,-1,0,1]`, `[2,"name","evil",1,0,2147483648,0,1]`, `[2,"name","evil",99,` + strings.Repeat("0,1,", 99) + `0,1]`, `[2.5,"name","evil"]`, `["name"]`, `[2,"name","evil",0,0,1]`, `[2,"name","evil",1,0,1,10,null]`,
}

var hostileImports = []string{
	`{"tags":{"name":"evil"},"timestamps":[1],"values":[1e999]}`, `{"tags":{"name":"evil"},"timestamps":[9223372036854775807],"values":[1]}`, `{"tags":{"name":"evil"},"timestamps":[1],"values":[[]]}`,
	`{"tags":{"name":"evil\u0000"},"timestamps":[1767225600000],"values":[1]}`, `{"tags":{"name":"evil"},"step":"999999999w","timestamps":[1767225600000],"values":[1]}`, `{"tags":{"name":"evil"},"step":"7ms","timestamps":[1767225600000],"values":[1]}`,
	strings.Repeat("{\n", 5000), strings.Repeat("\n", 5000), `{"tags":{"name":"evil"},"timestamps":[` + strings.Repeat("0,", 1500) + `0],"values":[]}`, `{"tags":{"name":"evil"},"timestamps":[-1],"values":[null]}`,
}

var hostileNumbers = []string{"1 ", "0x10", "1_000", "١", "1e400", "-0", "inf", "nan", "--1", "1,5", "1;2"}

var hostileRules = []string{
	`{"expr":":true,:all"}`, `{"expr":":true,(,name,),:by"}`, `{"expr":"` + strings.Repeat("x", 9000) + `"}`, `{"expr":"name,good,:eq,:sum","for":"9999999999999h"}`, `{"expr":"name,good,:eq,:sum","step":"1ns"}`,
	`{"expr":"name,good,:eq,:sum","detector":{"kind":"static"}}`, `{"expr":"name,good,:eq,:sum","detector":{"kind":"double-exponential","alpha":"x"}}`, `{"expr":"name,good,:eq,:sum","detector":{"kind":"double-exponential","alpha":1e308,"train":"9999w"}}`,
	`{"expr":"name,good,:eq,:sum","annotations":{"a":"{{range $i := .Tags}}{{template \"x\"}}{{end}}"}}`, `{"expr":"name,good,:eq,:sum","annotations":{"a":"{{printf \"%1000000000d\" 1}}"}}`, `{"expr":"name,good,:eq,:sum","labels":{"":""}}`, `{"expr":"name,good,:eq,:sum","labels":[]}`,
	`{"expr":"name,good,:eq,:sum","notify":[""]}`, `{"expr":"(,:dup,:call,),:dup,:call"}`, `{"expr":"name,good,:eq,:sum,86400,:rolling-max"}`,
}

var hostileReceivers = []string{
	`{"kind":"webhook","url":"http://169.254.169.254/latest/meta-data"}`, `{"kind":"webhook","url":"http://[::ffff:169.254.169.254]/"}`, `{"kind":"webhook","url":"http://0xa9fea9fe/"}`, `{"kind":"webhook","url":"http://2852039166/"}`, `{"kind":"webhook","url":"http://[fe80::1%25eth0]/"}`,
	`{"kind":"webhook","url":"gopher://x/"}`, `{"kind":"webhook","url":"javascript:alert(1)"}`, `{"kind":"webhook","url":"http://a:b@127.0.0.1/"}`, `{"kind":"webhook","url":"//127.0.0.1"}`, `{"kind":"webhook","url":"http://127.0.0.1:99999/"}`, `{"kind":"webhook","url":"http://\u0000/"}`, `{"kind":"webhook","url":"` + strings.Repeat("h", 50_000) + `"}`,
}

var hostileSilences = []string{
	`{"matchers":[],"endsAt":"now+1h"}`, `{"matchers":[{"key":"a","op":"=~","value":"((((((((((a{100}){100}){100}){100}){100}"}],"endsAt":"now+1h","author":"a","comment":"c"}`, `{"matchers":["a=~\"` + strings.Repeat("(", 900) + `\""],"since":"1h"}`,
	`{"matchers":[` + strings.Repeat(`"a=b",`, 5000) + `"a=b"],"endsAt":"now+1h","author":"a","comment":"c"}`, `{"matchers":["a=\u0000"],"endsAt":"now+999999999999y","author":"\u0000","comment":"\u001b[2J"}`, `{"matchers":["a=b"],"endsAt":9223372036854775807,"startsAt":-9223372036854775808,"author":"a","comment":"c"}`,
	`{"matchers":["a=b"],"endsAt":"now+1h","author":"a","comment":"` + strings.Repeat("c", 9000) + `"}`, `{"matchers":["a=b"],"endsAt":"now+1h","author":"a","comment":"c","endWhenNormalFor":"-1h"}`, `{"id":"../../x","matchers":["a=b"],"endsAt":"now+1h","author":"a","comment":"c"}`,
	`{"matchers":[{"name":"a","value":"(a|aa)*b","isRegex":true,"isEqual":false}],"startsAt":"0000-01-01T00:00:00Z","endsAt":"9999-12-31T23:59:59Z","createdBy":"a","comment":"c"}`, `{"matchers":[{"name":"","value":"","isRegex":null,"isEqual":null}],"startsAt":"x"}`, `{"matchers":["a!=b"],"since":"52w"}`,
}

var hostileRoutes = []string{
	`{"routes":` + strings.Repeat(`[{"routes":`, 600) + `[]` + strings.Repeat(`}]`, 600) + `}`, `{"routes":[` + strings.Repeat(`{},`, 5000) + `{}]}`, `{"routes":[{"receiver":"evil"}]}`, `{"routes":[{"receivers":[` + strings.Repeat(`"a",`, 500) + `"a"]}]}`,
	`{"routes":[{"matchers":["a=~\"((((((((((a{100}){100}){100}){100}){100}\""],"receivers":[]}]}`, `{"routes":[{"receivers":[],"group_wait":"-1h"}]}`, `{"routes":[{"receivers":[],"mute":["x"]}]}`, `{"routes":{"a":1}}`,
	`{"name":"x","source":["a=b"],"target":["c=~\"` + strings.Repeat("(", 900) + `\""]}`, `{"name":"x","source":[],"target":[]}`, `{"name":"../../x","source":["a=b"],"target":["c=d"],"equal":[` + strings.Repeat(`"a",`, 500) + `"a"]}`, `{"name":"\u0000","source":["a=b"],"target":["c=d"]}`,
	`{"name":"x","timezone":"../../etc/passwd","intervals":[{"weekdays":["sunday"]}]}`, `{"name":"x","intervals":[{"times":[{"start":"99:99","end":"-1:00"}]}]}`, `{"name":"x","intervals":[{"years":["-99999999999:99999999999"],"days_of_month":["0"],"months":["13"]}]}`, `{"name":"x","intervals":[` + strings.Repeat(`{},`, 500) + `{}]}`,
	`{"labels":{"a":1}}`, `{"labels":{"":"x"}}`, `{"labels":{"a":"` + strings.Repeat("b", 5000) + `"},"t":"9999999999999"}`, `{"labels":{},"t":-9223372036854775808}`, `{"labels":{},"t":9223372036854775807}`,
}

var hostileEncodings = []string{"gzip", "zstd", "deflate", "br", "gzip, gzip", ""}

var hostileHeaders = []string{
	"Accept-Encoding: " + strings.Repeat("gzip,", 2000), "Last-Event-ID: -9223372036854775808", "Last-Event-ID: x", "X-Pulse-Source: " + strings.Repeat("s", 9000), "Content-Type: multipart/form-data", "Content-Type: \xff",
	"If-None-Match: *", "Range: bytes=0-0,1-1,-1", "Expect: nothing", "Connection: upgrade", "Upgrade: websocket", "X-Forwarded-For: 1.1.1.1",
}

// attack is one request.
type attack struct {
	method, target, body string
	header               []string
}

func (a attack) String() string {
	return fmt.Sprintf("%s %.200s %.200q %.200q", a.method, a.target, a.body, a.header)
}

// attacks makes requests out of the route table.
func attacks(t *testing.T) []attack {
	if missing, stale := difference(web.Routes(), slices.Collect(maps.Keys(surfaces))); len(missing)+len(stale) != 0 {
		t.Fatalf("routes without a surface: %v, surfaces without a route: %v", missing, stale)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	some := func(list []string, n int) []string {
		list = slices.Clone(list)
		rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:min(n, len(list))]
	}
	var out []attack
	for _, line := range web.Routes() {
		method, path, _ := strings.Cut(line, " ")
		s, plain := surfaces[line], fill.Replace(path)
		add := func(target, body string, header ...string) {
			out = append(out, attack{method, target, body, append(header, asJSON)})
		}
		if open := strings.IndexByte(path, '{'); open >= 0 {
			for _, text := range some(hostileText, 6) {
				text = strings.NewReplacer(" ", "%20", "/", "%2f", "?", "%3f", "#", "%23").Replace(text)
				add(path[:open]+text+path[strings.IndexByte(path, '}')+1:], "{}")
			}
		}
		for _, p := range s.params {
			for _, text := range some(hostileText, 5) {
				add(plain+"?"+p+"="+text+"&"+s.good, "") // the first of two wins
			}
		}
		bodies, encodings, headers := hostileJSON, hostileEncodings, hostileHeaders
		if method == "GET" {
			bodies, encodings, headers = some(bodies, 1), some(encodings, 1), some(headers, 2)
		}
		for _, b := range append(slices.Clone(bodies), s.bodies...) {
			add(plain+"?"+s.good, b)
		}
		for _, encoding := range encodings {
			b := make([]byte, 200)
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			add(plain+"?"+s.good, string(b), "Content-Encoding: "+encoding)
		}
		for _, h := range headers {
			add(plain+"?"+s.good, "{}", h)
		}
	}
	return out
}

func difference(a, b []string) (onlyA, onlyB []string) {
	in := func(list []string) map[string]bool {
		out := map[string]bool{}
		for _, x := range list {
			out[x] = true
		}
		return out
	}
	inA, inB := in(a), in(b)
	for x := range inA {
		if !inB[x] {
			onlyA = append(onlyA, x)
		}
	}
	for x := range inB {
		if !inA[x] {
			onlyB = append(onlyB, x)
		}
	}
	return onlyA, onlyB
}

// strike sends one attack and says what is wrong with the answer.
func (r *rig) strike(a attack) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, a.method, "http://"+r.addr, strings.NewReader(a.body))
	if err != nil {
		return err.Error()
	}
	path, query, _ := strings.Cut(a.target, "?")
	req.URL.Opaque, req.URL.RawQuery = "//"+r.addr+path, query // as it stands, not cleaned
	for _, h := range a.header {
		name, value, _ := strings.Cut(h, ": ")
		if req.Header.Get(name) == "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := r.client.Transport.RoundTrip(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return "not answered within 5 s"
		}
		if strings.Contains(err.Error(), "invalid header field") {
			return "" // this client does not send it; the raw sockets do
		}
		return err.Error()
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		return ""
	}
	body, err := io.ReadAll(resp.Body)
	got := answer{resp.StatusCode, resp.Header, body}
	switch {
	case err != nil:
		return err.Error()
	case got.status >= 500 && got.status != 503:
		return got.String()
	case resp.Header.Get("X-Injected") != "":
		return "injected a header"
	case got.status < 500 && strings.HasPrefix(a.target, "/api/v2/silences") && json.Valid(body) && body[0] == '"': // Alertmanager's form
	case got.status >= 400:
		if fault := errorFault(got); fault != "" {
			return fault + ": " + got.String()
		}
	}
	return ""
}

// TestHostileRequests: none gets a 5xx but 503, each is answered, and the points
// of a good sender before, between and after are all there.
func TestHostileRequests(t *testing.T) {
	r := newRig(t, settings{})
	list := attacks(t)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var want []any
	good := func() {
		r.move(step * time.Millisecond)
		v := float64(len(want)) + 0.5
		r.publish(point(r.now(), v, "gauge", "good", "node", "a"), point(r.now(), 100, "gauge", "good", "node", "b"))
		want = append(want, v+100)
	}
	good()
	for i, a := range list {
		if fault := r.strike(a); fault != "" {
			t.Errorf("%s: %.400s", a, fault)
		}
		if i%25 == 24 {
			good()
		}
	}
	garbage := rand.NewChaCha8([32]byte{5})
	for range 50 {
		b := make([]byte, 3000)
		garbage.Read(b)
		if answers, _ := r.raw(string(b) + "\r\n\r\n"); len(answers) > 0 && answers[0].status != 400 {
			t.Errorf("garbage %.50q: got %v", b, answers)
		}
	}
	good()
	t.Logf("%d requests, %d good points", len(list), 2*len(want))
	if got := r.column("name,good,:eq,:sum", epoch, epoch+int64(len(want))*step); !reflect.DeepEqual(got, want) {
		t.Errorf("good points: got %v, want %v", got, want)
	}
	if a := r.get("/metrics"); !strings.Contains(string(a.body), "\npulse_http_panics_total 0\n") {
		t.Error("a request panicked")
	}
}
