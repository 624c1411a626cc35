package web_test

import (
	"fmt"
	"strings"
	"testing"

	"pulse/query"
	"pulse/store"
	"pulse/store/budget"
	"pulse/web"
)

// tagged is a rig with 12 series of three keys, and 2500 values of a fourth.
func tagged(t *testing.T, s settings) *rig {
	r := newRig(t, s)
	var points []string
	for i := range 12 {
		class := []string{"even", "odd"}[i%2]
		points = append(points, point(epoch, 1, "gauge", fmt.Sprintf("n%02d", i), "class", class))
	}
	for i := range 2500 {
		points = append(points, point(epoch, 1, "gauge", "many", "node", fmt.Sprintf("i-%04d", i)))
	}
	r.publish(points...)
	return r
}

// What Atlas answers, to the byte, but for counts, which Atlas leaves at -1, and for
// the end of the last line of a text.
func TestTags(t *testing.T) {
	r := tagged(t, settings{})
	for _, c := range []struct{ target, want, next string }{
		{"", `["atlas.dstype","class","name","node"]`, ""},
		{"/", `["atlas.dstype","class","name","node"]`, ""},
		{"?format=txt", "atlas.dstype\nclass\nname\nnode\n", ""},
		{"?limit=1", `["atlas.dstype"]`, "atlas.dstype"},
		{"?limit=1&offset=class", `["name"]`, "name"},
		{"?limit=1&offset=node", `[]`, ""},
		{"?limit=2&offset=name&format=txt", "node\n", ""},
		{"?limit=2&offset=class", `["name","node"]`, "node"},
		{"?offset=b", `["class","name","node"]`, ""},
		{"?q=class,odd,:eq", `["atlas.dstype","class","name"]`, ""},
		{"?q=:false", `[]`, ""},
		{"/class", `["even","odd"]`, ""},
		{"/class/", `["even","odd"]`, ""},
		{"/class?q=name,n01,:eq", `["odd"]`, ""},
		{"/class?offset=even", `["odd"]`, ""},
		{"/class?limit=1", `["even"]`, "even"},
		{"/class?format=txt", "even\nodd\n", ""},
		{"/class?verbose=1", `[{"key":"class","value":"even","count":6},{"key":"class","value":"odd","count":6}]`, ""},
		{"/class?verbose=1&format=txt", "class\teven\t6\nclass\todd\t6\n", ""},
		{"/class?verbose=1&limit=1", `[{"key":"class","value":"even","count":6}]`, "class,even"},
		{"/class?verbose=1&limit=1&offset=class,even", `[{"key":"class","value":"odd","count":6}]`, "class,odd"},
		{"/class?verbose=1&limit=1&offset=class,odd", `[]`, ""},
		{"/class?verbose=1&q=name,n01,:eq,name,n02,:eq,:or", `[{"key":"class","value":"even","count":1},{"key":"class","value":"odd","count":1}]`, ""},
		{"/nobody", `[]`, ""},
		{"/nobody?format=txt&verbose=1", "", ""},
		{"?verbose=1&q=name,n0,:re,name,n01,:le,:and", `[{"key":"atlas.dstype","value":"gauge","count":2},{"key":"class","value":"even","count":1},{"key":"class","value":"odd","count":1},{"key":"name","value":"n00","count":1},{"key":"name","value":"n01","count":1}]`, ""},
		{"?verbose=1&limit=2&q=name,n01,:le", `[{"key":"atlas.dstype","value":"gauge","count":2502},{"key":"class","value":"even","count":1}]`, "class,even"},
		{"?verbose=1&limit=2&q=name,n01,:le&offset=class,even", `[{"key":"class","value":"odd","count":1},{"key":"name","value":"many","count":2500}]`, "name,many"},
		{"?verbose=1&limit=1&format=txt&q=name,n0,:re&offset=class,odd", "name\tn00\t1\n", "name,n00"},
	} {
		a := r.get("/api/v1/tags" + c.target)
		if string(a.body) != c.want || a.header.Get("x-nflx-atlas-next-offset") != c.next {
			t.Errorf("%s:\n got %s %q\nwant %s %q", c.target, a.body, a.header.Get("x-nflx-atlas-next-offset"), c.want, c.next)
		}
	}
	wantError(t, "a query that is none", r.call("GET", "/api/v1/tags?q=a,b", nil), 400, "")
	wantError(t, "DELETE", r.call("DELETE", "/api/v1/tags/", nil), 404, "path not found")
}

// A page has a thousand items unless more are asked for, and whoever follows the
// header has them all once.
func TestTagPages(t *testing.T) {
	r := tagged(t, settings{})
	for limit, pages := range map[string]int{"": 3, "&limit=1000": 3, "&limit=7": 358, "&limit=1250": 3, "&limit=2500": 2, "&limit=5000": 1, "&limit=2147483647": 1} {
		for _, verbose := range []string{"", "&verbose=1"} {
			var got []string
			n, offset := 0, ""
			for {
				a := r.get("/api/v1/tags/node?format=txt" + limit + verbose + offset)
				n++
				for line := range strings.Lines(string(a.body)) {
					line = strings.TrimSpace(line)
					if verbose != "" {
						line = strings.Split(line, "\t")[1]
					}
					got = append(got, line)
				}
				next := a.header.Get("x-nflx-atlas-next-offset")
				if next == "" {
					break
				}
				offset = "&offset=" + next
			}
			if n != pages || len(got) != 2500 || got[0] != "i-0000" || got[2499] != "i-2499" || got[1234] != "i-1234" {
				t.Errorf("limit %q %q: %d values in %d pages, want %d", limit, verbose, len(got), n, pages)
			}
		}
	}
}

// A long list is counted while it is made and sent, and refused when it is too much.
func TestTagsHaveLimits(t *testing.T) {
	memory := budget.New(64 << 10)
	r := tagged(t, settings{query: query.Options{Memory: memory}, web: web.Options{MaxAnswer: 10_000}, store: store.Options{}})
	wantError(t, "memory", r.call("GET", "/api/v1/tags/node?limit=5000", nil), 503, "too many bytes are in use by queries")
	wantError(t, "answer", r.call("GET", "/api/v1/tags/node?limit=300&verbose=1", nil), 400, "at most 10000 are sent; ask for a smaller limit")
	if a := r.get("/api/v1/tags/node?limit=100"); a.header.Get("x-nflx-atlas-next-offset") != "i-0099" {
		t.Errorf("%s", a)
	}
	if used := memory.Used(); used != 0 {
		t.Errorf("%d bytes are held", used)
	}
}
