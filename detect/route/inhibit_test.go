package route_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pulse/detect/label"
	"pulse/detect/route"
)

func TestInhibited(t *testing.T) {
	c := read(t, `
inhibit:
  - {name: page-over-warn, source: [severity=page], target: [severity=warn], equal: [region, service]}
  - {name: cluster-down, source_matchers: [alertname=ClusterDown], target_matchers: ['alertname=~".+Down"'], equal: [cluster]}
  - {name: any, source: ['severity=~"page|warn"'], target: [severity=info]}
`)
	alerts := map[string]label.Set{
		"1": set("alertname=Sps severity=page region=eu"),
		"2": set("alertname=ClusterDown severity=page cluster=a"),
		"3": set("alertname=ClusterDown severity=page cluster=b"),
	}
	f := func(labels string, want ...route.Cause) {
		t.Helper()
		n := c.NewInhibitor()
		for id, s := range firing(alerts) {
			n.Add(id, s)
		}
		if got := c.Inhibited(set(labels), firing(alerts)); !slices.Equal(got, want) {
			t.Errorf("%s: inhibited by %v, want %v", labels, got, want)
		}
		if got := n.By(set(labels)); !slices.Equal(got, want) {
			t.Errorf("%s: the inhibitor says %v, want %v", labels, got, want)
		}
	}
	f("severity=warn region=eu", route.Cause{Rule: "page-over-warn", Source: "1"}) // service: neither has it
	f("severity=warn region=eu service=x")
	f("severity=warn region=us")
	f("severity=warn", route.Cause{Rule: "page-over-warn", Source: "2"}) // neither has a region
	f("alertname=HostDown cluster=b severity=page", route.Cause{Rule: "cluster-down", Source: "3"})
	f("alertname=HostDown severity=page")
	// A source and target of one rule is held back neither by itself nor by its like.
	f("alertname=ClusterDown severity=page cluster=a")
	f("severity=info region=eu", route.Cause{Rule: "any", Source: "1"})
	f("severity=none")
}

// TestBothSides is Alertmanager's rule for alerts that both sides mean: only a source
// that is no target holds them back.
func TestBothSides(t *testing.T) {
	c := read(t, `inhibit: [{name: r, source: [s=1], target: [t=1], equal: [e]}]`)
	both, source, target := set("s=1 t=1 e=1"), set("s=1 e=1"), set("t=1 e=1")
	f := func(of label.Set, want string, fire ...label.Set) {
		t.Helper()
		n := c.NewInhibitor()
		for i, s := range fire {
			n.Add(fmt.Sprint(i), s)
		}
		var got []string
		for _, cause := range n.By(of) {
			got = append(got, cause.Source)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v by %v: %q, want %q", of, fire, got, want)
		}
	}
	f(both, "", both)
	f(both, "", both, both)
	f(both, "1", both, source)
	f(target, "0", both)
	f(target, "0", both, source)
	f(target, "0", source, both)
	f(source, "", both, source)
	f(target, "")
	f(target, "", target)
}

// TestCircles: of alerts that hold back each other one is told.
func TestCircles(t *testing.T) {
	c := read(t, `
inhibit:
  - {name: ab, source: [n=a], target: [n=b]}
  - {name: bc, source: [n=b], target: [n=c]}
  - {name: ca, source: [n=c], target: [n=a]}
  - {name: xa, source: [n=x], target: [n=a]}
  - {name: all, source: ['n=~"[a-c]"'], target: [n=y]}
`)
	f := func(fire, told string) {
		t.Helper()
		n := c.NewInhibitor()
		for _, name := range strings.Fields(fire) {
			n.Add(name, set("n="+name))
		}
		var got []string
		for _, name := range strings.Fields(fire) {
			if len(n.HeldBy(name, set("n="+name))) == 0 {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != told {
			t.Errorf("%s: told of %q, want %q", fire, got, told)
		}
	}
	f("a", "a")
	f("a b", "a")
	f("b a", "a")
	f("a b c", "a")
	f("c b a", "c")
	f("b y c a", "b")
	f("a b c x", "x")
	f("x y", "x y")
}

func TestInhibitorForgets(t *testing.T) {
	c := read(t, `inhibit: [{name: r, source: [s=1], target: [t=1]}]`)
	n := c.NewInhibitor()
	by := func() string { return fmt.Sprint(n.By(set("t=1"))) }
	n.Add("a", set("s=1"))
	n.Add("b", set("s=1"))
	n.Add("c", set("x=1"))
	if by() != "[{r a}]" || n.Len() != 2 {
		t.Errorf("%s of %d", by(), n.Len())
	}
	n.Add("a", set("s=1")) // again: now it comes after b
	if by() != "[{r b}]" || n.Len() != 2 {
		t.Errorf("%s of %d", by(), n.Len())
	}
	n.Remove("b")
	n.Remove("b")
	if by() != "[{r a}]" {
		t.Error(by())
	}
	n.Add("a", set("s=2")) // its labels are others
	if by() != "[]" {
		t.Error(by())
	}
	n.Remove("a")
	n.Remove("c")
	if n.Len() != 0 {
		t.Error(n.Len())
	}
}

// TestInhibitorEqualsItsDefinition adds and removes alerts at random and compares with
// Inhibited over the same alerts in the same order.
func TestInhibitorEqualsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &route.Config{}
		keys := rapid.SampledFrom([]string{"a", "b", "c"})
		matchers := func(name string) (ms label.Matchers) {
			for range rapid.IntRange(1, 2).Draw(t, name) {
				m, err := label.New(keys.Draw(t, "key"), rapid.SampledFrom([]label.Op{label.Equal, label.NotEqual, label.Regex}).Draw(t, "op"), rapid.SampledFrom([]string{"1", "2", "1|2"}).Draw(t, "value"))
				if err != nil {
					t.Fatal(err)
				}
				ms = append(ms, m)
			}
			return ms
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
			c.Inhibit = append(c.Inhibit, route.Inhibit{
				Name: fmt.Sprint("r", i), Source: matchers("source"), Target: matchers("target"),
				Equal: rapid.SliceOfNDistinct(keys, 0, 2, rapid.ID).Draw(t, "equal"),
			})
		}
		if err := c.Check(nil); err != nil {
			t.Fatal(err)
		}
		n := c.NewInhibitor()
		sets := rapid.MapOf(keys, rapid.SampledFrom([]string{"1", "2", "3"}))
		var order []string
		alerts := map[string]label.Set{}
		for range rapid.IntRange(1, 60).Draw(t, "actions") {
			id := rapid.StringMatching(`[a-t]`).Draw(t, "id")
			order = slices.DeleteFunc(order, func(x string) bool { return x == id })
			if rapid.IntRange(0, 2).Draw(t, "action") > 0 {
				alerts[id] = sets.Draw(t, "set")
				order = append(order, id)
				n.Add(id, maps.Clone(alerts[id]))
			} else {
				delete(alerts, id)
				n.Remove(id)
			}
			target := label.Set(sets.Draw(t, "target"))
			want := c.Inhibited(target, func(yield func(string, label.Set) bool) {
				for _, id := range order {
					if !yield(id, alerts[id]) {
						return
					}
				}
			})
			sources := 0
			for _, s := range alerts {
				if slices.ContainsFunc(c.Inhibit, func(r route.Inhibit) bool { return r.Source.Matches(s) }) {
					sources++
				}
			}
			if got := n.By(target); !slices.Equal(got, want) || n.Len() != sources {
				t.Fatalf("%v: got %v, want %v, %d of %d", target, got, want, n.Len(), sources)
			}
			for id, s := range alerts {
				for _, cause := range n.By(s) {
					if cause.Source == id {
						t.Fatalf("%s %v holds back itself by %s", id, s, cause.Rule)
					}
				}
			}
			checkTold(t, n, alerts)
		}
	})
}

// checkTold finds for every alert that is held back one that is not, along what holds
// it back.
func checkTold(t *rapid.T, n *route.Inhibitor, alerts map[string]label.Set) {
	for id := range alerts {
		seen := map[string]bool{}
		todo := []string{id}
		told := false
		for len(todo) > 0 && !told {
			x := todo[0]
			todo = todo[1:]
			if seen[x] {
				continue
			}
			seen[x] = true
			held := n.HeldBy(x, alerts[x])
			told = len(held) == 0
			for _, cause := range held {
				todo = append(todo, cause.Source)
			}
		}
		if !told {
			t.Fatalf("nobody is told of what holds back %s: %v", id, alerts)
		}
	}
}

// storm is 100 rules and as many alerts as given, a tenth of them sources.
func storm(tb testing.TB, alerts int) (*route.Inhibitor, []label.Set) {
	c := &route.Config{}
	for i := range 100 {
		source, err := label.New("alertname", label.Equal, fmt.Sprint("down-", i))
		if err != nil {
			tb.Fatal(err)
		}
		target, err := label.New("severity", label.Regex, "warn|info")
		if err != nil {
			tb.Fatal(err)
		}
		c.Inhibit = append(c.Inhibit, route.Inhibit{Name: fmt.Sprint("r", i), Source: label.Matchers{source}, Target: label.Matchers{target}, Equal: []string{"host"}})
	}
	n := c.NewInhibitor()
	sets := make([]label.Set, alerts)
	for i := range sets {
		name := fmt.Sprint("slow-", i%100)
		if i%10 == 0 {
			name = fmt.Sprint("down-", i%100)
		}
		sets[i] = label.Of(name, "warn", "o", false, nil, map[string]string{"host": fmt.Sprint(i)})
		n.Add(fmt.Sprint(i), sets[i])
	}
	return n, sets
}

func TestInhibitorAllocations(t *testing.T) {
	n, sets := storm(t, 10_000)
	free := label.Of("other", "page", "o", false, nil, map[string]string{"host": "10"})
	if got := testing.AllocsPerRun(100, func() { n.By(free) }); got != 0 {
		t.Errorf("an alert that nothing holds back: %v allocations", got)
	}
	sources := 0
	for _, s := range sets {
		sources += len(n.By(s))
	}
	if sources != 0 { // every source is a target too
		t.Errorf("%d are held back", sources)
	}
	if by := n.By(label.Of("slow", "warn", "o", false, nil, map[string]string{"host": "9970"})); len(by) != 1 || by[0].Source != "9970" {
		t.Errorf("a host's own: %v", by)
	}
}

// BenchmarkInhibitor is one step in which ten thousand alerts fire, each asking what
// holds it back, and end.
func BenchmarkInhibitor(b *testing.B) {
	for b.Loop() {
		n, sets := storm(b, 10_000)
		for _, s := range sets {
			n.By(s)
		}
		for i := range sets {
			n.Remove(fmt.Sprint(i))
		}
	}
}
