package notify_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// bubbleClock is the clock of a synctest bubble.
type bubbleClock struct{}

func (bubbleClock) Now() time.Time                         { return time.Now() }
func (bubbleClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// call is one request as a receiver saw it.
type call struct {
	at     time.Time
	host   string
	url    string
	header http.Header
	body   []byte
	kind   string // of the notification
	id     string
}

// rig is a Service on a database file, with receivers played by answer.
type rig struct {
	t      *testing.T
	path   string
	o      notify.Options
	db     *bbolt.DB
	svc    *notify.Service
	cancel context.CancelFunc
	done   chan error
	killed chan struct{} // closed when the running service is cut off

	mu     sync.Mutex
	calls  []call
	log    bytes.Buffer
	words  string                                 // of every answer
	answer func(c call, n int) (int, http.Header) // n-th call from 1; status 0: network error, -1: hang
}

// bubble runs f with a started rig inside a synctest bubble.
func bubble(t *testing.T, o notify.Options, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, path: filepath.Join(t.TempDir(), "state.db"), o: o}
		r.answer = func(call, int) (int, http.Header) { return 200, nil }
		r.start()
		defer r.stop()
		f(r)
	})
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *rig) start() {
	r.t.Helper()
	db, err := bbolt.Open(r.path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true})
	if err != nil {
		r.t.Fatal(err)
	}
	r.db, r.killed = db, make(chan struct{})
	o := r.o
	o.DB, o.Transport, o.Log = db, transport{r, r.killed}, zerolog.New(r)
	if o.Clock == nil {
		o.Clock = bubbleClock{}
	}
	if o.Resolver == nil {
		o.Resolver = names{}
	}
	if o.Rand == nil {
		o.Rand = func() float64 { return 0.5 }
	}
	if r.svc, err = notify.New(o); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan error, 1)
	go func() { r.done <- r.svc.Run(ctx) }()
	synctest.Wait()
}

// stop ends the service as SIGTERM does.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
	r.db.Close()
}

// kill ends the service as kill -9 does: nothing more is sent or stored.
func (r *rig) kill() {
	r.db.Close()
	close(r.killed)
	r.cancel()
	<-r.done
}

// transport hands requests to the rig until it is killed.
type transport struct {
	r      *rig
	killed chan struct{}
}

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var head struct{ Type, ID string }
	json.Unmarshal(body, &head)
	c := call{time.Now(), req.URL.Host, req.URL.String(), req.Header, body, head.Type, head.ID}
	select {
	case <-t.killed:
		return nil, errors.New("killed")
	default:
	}
	t.r.mu.Lock()
	t.r.calls = append(t.r.calls, c)
	status, header := t.r.answer(c, len(t.r.calls))
	t.r.mu.Unlock()
	switch status {
	case 0:
		return nil, errors.New("connection refused")
	case -1:
		select {
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		case <-t.killed:
			return nil, errors.New("killed")
		}
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(cmp.Or(t.r.words, "the receiver's own words")))}, nil
}

func (r *rig) put(name string) {
	r.t.Helper()
	if err := r.svc.PutReceiver(notify.Receiver{Name: name, URL: secret.NewURL("https://" + name + ".example.com/hook")}); err != nil {
		r.t.Fatal(err)
	}
}

// enqueue stores notifications in one transaction.
func (r *rig) enqueue(list ...notify.Notification) {
	r.t.Helper()
	err := r.db.Update(func(tx *bbolt.Tx) error { return errors.Join(r.svc.EnqueueAll(tx, list)...) })
	if err != nil {
		r.t.Fatal(err)
	}
}

// after lets d pass and everything due in it happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// seen returns the calls so far as "type id", and forgets nothing.
func (r *rig) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, c := range r.calls {
		out = append(out, strings.TrimPrefix(c.kind, "alert.")+" "+c.id)
	}
	return out
}

func (r *rig) made() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]call(nil), r.calls...)
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *rig) answers(f func(c call, n int) (int, http.Header)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *rig) answersStatus(status int) {
	r.answers(func(call, int) (int, http.Header) { return status, nil })
}

func firing(incident string) notify.Notification {
	return notify.Notification{ID: incident + "-firing", Incident: incident, Type: notify.TypeFiring, Status: "firing", Rule: "rule-" + incident,
		Value: 1, Expected: math.NaN(), Lower: math.NaN(), Upper: math.NaN(), Score: 1, StartsAt: 1000, EvaluatedAt: 1000, Completeness: 1}
}

func resolved(incident string) notify.Notification {
	n := firing(incident)
	n.ID, n.Type, n.Status, n.EndsAt = incident+"-resolved", notify.TypeResolved, "resolved", 2000
	return n
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if !bytes.Equal(g, w) {
		t.Errorf("%s\n got %s\nwant %s", what, g, w)
	}
}
