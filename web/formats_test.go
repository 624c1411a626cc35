package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"pulse/query"
	"pulse/store/budget"
	"pulse/web"
)

// filled is a rig with two series over n steps.
func filled(t *testing.T, n int) *rig {
	r := newRig(t, settings{})
	for i := range n {
		at := epoch + int64(i)*step
		r.clock.Set(time.UnixMilli(at))
		r.publish(point(at, float64(i), "gauge", "mm", "node", "a"), point(at, 10, "gauge", "mm", "node", "b"))
	}
	return r
}

func TestStatsFormat(t *testing.T) {
	r := filled(t, 5)
	type stats struct {
		Start, End, Step int64
		Legend           []string
		Metrics          []map[string]string
		Stats            []map[string]any
		Notices          []string
	}
	got := decode[stats](t, r.get("/api/v1/graph?format=stats.json&s=e-5s&h=2000&q="+url.QueryEscape("name,mm,:eq,(,node,),:by,name,none,:eq")))
	want := []map[string]any{
		{"count": 5.0, "avg": 2.0, "total": 10.0, "max": 4.0, "min": 0.0, "last": 4.0},
		{"count": 5.0, "avg": 10.0, "total": 50.0, "max": 10.0, "min": 10.0, "last": 10.0},
		{"count": 0.0, "avg": "NaN", "total": "NaN", "max": "NaN", "min": "NaN", "last": "NaN"},
	}
	if got.Start != epoch || got.End != epoch+5*step || got.Step != step || len(got.Stats) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		for k, v := range w {
			if got.Stats[i][k] != v {
				t.Errorf("line %d, %s: %v, want %v", i, k, got.Stats[i][k], v)
			}
		}
	}
	if !slices.Equal(got.Legend, []string{"(node=a)", "(node=b)", "NO DATA"}) || got.Metrics[1]["node"] != "b" || got.Metrics[1]["atlas.offset"] != "0w" {
		t.Errorf("%q %v", got.Legend, got.Metrics)
	}
	if !slices.Equal(got.Notices, []string{"Restricted graph height to 1000."}) {
		t.Errorf("notices %q", got.Notices)
	}
}

func TestV2Format(t *testing.T) {
	r := filled(t, 3)
	program := url.QueryEscape("name,mm,:eq,(,node,),:by,$node,:legend,5,1,:axis,f00,:color,:area,3,:lw")
	items := decode[[]map[string]any](t, r.get("/api/v1/graph?format=v2.json&s=e-3s&title=T&tz=UTC&tz=Asia/Tokyo&scale.1=log&u=9&ylabel.1=Y&no_legend_stats=1&q="+program))
	var kinds []string
	for _, x := range items {
		kinds = append(kinds, x["type"].(string))
	}
	if s := strings.Join(kinds, " "); s != "graph-image graph-metadata plot-metadata plot-metadata timeseries timeseries timeseries" {
		t.Fatal(s)
	}
	head, data, _ := strings.Cut(items[0]["data"].(string), ",")
	raw, err := base64.StdEncoding.DecodeString(data)
	if head != "data:image/png;base64" || err != nil {
		t.Fatal(head, err)
	}
	if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
		t.Error(err)
	}
	check := func(i int, want string) {
		t.Helper()
		var w map[string]any
		if err := json.Unmarshal([]byte(want), &w); err != nil {
			t.Fatal(err)
		}
		for k, v := range w {
			a, _ := json.Marshal(items[i][k])
			b, _ := json.Marshal(v)
			if string(a) != string(b) {
				t.Errorf("item %d, %s: %s, want %s", i, k, a, b)
			}
		}
	}
	check(1, `{"timezones":["UTC","Asia/Tokyo"],"step":1000,"width":700,"height":300,"layout":"CANVAS","zoom":1,"title":"T",
		"legendType":"LABELS_ONLY","onlyGraph":false,"theme":"light","warnings":[],"stats":{"inputLines":2,"inputDatapoints":6,"outputLines":3,"outputDatapoints":9}}`)
	check(2, `{"id":0,"scale":"LINEAR","upper":"9.0","lower":"auto-style","tickLabelMode":"DECIMAL","axisColor":"ff0075dc"}`)
	check(3, `{"id":1,"ylabel":"Y","scale":"LOGARITHMIC"}`)
	check(4, `{"plot":0,"label":"a","lineStyle":"LINE","lineWidth":1,"query":"name,mm,:eq,:sum,(,node,),:by,$node,:legend","groupByKeys":["node"],
		"tags":{"atlas.offset":"0w","name":"mm","node":"a"},"data":{"type":"array","values":[0,1,2]}}`)
	check(6, `{"plot":1,"color":"ffff0000","lineStyle":"AREA","lineWidth":3,"query":"5.0,:const,3,:lw,:area,ffff0000,:color,1,:axis","data":{"type":"array","values":[5,5,5]}}`)
	if len(items[4]["id"].(string)) != 40 || items[4]["id"] == items[5]["id"] || len(items[4]["color"].(string)) != 8 {
		t.Errorf("%v", items[4])
	}
	items = decode[[]map[string]any](t, r.get("/api/v1/graph?format=v2.json&s=e-3s&layout=ih&zoom=5&tick_labels=Binary&only_graph=1&hints=a,%20no-image%20,,a,ambiguous-multi-y&q="+program))
	check(0, `{"type":"graph-metadata","renderingHints":["a","no-image","ambiguous-multi-y"],"layout":"IMAGE_HEIGHT","zoom":2,
		"onlyGraph":true,"legendType":"LABELS_WITH_STATS","warnings":["Restricted zoom to 2.0."]}`)
	check(1, `{"tickLabelMode":"BINARY","axisColor":null}`)
	if span := items[0]["endTime"].(float64) - items[0]["startTime"].(float64); span != 3000 {
		t.Errorf("%v ms from the first stamp to the end, want 3 steps", span)
	}
	items = decode[[]map[string]any](t, r.get("/api/v1/graph?format=v2.json&hints=no-image&q=1,2,:axis,2,4,:axis"))
	check(1, `{"type":"plot-metadata","id":0}`)
	check(4, `{"type":"timeseries","plot":1,"label":"2.0"}`)
}

// The parameters sort and order go over all lines of an axis.
func TestSortParameters(t *testing.T) {
	r := filled(t, 3)
	legend := func(params string) string {
		a := decode[struct{ Legend, Notices []string }](t, r.get("/api/v1/graph?format=json&s=e-3s&"+params+"&q="+
			url.QueryEscape("3,c,:legend,1,b,:legend,2,a,:legend,9,z,:legend,1,:axis,8,y,:legend,1,:axis")))
		return strings.Join(append(a.Legend, a.Notices...), " ")
	}
	for params, want := range map[string]string{
		"":                       "c b a z y",
		"sort=max":               "b a c y z",
		"sort=max&order=desc":    "c a b z y",
		"order=desc":             "c b a z y",
		"order=asc":              "c b a z y",
		"sort.1=min":             "c b a y z",
		"sort=x":                 "a b c y z Invalid sort mode 'x'. Using default of 'legend'.",
		"sort.0=last&order.1=up": "b a c z y Invalid order 'up'. Using default of 'asc'.",
	} {
		if got := legend(params); got != want {
			t.Errorf("%s: %s, want %s", params, got, want)
		}
	}
}

// Answers are packed as the client takes them.
func TestEncodingOfAnswers(t *testing.T) {
	r := filled(t, 200)
	const path = "/api/v1/graph?format=json&s=e-200s&q=name,mm,:eq"
	plain := r.get(path)
	for header, want := range map[string]string{
		"": "", "zstd": "zstd", "gzip": "gzip", "gzip, deflate, br, zstd": "zstd", "zstd;q=0.5, gzip": "gzip", "*": "gzip",
		"gzip;q=0": "", "gzip;q=0, *": "", "zstd;q=0": "", "GZIP ; q=0.1": "gzip", "identity": "", "zstd;q=x, gzip;q=2": "", "br;q=1, zstd; q=0.1": "zstd",
	} {
		a := r.call("GET", path, nil, "Accept-Encoding: "+header)
		if got := a.header.Get("Content-Encoding"); got != want || a.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: packed with %q, want %q", header, got, want)
			continue
		}
		var in io.Reader = bytes.NewReader(a.body)
		switch want {
		case "gzip":
			z, err := gzip.NewReader(in)
			if err != nil {
				t.Fatal(err)
			}
			in = z
		case "zstd":
			z, err := zstd.NewReader(in)
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			in = z
		}
		b, err := io.ReadAll(in)
		strip := func(b []byte) string { s, _, _ := strings.Cut(string(b), `"explain"`); return s }
		if err != nil || strip(b) != strip(plain.body) {
			t.Errorf("%q: %v, %d bytes, want %d", header, err, len(b), len(plain.body))
		}
	}
}

// events reads the data of server-sent events to the end.
func events(t *testing.T, body []byte) []map[string]any {
	t.Helper()
	var out []map[string]any
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			if lines.Text() != "" {
				t.Fatalf("line %q", lines.Text())
			}
			continue
		}
		var x map[string]any
		if err := json.Unmarshal([]byte(text), &x); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		out = append(out, x)
	}
	return out
}

func TestFetch(t *testing.T) {
	r := filled(t, 150)
	a := r.get("/api/v2/fetch?s=e-150s&hints=presentation-metadata&q=" + url.QueryEscape("name,mm,:eq,node,a,:eq,:and,:integral,x,:legend,2,:axis,red,:color,:area,4,:lw,name,none,:eq"))
	if got := a.header.Get("Content-Type"); got != "text/event-stream" {
		t.Error(got)
	}
	all := events(t, a.body)
	var kinds []string
	for _, x := range all {
		kinds = append(kinds, x["type"].(string))
	}
	if s := strings.Join(kinds, " "); s != "info graph-metadata timeseries timeseries timeseries close" {
		t.Fatal(s)
	}
	if all[0]["message"] != "heartbeat" || all[5]["message"] != "operation complete" {
		t.Errorf("%v", all)
	}
	k, next := 0, float64(epoch)
	for i, x := range all[2:5] {
		values := x["data"].(map[string]any)["values"].([]any)
		if n := []int{60, 60, 30}[i]; len(values) != n || x["start"] != next || x["end"] != next+float64(n)*step {
			t.Errorf("piece %d: %v values from %v to %v", i, len(values), x["start"], x["end"])
		}
		next = x["end"].(float64)
		for _, v := range values {
			if want := float64(k * (k + 1) / 2); v != want {
				t.Fatalf("value %d of %d: %v, want %v", k, i, v, want)
			}
			k++
		}
		if x["id"] != all[2]["id"] || x["label"] != "x" || x["plot"] != 2.0 || x["color"] != "red" || x["lineStyle"] != "area" || x["lineWidth"] != 4.0 ||
			x["query"] != "name,mm,:eq,node,a,:eq,:and,:sum,:integral,4,:lw,:area,x,:legend,red,:color,2,:axis" || x["step"] != 1000.0 {
			t.Errorf("%v", x)
		}
	}
}

func TestFetchRefusals(t *testing.T) {
	r := filled(t, 3)
	for query, text := range map[string]string{
		"":                                  "missing required parameter 'q'",
		"q=:nope":                           "unknown word ':nope'",
		"q=1&step=x":                        "parameter step",
		"q=1&tz=Nowhere":                    "parameter tz",
		"q=1&s=e-100001s":                   "too many steps: 100001",
		"q=name,mm,:eq,max,:stat&s=e-1441s": "too many datapoints per line",
		"q=1&hints=presentation-metadata&theme=blue": "parameter theme",
		"q=1&cq=name": "parameter cq",
	} {
		wantError(t, query, r.call("GET", "/api/v2/fetch?"+query, nil), 400, text)
	}
	// What shows only while the data is read is an event.
	all := events(t, r.get("/api/v2/fetch?s=e-3s&q="+url.QueryEscape("name,mm,:eq,foo,:stat")).body)
	if len(all) != 2 || all[1]["type"] != "error" || !strings.Contains(all[1]["message"].(string), "unknown statistic: foo") {
		t.Errorf("%v", all)
	}
	all = events(t, r.get("/api/v2/fetch?s=e-3s&q="+url.QueryEscape("name,mm,:eq,(,node,),:by,:stat-max,5,:gt,:filter")).body)
	if len(all) != 4 || all[1]["message"] != "1 of 2 lines matched filter" || all[2]["label"] != "(node=b)" {
		t.Errorf("%v", all)
	}
}

// A fetch ends when its client goes, and gives its place back: there is one.
func TestFetchOfAClientThatGoes(t *testing.T) {
	r := newRig(t, settings{web: web.Options{Queries: 1}})
	for range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		request, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.addr+"/api/v2/fetch?s=e-1d&q=:random,:integral", nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Body.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		cancel()
		a.Body.Close()
	}
}

// What a fetch holds is given back, whether it runs, fails or was never to run.
func TestFetchGivesBack(t *testing.T) {
	memory := budget.New(64 << 20)
	r := newRig(t, settings{query: query.Options{Memory: memory}})
	wide := "/api/v2/fetch?hints=presentation-metadata&w=2000&h=1000&zoom=2&q="
	if a := r.call("HEAD", wide+"1", nil); a.status != 200 {
		t.Errorf("HEAD: %s", a)
	}
	wantError(t, "a word that there is not", r.call("GET", wide+":nope", nil), 400, "unknown word")
	if all := events(t, r.get(wide+"1&s=e-3s").body); all[len(all)-1]["message"] != "operation complete" {
		t.Errorf("%v", all)
	}
	if used := memory.Used(); used != 0 {
		t.Errorf("%d bytes are held", used)
	}
}

// Whoever asks for much and does not read it keeps no other query from running.
func TestFetchThatIsNotRead(t *testing.T) {
	r := newRig(t, settings{web: web.Options{Queries: 1, WriteTimeout: time.Hour, QueryTimeout: time.Hour}})
	conn := r.dial()
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	q := strings.Repeat(":random,", 40)
	if _, err := fmt.Fprintf(conn, "GET /api/v2/fetch?s=e-100000s&q=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", q); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(conn)
	for in.Scan() && !strings.Contains(in.Text(), "heartbeat") {
	}
	if !strings.Contains(in.Text(), "heartbeat") {
		t.Fatalf("no heartbeat: %q, %v", in.Text(), in.Err())
	}
	if a := r.get("/api/v1/graph?q=1&s=e-3s&format=csv"); a.status != 200 {
		t.Errorf("beside it: %s", a)
	}
}
