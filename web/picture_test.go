package web_test

import (
	"bytes"
	"encoding/xml"
	"image/png"
	"io"
	"net/url"
	"strings"
	"testing"
)

// pictureOf reads an SVG back: its texts and the names of its lines.
func pictureOf(t *testing.T, r *rig, query string) (texts []string) {
	t.Helper()
	a := r.get("/api/v1/graph?format=svg&" + query)
	if got := a.header.Get("Content-Type"); got != "image/svg+xml" {
		t.Fatalf("type %q", got)
	}
	reader := xml.NewDecoder(bytes.NewReader(a.body))
	for {
		token, err := reader.Token()
		if err == io.EOF {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			texts = append(texts, string(text))
		}
	}
}

// TestPictureParameters: what a picture says for each parameter.
func TestPictureParameters(t *testing.T) {
	r := filled(t, 3)
	two := "q=" + url.QueryEscape("name,mm,:eq,(,node,),:by,$node,:legend")
	axes := "q=" + url.QueryEscape("1,a,:legend,2,b,:legend,3,:axis,4,c,:legend,3,:axis")
	many := "q=" + url.QueryEscape("1,2,3,4,5,6")
	heat := "q=" + url.QueryEscape("name,mm,:eq,(,node,),:by,:heatmap")
	for query, want := range map[string]string{
		two + "&title=A%20%3Cb%3E%20title": "A <b> title",
		two + "&ylabel=things":             "things",
		two:                                "a|b|max|min|avg|last|total|count",
		two + "&no_legend_stats=1":         "a|b|-max",
		two + "&no_legend=1":               "-max",
		two + "&only_graph=1":              "-max|-step 1s",
		two + "&tz=UTC&tz=Asia/Tokyo":      "UTC|JST",
		two + "&h=5000":                    "Restricted graph height to 1000.",
		axes:                               "axis 0|axis 3|-axis 1",
		axes + "&ylabel.3=threes":          "axis 3: threes|-axis 0: threes",
		axes + "&axis_per_line=1&hints=ambiguous-multi-y":          "axis 0|axis 1|axis 2|-axis 3",
		many + "&axis_per_line=1":                                  "Too many Y-axes, 6 > 5, axis per line disabled.|-axis 1",
		heat:                                                       "heatmap|-a|-max",
		heat + "&heatmap_label=how%20many":                         "how many",
		"q=60&tick_labels=duration&l=0&u=120":                      "1m",
		"q=1024&tick_labels=binary&l=0&u=2048":                     "1Ki",
		"q=1024&tick_labels=off&l=0&u=2048&no_legend=1":            "-1Ki|-1k",
		"q=name,none,:eq,(,node,),:by":                             "no data",
		"q=5&o=1&l=1&u=1e6":                                        "1|10k|1M",
		"q=5&scale=percentile&l=0&u=100&h=300&no_legend=1&vision=": "100",
	} {
		said := "|" + strings.Join(pictureOf(t, r, "s=e-3s&"+query), "|") + "|"
		for _, text := range strings.Split(want, "|") {
			if absent := strings.HasPrefix(text, "-"); strings.Contains(said, "|"+strings.TrimPrefix(text, "-")+"|") == absent {
				t.Errorf("%s: want %q in %s", query, text, said)
			}
		}
	}
}

// TestStackParameter: stack=1 is the style of lines that have none, on its axis.
func TestStackParameter(t *testing.T) {
	r := filled(t, 3)
	styles := func(params string) (out []any) {
		for _, item := range decode[[]map[string]any](t, r.get("/api/v1/graph?format=v2.json&hints=no-image&s=e-3s&"+params+"&q="+url.QueryEscape("1,2,:area,3,1,:axis"))) {
			if item["type"] == "timeseries" {
				out = append(out, item["lineStyle"])
			}
		}
		return out
	}
	for params, want := range map[string][]any{"a=b": {"LINE", "AREA", "LINE"}, "stack=1": {"STACK", "AREA", "STACK"}, "stack.1=1": {"LINE", "AREA", "STACK"}} {
		for i, got := range styles(params) {
			if got != want[i] {
				t.Errorf("%s: line %d is %v, want %v", params, i, got, want[i])
			}
		}
	}
}

// TestHeatmapFormat: v2.json has the cells of a heat map.
func TestHeatmapFormat(t *testing.T) {
	r := filled(t, 3)
	for _, item := range decode[[]map[string]any](t, r.get("/api/v1/graph?format=v2.json&hints=no-image&s=e-3s&heatmap_scale=log&heatmap_l=1&q="+url.QueryEscape("name,mm,:eq,(,node,),:by,:heatmap,2,:axis"))) {
		if item["type"] != "heatmap" {
			continue
		}
		sum := 0.0
		for _, row := range item["data"].(map[string]any)["values"].([]any) {
			for _, v := range row.([]any) {
				sum += v.(float64)
			}
		}
		if sum != 6 || item["plot"] != 2.0 || item["colorScale"] != "LOGARITHMIC" || item["lower"] != "1" || item["label"] != "heatmap" {
			t.Errorf("%v values in %v", sum, item)
		}
		return
	}
	t.Error("no heat map")
}

// TestUnknownColor: a colour without a meaning is said, not guessed.
func TestUnknownColor(t *testing.T) {
	r := filled(t, 3)
	wantError(t, "colour", r.call("GET", "/api/v1/graph?s=e-3s&q=1,nocolor,:color", nil), 400, `unknown color name \"nocolor\"`)
	wantError(t, "palette", r.call("GET", "/api/v1/graph?s=e-3s&q=1,nopalette,:palette", nil), 400, `unknown palette \"nopalette\"`)
	if a := r.get("/api/v1/graph?s=e-3s&format=json&q=1,nocolor,:color"); !strings.Contains(string(a.body), "1.0") {
		t.Errorf("JSON has no colours: %s", a)
	}
}

// TestErrorPicture: a browser gets the error in the size that it asked for.
func TestErrorPicture(t *testing.T) {
	r := filled(t, 3)
	a := r.call("GET", "/api/v1/graph?q=:nope&w=300&h=90", nil, "Accept: image/png")
	img, err := png.Decode(bytes.NewReader(a.body))
	if a.status != 200 || err != nil || img.Bounds().Dx() != 300 || img.Bounds().Dy() != 90 {
		t.Errorf("%v: %.100s", err, a)
	}
}
