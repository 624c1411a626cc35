package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestPageAlertStorm: thousands of alerts are counted right on the page, from the first on
// and as they end; and polls send what has changed, not all of them.
func TestPageAlertStorm(t *testing.T) {
	p := newTab(t)
	const crowd = 4000
	base := serveFor(t)
	var fine atomic.Int64 // so many nodes are not low
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			now, well := time.Now(), int(fine.Load())
			metrics := make([]map[string]any, crowd)
			for n := range metrics {
				value := float64(10 + now.Second()%20)
				if n < well {
					value += 100
				}
				metrics[n] = map[string]any{"tags": map[string]string{"name": "sps", "node": fmt.Sprint("n", n), "atlas.dstype": "gauge"}, "timestamp": now.UnixMilli(), "value": value}
			}
			if body, err := json.Marshal(map[string]any{"metrics": metrics}); err == nil {
				if res, err := http.Post(base+"/api/v1/publish", "application/json", strings.NewReader(string(body))); err == nil {
					res.Body.Close()
				}
			}
			_ = pause(ctx, now.Add(time.Second))
		}
	}()
	putRule(t, base, "low", `{"expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"annotations":{"summary":"{{.Tags.node}} is low"}}`)
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/alerts"), chromedp.WaitVisible(".tabs"))
	p.shows(".alert-section.firing h2", fmt.Sprint("Firing ", crowd))
	p.shows("header", fmt.Sprint(crowd, " firing"))
	p.shows(".alert-section.firing", fmt.Sprint(crowd-20, " more"))
	const polls = `performance.getEntriesByType("resource").filter((e) => e.name.includes("/api/v1/alerts/changes")).map((e) => e.decodedBodySize)`
	eval[bool](p, `(performance.clearResourceTimings(), true)`)
	p.until("polls", polls+`.length >= 3`)
	eval[bool](p, `(fetch("/api/v1/alerts").then((r) => r.text()).then((s) => { window.whole = s.length; }), true)`)
	p.until("the list", `window.whole > 0`)
	whole := eval[int](p, `window.whole`)
	for i, size := range eval[[]int](p, polls) {
		if size*20 > whole {
			t.Errorf("poll %d has %d bytes, the list %d", i, size, whole)
		}
	}
	fine.Store(7)
	p.shows(".alert-section.firing h2", fmt.Sprint("Firing ", crowd-7))
	p.shows("header", fmt.Sprint(crowd-7, " firing"))
	p.shows(".alert-section.resolved h2", "7")
	p.shoot("alerts-storm")
	p.quiet()
}
