package notify

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
)

// A receiver that fails is told of to the others, once, and again when it works: as an
// alert of RuleFailing, stored with its notifications in one transaction. A receiver
// fails when it answered 410, when a notification for it became a dead letter, when one
// was attempted in vain for Options.FailingAfter, or what is told again was, or when its host is down for a minute
// and something waits. It works when it has accepted something and a minute has passed
// without any of that. Alerts of RuleFailing are no reason for another one.

// RuleFailing is the rule that such alerts name.
const RuleFailing = "pulse.receiver-failing"

// The figures of the watch over receivers.
const (
	watchMs = 10_000 // between two looks, while there is something to see
	downMs  = 60_000 // for so long a host is down before that is told
	calmMs  = 60_000 // for so long nothing fails before that is told
)

// Failing says since when and why a receiver fails.
type Failing struct {
	Since    int64    `json:"since"` // Unix ms
	Reason   string   `json:"reason"`
	Incident string   `json:"incident"`
	Told     []string `json:"told"` // receivers
	// Gone says that it answered 410, Works when it accepted something since, Unix ms,
	// 0: it did not.
	Gone  bool  `json:"gone,omitempty"`
	Works int64 `json:"works,omitempty"`
}

// trouble is why a receiver fails.
type trouble struct {
	since  int64
	reason string
	gone   bool
}

// failingOf reads what is stored of a receiver that fails, nil when it does not.
func failingOf(tx *bbolt.Tx, name string) (*Failing, error) {
	src := tx.Bucket(keyRoot).Bucket(keyFailing).Get([]byte(name))
	if src == nil {
		return nil, nil
	}
	f := &Failing{}
	if err := json.Unmarshal(src, f); err != nil {
		return nil, fmt.Errorf("read state of receiver %s: %w", name, err)
	}
	return f, nil
}

// storeFailing writes f, and has c know it once tx commits.
func storeFailing(tx *bbolt.Tx, c *channel, f *Failing) error {
	src, err := json.Marshal(f)
	if err != nil {
		return err
	}
	tx.OnCommit(func() { c.setFailing(f) })
	return tx.Bucket(keyRoot).Bucket(keyFailing).Put([]byte(c.name), src)
}

func (c *channel) fails() *Failing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failing
}

func (c *channel) setFailing(f *Failing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = f
}

// tellFailing stores inside tx that a receiver fails and the notifications of it, unless
// that was done.
func (s *Service) tellFailing(tx *bbolt.Tx, c *channel, why trouble, now int64) error {
	c.mu.Lock()
	c.troubled = now
	waiting := c.queue.waiting()
	c.mu.Unlock()
	if f, err := failingOf(tx, c.name); err != nil || f != nil {
		return err
	}
	if s.channel(c.name) != c || tx.Bucket(keyRoot).Bucket(keyReceivers).Get([]byte(c.name)) == nil { // it was deleted, and another one may have its name
		return nil
	}
	f := &Failing{Since: why.since, Reason: why.reason, Gone: why.gone, Told: s.others(c.name),
		Incident: "pulse-receiver-" + c.name + "-" + strconv.FormatInt(now, 10)}
	if err := storeFailing(tx, c, f); err != nil {
		return err
	}
	tx.OnCommit(func() {
		s.o.Log.Error().Str("receiver", c.name).Str("reason", f.Reason).Strs("told", f.Told).Msg("receiver fails")
	})
	n := f.notification(c.name, now)
	n.ID, n.Type, n.Status, n.Value = f.Incident+"-firing", TypeFiring, "firing", float64(waiting)
	n.Link, n.Graph = s.pageAt("/receivers"), s.o.Link
	n.Annotations["summary"] = fmt.Sprintf("receiver %s fails: %s", c.name, f.Reason)
	n.Annotations["description"] = fmt.Sprintf("Notifications that wait for it: %d", waiting)
	return s.enqueueTo(tx, n, f.Told)
}

// tellWorking stores inside tx that a receiver fails no longer, with the notifications
// of it.
func (s *Service) tellWorking(tx *bbolt.Tx, c *channel, how string, now int64) error {
	f, err := failingOf(tx, c.name)
	if err != nil || f == nil {
		return err
	}
	if err := tx.Bucket(keyRoot).Bucket(keyFailing).Delete([]byte(c.name)); err != nil {
		return err
	}
	tx.OnCommit(func() {
		c.setFailing(nil)
		s.o.Log.Info().Str("receiver", c.name).Str("reason", how).Msg("receiver fails no longer")
	})
	n := f.notification(c.name, now)
	n.ID, n.Type, n.Status, n.EndsAt = f.Incident+"-resolved", TypeResolved, "resolved", now
	n.Link, n.Graph = s.pageAt("/receivers"), s.o.Link
	n.Annotations["summary"] = "receiver " + c.name + " " + how
	n.Annotations["description"] = "It had failed: " + f.Reason
	return s.enqueueTo(tx, n, f.Told)
}

// notification is what all that is told of f has in common.
func (f *Failing) notification(name string, now int64) Notification {
	nan := math.NaN()
	return Notification{Incident: f.Incident, Rule: RuleFailing, Severity: "page", Labels: map[string]string{"receiver": name}, Tags: map[string]string{"receiver": name},
		Annotations: map[string]string{}, Value: nan, Expected: nan, Lower: nan, Upper: nan, Score: nan, StartsAt: f.Since, EvaluatedAt: now, Completeness: 1}
}

// enqueueTo stores a notification for those of some receivers that there are.
func (s *Service) enqueueTo(tx *bbolt.Tx, n Notification, names []string) error {
	n.To = []Target{}
	for _, name := range names {
		if s.channel(name) != nil {
			n.To = append(n.To, Target{Receiver: name})
		}
	}
	return s.Enqueue(tx, n)
}

// others returns who is told of the failure of a receiver: those that are meant to be,
// or else all that work and stay.
func (s *Service) others(name string) []string {
	all, meant := []string{}, []string{}
	for _, c := range s.sorted() {
		r := c.snapshot()
		if c.name == name || r.Disabled || r.Heartbeat != "" || c.origin().Leaving != 0 {
			continue
		}
		if all = append(all, c.name); r.Meta {
			meant = append(meant, c.name)
		}
	}
	if len(meant) > 0 {
		return meant
	}
	return all
}

// waiting counts what waits, but for alerts of RuleFailing.
func (q *queue) waiting() (n int) {
	for _, it := range q.items {
		if it.Rule != RuleFailing {
			n++
		}
	}
	return n
}

// watch looks after the receivers until run ends; again says that it is to look again
// soon.
func (s *Service) watch(run *running, again bool) {
	for run.ctx.Err() == nil {
		var timer <-chan time.Time
		if again {
			timer = s.o.Clock.After(watchMs * time.Millisecond)
		}
		select {
		case <-s.watched:
		case <-timer:
		case <-run.ctx.Done():
			return
		}
		again = s.lookAtAll()
	}
}

// lookAtAll looks at every receiver, and reports whether to look again soon.
func (s *Service) lookAtAll() (again bool) {
	now := s.o.Clock.Now().UnixMilli()
	for _, c := range s.sorted() {
		again = s.look(c, now) || again
	}
	return again
}

// lookAfter has the watch look at the receivers.
func (s *Service) lookAfter() {
	select {
	case s.watched <- struct{}{}:
	default:
	}
}

// look tells of a receiver that it fails, or works again, and reports whether to look
// again soon.
func (s *Service) look(c *channel, now int64) (again bool) {
	after := s.o.FailingAfter.Milliseconds()
	c.mu.Lock()
	f, r := c.failing, c.receiver
	why, suspect := c.trouble(now, after)
	if why != nil {
		c.troubled = now
	}
	calm := now-c.troubled >= calmMs || now < c.troubled
	c.mu.Unlock()
	var err error
	switch {
	case why != nil && f == nil:
		err = s.o.DB.Update(func(tx *bbolt.Tx) error { return s.tellFailing(tx, c, *why, now) })
	case why != nil || f == nil:
	case r.Disabled:
		err = s.endFailing(c, "is disabled", now)
	case f.Gone:
		err = s.endFailing(c, "is put again", now)
	case f.Works > 0 && calm:
		err = s.endFailing(c, "works again", now)
	}
	if err != nil {
		s.databaseFailed("tell of receiver that fails", err)
	}
	return suspect || f != nil || err != nil
}

func (s *Service) endFailing(c *channel, how string, now int64) error {
	return s.o.DB.Update(func(tx *bbolt.Tx) error { return s.tellWorking(tx, c, how, now) })
}

// trouble returns why a receiver fails, nil when it does not, and whether that may come.
func (c *channel) trouble(now, after int64) (why *trouble, suspect bool) {
	q := c.queue
	if c.receiver.DisabledAt != 0 {
		return &trouble{c.receiver.DisabledAt, c.receiver.DisabledReason, true}, true
	}
	if q.disabled {
		return nil, false
	}
	if since := c.beat.failedSince; since > 0 && q.everyMs > 0 {
		if suspect = true; now-since >= after {
			return &trouble{since: since, reason: "no heartbeat was accepted: " + c.beat.err}, true
		}
	}
	waits := q.resends && len(q.members) > 0
	if since := c.vain.since; since > 0 && waits {
		if suspect = true; now-since >= after {
			return &trouble{since: since, reason: "what goes on is not accepted again: " + c.vain.err}, true
		}
	}
	for _, it := range q.items {
		if it.Rule == RuleFailing {
			continue
		}
		waits = true
		if it.Failed == 0 {
			continue
		}
		if suspect = true; now-it.Failed >= after {
			return &trouble{since: it.Failed, reason: "a notification is not accepted: " + it.LastError}, true
		}
	}
	if since := q.host.heldSince(c.name); since > 0 && waits {
		if suspect = true; now-since >= downMs {
			return &trouble{since: since, reason: "its host is down: " + q.host.stats(c.name).LastError}, true
		}
	}
	return nil, suspect
}

// worked notes that a receiver accepted something that is no notification.
func (s *Service) worked(c *channel, now int64) {
	f := c.fails()
	if f == nil || f.Works > 0 {
		return
	}
	if err := s.o.DB.Update(func(tx *bbolt.Tx) error { return noteWorks(tx, c, now) }); err != nil {
		s.databaseFailed("note that a receiver works", err)
	}
	s.lookAfter()
}

// noteWorks notes inside tx that a receiver that fails has accepted something.
func noteWorks(tx *bbolt.Tx, c *channel, now int64) error {
	known := c.fails()
	if known == nil || known.Works > 0 {
		return nil
	}
	f, err := failingOf(tx, c.name)
	if err != nil || f == nil {
		return err
	}
	f.Works = now
	return storeFailing(tx, c, f)
}
