package web_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

type offered struct{ Name, Signature, Description, Kind string }

func TestCompleteTags(t *testing.T) {
	r := newRig(t, settings{})
	r.publish(point(epoch, 1, "gauge", "sps", "nf.app", "www", "node", "i-1"), point(epoch, 1, "gauge", "sps", "nf.app", "www", "node", "i-2"),
		point(epoch, 1, "gauge", "errors", "nf.app", "api", "node", "j-1"), point(epoch, 1, "gauge", "sps", "nf.app", "web", "zone", "a"))
	for program, want := range map[string]string{
		"na":                        "key:name",
		"n":                         "key:name key:nf.app key:node",
		"name,s":                    "value:sps",
		"name,":                     "word:has value:errors value:sps key:atlas.dstype key:name key:nf.app key:node key:zone",
		"name,errors,:eq,nf.app,":   "word:has value:api key:atlas.dstype key:name key:nf.app key:node",
		"name,sps,:eq,nf.app,w":     "value:web value:www",
		"name,sps,:eq,nf.app,www":   "value:www",
		"name,errors,:eq,(,n":       "key:name key:nf.app key:node",
		"name,sps,:eq,node,(,i-1,i": "value:i-1 value:i-2",
		"name,sps,:eq,:rolling-m":   "",
		"name,sps,:eq,5,:rolling-m": "word:rolling-min word:rolling-max",
		"name,sps,:eq,:node-a":      "word:node-avg",
		"name,none,:eq,no":          "",
	} {
		var got []string
		for _, x := range decode[[]offered](t, r.get("/api/v1/expr/complete?typed=1&q="+url.QueryEscape(program))) {
			if x.Kind != "word" || x.Name == "has" || program[len(program)-1] != ',' {
				got = append(got, x.Kind+":"+x.Name)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", program, s, want)
		}
	}
	values := decode[[]offered](t, r.get("/api/v1/expr/complete?typed=1&q=nf.app,ww"))
	if !slices.Equal(values, []offered{{"www", "nf.app", "2 series", "value"}}) {
		t.Errorf("%+v", values)
	}
	if first := decode[[]offered](t, r.get("/api/v1/expr/complete?typed=1&limit=1&q=n")); len(first) != 1 || first[0].Name != "name" {
		t.Errorf("%+v", first)
	}
	// Without the parameter the last token is whole.
	for _, x := range decode[[]offered](t, r.get("/api/v1/expr/complete?q=name,sps,:eq")) {
		if x.Kind != "" || x.Name == "add" || x.Signature == "" || x.Description == "" {
			t.Errorf("%+v", x)
		}
	}
}

// An error about an expression says where and what helps.
func TestProgramErrors(t *testing.T) {
	r := newRig(t, settings{})
	type failure struct {
		Type, Message, Token, Hint string
		Offset                     int
		Stack, Needs               []string
	}
	a := r.call("GET", "/api/v1/graph?format=json&q=name,sps,:eq,region,:by", nil)
	got := decode[failure](t, a)
	if a.status != 400 || got.Type != "error" || got.Offset != 20 || got.Token != ":by" || !strings.HasPrefix(got.Message, "no matches for word ':by'") ||
		!strings.HasPrefix(got.Hint, ":by needs keys, a list") || !slices.Equal(got.Stack, []string{"Equal 'name,sps,:eq'", "String 'region'"}) || len(got.Needs) != 2 {
		t.Errorf("%s", a)
	}
	a = r.call("GET", "/api/v1/graph?format=json&q=x,:get", nil)
	if got := decode[failure](t, a); a.status != 404 || got.Message != "key not found: x" {
		t.Errorf("%s", a)
	}
	a = r.call("GET", "/api/v1/graph?format=json&q=name", nil)
	if got := decode[failure](t, a); a.status != 400 || got.Hint != "no word used it; a condition is written key,value,:eq" || got.Token != "name" {
		t.Errorf("%s", a)
	}
}

// What an expression amounts to is told without the parameter that drawing it
// needs, and an empty one has no expressions.
func TestExprFamily(t *testing.T) {
	r := newRig(t, settings{})
	for _, c := range []struct {
		path, q string
		want    []string
	}{
		{"normalize", "name,users,:eq,:approx-distinct", []string{"name,users,:eq,:sum,:approx-distinct"}},
		{"normalize", "name,a,:eq,1", []string{"name,a,:eq,:sum", "1.0"}},
		{"normalize", "", nil},
		{"queries", "name,users,:eq,:approx-distinct", []string{"name,users,:eq"}},
		{"rewrite", "name,users,:eq,:approx-distinct,(,1h,),:offset", []string{"name,users,:eq,:sum,:approx-distinct,1h,:offset"}},
		{"rewrite", "name,a,:eq,name,b,:eq", []string{"name,b,:eq,:sum", "name,a,:eq,:sum"}},
		{"strip", "name,a,:eq,name,b,:eq", []string{"name,b,:eq,:sum", "name,a,:eq,:sum"}},
	} {
		got := decode[[]string](t, r.get("/api/v1/expr/"+c.path+"?q="+url.QueryEscape(c.q)))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s of %s: %q, want %q", c.path, c.q, got, c.want)
		}
	}
	steps := decode[[]struct{ Program []string }](t, r.get("/api/v1/expr/debug?q=name,users,:eq,:approx-distinct"))
	words := decode[[]offered](t, r.get("/api/v1/expr/complete?q=name,users,:eq"))
	if len(steps) != 5 || !slices.ContainsFunc(words, func(w offered) bool { return w.Name == "approx-distinct" }) {
		t.Errorf("%d steps, words %v", len(steps), words)
	}
	for _, target := range []string{"normalize", "strip?q=name,users,:eq,:approx-distinct", "debug?q=", "debug?q=name,a,:eq,name,b,:eq,:cq,:sum&vocab=query"} {
		if a := r.call("GET", "/api/v1/expr/"+target, nil); a.status != 400 {
			t.Errorf("%s: %s", target, a)
		}
	}
	if a := r.call("GET", "/api/v1/expr/debug?q=name,a,:eq,app,b,:eq,:cq&vocab=query", nil); a.status != 200 {
		t.Errorf("%s", a)
	}
}

// TestTrace: what each token of an expression has left, as far as it runs.
func TestTrace(t *testing.T) {
	r := newRig(t, settings{})
	type item struct {
		Kind, Text string
		New        bool
	}
	type trace struct {
		Steps []struct {
			Offset, End int
			Stack       []item
			Variables   map[string]string
		}
		Error *struct {
			Message, Token, Hint string
			Offset               int
		}
	}
	ask := func(program string) trace {
		return decode[trace](t, r.get("/api/v1/expr/debug?typed=1&q="+url.QueryEscape(program)))
	}
	got := ask("1,name,sps,:eq,(,")
	if len(got.Steps) != 4 || got.Error == nil || got.Error.Offset != 15 || got.Error.Token != "(" || got.Error.Hint == "" {
		t.Fatalf("%+v", got)
	}
	if s := got.Steps[3]; s.Offset != 11 || s.End != 14 || !slices.Equal(s.Stack, []item{{"query", "name,sps,:eq", true}, {"text", "1", false}}) {
		t.Errorf("%+v", s)
	}
	if got := ask("a,<b>,:set"); got.Error != nil || got.Steps[2].Variables["a"] != "<b>" || len(got.Steps[2].Stack) != 0 {
		t.Errorf("%+v", got)
	}
	if got := ask(""); got.Error != nil || got.Steps == nil || len(got.Steps) != 0 {
		t.Errorf("%+v", got)
	}
	if got := ask("name,users,:eq,:approx-distinct"); got.Error == nil {
		t.Errorf("an unstable word ran: %+v", got)
	}
}

// TestWords: the whole vocabulary, each word with what it takes and does.
func TestWords(t *testing.T) {
	r := newRig(t, settings{})
	words := decode[[]offered](t, r.get("/api/v1/expr/words"))
	named := map[string]int{}
	for _, w := range words {
		named[w.Name]++
		if w.Signature == "" || w.Description == "" {
			t.Errorf("%+v", w)
		}
	}
	if named["eq"] != 1 || named["by"] != 2 || named["node-avg"] != 1 {
		t.Errorf("%v", named)
	}
	if few := decode[[]offered](t, r.get("/api/v1/expr/words?vocab=query")); len(few) == 0 || len(few) >= len(words) {
		t.Errorf("%d of %d words", len(few), len(words))
	}
	if a := r.call("GET", "/api/v1/expr/words?vocab=none", nil); a.status != 400 {
		t.Errorf("%s", a)
	}
}
