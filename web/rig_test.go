package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/ingest"
	"pulse/query"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/clock"
	"pulse/web"
)

// epoch is where the rig's clock begins: 2026-01-01T00:00:00Z, Unix ms.
const epoch = 1_767_225_600_000

// step is the rig's primary step in ms.
const step = 1000

// patience is how long a test waits for something that must come; none is met
// on the way to a pass.
const patience = 20 * time.Second

// poolCleaner is a goroutine of fasthttp that notices a shutdown only when it
// wakes up, every ten seconds.
var poolCleaner = goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")

// dateKeeper is one that it starts once for answers with a date.
var dateKeeper = goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1")

// packer is one of those that it starts once for answers that are packed.
var packer = goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker")

// pacer is a clock that moves when told to and says who sleeps on it.
type pacer struct {
	*clock.Manual
	asleep chan time.Duration // how long each sleeper that lay down wants to sleep
}

func (p *pacer) After(d time.Duration) <-chan time.Time {
	ch := p.Manual.After(d)
	select {
	case p.asleep <- d:
	default:
	}
	return ch
}

// rig is a whole server on a port of its own, under a clock of its own.
type rig struct {
	t        testing.TB
	clock    *pacer
	store    *store.Store
	pipeline *ingest.Pipeline
	detect   *detect.Engine
	db       *bbolt.DB
	web      *web.Server
	scheme   string // http
	addr     string
	client   *http.Client
	log      *lockedBuffer
	panics   bool // the test makes the server fail
}

// settings are what a test changes of the rig.
type settings struct {
	web    web.Options
	store  store.Options
	ingest ingest.Options
	query  query.Options
	listen func(net.Listener) net.Listener

	durable *store.Durable // opens a data folder, which the test has to replay
}

func newRig(t testing.TB, s settings) *rig {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before, poolCleaner, dateKeeper, packer) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{t: t, scheme: "http", clock: &pacer{clock.NewManual(time.UnixMilli(epoch)), make(chan time.Duration, 1000)}, log: &lockedBuffer{}}
	log := zerolog.New(r.log)
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	must(err)
	t.Cleanup(func() { db.Close() })
	r.db = db
	if s.store.Step == 0 {
		s.store.Step = step
	}
	if s.durable == nil {
		r.store, err = store.New(s.store)
	} else {
		s.durable.Clock = r.clock.Manual
		r.store, err = store.Open(s.store, *s.durable)
	}
	must(err)
	t.Cleanup(func() { r.store.Close() })
	r.pipeline = ingest.New(r.store, s.ingest)
	out, err := notify.New(notify.Options{
		DB: db, Clock: r.clock, Log: log, EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	must(err)
	hub := stream.NewHub(r.store)
	r.detect, err = detect.New(detect.Options{Store: r.store, Hub: hub, DB: db, Notify: out, Clock: r.clock, Log: log, BaseURL: "http://pulse.test", Receivers: out.Names})
	must(err)
	t.Cleanup(func() { r.detect.Close() })
	o := s.web
	if s.query.Limits.Time == 0 {
		s.query.Limits.Time = o.QueryTimeout
	}
	o.Store, o.Pipeline, o.Query, o.Hub, o.Detect, o.Notify = r.store, r.pipeline, query.New(r.store, s.query), hub, r.detect, out
	o.Clock, o.Log, o.ProfileTime = r.clock, log, time.Millisecond
	r.web, err = web.New(o)
	must(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	r.addr = ln.Addr().String()
	if s.listen != nil {
		ln = s.listen(ln)
	}
	served := make(chan error, 1)
	go func() { served <- r.web.Serve(ln) }()
	r.client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}}
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.web.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if text := r.log.String(); strings.Contains(text, "panic") && !r.panics {
			t.Errorf("the server's log has a panic:\n%s", text)
		}
	})
	return r
}

func (r *rig) now() int64 { return r.clock.Now().UnixMilli() }

// move lets d pass: the store ages and rules are judged.
func (r *rig) move(d time.Duration) {
	r.clock.Advance(d)
	r.store.Advance(r.now())
	r.detect.Advance(r.now())
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call sends one request; header is "Name: value" lines. The body is sent with
// its length, or in chunks when it is an io.Reader.
func (r *rig) call(method, target string, body any, header ...string) answer {
	r.t.Helper()
	a, err := r.try(method, target, body, header...)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, target, err)
	}
	return a
}

func (r *rig) try(method, target string, body any, header ...string) (answer, error) {
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	case []byte:
		in = bytes.NewReader(b)
	case io.Reader:
		in = b
	}
	req, err := http.NewRequest(method, r.scheme+"://"+r.addr+target, in)
	if err != nil {
		return answer{}, err
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

// get calls GET and fails unless the answer is 200.
func (r *rig) get(target string) answer {
	r.t.Helper()
	a := r.call("GET", target, nil)
	if a.status != 200 {
		r.t.Fatalf("GET %s: %s", target, a)
	}
	return a
}

func (a answer) String() string {
	b := a.body
	if len(b) > 300 {
		b = append(b[:300:300], "..."...)
	}
	return fmt.Sprintf("%d %s %q", a.status, a.header.Get("Content-Type"), b)
}

// decode reads a JSON body.
func decode[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
	return v
}

// wantError fails unless a is the error object with this status and a message
// that contains text.
func wantError(t testing.TB, what string, a answer, status int, text string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: got %s, want status %d", what, a, status)
		return
	}
	if fault := errorFault(a); fault != "" {
		t.Errorf("%s: %s: %s", what, fault, a)
		return
	}
	if !strings.Contains(string(a.body), text) {
		t.Errorf("%s: got %s, want a message with %q", what, a, text)
	}
}

// errorFault says in what a deviates from the error form of every route: JSON
// {"type":"error","message":...}, and Retry-After with 429 and 503.
func errorFault(a answer) string {
	if a.header.Get("Content-Type") != "application/json" {
		return "an error that is not JSON"
	}
	var e struct {
		Type    string          `json:"type"`
		Message json.RawMessage `json:"message"`
	}
	if err := json.Unmarshal(a.body, &e); err != nil {
		return err.Error()
	}
	if e.Type != "error" || len(e.Message) <= len(`""`) {
		return "not the error object"
	}
	if (a.status == 429 || a.status == 503) && a.header.Get("Retry-After") == "" {
		return "no Retry-After"
	}
	return ""
}

// point is the JSON of one metric.
func point(t int64, v float64, dstype, name string, more ...string) string {
	kv := append([]string{"name", name, "atlas.dstype", dstype}, more...)
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	tags, _ := json.Marshal(m)
	return fmt.Sprintf(`{"tags":%s,"timestamp":%d,"value":%v}`, tags, t, v)
}

func metrics(points ...string) string { return `{"metrics":[` + strings.Join(points, ",") + `]}` }

// publish sends points that must all be taken.
func (r *rig) publish(points ...string) {
	r.t.Helper()
	if a := r.call("POST", "/api/v1/publish", metrics(points...)); a.status != 200 || len(a.body) != 0 {
		r.t.Fatalf("publish: %s", a)
	}
}

// graphAnswer is the format json of the graph API.
type graphAnswer struct {
	Start   int64               `json:"start"`
	Step    int64               `json:"step"`
	Legend  []string            `json:"legend"`
	Metrics []map[string]string `json:"metrics"`
	Values  [][]any             `json:"values"`
	Notices []string            `json:"notices"`
}

// column returns the values of one expression that gives one line, in (start, end].
func (r *rig) column(expr string, start, end int64) []any {
	r.t.Helper()
	a := r.get(fmt.Sprintf("/api/v1/graph?q=%s&s=%d&e=%d&step=1s&format=json", expr, start, end))
	g := decode[graphAnswer](r.t, a)
	var out []any
	for _, row := range g.Values {
		if len(row) != 1 {
			r.t.Fatalf("%s: %d lines, want 1", expr, len(row))
		}
		out = append(out, row[0])
	}
	return out
}
