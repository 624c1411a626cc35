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
	"sync"
	"testing"
	"time"
)

// book is a receiver that keeps what it was told.
type book struct {
	mu   sync.Mutex
	told []tidings
}

type tidings struct {
	Type, Rule, Incident string
	Tags                 map[string]string
	StartsAt             time.Time
	EndsAt               *time.Time
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
