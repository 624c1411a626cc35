package web_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse/ingest"
	"pulse/store"
	"pulse/web"
)

var (
	metaLine   = regexp.MustCompile(`^# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)$`)
	sampleLine = regexp.MustCompile(`^([a-z_:][a-z0-9_:]*)(?:\{([a-z_][a-z0-9_]*)="([^"\\]*)"\})? (\S+)$`)
)

// scrape reads /metrics as a Prometheus server does and fails on what it would
// refuse. Keys are `name{key="value"}`.
func (r *rig) scrape() map[string]float64 {
	r.t.Helper()
	a := r.get("/metrics")
	if kind := a.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		r.t.Errorf("type %q", kind)
	}
	if !strings.HasSuffix(string(a.body), "\n") {
		r.t.Error("the last line does not end")
	}
	out, kinds, helped, family := map[string]float64{}, map[string]string{}, map[string]bool{}, ""
	for line := range strings.Lines(string(a.body)) {
		line = strings.TrimSuffix(line, "\n")
		if m := metaLine.FindStringSubmatch(line); m != nil {
			switch {
			case m[1] == "HELP" && !helped[m[2]]:
				helped[m[2]] = true
			case m[1] == "TYPE" && kinds[m[2]] == "" && (m[3] == "counter" || m[3] == "gauge"):
				kinds[m[2]] = m[3]
				family = m[2]
			default:
				r.t.Errorf("line %q", line)
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || m[1] != family || !helped[m[1]] {
			r.t.Errorf("line %q in the family %s", line, family)
			continue
		}
		if strings.HasSuffix(m[1], "_total") != (kinds[m[1]] == "counter") {
			r.t.Errorf("%s is a %s", m[1], kinds[m[1]])
		}
		v, err := strconv.ParseFloat(m[4], 64)
		key := strings.TrimSuffix(line, " "+m[4])
		if _, twice := out[key]; twice || err != nil {
			r.t.Errorf("line %q: %v", line, err)
		}
		out[key] = v
	}
	return out
}

func TestMetrics(t *testing.T) {
	r := newRig(t, settings{})
	before := r.scrape()
	r.publish(point(epoch, 1, "gauge", "known"), point(epoch, 2, "gauge", "known"), point(epoch, 1, "gauge", "known"))
	r.call("POST", "/api/v1/publish", metrics(point(epoch, 1, "gauge", "a b")))
	r.call("POST", "/api/v1/publish", "{")
	r.raw("nonsense\r\n\r\n")
	r.get("/api/v1/graph?q=name,known,:eq&format=json")
	after := r.scrape()
	for key, grown := range map[string]float64{
		`pulse_ingest_points_total{outcome="stored"}`:                                2,
		`pulse_ingest_points_total{outcome="superseded"}`:                            1,
		`pulse_ingest_requests_total`:                                                3,
		`pulse_ingest_unreadable_total`:                                              1,
		`pulse_ingest_rejected_total{reason="` + ingest.InvalidValue.String() + `"}`: 1,
		`pulse_store_series`:                                                         1,
		`pulse_query_count_total`:                                                    1,
		`pulse_http_panics_total`:                                                    0,
	} {
		was, ok := before[key]
		if !ok || after[key]-was != grown {
			t.Errorf("%s: %v before, %v after, want %v more", key, was, after[key], grown)
		}
	}
	if n := after[`pulse_http_requests_total{status="4xx"}`] - before[`pulse_http_requests_total{status="4xx"}`]; n < 2 {
		t.Errorf("4xx grew by %v", n)
	}
}

// TestOwnMetrics: a server without any sender has series to graph.
func TestOwnMetrics(t *testing.T) {
	r := newRig(t, settings{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.web.RunOwnMetrics(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for range 5 {
		select {
		case d := <-r.clock.asleep:
			r.clock.Advance(d)
		case <-time.After(patience):
			t.Fatal("no own metrics come")
		}
		r.get("/ok")
	}
	<-r.clock.asleep // the fifth time is done
	names := decode[[]string](t, r.get("/api/v1/tags/name?q=nf.app,pulse,:eq"))
	if len(names) < 20 {
		t.Errorf("names: %v", names)
	}
	level := r.column("name,pulse.process.goroutines,:eq,:max", epoch+step, epoch+4*step)
	for _, v := range level {
		if n, ok := v.(float64); !ok || n < 2 {
			t.Errorf("goroutines: %v", level)
			break
		}
	}
	rate := r.column("name,pulse.http.requests,:eq,status,2xx,:eq,:and,:sum", epoch+2*step, epoch+4*step)
	for _, v := range rate {
		if n, ok := v.(float64); !ok || n < 0 {
			t.Errorf("requests per second: %v", rate)
			break
		}
	}
}

// TestStatus: every limit is shown with what is used of it.
func TestStatus(t *testing.T) {
	r := newRig(t, settings{
		web:    web.Options{MaxConns: 77, Queries: 3, QueryQueue: 5, Streams: 9, MaxBody: 1 << 20, Version: "v-test"},
		store:  store.Options{MaxSeries: 1234},
		ingest: ingest.Options{Limits: ingest.Limits{Points: 4321}},
	})
	r.publish(point(epoch, 1, "gauge", "known"), point(epoch, 1, "gauge", "other"))
	r.follow("q=name,known,:eq")
	a := r.get("/api/v1/status")
	s := decode[struct {
		Version     string
		StepMs      int64
		RetentionMs int64
		MaxPastMs   int64
		MaxFutureMs int64
		Durability  string
		Series      int64
		Now         time.Time
		Limits      map[string]struct{ Limit, Used int64 }
	}](t, a)
	if s.Version != "v-test" || s.StepMs != step || s.MaxPastMs != 60_000 || s.MaxFutureMs != step || s.Durability != "none" || s.Series != 2 || s.Now.UnixMilli() != epoch || s.RetentionMs != 48*3_600_000 {
		t.Errorf("status: %s", a.body)
	}
	for name, want := range map[string][2]int64{
		"series": {1234, 2}, "sources": {0, 1}, "connections": {77, 2}, "queries": {3, 0}, "queriesWaiting": {5, 0}, "eventStreams": {9, 1},
		"bodyBytes": {1 << 20, 0}, "bodiesBytes": {256 << 20, 0}, "expandedBytes": {32 << 20, 0}, "pointsPerBody": {4321, 0}, "valuesPerKey": {200_000, 0},
		"keys": {10_000, 2}, "pairs": {0, 2},
	} {
		got, ok := s.Limits[name]
		if !ok || want[0] != 0 && got.Limit != want[0] || got.Limit <= 0 || got.Used < want[1] {
			t.Errorf("limit %s: %+v, want %d with %d used", name, got, want[0], want[1])
		}
	}
	for path, want := range map[string]string{"/ok": "ok\n", "/healthcheck": "", "/ready": ""} {
		a := r.get(path)
		if want != "" && string(a.body) != want {
			t.Errorf("%s: %s", path, a)
		}
		if want == "" {
			for part, ok := range decode[map[string]bool](t, a) {
				if !ok {
					t.Errorf("%s: %s is not ready", path, part)
				}
			}
		}
	}
}

// TestSources: each sender has its own account, which balances.
func TestSources(t *testing.T) {
	r := newRig(t, settings{})
	send := func(source, app string, points ...string) {
		body := fmt.Sprintf(`{"tags":{"nf.app":"%s"},"metrics":[%s]}`, app, strings.Join(points, ","))
		r.call("POST", "/api/v1/publish", body, "X-Pulse-Source: "+source)
	}
	send("a", "www", point(epoch, 1, "gauge", "known"), point(epoch, 1, "gauge", "known"))
	send("b", "www", point(epoch, 1, "gauge", "known"), point(epoch, 1, "gauge", "a b"), point(epoch-3_600_000, 1, "gauge", "known"))
	send("b", "api", point(epoch, 1, "gauge", "known"))
	send("<b> app=www", "api", point(epoch, 1, "gauge", "known"))
	list := decode[[]struct {
		Source                             string
		Requests                           int64
		Accepted, Stored, Superseded, Late int64
		Rejected                           map[string]struct {
			Points int64
			Fix    string
		}
		Sample   string
		LastSeen time.Time
	}](t, r.get("/api/v1/sources"))
	want := map[string][2]int64{ // accepted, rejected
		"127.0.0.1 app=www source=a": {2, 0}, "127.0.0.1 app=www source=b": {1, 2}, "127.0.0.1 app=api source=b": {1, 0},
		"127.0.0.1 app=api source=<b>%20app%3Dwww": {1, 0},
	}
	for _, x := range list {
		var rejected int64
		for reason, n := range x.Rejected {
			rejected += n.Points
			if n.Fix == "" {
				t.Errorf("source %s: no fix for %s", x.Source, reason)
			}
		}
		w, ok := want[x.Source]
		delete(want, x.Source)
		if !ok || x.Accepted != w[0] || rejected != w[1] || x.Accepted != x.Stored+x.Superseded+x.Late || x.Requests != 1 || x.LastSeen.UnixMilli() != epoch || (x.Sample == "") != (w[1] == 0) {
			t.Errorf("source %+v, want %v", x, w)
		}
	}
	if len(want) != 0 {
		t.Errorf("missing sources: %v", want)
	}
}
