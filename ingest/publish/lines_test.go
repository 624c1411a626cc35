package publish_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/ingest/publish"
	"pulse/store/tags"
)

// importLines are lines of the import route, good and bad.
var importLines = []string{
	`{"tags":{"name":"a"},"timestamps":[1700000000000,1700000060000],"values":[1,2.5]}`,
	`{"values":[null,-0.5,1e3],"timestamps":[1,2,3],"step":"1m","tags":{"name":"a","b":"\u00e9"}}`,
	` { "tags" : { } , "step" : "10s" , "timestamps" : [ 1 , 2 ] , "values" : [ 3 , null ] } `,
	`{"tags":null,"timestamps":[],"values":[]}`, `{}`, `{"tags":{}}`, `{"tags":{},"timestamps":[1]}`, `{"tags":{},"values":[1]}`, `[]`, ``, `1`, `null`, `{`,
	`{"tags":{},"timestamps":[1,2],"values":[1]}`, `{"tags":{},"timestamps":[1],"values":[1,null]}`, `{"tags":{},"timestamps":[1],"values":[1]} x`,
	`{"tags":{},"timestamps":[1],"values":[NaN]}`, `{"tags":{},"timestamps":[1],"values":[-Infinity]}`, `{"tags":{},"timestamps":[1],"values":[1e999]}`,
	`{"tags":{},"timestamps":[1],"values":["1"]}`, `{"tags":{},"timestamps":["1"],"values":[1]}`, `{"tags":{},"timestamps":[1.0],"values":[1]}`,
	`{"tags":{},"timestamps":[null],"values":[1]}`, `{"tags":{},"timestamps":[1,],"values":[1]}`, `{"tags":{},"timestamps":[1],"values":[1,]}`,
	`{"tags":{},"timestamps":1,"values":[1]}`, `{"tags":{},"timestamps":[1],"values":{}}`, `{"tags":{"a":1},"timestamps":[1],"values":[1]}`,
	`{"tags":{},"timestamps":[1],"values":[1],"step":"1x"}`, `{"tags":{},"timestamps":[1],"values":[1],"step":"0s"}`, `{"tags":{},"timestamps":[1],"values":[1],"step":60}`,
	`{"tags":{},"timestamps":[1],"values":[1],"step":"1\u006d"}`, `{"tags":{},"timestamps":[1],"values":[1],"step":"1234567890ms"}`, `{"tags":{},"timestamps":[1],"values":[1],"step":""}`,
	`{"tags":{},"timestamps":[1],"values":[1],"more":[{"a":"b"}]}`, `{"tags":{},"tags":{},"timestamps":[1],"values":[1]}`, `{"tags":{},"timestamps":[1],"timestamps":[1,2],"values":[1,2]}`,
	`{"tags":{},"timestamps":[1,2,3,4,5,6,7,8,9],"values":[1,2,3,4,5,6,7,8,9]}`, `{"tags":{},"timestamps":[1,2,3,4,5,6,7,8],"values":[1,2,3,4,5,6,7,null]}`,
	`{"tags":{},"timestamps":[1/**/,2],"values":[1,/* */2]} // end`, `{"tags":{},"timestamps":[-1,12345678901234567],"values":[0.1234567890123456789,-0]}`,
	"{\"tags\":{\"a\":\"\xff\"},\"timestamps\":[1],\"values\":[1]}", "\xEF\xBB\xBF{}", `{"tags":{},"timestamps":[1],"values":[1],"t\u0061gs":{}}`,
	`{"tags":{},"timestamps":[01],"values":[1]}`, `{"tags":{},"timestamps":[1],"values":[01]}`, `{"tags":{},"timestamps":[1],"values":[.5]}`, `{"tags":{},"timestamps":[1],"values":[+1]}`,
}

const fuzzLinePoints = 8

// slowLine is Columns.Line by the slow reader. points is what a refused line
// counts for.
func slowLine(text []byte, most int) (l publish.Line, set map[string]string, points int, err error) {
	unreadable := func() (publish.Line, map[string]string, int, error) { return publish.Line{}, nil, 1, errSlow }
	v, err := slowTree(text)
	o, ok := v.(object)
	if err != nil || !ok || bytes.HasPrefix(text, []byte("\xEF\xBB\xBF")) {
		return unreadable()
	}
	seen := map[string]int{}
	faulty := false
	for _, m := range o {
		seen[m.name]++
		list, isList := m.value.([]any)
		switch m.name {
		case "tags":
			if set, err = slowTags(m.value); err != nil {
				return unreadable()
			}
		case "step":
			s, ok := m.value.(string)
			if !ok {
				return unreadable()
			}
			p := regexp.MustCompile(`^([0-9]{1,9})(ms|s|m|h|d|w)$`).FindStringSubmatch(s)
			if p == nil {
				faulty = true
				break
			}
			n, _ := strconv.ParseInt(p[1], 10, 64)
			l.Step = n * map[string]int64{"ms": 1, "s": 1e3, "m": 6e4, "h": 36e5, "d": 864e5, "w": 6048e5}[p[2]]
			faulty = faulty || n == 0
		case "timestamps":
			if !isList {
				return unreadable()
			}
			l.Times = nil
			for _, x := range list {
				n, err := slowInt(x)
				if err != nil {
					return unreadable()
				}
				l.Times = append(l.Times, n)
			}
		case "values":
			if !isList {
				return unreadable()
			}
			l.Values, l.Points = nil, 0
			for _, x := range list {
				if _, isText := x.(string); isText {
					return unreadable()
				}
				f, err := slowDouble(x)
				if err != nil {
					return unreadable()
				}
				l.Values = append(l.Values, f)
				if x != literal("null") {
					l.Points++
					faulty = faulty || math.IsNaN(f) || math.IsInf(f, 0)
				}
			}
		}
		faulty = faulty || len(list) > most && (m.name == "timestamps" || m.name == "values")
	}
	for name, n := range seen {
		faulty = faulty || n > 1 || name != "tags" && name != "step" && name != "timestamps" && name != "values"
	}
	for _, name := range []string{"tags", "timestamps", "values"} {
		faulty = faulty || seen[name] == 0
	}
	if faulty || len(l.Times) != len(l.Values) {
		points = l.Points
		if seen["values"] == 0 {
			points = len(l.Times)
		}
		return publish.Line{}, nil, max(1, points), errSlow
	}
	return l, set, 0, nil
}

func FuzzLine(f *testing.F) {
	for _, text := range importLines {
		f.Add([]byte(text))
	}
	var c publish.Columns
	f.Fuzz(func(t *testing.T, text []byte) {
		c.Reset()
		c.Times, c.Values = append(c.Times, 7), append(c.Values, 7)
		got, err := c.Line(text, fuzzLinePoints)
		want, set, points, wantErr := slowLine(text, fuzzLinePoints)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, reference %v", text, err, wantErr)
		}
		if len(c.Times) != 1+len(got.Times) || len(c.Values) != 1+len(got.Values) || c.Times[0] != 7 || c.Values[0] != 7 {
			t.Fatalf("%q: columns %v %v", text, c.Times, c.Values)
		}
		var fault *publish.LineFault
		if err != nil {
			if !errors.As(err, &fault) || fault.Points != points || fault.Message == "" {
				t.Fatalf("%q: %#v, reference %d points", text, err, points)
			}
			return
		}
		if got.Step != want.Step || got.Points != want.Points || fmt.Sprint(got.Times) != fmt.Sprint(want.Times) || fmt.Sprint(got.Values) != fmt.Sprint(want.Values) {
			t.Fatalf("%q: %+v, reference %+v", text, got, want)
		}
		if ts := tags.Normalize(publish.AppendTags(nil, got.Tags)); !ts.Equal(tags.FromMap(set)) {
			t.Fatalf("%q: tags %v, reference %v", text, ts, set)
		}
	})
}

func TestLineFaults(t *testing.T) {
	f := func(text, want string, points int) {
		t.Helper()
		var c publish.Columns
		_, err := c.Line([]byte(text), 4)
		var fault *publish.LineFault
		if !errors.As(err, &fault) || !strings.Contains(fault.Message, want) || fault.Points != points {
			t.Errorf("%s: %#v, want %q of %d points", text, err, want, points)
		}
	}
	with := func(more string) string { return `{"tags":{"name":"a"},"timestamps":[1,2],"values":[1,2]` + more + `}` }
	f(`hello`, "expected an object at byte 0", 1)
	f(with("")[:30], "at byte 30", 1)
	f(with(`,"timestamp":3`), `unknown field "timestamp" beside tags, step, timestamps and values`, 2)
	f(with(`,"step":"1 minute"`), `step "1 minute" is not a number of ms, s, m, h, d or w, such as 1m`, 2)
	f(with(`,"tags":{}`), `field "tags" is given twice`, 2)
	f(`{"timestamps":[1,2],"values":[1,2]}`, "tags are missing", 2)
	f(`{"tags":{},"values":[1,2,null]}`, "timestamps are missing", 2)
	f(`{"tags":{},"timestamps":[1,2,3]}`, "values are missing", 3)
	f(`{"tags":{},"timestamps":[1,2,3],"values":[1,null]}`, "3 timestamps and 2 values, must be as many", 1)
	f(`{"tags":{},"timestamps":[1,2,3],"values":[1,NaN,3]}`, "value 2 is NaN, must be finite, or null for no data", 3)
	f(`{"tags":{},"timestamps":[1,2,3],"values":[1e999,NaN,3]}`, "value 1 is Inf", 3)
	f(`{"tags":{},"timestamps":[1,2,3,4,5],"values":[1,2,3,4,5]}`, "more than 4 points in one line; split it", 5)
	f(`{"tags":{},"timestamps":[1,2],"values":[1,"2"]}`, "expected a value at byte", 1)
	f(`{"tags":{"a":1},"timestamps":[1,2],"values":[1,2]}`, "the value of a tag must be a string", 1)
}

// monthLine is a month of one series at one minute.
func monthLine(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	line := []byte(`{"tags":{"name":"http.server.requests","status":"200","nf.app":"www","nf.node":"i-0123456789"},"step":"1m","timestamps":[`)
	for i := range n {
		line = append(strconv.AppendInt(line, 1_700_000_000_000+int64(i)*60_000, 10), ',')
	}
	line = append(line[:len(line)-1], `],"values":[`...)
	for range n {
		line = append(strconv.AppendFloat(line, float64(rnd.IntN(100_000))/100, 'f', -1, 64), ',')
	}
	return append(line[:len(line)-1], "]}"...)
}

// TestLineAllocations: reading into columns that are large enough allocates
// nothing for a value.
func TestLineAllocations(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector is on")
	}
	count := func(n int) float64 {
		text := monthLine(n)
		var c publish.Columns
		return testing.AllocsPerRun(20, func() {
			c.Reset()
			if l, err := c.Line(text, n); err != nil || l.Points != n {
				t.Fatal(l.Points, err)
			}
		})
	}
	if few, many := count(10), count(10_000); many > few || few > 2 {
		t.Errorf("%v allocations for 10 values, %v for 10,000", few, many)
	}
}

func BenchmarkLine(b *testing.B) {
	const n = 43_200
	text := monthLine(n)
	var c publish.Columns
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		c.Reset()
		if _, err := c.Line(text, n); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
}
