package publish_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pulse/ingest/publish"
	"pulse/store/tags"
)

// show writes points so that cases compare as text.
func show(points []publish.Point) string {
	var sb strings.Builder
	for _, p := range points {
		op := [...]string{"", " add", " max"}[p.Op]
		fmt.Fprintf(&sb, "{%s} %d %v%s\n", p.Tags, p.Time, p.Value, op)
	}
	return sb.String()
}

func TestDecode(t *testing.T) {
	var b publish.Batch
	good := func(body, want string) {
		t.Helper()
		if err := publish.Decode(&b, []byte(body), publish.Limits{}); err != nil {
			t.Errorf("%s: %v", body, err)
		} else if got := show(b.Points()); got != want {
			t.Errorf("%s\ngot  %swant %s", body, got, want)
		}
	}
	bad := func(body, want string) {
		t.Helper()
		err := publish.Decode(&b, []byte(body), publish.Limits{})
		var syntax *publish.SyntaxError
		if !errors.As(err, &syntax) || err.Error() != "unreadable payload: "+want {
			t.Errorf("%q\ngot  %v\nwant unreadable payload: %s", body, err, want)
		}
		if b.Len() != 0 || len(b.Points()) != 0 {
			t.Errorf("%q: points are left after an error", body)
		}
	}

	// Forms.
	good(`{}`, "")
	good(`[]`, "")
	good(`{"metrics":null}`, "")
	good(`{"tags":{"app":"www"},"metrics":[{"tags":{"name":"a"},"timestamp":5,"value":1.5}]}`, "{app=www,name=a} 5 1.5\n")
	good(`{"metrics":[{"tags":{"name":"a"},"timestamp":5,"value":1.5}],"tags":{"app":"www"}}`, "{app=www,name=a} 5 1.5\n")
	good(`{"metrics":[{"tags":{"name":"a"},"timestamp":5,"value":1}],"tags":{"name":"b"}}`, "{name=a} 5 1\n")
	good(`{"tags":{"name":"b"},"metrics":[{"tags":{"name":"a"},"timestamp":5,"value":1}]}`, "{name=a} 5 1\n")
	good(`[{"tags":{"name":"a"},"timestamp":5,"value":1},{"value":2}]`, "{name=a} 5 1\n{} -1 2\n")
	good(`[3,"name","rps","www",2,"id",1,0,1,7,2.5,"id",0,8,"NaN"]`, "{name=rps} 7 2.5\n{} 8 NaN\n")
	good("\xEF\xBB\xBF[{\"value\":1}]", "{} -1 1\n")

	// Old spellings and values.
	good(`[{"start":5,"values":[1.5,"x",{"y":[]}]},{"values":2},{"values":"3"},{"values":[]}]`, "{} 5 1.5\n{} -1 2\n{} -1 3\n{} -1 NaN\n")
	good(`[{"value":NaN},{"value":-Infinity},{"value":"NaN"},{"value":"Infinity"},{"value":" -1.5e3 "},{"value":null}]`,
		"{} -1 NaN\n{} -1 -Inf\n{} -1 NaN\n{} -1 +Inf\n{} -1 -1500\n{} -1 NaN\n")
	good(`[{"value":1e999},{"value":-1e-999},{"value":0.1},{"value":9007199254740993},{"value":5e-324}]`,
		"{} -1 +Inf\n{} -1 -0\n{} -1 0.1\n{} -1 9.007199254740992e+15\n{} -1 5e-324\n")

	// Leniency.
	good("// first\n[ /* second */ {\"value\" /**/ : 1 /* {\" */ } ] // last", "{} -1 1\n")
	good(`[{"what":{"a":[null,true,false,"\u00e9",-0.5e-3,NaN]},"value":1}]`, "{} -1 1\n")
	good(`[{"v\u0061lue":1,"t\u0061gs":{"\u006e":"\ud83d\ude00\/\"\\\b\f\n\r\t"}}]`, "{n=😀/\"\\\b\f\n\r\t} -1 1\n")
	good(`[{"tags":{"a":"\ud800","b":"\ud800\u0041","c":"\udc00\ud800"},"value":1}]`, "{a=\uFFFD,b=\uFFFDA,c=\uFFFD\uFFFD} -1 1\n")

	// Repetition and null.
	good(`{"tags":{"a":"1","b":"2"},"tags":{"c":"3"},"metrics":[{"value":1}],"metrics":[{"value":2}]}`, "{c=3} -1 1\n{c=3} -1 2\n")
	good(`[{"tags":{"a":"1"},"tags":{"a":"2","a":"3","a":null,"b":null},"value":1,"value":2,"timestamp":3,"start":4}]`, "{a=3} 4 2\n")
	good(`{"tags":{"a":"1"},"metrics":[{"tags":{"a":null},"value":1},{"tags":null,"value":1}]}`, "{a=1} -1 1\n{a=1} -1 1\n")

	bad(``, "expected an object or a list at byte 0")
	bad(`fubar`, "expected an object or a list at byte 0")
	bad(`{"metrics":[]} x`, "unexpected text behind the payload at byte 15")
	bad(`[]/* open`, "unexpected text behind the payload at byte 2")
	bad(`{"other":1}`, `unknown field "other" beside tags and metrics at byte 1`)
	bad(`{"tags":{"a":1}}`, "the value of a tag must be a string at byte 13")
	bad(`{"tags":["a"]}`, "expected an object of tags at byte 8")
	bad(`{"metrics":{}}`, "expected a list of metrics at byte 11")
	bad(`[{},1]`, "expected a metric object at byte 4")
	bad(`[{},]`, "expected a metric object at byte 4")
	bad(`[{"value":true}]`, "expected a value at byte 10")
	bad(`[{"value":"1,5"}]`, "value is a string that holds no number at byte 10")
	bad(`[{"value":01}]`, "a number must not begin with 0 at byte 10")
	bad(`[{"timestamp":"5"}]`, "expected a whole number as timestamp at byte 14")
	bad(`[{"timestamp":5.0}]`, "expected a whole number as timestamp at byte 14")
	bad(`[{"timestamp":9223372036854775808}]`, "timestamp is too large at byte 14")
	bad("[{\"tags\":{\"a\":\"\x00\"}}]", "control character in a string at byte 15")
	bad("[{\"tags\":{\"a\":\"\xC3\"}}]", "invalid UTF-8 at byte 15")
	bad(`[{"tags":{"a":"\x"}}]`, "unknown escape in a string at byte 15")
	bad(`[{"tags":{"a":"\u00g0"}}]`, "unknown escape in a string at byte 15")
	bad(`[{"tags":{"a":"b`, "string does not end at byte 16")
	bad(`[1,"a",1,"id",1,0,1,5,5]`, "index in the string table is out of range at byte 18")
	bad(`[0,1]`, "expected ',' at byte 4")
	bad(`[0,0,0]`, "more datapoints than announced at byte 4")
	bad(`[100001]`, "size of the string table is out of range at byte 1")
}

func TestDecodeUpdate(t *testing.T) {
	var b publish.Batch
	good := func(body, want string) {
		t.Helper()
		if err := publish.DecodeUpdate(&b, []byte(body), publish.Limits{}); err != nil {
			t.Errorf("%s: %v", body, err)
		} else if got := show(b.Points()); got != want {
			t.Errorf("%s\ngot  %swant %s", body, got, want)
		}
	}
	bad := func(body, want string) {
		t.Helper()
		if err := publish.DecodeUpdate(&b, []byte(body), publish.Limits{}); err == nil || err.Error() != "unreadable payload: "+want {
			t.Errorf("%q\ngot  %v\nwant unreadable payload: %s", body, err, want)
		}
	}
	good(`[0]`, "")
	good(`[2,"not","used"]`, "")
	good(`[9,"count","cpu","gauge","name","nf.app","requests","statistic","www","zzz",
	  3, 4,7, 6,0, 3,5,  0, 125.5,
	  3, 4,7, 6,2, 3,1, 10, 42.0]`,
		"{atlas.dstype=sum,name=requests,nf.app=www,statistic=count} 0 125.5 add\n"+
			"{atlas.dstype=gauge,name=cpu,nf.app=www,statistic=gauge} 0 42 max\n")
	good(`[4,"name","a","b","atlas.dstype",3,0,1,0,2,3,1,0,"NaN"]`, "{atlas.dstype=sum,name=b} 0 NaN add\n")

	bad(`[]`, "expected a whole number as size of the string table at byte 1")
	bad(`{}`, "expected a list at byte 0")
	bad(`[2,"name","x",1,0,1,3,1]`, "unknown operation 3, expected add (0) or max (10) at byte 20")
	bad(`[2,"name","x",1,0,2,0,1]`, "index in the string table is out of range at byte 18")
	bad(`[2,"name","x",1,0,-1,0,1]`, "index in the string table is out of range at byte 18")
	bad(`[2,"name",7,1,0,1,0,1]`, "expected a string at byte 10")
	bad(`[2,"name","x",1,0,1,0]`, "expected ',' at byte 21")
	bad(`[3,"name","x"]`, "expected ',' at byte 13")
}

func TestLimits(t *testing.T) {
	var b publish.Batch
	body := func(n int) []byte { return []byte(`[{}` + strings.Repeat(`,{}`, n-1) + `]`) }
	var limit *publish.LimitError
	if err := publish.Decode(&b, body(3), publish.Limits{Points: 3}); err != nil || b.Len() != 3 {
		t.Errorf("three points of three: %v, %d", err, b.Len())
	}
	if err := publish.Decode(&b, body(4), publish.Limits{Points: 3}); !errors.As(err, &limit) || err.Error() != "more than 3 datapoints in one request" {
		t.Errorf("four points of three: %v", err)
	}
	if err := publish.Decode(&b, body(100_001), publish.Limits{}); !errors.As(err, &limit) {
		t.Errorf("the default limit: %v", err)
	}
	if err := publish.Decode(&b, []byte(`[0,4]`), publish.Limits{Points: 3}); !errors.As(err, &limit) {
		t.Errorf("four announced points of three: %v", err)
	}
	shared := func(n int) []byte { // n points that share one long string
		return []byte(`[2,"name","` + strings.Repeat("x", 20_000) + `"` + strings.Repeat(`,1,0,1,0,1`, n) + `]`)
	}
	if err := publish.DecodeUpdate(&b, shared(6000), publish.Limits{}); err != nil || b.Len() != 6000 {
		t.Errorf("120 MB of tags: %v", err)
	}
	if err := publish.DecodeUpdate(&b, shared(7000), publish.Limits{}); !errors.As(err, &limit) || limit.What != "bytes of tags" || b.Len() != 0 {
		t.Errorf("140 MB of tags: %v", err)
	}
	nested := func(n int) []byte { // n objects and lists inside each other
		return []byte(`[{"x":` + strings.Repeat(`[`, n-2) + strings.Repeat(`]`, n-2) + `}]`)
	}
	if err := publish.Decode(&b, nested(32), publish.Limits{}); err != nil {
		t.Errorf("32 deep: %v", err)
	}
	if err := publish.Decode(&b, nested(33), publish.Limits{}); err == nil || !strings.Contains(err.Error(), "nested too deeply") {
		t.Errorf("33 deep: %v", err)
	}
	if err := publish.Decode(&b, []byte(`[{"values":[1`+strings.Repeat(`,[`, 1_000_000)), publish.Limits{}); err == nil {
		t.Error("a million lists inside each other were taken")
	}

	// A short body that names a long string often must not be written out.
	long := `[2,"k","` + strings.Repeat("v", 40_000) + `",2,0,1,0,1,0,1]`
	if err := publish.DecodeUpdate(&b, []byte(long), publish.Limits{}); err != nil {
		t.Fatal(err)
	}
	if text, ok := b.Tags(0); ok {
		t.Errorf("%d bytes of tags were written out", len(text))
	}
}

func TestParseValue(t *testing.T) {
	f := func(text string, want float64, ok bool) {
		t.Helper()
		got, gotOK := publish.ParseValue([]byte(text))
		if gotOK != ok || ok && math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q: %v %v, want %v %v", text, got, gotOK, want, ok)
		}
	}
	f("1", 1, true)
	f(" 007.5\n", 7.5, true)
	f("+.5e-1", 0.05, true)
	f("-0", math.Copysign(0, -1), true)
	f("1e999", math.Inf(1), true)
	f("-Infinity", math.Inf(-1), true)
	for _, text := range []string{"", " ", "nan", "inf", "infinity", "0x1p3", "1_000", "1d", "1 2", "--1", ".", "e5"} {
		f(text, 0, false)
	}
}

// TestTagsOutliveBody proves that written out tags share nothing with the body.
func TestTagsOutliveBody(t *testing.T) {
	body := []byte(`{"tags":{"nf.app":"www"},"metrics":[{"tags":{"name":"a\u0062"},"timestamp":5,"value":1}]}`)
	var b publish.Batch
	if err := publish.Decode(&b, body, publish.Limits{}); err != nil {
		t.Fatal(err)
	}
	points := b.Points()
	for i := range body {
		body[i] = 'X'
	}
	if want := tags.Of("name", "ab", "nf.app", "www"); !points[0].Tags.Equal(want) {
		t.Errorf("got %s after the body changed, want %s", points[0].Tags, want)
	}
}
