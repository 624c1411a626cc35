package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pulse/query"
	"pulse/store/budget"
	"pulse/store/clock"
	"pulse/web"
)

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

// kinds are the types of events in their order.
func kinds(all []map[string]any) string {
	var out []string
	for _, x := range all {
		out = append(out, x["type"].(string))
	}
	return strings.Join(out, " ")
}

func TestFetch(t *testing.T) {
	r := filled(t, 150)
	q := url.QueryEscape("name,mm,:eq,node,a,:eq,:and,:integral,x,:legend,2,:axis,red,:color,:area,4,:lw,name,none,:eq")
	a := r.get("/api/v2/fetch?s=e-150s&q=" + q)
	if got := a.header.Get("Content-Type"); got != "text/event-stream" {
		t.Error(got)
	}
	all := events(t, a.body)
	if s := kinds(all); s != "info timeseries timeseries timeseries close" {
		t.Fatal(s)
	}
	if all[0]["message"] != "heartbeat" || all[4]["message"] != "operation complete" {
		t.Errorf("%v", all)
	}
	k, next := 0, float64(epoch)
	for i, x := range all[1:4] {
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
		if x["id"] != all[1]["id"] || x["label"] != "x" || x["query"] != "name,mm,:eq,node,a,:eq,:and,:sum,:integral,4,:lw,:area,x,:legend,red,:color,2,:axis" || x["step"] != 1000.0 {
			t.Errorf("%v", x)
		}
		for _, name := range []string{"plot", "color", "lineStyle", "lineWidth"} {
			if x[name] != nil {
				t.Errorf("%s %v, which nobody asked for", name, x[name])
			}
		}
	}
}

// With presentation-metadata what the graph and its axes are comes first, for the
// whole range, and every line says how it is drawn.
func TestFetchPresentation(t *testing.T) {
	r := filled(t, 150)
	get := func(more, program string) []map[string]any {
		return events(t, r.get("/api/v2/fetch?s=e-150s&hints=presentation-metadata"+more+"&q="+url.QueryEscape(program)).body)
	}
	all := get("&ylabel.2=right", "name,mm,:eq,x,:legend,2,:axis,ff0102,:color,:area,4,:lw,name,mm,:eq,(,node,),:by,name,none,:eq,y,:legend,3,:axis")
	if s := kinds(all); s != "graph-metadata plot-metadata plot-metadata plot-metadata info timeseries timeseries timeseries timeseries timeseries timeseries timeseries timeseries timeseries close" {
		t.Fatal(s)
	}
	g := all[0]
	if start := float64(epoch); g["startTime"] != start || g["endTime"] != start+150_000 || g["step"] != 1000.0 || g["stats"] != nil || g["loadTime"] != nil {
		t.Errorf("%v", g)
	}
	if all[1]["id"] != 0.0 || all[2]["id"] != 2.0 || all[2]["ylabel"] != "right" || all[3]["id"] != 3.0 || all[1]["scale"] != "LINEAR" {
		t.Errorf("%v", all[1:4])
	}
	colors := map[any]any{}
	for _, x := range all[5:14] {
		if before := colors[x["label"]]; before != nil && before != x["color"] {
			t.Errorf("line %v is %v and %v", x["label"], before, x["color"])
		}
		colors[x["label"]] = x["color"]
		switch x["label"] {
		case "x":
			if x["plot"] != 2.0 || x["color"] != "ffff0102" || x["lineStyle"] != "AREA" || x["lineWidth"] != 4.0 {
				t.Errorf("%v", x)
			}
		default:
			if x["plot"] != 0.0 || x["lineStyle"] != "LINE" || x["lineWidth"] != 1.0 {
				t.Errorf("%v", x)
			}
		}
	}
	if a, b := colors["(node=a)"], colors["(node=b)"]; len(colors) != 3 || a == nil || b == nil || a == b {
		t.Errorf("%v", colors)
	}
	if all := get("&palette=colors:010203&palette.1=colors:aabbcc", "name,mm,:eq,name,mm,:eq,1,:axis,name,mm,:eq,reds,:palette"); all[4]["color"] != "ff010203" || all[5]["color"] != "ffaabbcc" || all[6]["color"] == "ff010203" {
		t.Errorf("%v", all)
	}
	wantError(t, "palette", r.call("GET", "/api/v2/fetch?q=1&hints=presentation-metadata&palette=none", nil), 400, "palette")
	wantError(t, "axis", r.call("GET", "/api/v2/fetch?q=1,9,:axis&hints=presentation-metadata", nil), 400, "axis")
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
	// What shows only while the data is read is an event, before the end.
	all := events(t, r.get("/api/v2/fetch?s=e-3s&q="+url.QueryEscape("name,mm,:eq,foo,:stat")).body)
	if kinds(all) != "info error close" || !strings.Contains(all[1]["message"].(string), "unknown statistic: foo") {
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

// heldClock is an engine's clock that stops whoever asks, which is once or twice for
// each piece, until hold is closed.
type heldClock struct {
	clock.Clock
	hold chan struct{}
}

func (c *heldClock) Now() time.Time {
	<-c.hold
	return c.Clock.Now()
}

// While a piece is computed there are heartbeats, however long it takes.
func TestFetchHeartbeats(t *testing.T) {
	held := &heldClock{clock.NewManual(time.UnixMilli(epoch)), make(chan struct{})}
	r := newRig(t, settings{query: query.Options{Clock: held}})
	a, err := r.client.Get("http://" + r.addr + "/api/v2/fetch?s=e-3s&q=1")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	in := bufio.NewScanner(a.Body)
	next := func() string {
		for in.Scan() && in.Text() == "" {
		}
		return in.Text()
	}
	const beat = `data: {"type":"info","message":"heartbeat"}`
	for i := range 4 {
		if got := next(); got != beat {
			t.Fatalf("heartbeat %d: %q, %v", i, got, in.Err())
		}
		for <-r.clock.asleep != 10*time.Second {
		}
		if i < 3 {
			r.clock.Advance(10 * time.Second)
		}
	}
	close(held.hold)
	if got := next(); !strings.Contains(got, "timeseries") {
		t.Errorf("after the heartbeats: %q", got)
	}
	if got := next(); !strings.Contains(got, `"close"`) {
		t.Errorf("in the end: %q", got)
	}
}

// A fetch has one of the places of event streams until its client has taken all.
func TestFetchesAreStreams(t *testing.T) {
	r := newRig(t, settings{web: web.Options{Streams: 1, WriteTimeout: time.Hour}})
	conn := r.dial()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /api/v2/fetch?s=e-100000s&q=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", strings.Repeat(":random,", 40))
	if _, err := io.ReadFull(conn, make([]byte, 200)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/v2/fetch?q=1", "/api/v1/stream?q=1"} {
		wantError(t, path, r.call("GET", path, nil), 503, "all 1 event streams are in use")
	}
	conn.Close()
	for until := time.Now().Add(patience); ; {
		if a := r.call("GET", "/api/v2/fetch?q=1&s=e-3s", nil); a.status == 200 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the place is not given back")
		}
	}
}
