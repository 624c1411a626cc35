package label_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pulse/detect/label"
)

func TestOf(t *testing.T) {
	got := label.Of("sps-drop", "page", "playback", false,
		map[string]string{"team": "playback", "region": "all", "rule": "mine", "zone": ""},
		map[string]string{"region": "eu", "device": "tv", "zone": "a", "severity": "low", "type": "x"})
	want := label.Set{
		"alertname": "sps-drop", "rule": "sps-drop", "severity": "page", "owner": "playback", "type": "alert",
		"team": "playback", "region": "all", "device": "tv",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := label.Of("r", "", "o", true, nil, nil); !maps.Equal(got, label.Set{"alertname": "r", "rule": "r", "owner": "o", "type": "nodata"}) {
		t.Errorf("no data: %v", got)
	}
	if got, want := got.Only([]string{"team", "none", "region"}), (label.Set{"team": "playback", "region": "all"}); !maps.Equal(got, want) {
		t.Errorf("only: %v", got)
	}
}

func TestSetString(t *testing.T) {
	s := label.Set{"b": `x"y`, "a": "1", "with space": "é\n"}
	if got, want := s.String(), `{a="1", b="x\"y", "with space"="é\n"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFingerprint(t *testing.T) {
	// The second is what Prometheus's model.LabelSet{"alertname": "a"} has by its
	// definition, written out with the hash of the standard library.
	f := func(s label.Set, text string) {
		t.Helper()
		h := fnv.New64a()
		h.Write([]byte(text))
		if got, want := label.Fingerprint(s), fmt.Sprintf("%016x", h.Sum64()); got != want {
			t.Errorf("%v: got %s, want %s", s, got, want)
		}
	}
	f(nil, "")
	f(label.Set{"alertname": "a"}, "alertname\xffa\xff")
	f(label.Set{"b": "2", "a": "1"}, "a\xff1\xffb\xff2\xff")
	f(label.Set{"b": "2", "a": "1", "empty": ""}, "a\xff1\xffb\xff2\xff")
	if got := label.Fingerprint(nil); got != "cbf29ce484222325" {
		t.Errorf("empty set: %s", got)
	}
}

func TestMatches(t *testing.T) {
	s := label.Set{"region": "eu", "severity": "page", "text": "a\nb"}
	f := func(text string, want bool) {
		t.Helper()
		ms, err := label.ParseAll(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := ms.Matches(s); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	f(``, true)
	f(`region=eu`, true)
	f(`region=us`, false)
	f(`region=e`, false)
	f(`region!=us`, true)
	f(`region!=eu`, false)
	f(`region=~"eu|us"`, true)
	f(`region=~"e"`, false) // anchored at both ends
	f(`region=~"u"`, false)
	f(`region=~"e|u"`, false) // each alternative is
	f(`region=~".*u"`, true)
	f(`region=~"(?i)EU"`, true)
	f(`region!~"eu|us"`, false)
	f(`region!~"us.*"`, true)
	f(`region=eu,severity=page`, true)
	f(`region=eu,severity=warn`, false)
	// An absent label is empty.
	f(`team=""`, true)
	f(`team!=""`, false)
	f(`team!=a`, true)
	f(`team=~".*"`, true)
	f(`team=~".+"`, false)
	f(`team!~".+"`, true)
	f(`team=~"a|"`, true)
	f(`text=~"a.b"`, false) // a dot is no line break
	f(`text=~"(?s)a.b"`, true)
	f(`text=~"(?m)a$"`, false)
}

func TestMatchesAbsent(t *testing.T) {
	for text, want := range map[string]bool{``: true, `a=x`: false, `a!=x`: true, `a!=x,b=y`: false, `a=~".*"`: true} {
		ms, err := label.ParseAll(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := ms.MatchesAbsent(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestLiteral shows that a matcher that nothing compiled means nothing, which is
// safer than all.
func TestLiteral(t *testing.T) {
	for _, op := range []label.Op{label.Regex, label.NotRegex, "?"} {
		if (label.Matcher{Key: "a", Op: op, Value: ".*"}).Matches(label.Set{"a": "x"}) {
			t.Errorf("%s matches", op)
		}
	}
}

func TestParseAll(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		ms, err := label.ParseAll(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		var got []string
		for _, m := range ms {
			got = append(got, m.Key+"|"+string(m.Op)+"|"+m.Value)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	f(``)
	f(`  `)
	f(`{}`)
	f(`foo=bar`, `foo|=|bar`)
	f(`foo = bar, dings != bums`, `foo|=|bar`, `dings|!=|bums`)
	f(`[foo=~bar|baz]`, `[foo|=~|bar|baz]`) // brackets are text
	f(`{foo=bar,dings!=bums,}`, `foo|=|bar`, `dings|!=|bums`)
	f(` { foo="bar" , dings !~ "bums.*" } `, `foo|=|bar`, `dings|!~|bums.*`)
	f(`foo=~"ba,r}",x=y`, `foo|=~|ba,r}`, `x|=|y`)
	f(`foo=`, `foo|=|`)
	f(`foo="",`, `foo|=|`)
	f(`foo=bar baz , x=y`, `foo|=|bar baz`, `x|=|y`)
	f(`foo=~ba{2}`, `foo|=~|ba{2}`)
	f(`{foo=~ba{2}}`, `foo|=~|ba{2}`)
	f(`"a key"="x"`, `a key|=|x`)
	f(`my.tag-1="x"`, `my.tag-1|=|x`)
	f(`日本="語"`, `日本|=|語`)
	f(`a="say \"hi\"\n\\"`, "a|=|say \"hi\"\n\\")
	f(`a=~"x\.y"`, `a|=~|x\.y`) // no escape of Go's: as it stands
	f(`a=~x\.y`, `a|=~|x\.y`)
	f(`a="\u00e9"`, `a|=|é`)
	f(`a="\xff"`, `a|=|\xff`) // would be no UTF-8
	f(`a='x'`, `a|=|'x'`)
}

func TestParseRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if ms, err := label.ParseAll(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want %q", text, ms, err, want)
		}
	}
	f(`foo`, `want =, !=, =~ or !~`)
	f(`=bar`, `the name of a label`)
	f(`""=bar`, `names no label`)
	f(`,`, `the name of a label`)
	f(`a=b,,c=d`, `the name of a label`)
	f(`{a=b`, `nothing closes`)
	f(`a="b`, `closing quote`)
	f(`a="b\"`, `closing quote`)
	f(`a="b"c`, `a comma or the end`)
	f(`a=b"c`, `only around`)
	f(`a=~"("`, `missing closing )`)
	f(`a=~"b)(c"`, `unexpected )`)
	f(`a=~"(?=x)"`, `invalid or unsupported Perl syntax`)
	f(`a=~"(.{30}){30}.{1000}(.{30}){30}.{1000}(.{30}){30}.{1000}(.{30}){30}.{1000}(.{30}){30}.{1000}(.{30}){30}"`, `10000 instructions`)
	f(`a="`+strings.Repeat("x", 1025)+`"`, `1025 bytes`)
	f(strings.Repeat("k", 129)+`=x`, `129 bytes`)
	f("a=\"\xff\"", `UTF-8`)
	f(strings.Repeat("a=b,", 101), `more than 100`)
	f(strings.Repeat(" ", 65537), `bytes of text`)
	if _, err := label.Parse(`a=b,c=d`); err == nil {
		t.Error("two matchers are one")
	}
	if _, err := label.New("a", "==", "b"); err == nil || !strings.Contains(err.Error(), `operator "==" is unknown`) {
		t.Errorf("operator: %v", err)
	}
}

func TestDecode(t *testing.T) {
	type holder struct {
		Matchers label.Matchers `json:"matchers" yaml:"matchers"`
	}
	want := `{a="1", b=~"x|y"}`
	for _, text := range []string{
		`{"matchers": ["a=\"1\"", "b=~\"x|y\""]}`,
		`{"matchers": ["a=1, b=~x|y"]}`,
		`{"matchers": "{a=1,b=~\"x|y\"}"}`,
		`{"matchers": [{"key":"a","op":"=","value":"1"}, {"key":"b","op":"=~","value":"x|y"}]}`,
		`{"matchers": [{"key":"a","value":1}, "b=~x|y"]}`,
	} {
		var j, y holder
		if err := json.Unmarshal([]byte(text), &j); err != nil || j.Matchers.String() != want {
			t.Errorf("JSON %s: %s, %v", text, j.Matchers, err)
		}
		if err := yaml.Unmarshal([]byte(text), &y); err != nil || y.Matchers.String() != want {
			t.Errorf("YAML %s: %s, %v", text, y.Matchers, err)
		}
	}
	var h holder
	if err := json.Unmarshal([]byte(`{"matchers":["a=1",{"key":"b","op":"!~","value":"x"}]}`), &h); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(h); err != nil || string(text) != `{"matchers":[{"key":"a","op":"=","value":"1"},{"key":"b","op":"!~","value":"x"}]}` {
		t.Errorf("%s, %v", text, err)
	}
	var back holder
	if text, err := yaml.Marshal(h); err != nil || yaml.Unmarshal(text, &back) != nil || !back.Matchers.Equal(h.Matchers) {
		t.Errorf("%s, %v, read back as %s", text, err, back.Matchers)
	}
	if text, err := json.Marshal(holder{}); err != nil || string(text) != `{"matchers":[]}` {
		t.Errorf("%s, %v", text, err)
	}
	for text, want := range map[string]string{
		`["a=1","b"]`:                        `[1]: invalid matcher`,
		`[{"key":"a","values":1}]`:           `key "values" is unknown`,
		`[{"key":"a","value":[]}]`:           `value is no text`,
		`[{"op":"=","value":"x"}]`:           `names no label`,
		`[""]`:                               `[0]: invalid matcher: it is empty`,
		`[7]`:                                `want text`,
		`{"a":"b"}`:                          `want a list`,
		`[{"key":"a","op":"~","value":"x"}]`: `operator "~" is unknown`,
	} {
		var ms label.Matchers
		if err := json.Unmarshal([]byte(text), &ms); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// matcher draws one of any operator, with awkward keys and values.
func matcher(t *rapid.T) label.Matcher {
	op := rapid.SampledFrom([]label.Op{label.Equal, label.NotEqual, label.Regex, label.NotRegex}).Draw(t, "op")
	value := rapid.StringMatching(`[a-z \\",{}=~!|.*+\n'é]{0,8}`).Draw(t, "value")
	m, err := label.New(rapid.StringMatching(`[a-z \\",{}=~!.\n'é]{1,6}`).Draw(t, "key"), op, value)
	if err != nil { // no regular expression
		m, err = label.New("k", label.Equal, value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTextAndJSONReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := label.Matchers(rapid.SliceOfN(rapid.Custom(matcher), 0, 4).Draw(t, "matchers"))
		back, err := label.ParseAll(ms.String())
		if err != nil || !back.Equal(ms) {
			t.Fatalf("%s read back as %s, %v", ms, back, err)
		}
		text, err := json.Marshal(ms)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &back); err != nil || !back.Equal(ms) {
			t.Fatalf("%s read back as %s, %v", text, back, err)
		}
	})
}

func TestOperatorsAreOpposites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := matcher(t)
		not, err := label.New(m.Key, map[label.Op]label.Op{
			label.Equal: label.NotEqual, label.NotEqual: label.Equal, label.Regex: label.NotRegex, label.NotRegex: label.Regex,
		}[m.Op], m.Value)
		if err != nil {
			t.Fatal(err)
		}
		s := label.Set(rapid.MapOf(rapid.SampledFrom([]string{m.Key, "x"}), rapid.SampledFrom([]string{m.Value, "a", ""})).Draw(t, "set"))
		if m.Matches(s) == not.Matches(s) {
			t.Fatalf("%s and %s agree on %v", m, not, s)
		}
	})
}

// TestPatterns compares what is decided without the engine with the engine.
func TestPatterns(t *testing.T) {
	f := func(text string, listed int, prefix string) {
		t.Helper()
		m, err := label.New("k", label.Regex, text)
		if err != nil {
			t.Fatal(err)
		}
		values, ok := m.Values()
		if !ok {
			values = nil
		}
		if ok != (listed > 0) || len(values) != listed || m.Prefix() != prefix {
			t.Errorf("%s: %d values %q, prefix %q", text, len(values), values, m.Prefix())
		}
		checkEngine(t, text)
	}
	f(`eu`, 1, "")
	f(`eu|us`, 2, "")
	f(`eu-(east|west)?|us[1-3]`, 6, "")
	f(`warn|wasp|war`, 3, "")
	f(``, 1, "")
	f(`a|`, 2, "")
	f(`(?i)eu`, 0, "")
	f(`a\.b`, 1, "")
	f(`[a-z]`, 26, "")
	f(`[a-z][a-z]`, 0, "")
	f(`x[^a]`, 0, "x")
	f(`eu-.*`, 0, "eu-")
	f(`eu-.+`, 0, "eu-")
	f(`.*`, 0, "")
	f(`(?s)eu.*`, 0, "eu")
	f(`.*eu`, 0, "")
	f(`^eu$`, 0, "")
	f(`a{2,3}`, 2, "")
	f(`a{2,}`, 0, "a")
	f(`[\x{d800}]`, 0, "")
	f(`ab*`, 0, "a")
	f(`(eu|us)-.*`, 0, "")
	f(`eu|.*`, 0, "")
	if values, ok := (label.Matcher{Key: "k", Op: label.Equal, Value: "v"}).Values(); !ok || len(values) != 1 {
		t.Errorf("= lists %q", values)
	}
	if m, err := label.New("k", label.NotRegex, "a|b"); err != nil {
		t.Error(err)
	} else if values, ok := m.Values(); ok {
		t.Errorf("!~ lists %q", values)
	}
	rapid.Check(t, func(t *rapid.T) {
		checkEngine(t, rapid.StringMatching(`([ab]|\.\*|\[ab\]|\(a\|b\)|b\?|\|){0,5}`).Draw(t, "pattern"))
	})
}

// checkEngine compares the matcher of a pattern with the engine for short values.
func checkEngine(t interface{ Errorf(string, ...any) }, text string) {
	m, err := label.New("k", label.Regex, text)
	if err != nil {
		return
	}
	engine := regexp.MustCompile("^(?:" + text + ")$")
	values := []string{"", "eu", "EU", "us1", "us", "eu-", "eu-east", "eu-\n", "\neu", "x\n", "xa", "war", "aa", "aaa", "a.b", "z"}
	for _, a := range "ab\n" {
		for _, b := range "ab\n" {
			values = append(values, string(a), string(a)+string(b), string(a)+string(b)+"a", string(b)+"b"+string(a)+"b")
		}
	}
	listed, _ := m.Values()
	for _, v := range append(values, listed...) {
		if got, want := m.MatchesValue(v), engine.MatchString(v); got != want {
			t.Errorf("%s of %q: got %v, want %v", text, v, got, want)
		}
		if engine.MatchString(v) && !strings.HasPrefix(v, m.Prefix()) {
			t.Errorf("%s matches %q, which does not begin with %q", text, v, m.Prefix())
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, text := range []string{`eu|us`, `a(b|c)?[d-f]`, `(?i)a.*`, `a{2,}|b`, `(?s)x.*`, `\Qa.b\E`, `(?U)a*`, `\pN|^$`, `[^a]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkEngine(t, text) })
}

func FuzzParseAll(f *testing.F) {
	for _, text := range []string{``, `{}`, `a=b`, `{a="b",c=~"d|e",}`, `"x y"!~z{2}`, `a="\"\\\n\xff"`, `a=~"b)(c"`, "a=\"\xff\"", `é = ü , `} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ms, err := label.ParseAll(text)
		if err != nil {
			return
		}
		back, err := label.ParseAll(ms.String())
		if err != nil || !back.Equal(ms) {
			t.Fatalf("%q read as %s, that as %s, %v", text, ms, back, err)
		}
		ms.Matches(label.Set{"a": "b"})
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`[{"key":"a","op":"=~","value":"b|c"},"d!=e"]`))
	f.Add([]byte(`"a=b"`))
	f.Add([]byte(`[null,1,{"key":null}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var ms, back label.Matchers
		if json.Unmarshal(text, &ms) != nil {
			return
		}
		again, err := json.Marshal(ms)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &back); err != nil || !back.Equal(ms) {
			t.Fatalf("%q read as %s, that as %s, %v", text, ms, back, err)
		}
	})
}
