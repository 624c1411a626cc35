package asl_test

import (
	"slices"
	"strings"
	"testing"

	"pulse/query/asl"
)

func TestTyping(t *testing.T) {
	for _, c := range []struct {
		program, token string
		words          string // some that must be there, and !some that must not
		text           bool
		key, query     string
	}{
		{"", "", "pi !by", true, "", ":true"},
		{"na", "na", "", true, "", ":true"},
		{"name,", "", "has !eq !const", true, "name", ":true"},
		{"name,sp", "sp", "", true, "name", ":true"},
		{"name,sps,:e", ":e", "eq ends !sum", false, "", ":true"},
		{"name,sps,:eq,:", ":", "sum max abs !by !eq", false, "", ":true"},
		{"name,sps,:eq,:dr", ":dr", "drop", false, "", ":true"},
		{"name,sps,:eq,nf.app,w", "w", "", true, "nf.app", "name,sps,:eq"},
		{"name,sps,:eq,:sum,a,b,:eq,:cq,x,:legend,no", "no", "", true, "", "name,sps,:eq,a,b,:eq,:and"},
		{"name,sps,:eq,(,no", "no", "", true, "", "name,sps,:eq"},
		{"name,sps,:eq,(,node,", "", "", true, "", "name,sps,:eq"},
		{"name,sps,:eq,node,(,i-1,i", "i", "", true, "node", "name,sps,:eq"},
		{"name,sps,:eq,(,(,a,),:b", ":b", "", false, "", ":true"},
		{"name,sps,:eq,(,a,)", ")", "", false, "", ":true"},
		{"name,sps,:eq,(,a,),", "", "by cg !in", true, "", "name,sps,:eq"},
		{"/* , */ name, sps,\n:eq, (, a", "a", "", true, "", "name,sps,:eq"},
	} {
		got, err := every().Typing(c.program, asl.Options{})
		if err != nil {
			t.Errorf("%q: %v", c.program, err)
			continue
		}
		if got.Token != c.token || got.Text != c.text || got.Key != c.key || got.Query.String() != c.query {
			t.Errorf("%q: token %q, text %v, key %q, query %s", c.program, got.Token, got.Text, got.Key, got.Query)
		}
		var names []string
		for _, w := range got.Words {
			names = append(names, w.Name)
			if !strings.HasPrefix(":"+w.Name, c.token) {
				t.Errorf("%q: offers :%s", c.program, w.Name)
			}
		}
		for _, name := range strings.Fields(c.words) {
			name, unwanted := strings.CutPrefix(name, "!")
			if slices.Contains(names, name) == unwanted {
				t.Errorf("%q: :%s, unwanted %v, is in %v: %q", c.program, name, unwanted, !unwanted, names)
			}
		}
	}
	for _, program := range []string{":nope,a", "name,:eq,x", "),x", "a /*"} {
		if got, err := every().Typing(program, asl.Options{}); err == nil {
			t.Errorf("%q: %+v", program, got)
		}
	}
}
