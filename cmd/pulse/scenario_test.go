package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store/clock"
)

// book is a receiver that keeps what it was told.
type book struct {
	mu   sync.Mutex
	told []tidings
}

type tidings struct {
	Type, Rule string
	Tags       map[string]string
	StartsAt   time.Time
}

func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n tidings
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, n)
}

// took returns what came since the last call as "type rule node", ascending.
func (b *book) took() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, n := range b.told {
		out = append(out, strings.TrimSpace(n.Type+" "+n.Rule+" "+n.Tags["nf.node"]))
	}
	b.told = nil
	slices.Sort(out)
	return out
}

// TestPublisherLagsAndDies: of twenty publishers one lags by eight tenths of a
// step for an hour, which pages nobody. Then it dies: its own group of a rule by
// publisher has no data and no drop, and the sum, a twentieth lower, is judged for
// what it is.
func TestPublisherLagsAndDies(t *testing.T) {
	const publishers, lagging, train, dead = 20, 7, 110, 40
	hour := int64(360)
	if testing.Short() {
		hour = 60
	}
	g := newStage(t, "")
	pages := &book{}
	hook := httptest.NewServer(pages)
	t.Cleanup(hook.Close)
	ctx := context.Background()
	must(t, g.api.send(ctx, http.MethodPut, "/api/v1/receivers/book", fmt.Appendf(nil, `{"kind":"webhook","url":%q}`, hook.URL)))
	for id, body := range map[string]string{
		"each-holt":   `"expr":"name,sps,:eq,:sum,(,nf.node,),:by","detector":{"kind":"double-exponential"}`,
		"each-auto":   `"expr":"name,sps,:eq,:sum,(,nf.node,),:by","detector":{"kind":"auto"}`,
		"each-static": `"expr":"name,sps,:eq,:sum,(,nf.node,),:by","detector":{"kind":"static","below":50}`,
		"sum-deep":    `"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":1800}`,
		"sum-near":    `"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":1960}`,
	} {
		must(t, g.api.send(ctx, http.MethodPut, "/api/v1/rules/"+id, []byte("{"+body+"}")))
	}
	random := rand.New(rand.NewPCG(3, 4))
	step := func(i int64, lags, dies bool) {
		ms := streamOrigin + (i+1)*stageStep
		publish := func(node int) {
			g.publish(fmt.Sprintf("n%02d", node), ms, map[string]float64{"sps": math.Round(100 + 2*random.NormFloat64())}, "sum")
		}
		g.at(ms - 500)
		for node := range publishers {
			if node != lagging || !lags && !dies {
				publish(node)
			}
		}
		g.at(ms)
		if g.at(ms + stageStep*8/10); lags {
			publish(lagging)
		}
	}
	i := int64(0)
	run := func(n int64, lags, dies bool) []string {
		for range n {
			step(i, lags, dies)
			i++
		}
		return pages.took()
	}
	if got := run(train, false, false); len(got) > 0 {
		t.Fatalf("all well: told %v", got)
	}
	if got := run(hour, true, false); len(got) > 0 {
		t.Fatalf("one lags: told %v", got)
	}
	want := []string{
		"alert.firing sum-near",
		"alert.nodata each-auto n07", "alert.nodata each-holt n07", "alert.nodata each-static n07",
	}
	if got := run(dead, false, true); !slices.Equal(got, want) {
		t.Errorf("it is dead: told %v, want %v", got, want)
	}
	want = []string{
		"alert.resolved each-auto n07", "alert.resolved each-holt n07", "alert.resolved each-static n07",
		"alert.resolved sum-near",
	}
	if got := run(10, false, false); !slices.Equal(got, want) {
		t.Errorf("it is back: told %v, want %v", got, want)
	}
	if s := g.s.detect.Stats(); s.Closed < 5*(i-1) || s.Skipped > 0 {
		t.Errorf("%d steps: %+v", i, s)
	}
}

// TestHostileRules: whatever is wrong with a rule file, a reload refuses it with
// the file, the line and the reason, and the rules in force stay and work; the same
// by the API.
func TestHostileRules(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yaml")
	good := "rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: static, below: 50}\n"
	must(t, os.WriteFile(file, []byte(good), 0o600))
	clk := clock.NewManual(time.UnixMilli(streamOrigin))
	serve, err := defaultServe()
	must(t, err)
	serve.Step, serve.Data, serve.Rules = span(stageStep*time.Millisecond), t.TempDir(), filepath.Join(dir, "*.yaml")
	must(t, serve.complete())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s, err := serve.start(context.Background(), ln, clk, zerolog.Nop())
	must(t, err)
	t.Cleanup(func() { _ = s.close() })
	api, err := newClient("http://" + ln.Addr().String())
	must(t, err)
	ctx := context.Background()
	inForce := func() string {
		body, err := api.get(ctx, "/api/v1/rules")
		must(t, err)
		return string(body)
	}
	before := inForce()
	if !strings.Contains(before, `"low"`) {
		t.Fatalf("rules in force: %s", before)
	}
	for _, c := range []struct{ text, line, reason string }{
		{"rules:\n  - id: low\n    expr: [\n", "", "not YAML"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detectr: {kind: static}\n", ":4:", `detectr`},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: static, beneath: 3}\n", ":4:", `beneath`},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector: {kind: static}\n", ":4:", "above is missing"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    detector:\n      kind: exponential\n      alpha: 7\n", ":4:", "alpha is 7"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    for: -3s\n", ":4:", "for: "},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum,:integral\n", ":3:", "integral"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum,:bogus\n", ":3:", "bogus"},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n  - id: low\n    expr: name,sps,:eq,:sum\n", ":4:", "defined twice"},
		{"- 1\n- 2\n", "", "rules"},
		{"rules: &a [*a]\n", "", ""},
		{"rules:\n  - id: low\n    expr: name,sps,:eq,:sum\n    step: 3s\n", ":4:", "step is 3s"},
		{"rules:\n" + strings.Repeat("[", 100_000), ":2:", "nested"},
		{"rules:\n  " + strings.Repeat("- ", 100_000), ":2:", "nested"},
		{strings.Repeat("{a: ", 100_000), ":1:", "nested"},
	} {
		must(t, os.WriteFile(file, []byte(c.text), 0o600))
		status, body, err := api.do(ctx, http.MethodPost, "/-/reload", []byte("{}"))
		must(t, err)
		text := string(body)
		if status < 400 || !strings.Contains(text, c.reason) || !strings.Contains(text, "rules.yaml"+c.line) {
			t.Errorf("%.120q: status %d, %.300s; want rules.yaml%s and %q", c.text, status, text, c.line, c.reason)
		}
		if after := inForce(); after != before {
			t.Fatalf("%.120q: rules in force changed to %s", c.text, after)
		}
	}
	for _, c := range []struct{ body, reason string }{
		{`{"expr":"name,sps,:eq,:sum"`, "JSON"},
		{`{"expr":"name,sps,:eq,:sum","detector":{"kind":"statik"}}`, "statik"},
		{`{"expr":"name,sps,:eq,:sum","novel":1}`, "novel"},
		{`{"expr":"` + strings.Repeat("name,sps,:eq,:sum,", 1000) + `"}`, "expr"},
		{`{"expr":""}`, "expr"},
	} {
		status, body, err := api.do(ctx, http.MethodPut, "/api/v1/rules/low", []byte(c.body))
		must(t, err)
		if status != 400 || !strings.Contains(string(body), c.reason) {
			t.Errorf("%.80s: status %d, %.300s", c.body, status, body)
		}
	}
	if after := inForce(); after != before {
		t.Fatalf("rules in force changed to %s", after)
	}
	must(t, os.WriteFile(file, []byte(good), 0o600))
	must(t, api.send(ctx, http.MethodPost, "/-/reload", []byte("{}")))
}
