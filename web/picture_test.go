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
	sixty := "q=" + strings.Repeat("1,", 59) + "1,other,:legend,2,l2,:legend,1,:axis,3,l3,:legend,1,:axis"
	heat := "q=" + url.QueryEscape("name,mm,:eq,(,node,),:by,:heatmap")
	for query, want := range map[string]string{
		two + "&title=A%20%3Cb%3E%20title": "A <b> title",
		two + "&ylabel=things":             "things",
		two:                                "a|b|max|min|avg|last|total|count",
		two + "&no_legend_stats=1":         "a|b|-max",
		two + "&w=300":                     "a|b|max|min|avg|last|total|-count",
		two + "&w=150":                     "a|b|-max",
		two + "&layout=image&w=300&h=200":  "a|b|max",
		two + "&layout=image&w=300&h=150":  "a|b|-max",
		two + "&layout=image&w=300&h=100":  "-max|step 1s",
		two + "&no_legend=1":               "-max",
		two + "&only_graph=1":              "-max|-step 1s",
		two + "&tz=UTC&tz=Asia/Tokyo":      "UTC|JST",
		two + "&h=5000":                    "Restricted graph height to 1000.",
		axes:                               "axis 0|axis 3|-axis 1",
		axes + "&ylabel.3=threes":          "axis 3: threes|-axis 0: threes",
		axes + "&axis_per_line=1":          "axisPerLine cannot be used with explicit multi axis|axis 3",
		"q=1,2,3&axis_per_line=1&hints=ambiguous-multi-y":          "axis 0|axis 1|axis 2|-axis 3",
		two + "&zoom=3&w=3000":                                     "Restricted zoom to 2.0.|Restricted graph width to 2000.",
		two + "&title=$(name)%20of%20$node":                        "mm of node",
		two + "&ylabel=$name":                                      "mm",
		two + "&axis_per_line=1&ylabel=node%20$node":               "node a|node b",
		"q=5&o=1&scale=linear&l=1&u=1e6":                           "200k|-10k",
		many + "&axis_per_line=1":                                  "Too many Y-axes, 6 > 5, axis per line disabled.|-axis 1",
		sixty:                                                      "axis 0|axis 1|l2|l3|and 35 more lines",
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
		if sum != 6 || item["plot"] != 0.0 || item["colorScale"] != "LOGARITHMIC" || item["lower"] != "1.0" || item["label"] != "heatmap" {
			t.Errorf("%v values in %v", sum, item)
		}
		columns, rows := item["data"].(map[string]any)["values"].([]any), item["yTicks"].([]any)
		if len(columns) != 3 || len(columns[0].([]any)) != len(rows) {
			t.Errorf("%d columns, the first of %d rows, with %d ranges", len(columns), len(columns[0].([]any)), len(rows))
		}
		first, second := rows[0].(map[string]any), rows[1].(map[string]any)
		if first["max"] != second["min"] || first["label"] != "0.208" || item["colorTicks"].([]any)[0].(map[string]any)["color"] != "ffd3e6f8" {
			t.Errorf("ranges %v, %v, colours %v", first, second, item["colorTicks"])
		}
		return
	}
	t.Error("no heat map")
}

// TestLineColors: a line keeps its colour whatever the order and the limit, and
// lines of earlier data have a palette of their own.
func TestLineColors(t *testing.T) {
	r := filled(t, 3)
	const blue, brown, lime = "ff0075dc", "ff993f00", "ff9dcc00"
	for query, want := range map[string]string{
		"q=name,mm,:eq,(,node,),:by,$node,:legend":                               "a " + blue + " b " + brown,
		"q=name,mm,:eq,(,node,),:by,$node,:legend,max,:sort,desc,:order":         "b " + brown + " a " + blue,
		"q=name,mm,:eq,(,node,),:by,$node,:legend,max,:sort,desc,:order,1,:head": "b " + brown,
		"q=name,mm,:eq,(,node,),:by,$node,:legend&sort=max&order=desc":           "b " + brown + " a " + blue,
		"q=name,mm,:eq,(,node,),:by,b,:sort,1,:limit,$node,:legend,7,c,:legend":  "a " + blue + " c " + lime,
		"q=7,c,:legend,1,:axis,8,d,:legend":                                      "d " + blue + " c " + brown,
		"q=7,c,:legend,f00,:color,8,d,:legend":                                   "c ffff0000 d " + blue,
		"q=7,c,:legend,00ff0000,:color,8,d,:legend,00,:alpha":                    "c 00ff0000 d 000075dc",
		"q=7,c,:legend,:dup":                                                 "c " + blue + " c " + brown,
		"q=7,c,:legend,reds,:palette,:dup":                                   "c ff67000d c ff67000d",
		"q=7,c,:legend,blue1,:color":                                         "c ff6baed6",
		"q=7,c,:legend,blue1,:color&theme=dark":                              "c ffc6dbef",
		"q=7,c,:legend&theme=dark":                                           "c ff00b5f7",
		"q=7,c,:legend,reds,:palette,8,d,:legend,9,e,:legend,reds,:palette":  "c ff67000d d " + blue + " e ff67000d",
		"q=7,c,:legend,8,d,:legend,1,:axis&palette.1=greens":                 "c " + blue + " d ff00441b",
		"q=7,c,:legend,8,d,:legend,1,:axis&palette=greens":                   "c ff00441b d ff006d2c",
		"q=name,mm,:eq,:sum,n,:legend,:dup,1s,:offset,o,:legend,7,c,:legend": "n " + blue + " o c0000000 c " + brown,
		"q=name,mm,:eq,:sum,1s,:offset,o,:legend&theme=dark":                 "o ffffffff",
		"q=name,mm,:eq,:sum,1s,:offset,o,:legend,reds,:palette":              "o ff67000d",
		"q=7,c,:legend,:heatmap,8,d,:legend,:heatmap,9,e,:legend":            "c " + blue + " d " + blue + " e " + brown,
		"q=7,c,:legend,:heatmap,9,e,:legend&heatmap_palette=reds":            "c ff67000d e " + blue,
		"q=7,a,:legend&palette=hash:armytage":                                "a " + brown, // 97 % 24
	} {
		got := ""
		for _, item := range decode[[]map[string]any](t, r.get("/api/v1/graph?format=v2.json&hints=no-image&s=e-3s&"+query)) {
			if item["type"] == "timeseries" {
				got += " " + item["label"].(string) + " " + item["color"].(string)
			}
		}
		if got != " "+want {
			t.Errorf("%s: got%s, want %s", query, got, want)
		}
	}
}

// TestRefusedPictures: what makes no sense is said.
func TestRefusedPictures(t *testing.T) {
	r := filled(t, 3)
	for query, text := range map[string]string{
		"l=5&u=1":         "lower bound must be less than upper bound (5.0 \\u003e= 1.0)",
		"l.0=5&u=5":       "lower bound must be less than upper bound (5.0 \\u003e= 5.0)",
		"zoom=0.05":       "parameter zoom",
		"features=new":    "parameter features is \\\"new\\\", must be stable or unstable",
		"layout=page":     "parameter layout",
		"tick_labels=hex": "parameter tick_labels",
		"theme=blue":      "parameter theme",
		"palette=none":    "parameter palette",
		"palette.0=none":  "parameter palette.0",
	} {
		wantError(t, query, r.call("GET", "/api/v1/graph?s=e-3s&q=1&"+query, nil), 400, text)
	}
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

// TestErrorPicture: a browser gets the error in the size that it asked for, and a
// script JSON.
func TestErrorPicture(t *testing.T) {
	r := filled(t, 3)
	const firefox = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, c := range []struct {
		params  string
		picture bool
		headers []string
	}{
		{"", true, []string{"Accept: image/png"}},
		{"", true, []string{"Sec-Fetch-Dest: image"}},
		{"", true, []string{firefox, "Accept: text/html"}},
		{"", true, []string{firefox, "Sec-Fetch-Dest: document"}},
		{"&format=png", true, []string{firefox}},
		{"&format=json", false, []string{firefox, "Accept: image/png"}},
		{"", false, []string{firefox, "Sec-Fetch-Dest: empty"}},
		{"", false, []string{"User-Agent: curl/8.14.1"}},
		{"", false, nil},
	} {
		a := r.call("GET", "/api/v1/graph?q=:nope&w=300&h=90"+c.params, nil, c.headers...)
		if !c.picture {
			wantError(t, c.params, a, 400, "unknown word ':nope'")
			continue
		}
		img, err := png.Decode(bytes.NewReader(a.body))
		if a.status != 200 || err != nil || img.Bounds().Dx() != 300 || img.Bounds().Dy() != 90 {
			t.Errorf("%v: %v: %.100s", c.headers, err, a)
		}
	}
}
