package web_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
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
		b, err := a.unpacked()
		strip := func(b []byte) string { s, _, _ := strings.Cut(string(b), `"explain"`); return s }
		if err != nil || strip(b) != strip(plain.body) {
			t.Errorf("%q: %v, %d bytes, want %d", header, err, len(b), len(plain.body))
		}
	}
}

// unpacked returns the body without its packing.
func (a answer) unpacked() ([]byte, error) {
	switch in := bytes.NewReader(a.body); a.header.Get("Content-Encoding") {
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case "zstd":
		z, err := zstd.NewReader(in)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return io.ReadAll(z)
	}
	return a.body, nil
}

// TestChosenLines: only and hide leave lines out of every format, by their legends.
func TestChosenLines(t *testing.T) {
	r := filled(t, 3)
	q := "&s=e-3s&q=" + url.QueryEscape("name,mm,:eq,(,node,),:by,name,mm,:eq,:sum,all of it,:legend")
	for choice, want := range map[string][]string{
		"":                                    {"(node=a)", "(node=b)", "all of it"},
		"&only=(node%3Db)":                    {"(node=b)"},
		"&only=(node%3Db)&only=all%20of%20it": {"(node=b)", "all of it"},
		"&hide=(node%3Db)":                    {"(node=a)", "all of it"},
		"&only=(node%3Da)&hide=(node%3Da)":    {},
		"&only=nosuch":                        {},
	} {
		got := decode[struct {
			Legend []string
			Values [][]any
		}](t, r.get("/api/v1/graph?format=json"+choice+q))
		if !slices.Equal(got.Legend, want) {
			t.Errorf("%s: json has %q, want %q", choice, got.Legend, want)
		}
		csv, svg := r.get("/api/v1/graph?format=csv"+choice+q), r.get("/api/v1/graph?format=svg"+choice+q)
		for _, legend := range []string{"node=a", "node=b", "all of it"} {
			shown := slices.ContainsFunc(want, func(w string) bool { return strings.Contains(w, legend) })
			if bytes.Contains(csv.body, []byte(legend)) != shown || bytes.Contains(svg.body, []byte(legend)) != shown {
				t.Errorf("%s: %s is to be shown: %v", choice, legend, shown)
			}
		}
		if choice == "&only=(node%3Db)" && !slices.EqualFunc(got.Values, []any{10.0, 10.0, 10.0}, func(row []any, v any) bool { return row[0] == v }) {
			t.Errorf("values %v", got.Values)
		}
	}
}
