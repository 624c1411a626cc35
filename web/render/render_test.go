package render_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pulse/detect"
	"pulse/detect/algo"
	"pulse/query"
	"pulse/query/stream"
	"pulse/store/tags"
	"pulse/web/render"
)

var nan = math.NaN()

// TestString: what is written reads back, and nothing in it is markup, a line
// end or a control character.
func TestString(t *testing.T) {
	check := func(s string) {
		t.Helper()
		text := string(render.AppendString([]byte("x"), s))
		var back string
		if err := json.Unmarshal([]byte(text[1:]), &back); err != nil || text[0] != 'x' {
			t.Fatalf("%q: %v in %s", s, err, text)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back != want || !utf8.ValidString(back) {
			t.Errorf("%q reads back as %q", s, back)
		}
		if strings.ContainsAny(text, "<>&\x7f\u2028\u2029") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q is written as %s", s, text)
		}
	}
	for _, s := range []string{"", "a", `"`, `\`, "\n", "\r\t\b\f\x00\x1b\x7f", "</script>", "a&b", "ä€💥", "\u2028\u2029", "\xff", "a\xc3", "\xed\xa0\x80", "\\u003c"} {
		check(s)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		b := make([]byte, rnd.IntN(12))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		check(string(b))
	}
}

// TestNumber: the shortest text of the same double, which readers of Atlas's
// JSON tell from a whole number's.
func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v                   float64
		plain, quoted, null string
	}{
		{0, "0.0", "0.0", "0.0"},
		{1, "1.0", "1.0", "1.0"},
		{-1.5, "-1.5", "-1.5", "-1.5"},
		{0.1, "0.1", "0.1", "0.1"},
		{nan, "", `"NaN"`, "null"},
		{math.Inf(1), "", `"Infinity"`, "null"},
		{math.Inf(-1), "", `"-Infinity"`, "null"},
	} {
		if got := string(render.AppendNumber(nil, c.v)); c.plain != "" && got != c.plain {
			t.Errorf("%v: got %s, want %s", c.v, got, c.plain)
		}
		if got := string(render.AppendQuotedNumber(nil, c.v)); got != c.quoted {
			t.Errorf("%v quoted: got %s, want %s", c.v, got, c.quoted)
		}
		if got := string(render.AppendNullNumber(nil, c.v)); got != c.null {
			t.Errorf("%v or null: got %s, want %s", c.v, got, c.null)
		}
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		v := math.Float64frombits(rnd.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		text := render.AppendNumber(nil, v)
		var back float64
		if err := json.Unmarshal(text, &back); err != nil || back != v || !strings.ContainsAny(string(text), ".e") {
			t.Fatalf("%v is written as %s, read as %v (%v)", v, text, back, err)
		}
	}
}

func TestNumberJSON(t *testing.T) {
	in := []render.Number{1, render.Number(nan), render.Number(math.Inf(1)), -2.5}
	text, err := json.Marshal(in)
	if err != nil || string(text) != "[1.0,null,null,-2.5]" {
		t.Fatalf("%s %v", text, err)
	}
	var back []render.Number
	if err := json.Unmarshal(text, &back); err != nil || back[0] != 1 || !math.IsNaN(float64(back[1])) || back[3] != -2.5 {
		t.Errorf("%v %v", back, err)
	}
	if err := json.Unmarshal([]byte(`["1"]`), &back); err == nil {
		t.Error("a text was read as a number")
	}
}

func TestErrorAndLists(t *testing.T) {
	for got, want := range map[string]string{
		string(render.AppendError(nil, `no "x" <here>`)):            `{"type":"error","message":"no \"x\" \u003chere\u003e"}`,
		string(render.AppendStrings(nil, nil)):                      `[]`,
		string(render.AppendStrings(nil, []string{"a", "b\n"})):     `["a","b\n"]`,
		string(render.AppendTags(nil, nil)):                         `{}`,
		string(render.AppendTags(nil, tags.Of("b", "2", "a", "1"))): `{"a":"1","b":"2"}`,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// result is two lines of three steps.
func result() *query.Result {
	return &query.Result{
		Start: 1_767_225_600_000, End: 1_767_225_630_000, Step: 10_000,
		Lines: []query.ResultLine{
			{Label: "l0", Legend: "one", Tags: tags.Of("name", "a"), Values: []float64{1, nan, 2.5}},
			{Label: "l1", Legend: `=two "2"`, Tags: tags.Of("name", "b", "k", "<v>"), Values: []float64{-1e-9, math.Inf(1), 1e300}},
		},
		Notices: []string{"a notice"},
		Explain: query.Explain{DataFetchMs: 1, InputLines: 2, InputDatapoints: 6, IntermediateLines: 2, IntermediateDatapoints: 6, GraphLines: 2, GraphDatapoints: 6},
	}
}

func TestGraph(t *testing.T) {
	want := `{"start":1767225610000,"step":10000,"legend":["one","=two \"2\""],"metrics":[{"name":"a"},{"k":"\u003cv\u003e","name":"b"}],` +
		`"values":[[1.0,-1e-09],["NaN","Infinity"],[2.5,1e+300]],"notices":["a notice"],` +
		`"explain":{"dataFetchTime":1,"inputLines":2,"intermediateLines":2,"graphLines":2,"inputDatapoints":6,"intermediateDatapoints":6,"graphDatapoints":6}}`
	got := string(render.AppendGraph(nil, result()))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !json.Valid([]byte(got)) {
		t.Error("not JSON")
	}
	empty := string(render.AppendGraph(nil, &query.Result{Start: 0, End: 20, Step: 10}))
	if want := `{"start":10,"step":10,"legend":[],"metrics":[],"values":[[],[]],"notices":[]`; !strings.HasPrefix(empty, want) || !json.Valid([]byte(empty)) {
		t.Errorf("no lines: %s", empty)
	}
}

func TestTable(t *testing.T) {
	got := string(render.AppendTable(nil, result(), ',', time.FixedZone("", 3600)))
	rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	want := [][]string{
		{"timestamp", "one", `'=two "2"`},
		{"2026-01-01T01:00:10+01:00", "1.000000", "-0.000000"},
		{"2026-01-01T01:00:20+01:00", "NaN", "Infinity"},
		{"2026-01-01T01:00:30+01:00", "2.500000", rows[3][2]},
	}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %q (%v), want %q", rows, err, want)
	}
	fine := result()
	fine.Step, fine.End = 500, fine.Start+1500
	if got := string(render.AppendTable(nil, fine, '\t', time.UTC)); !strings.Contains(got, "\n2026-01-01T00:00:00.5Z\t1.000000\t") {
		t.Errorf("half seconds: %s", got)
	}
	for _, legend := range []string{"=a", "+a", "-a", "@a", "\ta", "\ra"} {
		fine.Lines[0].Legend = legend
		head, _, _ := strings.Cut(string(render.AppendTable(nil, fine, ',', time.UTC)), "\n")
		if !strings.HasPrefix(head, `"timestamp","'`) || strings.ContainsAny(head, "\t\r") {
			t.Errorf("%q: %q", legend, head)
		}
	}
}

func TestStep(t *testing.T) {
	lines := []stream.Line{{Label: "a", Tags: tags.Of("name", "x"), Value: 1.5}, {Label: "b", Value: nan}}
	want := `{"t":20000,"step":10000,"completeness":0.5,"lines":[{"label":"a","tags":{"name":"x"},"value":1.5},{"label":"b","tags":{},"value":null}]}`
	if got := string(render.AppendStep(nil, 20_000, 10_000, 0.5, lines)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(render.AppendStep(nil, 20_000, 10_000, 1, nil)); got != `{"t":20000,"step":10000,"completeness":1.0,"lines":[]}` {
		t.Errorf("no lines: %s", got)
	}
}

func TestBand(t *testing.T) {
	groups := []detect.BandGroup{{Tags: tags.Of("region", "eu"), Rows: []detect.BandRow{
		{T: 10_000, Value: 12.5, Verdict: algo.Verdict{Expected: 100, Lower: 90, Upper: 110, Score: 0.999, Out: true}},
		{T: 20_000, Value: nan, Verdict: algo.Verdict{Expected: nan, Lower: nan, Upper: math.Inf(1), Score: nan}},
	}}}
	want := `{"groups":[{"tags":{"region":"eu"},"rows":[{"t":10000,"value":12.5,"expected":100.0,"lower":90.0,"upper":110.0,"score":0.999,"firing":true},` +
		`{"t":20000,"value":null,"expected":null,"lower":null,"upper":null,"score":null,"firing":false}]}]}`
	if got := string(render.AppendBand(nil, groups)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(render.AppendBand(nil, nil)); got != `{"groups":[]}` {
		t.Errorf("none: %s", got)
	}
	text := string(render.AppendBandCSV(nil, groups[0]))
	if want := "timestamp,value,expected,lower,upper,anomaly_score,firing\n10000,12.5,100,90,110,0.999,1\n20000,NaN,NaN,NaN,"; !strings.HasPrefix(text, want) || !strings.HasSuffix(text, ",NaN,0\n") {
		t.Errorf("csv: %s", text)
	}
}
