package simulation_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// fate is what the network and a receiver make of a request.
type fate struct {
	what  string
	after time.Duration
	taken bool // the receiver has it
	// status of the answer; 0: the connection breaks, -1: nothing comes any more.
	status int
	header http.Header
}

// request is one on its way.
type request struct {
	to     *receiver
	id     string // of the message
	body   []byte
	header http.Header
	began  time.Duration
	fate   fate
	reply  chan fate
	done   <-chan struct{} // nobody waits for the answer any more
}

// network carries requests. What becomes of each is drawn from the seed, the receiver,
// the message and how often it was sent, so that it does not depend on the order in
// which goroutines get there.
type network struct {
	w       *world
	mu      sync.Mutex
	parked  []*request // by when something happens, then by receiver and message
	sent    map[string]int
	healthy bool
}

// draw returns a number from 0 to n-1 that depends on nothing but the seed and the texts.
func (n *network) draw(most uint64, texts ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, n.w.seed)
	for _, x := range texts {
		fmt.Fprintf(h, "/%v", x)
	}
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x % most
}

// line is the way of one process to its network; it ends with the process.
type line struct {
	n    *network
	dead chan struct{}
}

var errReset = errors.New("connection reset")

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.dead:
		return nil, errReset
	default:
	}
	r := l.n.park(req, body)
	select {
	case f := <-r.reply:
		if f.status == 0 {
			return nil, errReset
		}
		header := f.header
		if header == nil {
			header = http.Header{}
		}
		return &http.Response{StatusCode: f.status, Header: header, Body: io.NopCloser(strings.NewReader("ok"))}, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case <-l.dead:
		return nil, errReset
	}
}

// park notes a request and decides what becomes of it.
func (n *network) park(req *http.Request, body []byte) *request {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, _, _ := strings.Cut(req.URL.Host, ".")
	to := n.w.receivers[name]
	r := &request{to: to, id: req.Header.Get("Webhook-Id"), body: body, header: req.Header, began: n.w.clock.since(), reply: make(chan fate, 1), done: req.Context().Done()}
	if r.id == "" {
		r.id = fmt.Sprintf("%x", n.draw(1<<40, string(body)))
	}
	key := name + " " + r.id
	n.sent[key]++
	n.w.book.sent(r)
	r.fate = n.decide(r, n.sent[key])
	at, _ := slices.BinarySearchFunc(n.parked, r, earlier)
	n.parked = slices.Insert(n.parked, at, r)
	return r
}

func earlier(a, b *request) int {
	if d := a.began + a.fate.after - b.began - b.fate.after; d != 0 {
		return int(d)
	}
	return strings.Compare(a.to.name+" "+a.id, b.to.name+" "+b.id)
}

// decide draws what becomes of the n-th request of a message.
func (n *network) decide(r *request, nth int) fate {
	draw := func(most uint64, what string) uint64 { return n.draw(most, r.to.name, r.id, nth, what) }
	quick := time.Duration(1+draw(80, "latency")) * time.Millisecond
	ok := fate{what: "accepted", after: quick, taken: true, status: 200}
	if n.healthy {
		return ok
	}
	what := r.to.ill(r.began)
	if what == "" && draw(4, "ill") == 0 {
		what = ills[draw(uint64(len(ills)), "which")]
	}
	switch what {
	case "5xx":
		return fate{what: what, after: quick, status: 500 + int(draw(5, "code"))}
	case "429":
		wait := draw(40, "wait")
		text := fmt.Sprint(wait)
		if draw(2, "form") == 0 {
			text = n.w.clock.Now().Add(time.Duration(wait) * time.Second).UTC().Format(http.TimeFormat)
		}
		return fate{what: what, after: quick, status: 429, header: http.Header{"Retry-After": {text}}}
	case "hang":
		return fate{what: what, after: time.Minute, status: -1}
	case "taken and hangs":
		return fate{what: what, after: quick, taken: true, status: -1}
	case "refused":
		return fate{what: what}
	case "reset before":
		return fate{what: what, after: quick}
	case "reset after":
		return fate{what: what, after: quick, taken: true}
	case "slow":
		ok.what, ok.after = what, time.Duration(1000+draw(8500, "slow"))*time.Millisecond
	case "410":
		return fate{what: what, after: quick, status: 410}
	case "400":
		return fate{what: what, after: quick, status: 400}
	case "redirect":
		return fate{what: what, after: quick, status: 302, header: http.Header{"Location": {"http://169.254.169.254/"}}}
	}
	return ok
}

// ills are what may be wrong with one request, and rareIlls with a receiver for a while.
var (
	ills     = []string{"5xx", "429", "hang", "taken and hangs", "refused", "reset before", "reset after", "reset after", "slow", "redirect"}
	rareIlls = []string{"5xx", "429", "hang", "refused", "reset after", "slow", "410", "400"}
)

// next is when something happens to a request.
func (n *network) next() (at time.Duration, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.parked) == 0 {
		return 0, false
	}
	return n.parked[0].began + n.parked[0].fate.after, true
}

// pop takes out the request to which something happens next.
func (n *network) pop() *request {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.parked[0]
	n.parked = slices.Delete(n.parked, 0, 1)
	return r
}

// waits reports whether somebody waits for the answer.
func (r *request) waits() bool {
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// cut ends the connections of a process that was killed. What had left it may still
// arrive.
func (n *network) cut() (arrive []*request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.parked {
		if r.fate.taken && n.draw(2, r.to.name, r.id, r.began, "cut") == 0 {
			arrive = append(arrive, r)
		}
	}
	n.parked = nil
	return arrive
}

// sameBody compares what is sent under one key.
func sameBody(a, b []byte) bool { return bytes.Equal(a, b) }
