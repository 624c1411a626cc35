package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// maxErrorBytes bounds the text of an error that is kept and shown.
const maxErrorBytes = 500

// answer is what one attempt came to.
type answer struct {
	verdict   verdict
	status    int // of the protocol, 0 = none
	latencyMs int64
	pause     time.Duration // asked for, or fit for the kind
	err       string        // what is wrong, beside a status or without one
	blocked   bool          // egress refused it: nothing was sent
	down      bool          // it speaks against the host as a whole
}

// failure is an answer without a status.
func failure(text string, blocked bool) answer {
	return answer{verdict: retry, err: text, blocked: blocked, down: !blocked}
}

// exchange is one HTTP request and how its answer is read.
type exchange struct {
	url    string
	method string      // "" is POST
	header http.Header // beside Content-Type and User-Agent; consumed
	body   []byte
	// read judges the answer and says what is wrong, in own words. nil goes by the
	// status alone.
	read    func(status int, body []byte) (verdict, string)
	timeout time.Duration
	rest    time.Duration // at least, after an answer of 429
}

// post makes an exchange. Redirects are not followed, and of the answer nothing but
// status and Retry-After is kept, save what read makes of it.
func (s *Service) post(ctx context.Context, e exchange) answer {
	started := s.o.Clock.Now()
	since := func() int64 { return s.o.Clock.Now().Sub(started).Milliseconds() }
	if _, _, err := s.guard.parse(e.url); err != nil {
		return failure(err.Error(), true)
	}
	ctx, cancel := s.within(ctx, e.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(bound(ctx), cmp.Or(e.method, http.MethodPost), e.url, bytes.NewReader(e.body))
	if err != nil {
		return failure("url: not a valid URL", true)
	}
	if e.header != nil {
		req.Header = e.header
	}
	if len(e.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "pulse")
	resp, err := s.send.RoundTrip(req)
	if err != nil {
		var egress *EgressError
		a := failure(errorText(ctx, err, e.timeout, "the answer is not HTTP, or its header is too large"), errors.As(err, &egress))
		a.latencyMs = since()
		return a
	}
	if resp.StatusCode <= http.StatusSwitchingProtocols { // what follows is no body, and ends with no time-out
		resp.Body.Close()
		return answer{verdict: retry, status: resp.StatusCode, latencyMs: since(), err: "the answer is none to a POST"}
	}
	a := answer{verdict: judge(resp.StatusCode), status: resp.StatusCode, latencyMs: since(), down: resp.StatusCode >= 500,
		pause: retryAfter(resp.Header.Get("Retry-After"), s.o.Clock.Now())}
	if a.status == http.StatusTooManyRequests {
		a.pause = max(a.pause, e.rest)
	}
	body := io.LimitReader(resp.Body, maxAnswerBytes)
	if e.read == nil {
		io.Copy(io.Discard, body)
	} else {
		text, _ := io.ReadAll(body) // what came of an answer that broke off is judged
		a.verdict, a.err = e.read(a.status, text)
	}
	resp.Body.Close()
	return a
}

// errorText returns what may be shown of a failed request: never bytes that
// the other side sent, which would let receivers read what only the server can
// reach. unreadable is what to say of an answer that is none.
func errorText(ctx context.Context, err error, timeout time.Duration, unreadable string) string {
	var egress *EgressError
	var certificate *tls.CertificateVerificationError
	var network *net.OpError
	var record tls.RecordHeaderError
	text := unreadable
	switch {
	case errors.As(err, &egress):
		text = egress.Error()
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		text = fmt.Sprintf("no answer within %v", timeout)
	case errors.Is(err, context.Canceled):
		text = "stopped"
	case errors.As(err, &certificate):
		text = certificateText(certificate)
	case errors.As(err, &network):
		text = network.Error() // the address, and words of the system or of TLS
	case errors.As(err, &record):
		text = "the server does not speak TLS"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "the connection ended without an answer"
	}
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, text)
	return text[:min(len(text), maxErrorBytes)]
}

func certificateText(err error) string {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &host):
		return "the certificate is for another host"
	case errors.As(err, &authority):
		return "the certificate's authority is not known"
	}
	return "the certificate is not valid"
}

// attempt tries to deliver what plan has marked in flight. Until finished gives them
// back, the items belong to this goroutine and then to the ledger.
func (s *Service) attempt(run *running, c *channel, st start) {
	bodies := s.bodies(c, &st)
	if len(bodies) == 0 {
		if st.probe {
			s.judgeHost(st.host, c.name, &answer{}, true, 0)
		}
		c.poke()
		return
	}
	s.stats.attempts.Add(1)
	receiver := c.snapshot()
	a := s.tell(run, c, &receiver, &st, bodies)
	now := s.o.Clock.Now().UnixMilli()
	stopped := a.status == 0 && run.attempts.Err() != nil
	a.down = a.down && !stopped
	s.judgeHost(st.host, c.name, &a, st.probe, now)
	list := make([]ended, len(st.items))
	for i, it := range st.items {
		list[i] = ended{c, it, s.judgeAttempt(it, a, stopped, now), now}
		o := &list[i].o
		if first := &list[0].o; i > 0 && !stopped { // they go on together
			o.pauseMs, o.item.Next = first.pauseMs, first.item.Next
			if o.attempt.Next > 0 {
				o.attempt.Next = o.item.Next
			}
		}
		o.told = o.accepted && it.Group != "" && i == 0
	}
	first := &list[0].o
	if first.disable {
		s.disable(c, receiver, now)
	}
	c.mu.Lock()
	for _, it := range st.items {
		c.queue.answered(it)
	}
	switch {
	case a.down:
		c.queue.hold = max(c.queue.hold, first.floor)
	case first.failed:
		c.queue.failed(now, backoff(c.queue.failures-breakerAt+2, s.o.Rand()).Milliseconds(), first.floor)
	default:
		c.queue.succeeded()
	}
	for i := range list {
		o := &list[i].o
		if o.open {
			o.open = c.queue.begin(list[i].it.Incident)
		}
		if o.accepted && (o.open || o.close) && !list[i].it.Repeat {
			o.remember(c.queue, newMember(&receiver, list[i].it, bodies[i], now))
		}
	}
	c.mu.Unlock()
	c.poke()
	s.record(list)
}

// tell makes one attempt to deliver items with these bodies.
func (s *Service) tell(run *running, c *channel, r *Receiver, st *start, bodies [][]byte) answer {
	if st.group == nil {
		it := st.items[0]
		return s.deliver(run.attempts, r, s.newBundle(c.name, it.ID, it.Type, it.Incident, bodies[0]))
	}
	s.seal(c, st)
	b, err := s.groupBundle(c, st, bodies)
	if err != nil {
		s.databaseFailed("read group", err)
		return failure("the group cannot be read", true)
	}
	return s.deliver(run.attempts, r, b)
}

// deliver makes one attempt in the way of the receiver's kind.
func (s *Service) deliver(ctx context.Context, r *Receiver, b *bundle) answer {
	k, err := kindOf(r.Kind)
	if err != nil {
		return failure(err.Error(), true)
	}
	return k.deliver(ctx, s, r, b)
}

// bodies reads the webhook bodies of what is started, and gives back what is no longer
// there.
func (s *Service) bodies(c *channel, st *start) (bodies [][]byte) {
	found := make([][]byte, len(st.items))
	err := s.o.DB.View(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		for i, it := range st.items {
			if ok {
				found[i] = bytes.Clone(b.bodies.Get(sequence(it.Seq)))
			}
		}
		return nil
	})
	if err != nil {
		s.databaseFailed("read notification", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var there []*item
	leads := false
	for i, it := range st.items {
		if found[i] != nil {
			there, bodies = append(there, it), append(bodies, found[i])
			continue
		}
		leads = leads || it.leads
	}
	if leads && len(there) > 0 {
		there[0].leads = true
	}
	for i, it := range st.items {
		if found[i] == nil {
			it.leads = it.leads && len(there) == 0
			c.queue.finished(it, it, true)
		}
	}
	st.items = there
	return bodies
}

// outcome is what an attempt changes.
type outcome struct {
	item     item // as it is now
	gone     bool // has left the queue
	dead     string
	disable  bool
	open     bool // the incident's beginning may have been accepted
	close    bool // the incident is over for the receiver
	failed   bool // speaks against the receiver as a whole
	pauseMs  int64
	floor    int64 // Unix ms until which the receiver asked for quiet
	attempt  Attempt
	accepted bool
	told     bool    // its group, with it
	keep     *member // to be told again
	// displaced is the incident whose place that takes.
	displaced string
}

// judgeAttempt decides what an answer means for it. stopped: the attempt was
// cut off because the service stops.
func (s *Service) judgeAttempt(it *item, a answer, stopped bool, now int64) outcome {
	o := outcome{item: *it}
	o.item.Attempts++
	o.item.guessed = false
	o.item.LastError = a.err
	if a.err == "" && a.verdict != accepted {
		o.item.LastError = fmt.Sprintf("status %d", a.status)
	}
	what := a.verdict
	pause := max(backoff(o.item.Attempts, s.o.Rand()), a.pause)
	o.pauseMs = pause.Milliseconds()
	o.item.Next = now + o.pauseMs
	o.attempt = Attempt{T: now, Incident: it.Incident, Notification: it.ID, Type: it.Type, Number: o.item.Attempts,
		Outcome: OutcomeRetry, Status: a.status, LatencyMs: a.latencyMs, Error: a.err}
	switch {
	case stopped:
		o.item.Attempts, o.item.Next, o.item.Unsure = it.Attempts, 0, true
	case what == accepted:
		o.gone, o.accepted = true, true
		o.attempt.Outcome = OutcomeAccepted
		o.open, o.close = it.begins(), it.Type == TypeResolved
	case what == gone:
		o.disable = true
		o.attempt.Outcome = OutcomeDisabled
	case what == refused || what == hopeless:
		o.item.failedAt(now)
		o.item.Refusals++
		if what == hopeless || o.item.Refusals >= refusalsAllowed {
			o.gone, o.dead = true, "refused"
			if a.status > 0 {
				o.dead += fmt.Sprintf(" with status %d", a.status)
			}
			if a.err != "" {
				o.dead += ": " + a.err
			}
			o.attempt.Outcome = OutcomeDead
			o.open, o.close = it.begins() && it.Unsure, it.Type == TypeResolved
		}
	default:
		o.item.failedAt(now)
		o.failed = true
		o.item.Unsure = it.Unsure || !a.blocked
		if a.pause > 0 {
			o.floor = now + a.pause.Milliseconds()
		}
	}
	if !o.gone && !o.disable {
		o.attempt.Next = o.item.Next
	}
	return o
}

// failedAt notes an attempt in vain.
func (it *item) failedAt(now int64) {
	if it.Failed == 0 {
		it.Failed = now
	}
}

// remember has what was accepted told again, unless there is no place for it.
func (o *outcome) remember(q *queue, m *member) {
	if m == nil {
		return
	}
	if was := q.members[m.Incident]; was != nil {
		m.Quiet = was.Quiet
	} else {
		m.Quiet = q.quieted[m.Incident]
	}
	if keep, displaced := q.places(m); keep {
		o.keep, o.displaced = m, displaced
	}
}

// TestResult is what a test of a receiver shows: never the body of the answer.
type TestResult struct {
	OK        bool   `json:"ok"`
	Status    int    `json:"status"` // of HTTP or SMTP, 0 = no answer
	LatencyMs int64  `json:"latencyMs"`
	Error     string `json:"error,omitempty"`
}

// Test sends one alert.test to a receiver, at once and without retries, also
// when it is disabled. Where incidents stay open until they are resolved, it resolves the
// one that it opened.
func (s *Service) Test(ctx context.Context, name string) (TestResult, error) {
	c := s.channel(name)
	if c == nil {
		return TestResult{}, fmt.Errorf("%w %.70q", ErrUnknownReceiver, name)
	}
	now := s.o.Clock.Now().UnixMilli()
	n := Notification{ID: fmt.Sprintf("test-%s-%d", name, now), Type: TypeTest, Status: "test", Severity: "info",
		Annotations: map[string]string{"summary": "a test of receiver " + name}, StartsAt: now, EvaluatedAt: now, Completeness: 1, Link: s.pageAt("/receivers"), Graph: s.o.Link}
	body, err := n.bounded()
	if err != nil {
		return TestResult{}, err
	}
	receiver := c.snapshot()
	host := c.host()
	var a answer
	if receiver.Heartbeat != "" {
		a = s.sendBeat(ctx, &receiver, TypeTest, now)
	} else {
		a = s.deliver(ctx, &receiver, s.newBundle(name, n.ID, n.Type, "", body))
	}
	if !a.down { // or it is the operator's, not the host's
		s.judgeHost(host, name, &a, false, s.o.Clock.Now().UnixMilli())
	}
	if a.verdict == accepted && keepsOpen(receiver.Kind) {
		a.err = s.endTest(ctx, &receiver, n)
	}
	if a.verdict == accepted {
		now := s.o.Clock.Now().UnixMilli()
		c.mu.Lock()
		c.state.lastAccepted = now
		c.mu.Unlock()
		s.worked(c, now)
	}
	return TestResult{OK: a.verdict == accepted, Status: a.status, LatencyMs: a.latencyMs, Error: a.err}, nil
}

// endTest resolves what a test has opened, and returns what went wrong.
func (s *Service) endTest(ctx context.Context, r *Receiver, n Notification) string {
	opened := n.ID
	n.ID, n.Incident, n.Type, n.Status, n.EndsAt = opened+"-end", opened, TypeResolved, "resolved", n.StartsAt
	body, err := n.bounded()
	if err != nil {
		return err.Error()
	}
	a := s.deliver(ctx, r, s.newBundle(r.Name, n.ID, n.Type, opened, body))
	if a.verdict == accepted {
		return ""
	}
	return strings.TrimSuffix(fmt.Sprintf("what the test opened was not resolved: status %d, %s", a.status, a.err), ", ")
}
