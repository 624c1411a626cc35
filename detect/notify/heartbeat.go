package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.etcd.io/bbolt"
)

// A receiver with `heartbeat` is a dead man's switch: a service elsewhere that raises an
// alarm when it hears nothing. It gets nothing but heartbeats, and these only while
// alerts are judged, stored and sent: the engine has judged all that was due a minute
// ago, a transaction commits, and every dispatcher looks after its queue.

// The figures of heartbeats.
const (
	minHeartbeat = 10 * time.Second
	maxHeartbeat = 24 * time.Hour
	aliveMs      = 60_000 // what is due is judged within
	beatAgainMs  = 10_000 // after one that was not sent, or not accepted
)

// beats is what is known of a receiver's heartbeats. Times are Unix ms, 0 for none.
type beats struct {
	last        int64 // accepted
	failedSince int64 // none was accepted since
	err         string
	silent      string              // why none is sent, "": they are
	plans       map[*channel]uint64 // of each dispatcher when it was asked to show that it runs
}

// HeartbeatStats is the state of a receiver's heartbeats.
type HeartbeatStats struct {
	EveryMs int64  `json:"everyMs"`
	Last    int64  `json:"last"`             // Unix ms when one was accepted, 0: none since the start
	Silent  string `json:"silent,omitempty"` // why none is sent
}

// every is the time between heartbeats, 0 for a receiver that gets none.
func (r *Receiver) every() time.Duration {
	d, err := time.ParseDuration(r.Heartbeat)
	if err != nil {
		return 0
	}
	return d
}

// checkHeartbeat judges the settings of heartbeats.
func (r *Receiver) checkHeartbeat() error {
	switch {
	case r.Heartbeat == "" && r.Method != "":
		return errors.New("method goes with heartbeat")
	case r.Heartbeat == "":
		return nil
	case r.Method != "" && r.Method != http.MethodGet && r.Method != http.MethodPost:
		return fmt.Errorf("method is %s, want GET or POST", quoted(r.Method))
	case r.Format == formatAlertmanager:
		return errors.New("format does not go with heartbeat")
	case r.Meta:
		return errors.New("meta does not go with heartbeat, whose receiver gets no alerts")
	}
	if d := r.every(); d < minHeartbeat || d > maxHeartbeat {
		return fmt.Errorf("heartbeat is %s, want %v to %v", quoted(r.Heartbeat), minHeartbeat, maxHeartbeat)
	}
	return nil
}

// planBeat decides whether a heartbeat goes now.
func (q *queue) planBeat(p *plan) {
	if q.beating {
		return // its end plans again
	}
	if q.beatAt = min(q.beatAt, p.now+q.everyMs); q.beatAt > p.now {
		p.wakeAt(q.beatAt)
		return
	}
	q.beating, p.beat = true, true
}

// beat sends a heartbeat, if the path of alerts is alive.
func (s *Service) beat(run *running, c *channel) {
	began := s.o.Clock.Now().UnixMilli()
	r := c.snapshot()
	silent := s.silent(c, began)
	var a answer
	if silent == "" {
		a = s.sendBeat(run.attempts, &r, TypeHeartbeat, began)
	}
	now := s.o.Clock.Now().UnixMilli()
	ok := silent == "" && a.verdict == accepted
	c.mu.Lock()
	if run.attempts.Err() != nil { // it was cut off
		c.queue.beating = false
		c.mu.Unlock()
		return
	}
	was := c.beat.silent
	c.beat.silent = silent
	c.queue.beating, c.queue.beatAt = false, began+c.queue.everyMs
	if !ok {
		c.queue.beatAt = now + min(c.queue.everyMs, beatAgainMs)
	}
	if silent == "" {
		c.noteBeat(&a, now)
	}
	host := c.queue.host
	c.mu.Unlock()
	switch {
	case silent != "" && was == "":
		s.o.Log.Error().Str("receiver", c.name).Str("reason", silent).Msg("no heartbeat is sent")
	case silent == "" && was != "":
		s.o.Log.Info().Str("receiver", c.name).Msg("heartbeats are sent again")
	}
	switch {
	case ok:
		s.stats.heartbeats.Add(1)
		s.judgeHost(host, c.name, &a, false, now)
		s.worked(c, now)
	case a.verdict == gone:
		s.disable(c, r, now)
	case silent == "":
		s.o.Log.Warn().Str("receiver", c.name).Int("status", a.status).Str("error", a.err).Msg("heartbeat was not accepted")
		s.lookAfter()
	}
	c.poke()
}

// noteBeat notes the answer to a heartbeat.
func (c *channel) noteBeat(a *answer, now int64) {
	c.state.saw(now, a.status, a.err, a.verdict == accepted)
	b := &c.beat
	if a.verdict == accepted {
		b.last, b.failedSince, b.err = now, 0, ""
		return
	}
	if b.failedSince == 0 {
		b.failedSince = now
	}
	if b.err = a.err; b.err == "" {
		b.err = fmt.Sprintf("status %d", a.status)
	}
}

// silent returns why no heartbeat may be sent at now, "" when one may.
func (s *Service) silent(c *channel, now int64) string {
	if s.o.Judged == nil {
		return "nothing judges alerts"
	}
	at, through := s.o.Judged()
	switch {
	case at == 0:
		return "nothing was judged yet"
	case now-at > aliveMs:
		return "nothing was judged and stored since " + clockTime(at)
	case now-through > aliveMs:
		return "what was due at " + clockTime(through) + " is not judged"
	}
	if err := s.o.DB.Update(func(tx *bbolt.Tx) error { return tx.Bucket(keyRoot).Put(keyBeat, sequence(uint64(now))) }); err != nil {
		return "the database cannot be written: " + err.Error()
	}
	return s.stuck(c)
}

// stuck names a dispatcher that has not looked after its queue since it was asked to, and
// asks all of them again.
func (s *Service) stuck(c *channel) (text string) {
	c.mu.Lock()
	asked := c.beat.plans
	c.mu.Unlock()
	plans := make(map[*channel]uint64)
	for _, other := range s.sorted() {
		other.mu.Lock()
		plans[other] = other.plans
		other.mu.Unlock()
		if last, ok := asked[other]; ok && other != c && plans[other] == last {
			text = "the queue of receiver " + other.name + " is not looked after"
		}
		other.poke()
	}
	c.mu.Lock()
	c.beat.plans = plans
	c.mu.Unlock()
	return text
}

// heartbeatBody is what a heartbeat says.
type heartbeatBody struct {
	Type     string  `json:"type"`
	ID       string  `json:"id"`
	Status   string  `json:"status"`
	Receiver string  `json:"receiver"`
	Every    string  `json:"every"`
	At       instant `json:"at"`
	Link     string  `json:"link"`
}

// sendBeat makes the request of a heartbeat, or of a test.
func (s *Service) sendBeat(ctx context.Context, r *Receiver, kind string, now int64) answer {
	id := fmt.Sprintf("heartbeat-%s-%d", r.Name, now)
	e := exchange{url: r.URL.Reveal(), method: r.Method, timeout: r.timeout()}
	if r.Method != http.MethodGet {
		var err error
		if e.body, err = json.Marshal(heartbeatBody{kind, id, "alive", r.Name, r.Heartbeat, instant(now), s.o.Link}); err != nil {
			return failure(err.Error(), true)
		}
	}
	e.header = s.webhookHeader(r, id, e.body)
	r.authorize(e.header)
	return s.post(ctx, e)
}
