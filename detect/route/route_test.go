package route_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pulse/detect/label"
	"pulse/detect/route"
)

const tree = `
routes:
  - matchers: ['service=~"files|web"']
    receiver: web
    routes:
      - matchers: [severity="page"]
        receivers: [web-pager, boss]
      - matchers: [severity="audit"]
        receiver: audit
        continue: true
      - matchers: [owner="team-x"]
        receiver: team-x
  - matchers: [service=db]
    receiver: db
    continue: true
  - matchers: [severity="page"]
    receiver: pager
  - matchers: [alertname="Watchdog"]
    receivers: []
  - matchers: [severity!="debug"]
    receiver: chat
`

func TestDecide(t *testing.T) {
	c := read(t, tree)
	f := func(labels, want string) {
		t.Helper()
		if got := told(c.Decide(set(labels), 0)); got != want {
			t.Errorf("%s: got %q, want %q", labels, got, want)
		}
	}
	f("service=files", "web@0")                                // no route within takes it
	f("service=files severity=page", "web-pager@0.0 boss@0.0") // the first match
	f("service=web severity=audit", "audit@0.1")               // continue, and nothing follows
	f("service=web severity=audit owner=team-x", "audit@0.1 team-x@0.2")
	f("service=db", "db@1 chat@4") // continue at the top
	f("service=db severity=page", "db@1 pager@2")
	f("severity=page", "pager@2")
	f("severity=warn", "chat@4")
	f("", "chat@4")
	f("severity=debug", "") // no route
	f("alertname=Watchdog severity=warn", "")

	for labels, want := range map[string][]string{
		"severity=debug":                          nil,
		"alertname=Watchdog severity=warn":        {"routes[3]"},
		"service=web severity=audit owner=team-x": {"routes[0].routes[1]", "routes[0].routes[2]"},
	} {
		if got := c.Taken(set(labels)); !slices.Equal(got, want) {
			t.Errorf("%s: taken by %q, want %q", labels, got, want)
		}
	}
	if (&route.Config{}).Routed() || !c.Routed() {
		t.Error("routed")
	}
	if legs := (&route.Config{}).Decide(set("a=1"), 0); legs != nil {
		t.Errorf("without routes: %v", legs)
	}
}

func TestInheritance(t *testing.T) {
	c := read(t, `
routes:
  - receivers: [a, b]
    group_by: [region]
    group_wait: 30s
    repeat_interval: 4h
    mute: [always]
    routes:
      - matchers: [x=1]
        group_interval: 1m
        routes:
          - matchers: [y=1]
            receiver: c
            group_by: []
            repeat_interval: 0s
            mute: []
      - matchers: [x=2]
        group_by: ["..."]
        active: [never]
mute:
  - {name: always, intervals: [{}]}
  - {name: never, intervals: [{years: [1999]}]}
`)
	f := func(labels string, want ...route.Leg) {
		t.Helper()
		if d := cmp.Diff(want, c.Decide(set(labels), 0)); d != "" {
			t.Errorf("%s: %s", labels, d)
		}
	}
	const second, minute, hour = 1000, 60_000, 3_600_000
	plain := route.Leg{Receiver: "a", Path: "routes[0]", GroupKey: `{}:{region="eu"}`, GroupLabels: set("region=eu"),
		GroupWait: 30 * second, GroupInterval: 5 * minute, RepeatInterval: 4 * hour, MutedBy: []string{"always"}}
	to := func(l route.Leg, receiver string) route.Leg { l.Receiver = receiver; return l }
	f("region=eu host=1", plain, to(plain, "b"))
	deep := route.Leg{Receiver: "c", Path: "routes[0].routes[0].routes[0]", GroupKey: `{}/{x="1"}/{y="1"}:{}`, GroupLabels: label.Set{},
		GroupWait: 30 * second, GroupInterval: minute}
	f("x=1 y=1 region=eu", deep)
	all := route.Leg{Receiver: "a", Path: "routes[0].routes[1]", GroupKey: `{}/{x="2"}:{region="eu", x="2"}`, GroupLabels: set("region=eu x=2"), Alone: true,
		GroupWait: 30 * second, RepeatInterval: 4 * hour, MutedBy: []string{"always"}, Outside: []string{"never"}}
	f("x=2 region=eu", all, to(all, "b"))

	top := read(t, `routes: [{receiver: a}]`).Decide(set("x=1 y=2"), 0)
	if d := cmp.Diff([]route.Leg{{Receiver: "a", Path: "routes[0]", GroupKey: `{}:{x="1", y="2"}`, GroupLabels: set("x=1 y=2"), Alone: true}}, top); d != "" {
		t.Errorf("defaults: %s", d)
	}
}

// TestOneLegPerReceiver: an alert is told to a receiver once, by the first route that
// may tell it now.
func TestOneLegPerReceiver(t *testing.T) {
	c := read(t, `
routes:
  - {matchers: [a=1], receivers: [x, y], continue: true, mute: [odd]}
  - {matchers: [b=1], receivers: [y, z], continue: true}
  - {receivers: [x, z], mute: [even]}
mute:
  - {name: odd, intervals: [{years: [1971]}]}
  - {name: even, intervals: [{years: [1970]}]}
`)
	f := func(labels, when, want string) {
		t.Helper()
		if got := told(c.Decide(set(labels), at(t, when))); got != want {
			t.Errorf("%s at %s: got %q, want %q", labels, when, got, want)
		}
	}
	f("a=1 b=1", "1970-06-01T00:00:00Z", "x@0 y@0 z@1")
	f("a=1 b=1", "1971-06-01T00:00:00Z", "x@2 y@1 z@1")
	f("a=1", "1971-06-01T00:00:00Z", "x@2 y@0!odd z@2")
	f("", "1970-06-01T00:00:00Z", "x@2!even z@2!even")
}

func TestGroupKey(t *testing.T) {
	key := func(text, labels string) string {
		t.Helper()
		legs := read(t, text).Decide(set(labels), 0)
		if len(legs) != 1 {
			t.Fatalf("%s: %v", labels, legs)
		}
		return legs[0].GroupKey
	}
	one := key(`routes: [{receiver: a, matchers: [x=1, 'y=~"2|3"'], group_by: [b, a]}]`, "x=1 y=2 a=A b=B c=C")
	if want := `{x="1", y=~"2|3"}:{a="A", b="B"}`; one != want {
		t.Errorf("got %s, want %s", one, want)
	}
	// The order of routes, matchers and names plays no part.
	if again := key(`routes: [{receiver: z, matchers: [q=1]}, {receiver: a, matchers: ['y=~"2|3"', x=1, x=1], group_by: [a, b, none]}]`, "x=1 y=3 a=A b=B c=D"); again != one {
		t.Errorf("got %s, want %s", again, one)
	}
	long := strings.Repeat("x", 2000)
	k := key(`routes: [{receiver: a}]`, "a="+long)
	if len(k) > 512 || k == key(`routes: [{receiver: a}]`, "a="+long+"y") || !strings.HasPrefix(k, `{}:{a="xxx`) {
		t.Errorf("%d bytes: %s", len(k), k)
	}
	// What a key is made of cannot be mistaken for other labels.
	if a, b := key(`routes: [{receiver: a}]`, `a=1",b="2`), key(`routes: [{receiver: a}]`, `a=1 b=2`); a == b {
		t.Errorf("both are %s", a)
	}
}

// drawRoutes draws the routes of a level.
func drawRoutes(t *rapid.T, depth int) []route.Route {
	n := rapid.IntRange(0, 3).Draw(t, "n")
	if depth == 0 {
		n = max(n, rapid.IntRange(1, 14).Draw(t, "top"))
	}
	var out []route.Route
	for range n {
		r := route.Route{Continue: rapid.Bool().Draw(t, "continue")}
		if depth == 0 || rapid.Bool().Draw(t, "own") {
			r.Receivers = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p", "q", "r"}), 0, 2, rapid.ID).Draw(t, "receivers")
		}
		for range rapid.IntRange(0, 2).Draw(t, "matchers") {
			m, err := label.New(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"),
				rapid.SampledFrom([]label.Op{label.Equal, label.NotEqual, label.Regex, label.NotRegex}).Draw(t, "op"),
				rapid.SampledFrom([]string{"", "1", "2", "1|2"}).Draw(t, "value"))
			if err != nil {
				t.Fatal(err)
			}
			r.Matchers = append(r.Matchers, m)
		}
		if depth < 3 {
			r.Routes = drawRoutes(t, depth+1)
		}
		out = append(out, r)
	}
	return out
}

// taken is which routes take the set, written once more from the documentation.
func taken(routes []route.Route, s label.Set, prefix string) (out []string) {
	for i, r := range routes {
		here := fmt.Sprintf("%sroutes[%d]", prefix, i)
		if r.Matchers.Matches(s) {
			if within := taken(r.Routes, s, here+"."); len(within) > 0 {
				out = append(out, within...)
			} else {
				out = append(out, here)
			}
			if !r.Continue {
				return out
			}
		}
	}
	return out
}

func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &route.Config{Routes: drawRoutes(t, 0)}
		if err := c.Check(func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		s := label.Set(rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"1", "2"})).Draw(t, "labels"))
		want := taken(c.Routes, s, "")
		if got := c.Taken(s); !slices.Equal(got, want) {
			t.Fatalf("%v: taken by %q, want %q", s, got, want)
		}
		legs := c.Decide(s, 0)
		seen := map[string]bool{}
		for _, l := range legs {
			if seen[l.Receiver] || !slices.Contains(want, l.Path) || l.Muted() {
				t.Fatalf("%v: leg %+v of %q", s, l, want)
			}
			seen[l.Receiver] = true
		}
		r := c.NewRouter()
		if got := r.Taken(s); !slices.Equal(got, want) {
			t.Fatalf("%v: taken by %q by index, want %q", s, got, want)
		}
		quick := slices.Clone(legs)
		for i := range quick {
			if l := &quick[i]; l.Alone && l.GroupWait == 0 && l.RepeatInterval == 0 {
				l.GroupKey, l.GroupLabels = "", nil
			}
		}
		if d := cmp.Diff(quick, r.Decide(s, 0)); d != "" {
			t.Fatal(d)
		}
		// A map that was filled in another order is the same set.
		other := label.Set{}
		for _, key := range slices.Backward(slices.Sorted(maps.Keys(s))) {
			other[key] = s[key]
		}
		if d := cmp.Diff(legs, c.Decide(other, 0)); d != "" {
			t.Fatal(d)
		}
	})
}

// TestRouterMutes asks a Router at times that go on and back, as a Config is asked.
func TestRouterMutes(t *testing.T) {
	c := read(t, `{"mute":[{"name":"night","intervals":[{"times":[{"start":"22:00","end":"06:00"}]}]},{"name":"noon","intervals":[{"times":[{"start":"12:00","end":"13:00"}]}]}],
		"routes":[{"matchers":["team=a"],"receivers":["x","y"],"mute":["night","noon"],"continue":true},
		{"matchers":["team=~\"a|b\""],"receiver":"y","active":["noon"],"group_by":["team"],"continue":true},
		{"receivers":[],"routes":[{"receiver":"z","matchers":["team=b"],"group_wait":"1s"}]}]}`)
	r := c.NewRouter()
	told := map[string]int{}
	for _, hour := range []int64{0, 7, 12, 12, 7, 23, 0, 12} {
		for _, text := range []string{"team=a", "team=b", "team=c"} {
			want := c.Decide(set(text), hour*3_600_000)
			if d := cmp.Diff(want, r.Decide(set(text), hour*3_600_000), cmp.FilterPath(func(p cmp.Path) bool {
				return strings.HasPrefix(p.Last().String(), ".Group") && !strings.HasPrefix(p.Last().String(), ".GroupW")
			}, cmp.Ignore())); d != "" {
				t.Errorf("%s at %d h: %s", text, hour, d)
			}
			for i := range want {
				if !want[i].Muted() {
					told[want[i].Receiver]++
				}
			}
		}
	}
	if told["x"] != 2 || told["y"] != 8 || told["z"] != 8 {
		t.Errorf("told %v", told)
	}
}

func TestAllocations(t *testing.T) {
	c := read(t, tree)
	s := set("severity=debug service=none")
	if n := testing.AllocsPerRun(100, func() { c.Taken(s) }); n > 4 {
		t.Errorf("an alert that no route takes: %v allocations", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := &route.Config{}
			for i := range n {
				eq, _ := label.New("team", label.Equal, fmt.Sprint("team-", i))
				re, _ := label.New("region", label.Regex, "eu-.*|us-.*")
				c.Routes = append(c.Routes, route.Route{Matchers: label.Matchers{re, eq}, Receivers: []string{"r"}, GroupBy: []string{"region"}})
			}
			random := rand.New(rand.NewPCG(1, 2))
			sets := make([]label.Set, 100)
			for i := range sets {
				sets[i] = label.Of("rule", "page", "o", false, map[string]string{"team": fmt.Sprint("team-", random.IntN(n))}, map[string]string{"region": "eu-west", "host": fmt.Sprint(i)})
			}
			b.ReportAllocs()
			r := c.NewRouter()
			for i := 0; b.Loop(); i++ {
				if len(r.Decide(sets[i%len(sets)], 0)) != 1 {
					b.Fatal("not told")
				}
			}
		})
	}
}
