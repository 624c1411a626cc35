package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBacktestIsWhatWasTold: a server on a clock of its own lives through two hours
// with a fall, a spike, a silent publisher and a bad canary. A back-test of each of
// its rules over that time, asked for by HTTP, gives the pages that the receiver was
// told of: the same groups, the same beginnings and ends.
func TestBacktestIsWhatWasTold(t *testing.T) {
	const steps, nodes = 720, 4
	g := newStage(t, "")
	pages := &book{}
	hook := httptest.NewServer(pages)
	t.Cleanup(hook.Close)
	ctx := context.Background()
	must(t, g.api.send(ctx, http.MethodPut, "/api/v1/receivers/book", fmt.Appendf(nil, `{"kind":"webhook","url":%q}`, hook.URL)))
	const each = `"expr":"name,sps,:eq,:sum,(,nf.node,),:by"`
	rules := map[string]string{
		"limit":   each + `,"detector":{"kind":"static","below":60,"above":400},"for":"20s","keep":"40s"`,
		"fast":    each + `,"detector":{"kind":"exponential","hold":"20s"}`,
		"holt":    each + `,"detector":{"kind":"double-exponential"}`,
		"auto":    each + `,"detector":{"kind":"auto"}`,
		"gone":    each + `,"detector":{"kind":"absence","after":"60s"}`,
		"quiet":   each + `,"detector":{"kind":"static","below":60},"no_data":"alert","for":"30s"`,
		"canary":  `"expr":"name,errors,:eq,nf.node,n0,:eq,:and,:sum","detector":{"kind":"compare","baseline":"name,errors,:eq,nf.node,n1,:eq,:and,:sum","direction":"above"}`,
		"signal":  `"expr":"name,sps,:eq,:sum,350,:lt"`,
		"slower":  `"expr":"name,sps,:eq,:sum","step":"1m","detector":{"kind":"static","below":350}`,
		"by-word": `"expr":"name,sps,:eq,:sum,(,nf.node,),:by,:dup,:des-fast,0.6,:mul,:lt"`,
	}
	for id, body := range rules {
		must(t, g.api.send(ctx, http.MethodPut, "/api/v1/rules/"+id, []byte("{"+body+"}")))
	}
	random := rand.New(rand.NewPCG(7, 4))
	noisy := func(v float64) float64 { return math.Round(v + math.Sqrt(v)*random.NormFloat64()/2) }
	for i := range int64(steps) {
		ms := streamOrigin + (i+1)*stageStep
		g.at(ms - 500)
		for node := range nodes {
			v, bad := 120.0, 40.0
			switch {
			case node == 1 && i >= 400 && i < 430:
				v = 30
			case node == 2 && i >= 470 && i < 474:
				v = 600
			case node == 3 && i >= 520 && i < 560:
				continue // it sends nothing
			case node == 0 && i >= 300:
				bad = 90
			}
			g.publish(fmt.Sprint("n", node), ms, map[string]float64{"sps": noisy(v), "errors": noisy(bad)}, "sum")
		}
		g.at(ms)
	}
	g.at(streamOrigin + (steps+3)*stageStep)
	told := pages.pages()
	found := 0
	for id, body := range rules {
		got := g.backtest(id, body, streamOrigin+steps*stageStep)
		if !slices.Equal(got, told[id]) {
			t.Errorf("%s: told\n  %s\nback-test\n  %s", id, strings.Join(told[id], "\n  "), strings.Join(got, "\n  "))
		}
		found += len(got)
	}
	if kinds := len(told); kinds < len(rules) || found < 12 {
		t.Errorf("%d pages of %d rules: the scenario shows too little: %v", found, kinds, told)
	}
}

// backtest returns the pages that a rule gives from the beginning, one line each,
// ascending.
func (g *stage) backtest(id, rule string, end int64) []string {
	g.t.Helper()
	ask := fmt.Appendf(nil, `{"rule":{"id":%q,%s},"start":%d,"end":%d}`, id, rule, streamOrigin, end)
	status, answer, err := g.api.do(context.Background(), http.MethodPost, "/api/v1/backtest", ask)
	must(g.t, err)
	if status != http.StatusOK {
		g.t.Fatalf("%s: status %d, %.300s", id, status, answer)
	}
	var o outcome
	must(g.t, json.Unmarshal(answer, &o))
	var got []string
	for _, p := range o.Pages {
		got = append(got, pageLine(p.Type, p.Tags["nf.node"], *p.StartsAt, p.EndsAt))
	}
	slices.Sort(got)
	return got
}

func pageLine(kind, node string, starts time.Time, ends *time.Time) string {
	line := fmt.Sprintf("%s %s %d", kind, node, (starts.UnixMilli()-streamOrigin)/1000)
	if ends == nil {
		return line
	}
	return line + fmt.Sprintf(" to %d", (ends.UnixMilli()-streamOrigin)/1000)
}

// pages returns what was told as one line per page, ascending, by rule.
func (b *book) pages() map[string][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string][]string{}
	for i, n := range b.told {
		if n.Type == "alert.resolved" {
			continue
		}
		var ends *time.Time
		for _, later := range b.told[i:] {
			if later.Type == "alert.resolved" && later.Incident == n.Incident {
				ends = later.EndsAt
			}
		}
		out[n.Rule] = append(out[n.Rule], pageLine(n.Type, n.Tags["nf.node"], n.StartsAt, ends))
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}
