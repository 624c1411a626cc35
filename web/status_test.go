package web_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"pulse/ingest"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/disk/faulty"
	"pulse/web"
)

// TestStatusShowsAll: every bound is there with a value, the parts of the memory
// are, and who made the store refuse series.
func TestStatusShowsAll(t *testing.T) {
	memory := budget.Split(1 << 30)
	r := newRig(t, settings{
		web:     web.Options{Memory: memory, MaxConnsPerAddr: 33},
		store:   store.Options{MaxSeries: 5, Memory: memory.Series, Tiers: []store.Tier{{Step: step, Retention: 3_600_000}, {Step: 60 * step, Retention: 48 * 3_600_000}}},
		durable: &store.Durable{FS: faulty.New(1), Mode: store.Interval},
	})
	if _, err := r.store.Replay(t.Context(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	var list []string
	for i := range 20 {
		list = append(list, point(epoch, 1, "gauge", "burst", "id", fmt.Sprint("n", i)))
	}
	if a := r.call("POST", "/api/v1/publish", metrics(list...)); a.status != 202 {
		t.Fatal(a)
	}
	type text struct {
		Text           string
		Count, AtLeast int64
	}
	a := r.get("/api/v1/status")
	s := decode[struct {
		Ready      bool
		Degraded   string
		Durability string
		Tiers      []struct {
			StepMs, RetentionMs int64
			From, To            string
		}
		Memory struct {
			Limit                            int64
			Series, Ingest, Queries, Streams budget.Stats
		}
		Disk               struct{ Limit, Used int64 }
		Log                struct{ Next, Records, Bytes int64 }
		Snapshot, Recovery map[string]int64
		Refused            struct {
			Series struct {
				Total       int64
				ByLimit     map[string]int64
				Names, Keys []text
			}
			Points map[string]int64
		}
		Limits map[string]struct{ Limit, Used *int64 }
	}](t, a)
	if !s.Ready || s.Degraded != "" || s.Durability != "interval" || len(s.Tiers) != 2 || s.Tiers[1].StepMs != 60*step || s.Tiers[0].From == "" {
		t.Errorf("status: %s", a.body)
	}
	if s.Memory.Limit != 1<<30 || s.Memory.Series.Limit != 1<<30/100*60 || s.Memory.Series.Used <= 0 || s.Memory.Ingest.Limit == 0 || s.Memory.Queries.Limit == 0 || s.Memory.Streams.Limit == 0 {
		t.Errorf("memory: %+v", s.Memory)
	}
	if s.Disk.Limit <= 0 {
		t.Errorf("disk: %+v", s.Disk)
	}
	if s.Log.Records < 1 || s.Log.Next <= s.Log.Records || s.Log.Bytes <= 0 || len(s.Snapshot) == 0 || len(s.Recovery) == 0 {
		t.Errorf("log: %+v, snapshots: %v, recovery: %v", s.Log, s.Snapshot, s.Recovery)
	}
	if m := r.scrape(); m["pulse_log_records_total"] < 1 || m[`pulse_limit_used{limit="series"}`] != 5 || m[`pulse_limit_most{limit="series"}`] != 5 || m[`pulse_memory_used{part="series"}`] <= 0 || m["pulse_health_ready"] != 1 {
		t.Errorf("own numbers: %v", m)
	}
	for _, name := range []string{"pulse_log_waiting", "pulse_log_last_sync_seconds", "pulse_log_refused_total", "pulse_log_doubtful_total"} {
		if v, ok := r.scrape()[name]; !ok || v < 0 {
			t.Errorf("%s is %v, %v", name, v, ok)
		}
	}
	refused := s.Refused.Series
	if refused.Total != 15 || refused.ByLimit["series"] != 15 || len(refused.Names) != 1 || refused.Names[0].Text != "burst" || refused.Names[0].Count != 15 || len(refused.Keys) == 0 {
		t.Errorf("refused: %+v", refused)
	}
	if s.Refused.Points[ingest.SeriesLimit.String()] != 15 {
		t.Errorf("refused points: %v", s.Refused.Points)
	}
	for name, l := range s.Limits {
		if l.Limit == nil || *l.Limit <= 0 {
			t.Errorf("limit %s has no value", name)
		}
	}
	for _, name := range []string{"series", "keys", "pairs", "valuesPerKey", "newSeriesBurst", "sources", "idempotencyKeys", "connections", "queries", "queriesWaiting", "eventStreams", "bodiesBytes", "rules", "receivers"} {
		if s.Limits[name].Used == nil {
			t.Errorf("limit %s does not say what is used", name)
		}
	}
	if l := s.Limits["connectionsPerAddress"]; l.Limit == nil || *l.Limit != 33 || len(s.Limits) < 45 {
		t.Errorf("%d limits: %s", len(s.Limits), a.body)
	}
}

// TestReady: a server is ready when what it has stored and its rule files are loaded, in
// whatever order, and the answer, status and metrics agree on it.
func TestReady(t *testing.T) {
	var loaded atomic.Bool
	r := newRig(t, settings{web: web.Options{Loaded: loaded.Load}, durable: &store.Durable{FS: faulty.New(1), Mode: store.Interval}})
	want := func(ready bool, why string) {
		t.Helper()
		status, level := 503, "0"
		if ready {
			status, level = 200, "1"
		}
		for _, path := range []string{"/ready", "/healthcheck"} {
			if a := r.call("GET", path, nil); a.status != status {
				t.Errorf("%s: %s answers %d, want %d: %s", why, path, a.status, status, a.body)
			}
		}
		if s := decode[struct{ Ready bool }](t, r.get("/api/v1/status")); s.Ready != ready {
			t.Errorf("%s: the status says ready: %v", why, s.Ready)
		}
		if text := string(r.get("/metrics").body); !strings.Contains(text, "\npulse_health_ready "+level+"\n") {
			t.Errorf("%s: the metrics do not say %s", why, level)
		}
	}
	want(false, "nothing is loaded")
	loaded.Store(true)
	want(false, "only the rule files are loaded")
	loaded.Store(false)
	if _, err := r.store.Replay(t.Context(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	want(false, "only what is stored is loaded")
	loaded.Store(true)
	want(true, "all is loaded")
}
