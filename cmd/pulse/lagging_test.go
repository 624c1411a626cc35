package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// sayings is a receiver that keeps what it was told: type, rule and node.
type sayings struct {
	mu  sync.Mutex
	all []string
}

func (l *sayings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n struct {
		Type, Rule string
		Tags       map[string]string
	}
	text, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(text, &n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf("%s %s %s", n.Type, n.Rule, n.Tags["nf.node"]))
}

func (l *sayings) sorted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.all))
}

// One publisher of twenty, who has a third of the whole, lags by 80 % of a step for an hour:
// every step waits for it, so nobody is paged. When it is killed, its own group has no
// data, which is no drop, and the ungrouped sum has truly fallen.
func TestLaggingPublisherOfTwenty(t *testing.T) {
	const nodes, warm, lag, dead = 20, 180, 360, 60
	g := newStage(t, "")
	pages := &sayings{}
	hook := httptest.NewServer(pages)
	t.Cleanup(hook.Close)
	ctx := context.Background()
	must(t, g.api.send(ctx, http.MethodPut, "/api/v1/receivers/hook", fmt.Appendf(nil, `{"kind":"webhook","url":%q}`, hook.URL)))
	for _, kind := range []string{"auto", "double-exponential"} {
		for by, expr := range map[string]string{"node": "name,sps,:eq,:sum,(,nf.node,),:by", "sum": "name,sps,:eq,:sum"} {
			rule := fmt.Appendf(nil, `{"expr":%q,"detector":{"kind":%q,"direction":"below"}}`, expr, kind)
			must(t, g.api.send(ctx, http.MethodPut, "/api/v1/rules/"+kind+"-"+by, rule))
		}
	}
	random := rand.New(rand.NewPCG(5, 6))
	send := func(node int, ms int64) {
		mean := 1000.0
		if node == 0 {
			mean *= nodes / 2
		}
		list := []metric{{map[string]string{"name": "sps", "atlas.dstype": "sum"}, ms, math.Round(mean + 1.5*math.Sqrt(mean)*random.NormFloat64())}}
		body, err := json.Marshal(map[string]any{"tags": map[string]string{"nf.app": "www", "nf.node": fmt.Sprintf("n%02d", node)}, "metrics": list})
		must(t, err)
		must(t, g.api.send(ctx, http.MethodPost, "/api/v1/publish", body))
	}
	for i := range int64(warm + lag + dead) {
		ms := streamOrigin + (i+1)*stageStep
		g.at(ms + 50)
		for node := 1; node < nodes; node++ {
			send(node, ms)
		}
		if i < warm {
			send(0, ms)
		}
		g.at(ms + 60)
		if warm <= i && i < warm+lag {
			g.at(ms + stageStep*8/10)
			send(0, ms)
			g.at(ms + stageStep*8/10 + 10)
		}
		if got := pages.sorted(); i < warm+lag && len(got) > 0 {
			t.Fatalf("step %d: told %v, want nothing while the publisher only lags", i, got)
		}
	}
	want := []string{
		"alert.firing auto-sum ", "alert.firing double-exponential-sum ",
		"alert.nodata auto-node n00", "alert.nodata double-exponential-node n00",
	}
	if got := pages.sorted(); !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}
