package notify_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/tls"

	"pulse/store/clock"
)

// fault is a way in which a receiver misbehaves.
type fault struct {
	what  string
	early func(f *foe, c net.Conn) // instead of reading anything
	late  func(f *foe, c net.Conn) // instead of an answer; nil: the connection ends
	dns   func(f *foe) ([]netip.Addr, error)
	tls   *tls.Config // instead of its own
	stage string      // of a mail server: the verb at which late happens, "" the greeting

	comes  string // the outcome of every attempt, OutcomeDead the last of them
	status int    // of every attempt
	says   string // in every attempt
	floor  time.Duration
	most   time.Duration // of the first pause; 0 is any
}

// saying is what a receiver was told in one request.
type saying struct {
	ident    string // of the incident
	resolved bool
	key      string // all that must be the same whenever this is told
	taken    bool   // and was answered well
}

// foe is a receiver on a real socket that does as its fault says.
type foe struct {
	t       *testing.T
	kind    string // name of a kind, or v4
	ln      net.Listener
	clock   *clock.Manual
	changed func()
	tls     *tls.Config // nil speaks no TLS

	mu       sync.Mutex
	fault    *fault
	got      []saying
	begun    int // conversations that wait for the time-out of the other side
	ended    int // and that did
	followed int // requests that only a redirect leads to
	dialled  int
	most     int // bytes that the other side took on one connection
	conns    map[net.Conn]bool
	talks    sync.WaitGroup
	hangs    sync.WaitGroup
}

func newFoe(t *testing.T, kind string, c *clock.Manual, changed func()) *foe {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &foe{t: t, kind: kind, ln: ln, clock: c, changed: changed, conns: map[net.Conn]bool{}}
	f.talks.Go(f.accept)
	return f
}

func (f *foe) port() int { return f.ln.Addr().(*net.TCPAddr).Port }

func (f *foe) accept() {
	for {
		c, err := f.ln.Accept()
		if err != nil {
			return
		}
		c.(*net.TCPConn).SetWriteBuffer(4 << 10)
		f.mu.Lock()
		f.conns[c] = true
		f.dialled++
		f.mu.Unlock()
		f.talks.Go(func() {
			defer c.Close()
			if f.kind == "email" {
				f.mail(c)
			} else {
				f.http(c)
			}
		})
	}
}

// stop wants that nobody keeps a connection on which nothing is said.
func (f *foe) stop() {
	f.ln.Close()
	over := make(chan struct{})
	go func() { f.hangs.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		f.t.Error("a connection is kept after its attempt")
	}
	f.mu.Lock()
	for c := range f.conns {
		c.Close()
	}
	f.mu.Unlock()
	f.talks.Wait()
}

// does sets the fault, nil for none.
func (f *foe) does(x *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = x
}

func (f *foe) now() *fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

// hang says nothing until the other side ends the connection.
func (f *foe) hang(c net.Conn) {
	f.hangs.Add(1)
	defer f.hangs.Done()
	f.waits(1, 0)
	io.Copy(io.Discard, c)
	f.waits(0, 1)
}

// waits counts those that wait for a time-out, and those that have met theirs.
func (f *foe) waits(begun, ended int) {
	f.mu.Lock()
	f.begun += begun
	f.ended += ended
	f.mu.Unlock()
	f.changed()
}

// waiting is how many wait for a time-out, and how many have begun to at all.
func (f *foe) waiting() (now, ever int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.begun - f.ended, f.begun
}

// pour writes text again and again, until the other side has enough of it.
func (f *foe) pour(c net.Conn, text string) {
	block := []byte(text)
	sum := 0
	for sum < 64<<20 {
		n, err := c.Write(block)
		if sum += n; err != nil {
			break
		}
	}
	f.mu.Lock()
	f.most = max(f.most, sum)
	f.mu.Unlock()
}

func (f *foe) hear(list ...saying) {
	f.mu.Lock()
	f.got = append(f.got, list...)
	f.mu.Unlock()
	f.changed()
}

func (f *foe) heard() []saying {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]saying(nil), f.got...)
}

// http answers requests on a connection.
func (f *foe) http(raw net.Conn) {
	c, x := raw, f.now()
	if x != nil && x.early != nil {
		x.early(f, c)
		return
	}
	if f.tls != nil {
		config := f.tls
		if x != nil && x.tls != nil {
			config = x.tls
		}
		over := tls.Server(raw, config)
		if over.Handshake() != nil {
			return
		}
		c = over
	}
	in := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if strings.HasPrefix(req.URL.Path, "/followed") || req.Method != http.MethodPost {
			f.mu.Lock()
			f.followed++
			f.mu.Unlock()
		}
		x := f.now()
		list := f.read(req, body)
		for i := range list {
			list[i].taken = x == nil
		}
		f.hear(list...)
		if x != nil {
			if x.late != nil {
				x.late(f, c)
			}
			return
		}
		io.WriteString(c, map[string]string{"slack": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "pagerduty": "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}",
			"opsgenie": "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"}[f.kind]+map[bool]string{true: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}[f.kind != "slack" && f.kind != "pagerduty" && f.kind != "opsgenie"])
	}
}

var ruleName = regexp.MustCompile(`rule-[a-z0-9]+`)

// read says what a request tells.
func (f *foe) read(req *http.Request, body []byte) []saying {
	fail := func(err error) {
		if err != nil {
			f.t.Errorf("%s: %v in %s", f.kind, err, body)
		}
	}
	id := req.Header.Get("Webhook-Id")
	switch f.kind {
	case "webhook":
		var n struct{ ID, Type, Incident string }
		fail(json.Unmarshal(body, &n))
		if id == "" || id != n.ID || id != req.Header.Get("Idempotency-Key") || len(strings.Fields(req.Header.Get("Webhook-Signature"))) != 2 {
			f.t.Errorf("keys %v of %s", req.Header, body)
		}
		return []saying{{ident: n.Incident, resolved: n.Type == "alert.resolved", key: id + string(body)}}
	case "v4":
		var h struct {
			GroupKey, Status string
			Alerts           []struct{ Labels map[string]string }
		}
		fail(json.Unmarshal(body, &h))
		if id == "" || len(h.Alerts) != 1 {
			f.t.Errorf("id %q with %s", id, body)
			return nil
		}
		return []saying{{ident: strings.TrimPrefix(h.Alerts[0].Labels["alertname"], "rule-"), resolved: h.Status == "resolved", key: id + string(body)}}
	case "alertmanager":
		var list []struct {
			Labels           map[string]string
			StartsAt, EndsAt time.Time
		}
		fail(json.Unmarshal(body, &list))
		var out []saying
		for _, a := range list {
			out = append(out, saying{ident: strings.TrimPrefix(a.Labels["alertname"], "rule-"), resolved: a.EndsAt.Year() < 1980, key: fmt.Sprint(a.Labels, a.StartsAt)})
		}
		return out
	case "pagerduty":
		var e struct {
			Action string `json:"event_action"`
			Dedup  string `json:"dedup_key"`
		}
		fail(json.Unmarshal(body, &e))
		return []saying{{ident: e.Dedup, resolved: e.Action == "resolve", key: string(body)}}
	case "opsgenie":
		var a struct{ Alias string }
		fail(json.Unmarshal(body, &a))
		if at, ok := strings.CutPrefix(req.URL.Path, "/v2/alerts/"); ok {
			return []saying{{ident: strings.TrimSuffix(at, "/close"), resolved: true, key: at}}
		}
		return []saying{{ident: a.Alias, key: string(body)}}
	}
	return []saying{{ident: strings.TrimPrefix(ruleName.FindString(string(body)), "rule-"), resolved: strings.Contains(string(body), "RESOLVED"), key: string(body)}}
}
