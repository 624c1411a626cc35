package notify

import (
	"cmp"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// vain says since when a receiver takes nothing that it is told again, Unix ms, 0: it does.
type vain struct {
	since int64
	err   string
}

// note notes an answer.
func (v *vain) note(a *answer, now int64) {
	if a.verdict == accepted {
		*v = vain{}
		return
	}
	if v.since == 0 {
		v.since = now
	}
	if v.err = a.err; v.err == "" {
		v.err = fmt.Sprintf("status %d", a.status)
	}
}

// tellAgain sends what plan has marked in flight in one message. It is no attempt to
// deliver: what fails goes with the next, and a timeline has nothing of it.
func (s *Service) tellAgain(run *running, c *channel, p plan) {
	list := p.again
	receiver := c.snapshot()
	b, err := s.againBundle(c, list)
	a := failure("", true)
	if err != nil {
		s.databaseFailed("read what is told again", err)
	} else if len(b.Alerts) > 0 {
		a = s.deliver(run.attempts, &receiver, b)
		a.down = a.down && run.attempts.Err() == nil // or it was cut off
	}
	now := s.o.Clock.Now().UnixMilli()
	s.judgeHost(p.host, c.name, &a, p.probes, now)
	if a.verdict == gone {
		s.disable(c, receiver, now)
	}
	if a.verdict == accepted && a.status != 0 {
		s.stats.toldAgain.Add(int64(len(b.Alerts)))
		s.worked(c, now)
	}
	level := s.o.Log.Debug()
	if a.verdict != accepted {
		level = s.o.Log.Warn()
	}
	level.Str("receiver", c.name).Int("alerts", len(list)).Int("status", a.status).Str("error", a.err).Msg("told again")
	c.mu.Lock()
	c.queue.toldAgain(list, a, now, s.o.Rand())
	if err == nil && len(b.Alerts) > 0 && run.attempts.Err() == nil {
		c.vain.note(&a, now)
	}
	if err == nil && a.status != 0 {
		c.state.saw(now, a.status, a.err, a.verdict == accepted)
	}
	c.mu.Unlock()
	if a.verdict != accepted {
		s.lookAfter()
	}
	c.poke()
}

// againBundle reads the alerts of a message that tells them again, those that fire
// first.
func (s *Service) againBundle(c *channel, list []*member) (*bundle, error) {
	b := s.newBundle(c.name, "", TypeFiring, "", nil)
	err := s.o.DB.View(func(tx *bbolt.Tx) error {
		box, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		for _, m := range list {
			stored, err := box.member(m.Incident)
			if err != nil {
				return err
			}
			if stored == nil || stored.Seq != m.Seq { // the newest state is owed to the database
				continue
			}
			var n Notification
			if err := n.UnmarshalJSON(stored.Body); err != nil {
				return err
			}
			b.Alerts = append(b.Alerts, n)
		}
		return nil
	})
	slices.SortStableFunc(b.Alerts, func(x, y Notification) int {
		return cmp.Compare(over(&x), over(&y))
	})
	return b, err
}

func over(n *Notification) int {
	if n.over() {
		return 1
	}
	return 0
}

// toldAgain takes back what was told again, with the answer.
func (q *queue) toldAgain(list []*member, a answer, now int64, random float64) {
	q.againUnderWay = false
	for _, m := range list {
		m.inFlight = false
		if a.verdict != retry || a.blocked { // or nothing was sent, and would not be now
			m.sent = now
		}
	}
	switch {
	case a.verdict == accepted:
		q.succeeded()
	case a.verdict == retry && !a.blocked:
		pause := max(backoff(q.failures+1, random), a.pause).Milliseconds()
		if !a.down {
			q.failed(now, pause, 0)
		}
		q.againAt = now + min(pause, max(againMs, a.pause.Milliseconds()))
		return
	}
	next := now + againMs
	for _, m := range q.members {
		next = min(next, m.sent+againMs)
	}
	q.againAt = next
}
