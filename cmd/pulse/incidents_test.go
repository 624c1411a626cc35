package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pulse/store/clock"
)

// stage is a whole server under a manual clock, with a receiver, driven over
// HTTP. Its step is ten seconds.
type stage struct {
	t     *testing.T
	api   *client
	s     *server
	clk   *clock.Manual
	pages *pageLog
}

const stageStep = 10_000 // ms

// newStage starts the stage at streamOrigin, a multiple of the step.
func newStage(t *testing.T, rule string) *stage {
	t.Helper()
	g := &stage{t: t, clk: clock.NewManual(time.UnixMilli(streamOrigin)), pages: &pageLog{}}
	hook := httptest.NewServer(g.pages)
	t.Cleanup(hook.Close)
	base, s := startVirtual(t, g.clk, stageStep*time.Millisecond)
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	api, err := newClient(base)
	must(t, err)
	g.api, g.s = api, s
	ctx := context.Background()
	must(t, api.send(ctx, http.MethodPut, "/api/v1/receivers/hook", fmt.Appendf(nil, `{"kind":"webhook","url":%q}`, hook.URL)))
	if rule != "" {
		must(t, api.send(ctx, http.MethodPut, "/api/v1/rules/stage", []byte(rule)))
	}
	return g
}

// at moves the clock and lets everything that is due happen.
func (g *stage) at(ms int64) {
	g.t.Helper()
	g.clk.Set(time.UnixMilli(ms))
	g.s.detect.Advance(ms)
	settle(g.t, g.s)
}

// publish sends one node's datapoints, stamped ms, and lets the engine look.
func (g *stage) publish(node string, ms int64, metrics map[string]float64, dstype string) {
	g.t.Helper()
	list := []metric{}
	for name, v := range metrics {
		list = append(list, metric{map[string]string{"name": name, "atlas.dstype": dstype}, ms, v})
	}
	body, err := json.Marshal(map[string]any{"tags": map[string]string{"nf.app": "www", "nf.node": node}, "metrics": list})
	must(g.t, err)
	must(g.t, g.api.send(context.Background(), http.MethodPost, "/api/v1/publish", body))
	g.s.detect.Advance(g.clk.Now().UnixMilli())
	settle(g.t, g.s)
}

// values asks for the steps in (start, end].
func (g *stage) values(q string, start, end int64) []float64 {
	g.t.Helper()
	b, err := g.api.get(context.Background(), fmt.Sprintf("/api/v1/graph?q=%s&s=%d&e=%d&format=json", q, start, end))
	must(g.t, err)
	var answer graph
	must(g.t, json.Unmarshal(b, &answer))
	var out []float64
	for _, row := range answer.Values {
		out = append(out, float64(row[0]))
	}
	return out
}

// kinds counts what the receiver was told, by type.
func (g *stage) kinds() map[string]int {
	g.pages.mu.Lock()
	defer g.pages.mu.Unlock()
	out := map[string]int{}
	for _, k := range g.pages.kinds {
		out[k]++
	}
	return out
}

func (g *stage) wantKinds(want map[string]int) {
	g.t.Helper()
	if got := g.kinds(); fmt.Sprint(got) != fmt.Sprint(want) {
		g.t.Errorf("the receiver was told %v, want %v", got, want)
	}
}

// A sender whose timer fires at :07 past every ten seconds, some milliseconds
// late or early, with a true rate of 100, reads 100.
func TestJitterKeepsTheRate(t *testing.T) {
	g := newStage(t, "")
	random := rand.New(rand.NewPCG(1, 2))
	for i := range int64(30) {
		ms := streamOrigin + i*stageStep + 7000 + random.Int64N(60) - 30
		g.at(ms)
		g.publish("a", ms, map[string]float64{"sps": 100}, "rate")
	}
	for i, v := range g.values("name,sps,:eq,:sum", streamOrigin+stageStep, streamOrigin+29*stageStep) {
		if v != 100 {
			t.Errorf("step %d reads %v, want 100", i, v)
		}
	}
}

// Two senders make one sum. One of them is late by half a step at times; nobody
// is paged.
func TestLateSenderPagesNobody(t *testing.T) {
	g := newStage(t, `{"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":150}}`)
	for i := range int64(40) {
		ms := streamOrigin + (i+1)*stageStep
		g.at(ms + 50)
		g.publish("a", ms, map[string]float64{"sps": 100}, "sum")
		if i%5 == 4 {
			g.at(ms + stageStep/2)
		}
		g.publish("b", ms, map[string]float64{"sps": 100}, "sum")
	}
	g.wantKinds(map[string]int{})
	if got := g.s.detect.Stats().Closed; got < 39 {
		t.Errorf("%d steps were judged, want at least 39", got)
	}
}

// The same when the late sender comes after the grace: the close is put off once.
func TestPutOffWaitsForTheMissingSender(t *testing.T) {
	g := newStage(t, `{"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":150}}`)
	for i := range int64(20) {
		ms := streamOrigin + (i+1)*stageStep
		g.at(ms + 50)
		g.publish("a", ms, map[string]float64{"sps": 100}, "sum")
		if i == 12 {
			continue // b reports this step together with the next one
		}
		if i == 13 {
			g.at(ms + 2500)
			g.publish("b", ms-stageStep, map[string]float64{"sps": 100}, "sum")
		}
		g.publish("b", ms, map[string]float64{"sps": 100}, "sum")
	}
	g.wantKinds(map[string]int{})
	if got := g.s.detect.Stats().PutOff; got != 1 {
		t.Errorf("%d closes were put off, want 1", got)
	}
}

// A client that drops zeros loses everything: its other metrics still come, so
// the missing count is a zero, and somebody is paged.
func TestTotalOutageOfAClientThatDropsZeros(t *testing.T) {
	g := newStage(t, `{"expr":"name,sps,:eq,:sum","detector":{"kind":"double-exponential","direction":"below"}}`)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range int64(165) {
		ms := streamOrigin + (i+1)*stageStep
		g.at(ms + 50)
		metrics := map[string]float64{"sps": 100 + 5*random.NormFloat64(), "heartbeat": 1}
		if i >= 140 {
			delete(metrics, "sps")
		}
		g.publish("a", ms, metrics, "sum")
		if i < 140 {
			g.wantKinds(map[string]int{})
		}
	}
	g.wantKinds(map[string]int{"alert.firing": 1})
	for i := int64(165); i < 185; i++ {
		ms := streamOrigin + (i+1)*stageStep
		g.at(ms + 50)
		g.publish("a", ms, map[string]float64{"sps": 100 + 5*random.NormFloat64(), "heartbeat": 1}, "sum")
	}
	g.wantKinds(map[string]int{"alert.firing": 1, "alert.resolved": 1})
}

// A sender that falls silent is no data: not a drop, but an incident of its own.
func TestSilentSenderIsNoData(t *testing.T) {
	g := newStage(t, `{"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
	for i := range int64(60) {
		ms := streamOrigin + (i+1)*stageStep
		g.at(ms + 50)
		if i < 30 || i >= 50 {
			g.publish("a", ms, map[string]float64{"sps": 100, "heartbeat": 1}, "sum")
		}
		if i == 34 {
			g.wantKinds(map[string]int{})
		}
		if i == 49 {
			g.wantKinds(map[string]int{"alert.nodata": 1})
		}
	}
	g.wantKinds(map[string]int{"alert.nodata": 1, "alert.resolved": 1})
}

// With the rule deleted over the API nothing is sent, whatever happens.
func TestDeletedRuleIsSilent(t *testing.T) {
	g := newStage(t, `{"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
	must(t, g.api.send(context.Background(), http.MethodDelete, "/api/v1/rules/stage", nil))
	for i := range int64(20) {
		ms := streamOrigin + (i+1)*stageStep
		g.at(ms + 50)
		g.publish("a", ms, map[string]float64{"sps": 1}, "sum")
	}
	g.wantKinds(map[string]int{})
}
