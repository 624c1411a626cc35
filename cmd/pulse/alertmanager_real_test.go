package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulse/bench/testkit"
)

// TestAlertsInAlertmanager: alerts of a server arrive in the Alertmanager of the system,
// which tells of them as one group, sees each of them end, and shows them to amtool.
func TestAlertsInAlertmanager(t *testing.T) {
	type message struct {
		Status      string
		GroupLabels map[string]string
		Alerts      []struct {
			Status string
			Labels map[string]string
		}
	}
	messages := make(chan message, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err == nil {
			messages <- m
		}
	}))
	defer hook.Close()
	theirs := testkit.Alertmanager(t, "1s", hook.URL)
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--step", "100ms", "--grace", "300ms", "--egress-allow", "127.0.0.0/8")
	base := waitIn(t, &p.errors, p, `url=(http://[^/\s]+)`)[1]
	awaitReady(t, base)
	x, y := streamKey{"drop", "x"}, streamKey{"drop", "y"}
	tr := push(t, base, x, y)
	api, err := newClient(base)
	must(t, err)
	put := func(path, body string) {
		t.Helper()
		must(t, api.send(context.Background(), http.MethodPut, path, []byte(body)))
	}
	put("/api/v1/receivers/theirs", fmt.Sprintf(`{"kind":"alertmanager","url":%q}`, theirs))
	put("/api/v1/rules/drop", `{"expr":"name,drop,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"labels":{"team":"playback"},"annotations":{"summary":"starts drop"}}`)

	seen := map[string]string{} // node → status of its alert in the newest message
	until := func(want map[string]string) {
		t.Helper()
		for limit := time.After(60 * time.Second); ; {
			select {
			case m := <-messages:
				if m.GroupLabels["alertname"] != "drop" || len(m.Alerts) == 0 {
					t.Fatalf("not the group: %+v", m)
				}
				clear(seen)
				for _, a := range m.Alerts {
					if seen[a.Labels["node"]] = a.Status; a.Labels["team"] != "playback" || a.Labels["severity"] != "warn" {
						t.Errorf("labels %v", a.Labels)
					}
				}
				if fmt.Sprint(seen) == fmt.Sprint(want) {
					return
				}
			case <-limit:
				t.Fatalf("the newest message has %v, want %v", seen, want)
			}
		}
	}
	tr.flip(x)
	tr.flip(y)
	until(map[string]string{"x": "firing", "y": "firing"})
	if path, err := exec.LookPath("amtool"); err == nil {
		out := (&amtool{t, path, theirs}).must("-o", "extended", "alert", "query", "alertname=drop")
		if lines := slices.Collect(strings.Lines(out)); len(lines) != 3 || strings.Count(out, "starts drop") != 2 {
			t.Errorf("amtool shows %s", out)
		}
	}
	tr.flip(x)
	until(map[string]string{"x": "resolved", "y": "firing"})
	tr.flip(y)
	until(map[string]string{"y": "resolved"})
}

// push publishes streams to a server until the test ends: 100 while in band, 10 out of
// it, which is where truth says.
func push(t *testing.T, base string, keys ...streamKey) *truth {
	t.Helper()
	tr := &truth{changes: map[streamKey][]int64{}}
	var target atomic.Pointer[string]
	target.Store(&base)
	p := &pusher{truth: tr, target: &target}
	p.http.Timeout = killWait
	for _, key := range keys {
		p.streams = append(p.streams, killStream{key: key, dstype: "gauge", in: 100, out: 10})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { p.run(ctx) })
	t.Cleanup(func() {
		cancel()
		work.Wait()
	})
	return tr
}
