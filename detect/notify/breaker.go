package notify

import (
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// breaker keeps attempts from a host and port that is down, for all receivers there. It
// opens when so many attempts in a row show that: nobody answers, or an answer of 5xx;
// not one of 4xx. While it is open one attempt at a time goes as a probe, after pauses
// that double, by turns of the receivers that wait. Any other answer closes it.
//
// While every failure in a row is an answer of 5xx to one and the same receiver, that
// one alone is kept away: the fault may be that of its path. That lasts until the others
// there fail as often in a row.
//
// It is safe for concurrent use; times are Unix ms.
type breaker struct {
	host  string
	rules breakerRules

	mu       sync.Mutex
	failures int      // in a row
	sole     string   // the receiver to which all of them are answers of 5xx, "": there is none
	others   int      // failures in a row of those that it does not keep away while it is open
	since    int64    // when it opened, 0: it is closed
	until    int64    // when the next probe may go
	pauseMs  int64    // before it
	probing  bool     // one is under way
	waiting  []string // receivers that were kept away, the first has the next probe
	err      string   // of the last failure
}

// breakerRules are what all breakers go by.
type breakerRules struct {
	after       int           // failures in a row that open one
	first, most time.Duration // pause before a probe
	random      func() float64
	log         zerolog.Logger
}

// The states of a breaker.
const (
	BreakerClosed   = "closed"
	BreakerOpen     = "open"
	BreakerHalfOpen = "half-open" // a probe is under way
)

// BreakerStats is the state of one breaker as a receiver meets it. Times are Unix ms.
type BreakerStats struct {
	Host      string `json:"host"` // and port
	State     string `json:"state"`
	Failures  int    `json:"failures,omitempty"` // in a row
	Since     int64  `json:"since,omitempty"`
	NextProbe int64  `json:"nextProbe,omitempty"`
	LastError string `json:"lastError,omitempty"`
}

const (
	probeYieldMs  = 1000 // for so long a receiver leaves a probe to each that waits for longer
	probeJitter   = 0.2
	untilAnswered = math.MaxInt64 // no time is known: an answer will tell
)

// enter asks whether a receiver may begin an attempt at now. If so, probe tells whether
// the attempt is one, and then answered must follow. If not, at is when to
// ask again.
func (b *breaker) enter(receiver string, now int64) (ok, probe bool, at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since == 0 || b.spares(receiver) {
		return true, false, 0
	}
	b.until = min(b.until, now+b.rules.most.Milliseconds()) // or the clock was set back
	turn := slices.Index(b.waiting, receiver)
	if turn < 0 {
		turn = len(b.waiting)
		b.waiting = append(b.waiting, receiver)
	}
	if b.probing {
		return false, false, untilAnswered
	}
	if at := b.until + int64(turn)*probeYieldMs; at > now {
		return false, false, at
	}
	b.waiting = slices.Delete(b.waiting, 0, turn+1) // those before it want nothing any more
	b.probing = true
	return true, true, 0
}

// spares reports whether a receiver is none of those that are kept away.
func (b *breaker) spares(receiver string) bool { return b.sole != "" && b.sole != receiver }

// answered notes what came of an attempt, and reports whether receivers that were kept
// away may go on, or know of a new time to ask.
func (b *breaker) answered(receiver string, a *answer, probe bool, now int64) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch {
	case a.down:
		return b.failed(receiver, a, probe, now)
	case a.status == 0: // nothing was sent
		return probe
	case b.spares(receiver): // its answers say nothing of the other's
		b.others = 0
		return probe
	}
	if b.since != 0 {
		b.rules.log.Info().Str("host", b.host).Int64("downMs", now-b.since).Msg("host answers again")
		changed = true
	}
	b.failures, b.others, b.sole, b.since, b.pauseMs, b.waiting, b.err = 0, 0, "", 0, 0, nil, ""
	return changed
}

func (b *breaker) failed(receiver string, a *answer, probe bool, now int64) (changed bool) {
	opens := b.since == 0
	if !opens && b.spares(receiver) {
		if b.others++; b.others < b.rules.after {
			return probe
		}
		b.sole, b.others, opens = "", 0, true
	}
	switch {
	case b.since != 0: // whom it keeps away is known
	case a.status == 0:
		b.sole = ""
	case b.failures == 0:
		b.sole = receiver
	case b.sole != receiver:
		b.sole = ""
	}
	b.failures++
	if b.err = a.err; b.err == "" {
		b.err = "status " + strconv.Itoa(a.status)
	}
	switch {
	case opens && b.failures >= b.rules.after:
		b.since, b.pauseMs = now, b.rules.first.Milliseconds()
		b.rules.log.Warn().Str("host", b.host).Int("failures", b.failures).Str("error", b.err).Msg("host is down: attempts wait for a probe")
	case b.since != 0 && probe:
		b.pauseMs = min(2*b.pauseMs, b.rules.most.Milliseconds())
	default:
		return probe
	}
	b.until = now + int64(float64(b.pauseMs)*(1-probeJitter*b.rules.random()))
	return true
}

// heldSince returns since when a receiver is kept away, 0: it is not.
func (b *breaker) heldSince(receiver string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spares(receiver) {
		return 0
	}
	return b.since
}

// stats is the state as a receiver meets it.
func (b *breaker) stats(receiver string) BreakerStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := BreakerStats{Host: b.host, State: BreakerClosed}
	switch {
	case b.since == 0 || b.spares(receiver):
		return out
	case b.probing:
		out.State = BreakerHalfOpen
	default:
		out.State, out.NextProbe = BreakerOpen, b.until
	}
	out.Failures, out.Since, out.LastError = b.failures, b.since, b.err
	return out
}

// breakers are those of all hosts that receivers are at. It is safe for concurrent use.
type breakers struct {
	rules breakerRules

	mu     sync.Mutex
	byHost map[string]*breaker
	at     map[string]string // receiver → host
}

// of returns the breaker of a receiver's host, and moves the receiver there.
func (x *breakers) of(r *Receiver) *breaker {
	x.mu.Lock()
	defer x.mu.Unlock()
	host := r.hostPort()
	if was, ok := x.at[r.Name]; ok && was != host {
		x.release(r.Name)
	}
	x.at[r.Name] = host
	b := x.byHost[host]
	if b == nil {
		b = &breaker{host: host, rules: x.rules}
		x.byHost[host] = b
	}
	return b
}

// leave forgets a receiver.
func (x *breakers) leave(receiver string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.release(receiver)
}

// release forgets a receiver, and its host when it was the last there.
func (x *breakers) release(receiver string) {
	host := x.at[receiver]
	delete(x.at, receiver)
	for _, other := range x.at {
		if other == host {
			return
		}
	}
	delete(x.byHost, host)
}

// open counts the hosts that are down for one receiver at least.
func (x *breakers) open() (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range x.byHost {
		b.mu.Lock()
		if b.since != 0 {
			n++
		}
		b.mu.Unlock()
	}
	return n
}

func (c *channel) host() *breaker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue.host
}

// hostPort is where r dials, as `host:port`.
func (r *Receiver) hostPort() string {
	if r.Kind == KindEmail {
		return strings.ToLower(r.Smarthost)
	}
	u, err := url.Parse(r.URL.Reveal())
	if err != nil {
		return ""
	}
	port, err := portOf(u)
	if err != nil {
		return strings.ToLower(u.Host)
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), strconv.Itoa(int(port)))
}

// judgeHost tells the breaker of a host what came of an attempt, and has
// those go on that it kept away.
func (s *Service) judgeHost(b *breaker, receiver string, a *answer, probe bool, now int64) {
	if !b.answered(receiver, a, probe, now) {
		return
	}
	back := b.heldSince(receiver) == 0
	for _, other := range s.sorted() {
		other.mu.Lock()
		here := other.queue.host == b
		if here && back {
			other.queue.goOn()
		}
		other.mu.Unlock()
		if here {
			other.poke()
		}
	}
}
