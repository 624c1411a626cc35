package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/detect"
	"pulse/store/clock"
)

// realStreams are public streams with labelled incidents.
var realStreams = []string{
	"realKnownCause/ec2_request_latency_system_failure.csv",
	"realKnownCause/nyc_taxi.csv",
	"realTweets/Twitter_volume_AAPL.csv",
}

// Expectations over the three streams together.
const (
	wantCaught       = 7   // of 12 labelled windows
	maxFalsePer1000  = 1.0 // pages outside windows per 1,000 rows after the warm-up
	streamOrigin     = 1_700_000_000_000
	streamStep       = 100 // ms
	streamRuleFile   = "testdata/streams.yaml"
	streamRuleID     = "stream"
	streamWarmUp     = 0.15
	streamWarmUpMost = 750
)

// TestRealStreams replays labelled streams through a whole server, HTTP on both
// sides, under a clock that moves a step per row: each row is published, the step
// closes, and a receiver collects the pages. The folder is named by PULSE_NAB.
func TestRealStreams(t *testing.T) {
	root := os.Getenv("PULSE_NAB")
	if root == "" {
		t.Skip("PULSE_NAB does not name a folder of labelled streams")
	}
	windows := map[string][][2]string{}
	b, err := os.ReadFile(filepath.Join(root, "labels", "combined_windows.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &windows); err != nil {
		t.Fatal(err)
	}
	caught, labelled, outside, judged := 0, 0, 0, 0
	for _, name := range realStreams {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file := filepath.Join(root, "data", name)
			times, values := readStream(t, file)
			pages := replayStream(t, file, values, true)
			warm := min(int(streamWarmUp*float64(len(values))), streamWarmUpMost)
			in := make([]bool, len(windows[name]))
			missed := 0
			for _, row := range pages {
				hit := false
				for i, w := range windows[name] {
					if at := times[row]; at >= w[0][:19] && at <= w[1][:19] {
						in[i], hit = true, true
					}
				}
				if !hit && row >= warm {
					missed++
				}
			}
			n := 0
			for _, ok := range in {
				if ok {
					n++
				}
			}
			t.Logf("%d rows, %d pages, %d of %d windows caught, %d pages outside", len(values), len(pages), n, len(in), missed)
			caught, labelled, outside, judged = caught+n, labelled+len(in), outside+missed, judged+len(values)-warm
			if silent := replayStream(t, file, values[:min(1000, len(values))], false); len(silent) != 0 {
				t.Errorf("%d pages although the rule was deleted", len(silent))
			}
		})
	}
	rate := 1000 * float64(outside) / float64(judged)
	t.Logf("all: %d of %d windows caught, %.2f pages outside per 1,000 rows", caught, labelled, rate)
	if caught < wantCaught || rate > maxFalsePer1000 {
		t.Errorf("want at least %d windows and at most %.1f pages outside per 1,000 rows", wantCaught, maxFalsePer1000)
	}
}

// readStream returns timestamps and values of a file.
func readStream(t *testing.T, file string) (times []string, values []float64) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		times = append(times, row[0])
	}
	if values, err = readValues(file); err != nil {
		t.Fatal(err)
	}
	return times, values
}

// replayStream runs a server of its own over the values and returns the rows at
// which pages began, as the receiver was told. With the rule deleted before the
// first row none may come. The band must be what `pulse score` says.
func replayStream(t *testing.T, file string, values []float64, withRule bool) []int {
	t.Helper()
	pages := &pageLog{}
	hook := httptest.NewServer(pages)
	defer hook.Close()
	clk := clock.NewManual(time.UnixMilli(streamOrigin - streamStep))
	base, s := startVirtual(t, clk, streamStep*time.Millisecond)
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	api, err := newClient(base)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	must(t, api.send(ctx, http.MethodPut, "/api/v1/receivers/hook", []byte(fmt.Sprintf(`{"kind":"webhook","url":%q}`, hook.URL))))
	putStreamRule(t, api)
	if !withRule {
		must(t, api.send(ctx, http.MethodDelete, "/api/v1/rules/"+streamRuleID, nil))
	}
	for i, v := range values {
		at := int64(streamOrigin + i*streamStep)
		clk.Set(time.UnixMilli(at))
		body := fmt.Sprintf(`{"metrics":[{"tags":{"name":"stream","atlas.dstype":"gauge"},"timestamp":%d,"value":%v}]}`, at, v)
		must(t, api.send(ctx, http.MethodPost, "/api/v1/publish", []byte(body)))
		s.detect.Advance(at)
		settle(t, s)
	}
	end := int64(streamOrigin + len(values)*streamStep)
	if withRule {
		checkBand(t, api, file, end, len(values))
	}
	return pages.rows()
}

// startVirtual starts a server whose time is the manual clock's.
func startVirtual(t *testing.T, clk clock.Clock, step time.Duration) (string, *server) {
	t.Helper()
	serve, err := defaultServe()
	if err != nil {
		t.Fatal(err)
	}
	serve.Step, serve.Data, serve.EgressAllow = span(step), t.TempDir(), []string{"127.0.0.1/32"}
	must(t, serve.complete())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := serve.start(context.Background(), ln, clk, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + ln.Addr().String(), s
}

// putStreamRule puts the one rule of the committed file.
func putStreamRule(t *testing.T, api *client) {
	t.Helper()
	text, err := os.ReadFile(streamRuleFile)
	if err != nil {
		t.Fatal(err)
	}
	file, err := detect.ParseRulesYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(file.Rules[0])
	if err != nil {
		t.Fatal(err)
	}
	must(t, api.send(context.Background(), http.MethodPut, "/api/v1/rules/"+streamRuleID, body))
}

// checkBand compares the band of the live rule with the offline judgement of the
// same file, byte for byte.
func checkBand(t *testing.T, api *client, file string, end int64, rows int) {
	t.Helper()
	path := fmt.Sprintf("/api/v1/rules/%s/band?format=csv&s=%d&e=%d", streamRuleID, streamOrigin-streamStep, end-streamStep)
	live, err := api.get(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	var offline, errs bytes.Buffer
	args := []string{"score", file, "--step", "100ms", "--origin", fmt.Sprint(int64(streamOrigin))}
	if code := run(context.Background(), args, strings.NewReader(""), &offline, &errs); code != 0 {
		t.Fatalf("score: exit code %d: %s", code, errs.String())
	}
	if bytes.Equal(live, offline.Bytes()) {
		return
	}
	a, b := strings.Split(string(live), "\n"), strings.Split(offline.String(), "\n")
	t.Errorf("band has %d lines, score %d, %d rows were pushed", len(a), len(b), rows)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d differs\nband:  %s\nscore: %s", i+1, a[i], b[i])
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pageLog is a receiver that keeps when each page began.
type pageLog struct {
	mu     sync.Mutex
	starts []int64
	kinds  []string
}

// ServeHTTP takes a notification.
func (p *pageLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n struct {
		Type     string    `json:"type"`
		StartsAt time.Time `json:"startsAt"`
	}
	b, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(b, &n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kinds = append(p.kinds, n.Type)
	if n.Type == "alert.firing" {
		p.starts = append(p.starts, n.StartsAt.UnixMilli())
	}
}

// settle waits until every notification has been delivered, since virtual time
// would otherwise outrun the receiver, and what ended unseen is never sent.
func settle(t *testing.T, s *server) {
	t.Helper()
	for range 5000 {
		st := s.notify.Stats()
		if st.Accepted+st.Superseded+st.NeverSent+st.Folded+st.DeadLetters >= st.Enqueued {
			return
		}
		time.Sleep(time.Millisecond) // deliveries are real HTTP
	}
	t.Fatalf("not everything was delivered: %+v", s.notify.Stats())
}

// rows returns the rows at which pages began.
func (p *pageLog) rows() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []int
	for _, at := range p.starts {
		out = append(out, int((at-streamOrigin)/streamStep))
	}
	return out
}
