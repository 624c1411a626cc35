package notify

import (
	"context"
	"time"

	"pulse/store/clock"
)

// longestWaitMs bounds how long a dispatcher waits for its next look.
const longestWaitMs = 600_000

// dispatch works through the queue of one receiver until run or the receiver
// ends, and returns when its last attempt has ended.
func (s *Service) dispatch(run *running, c *channel) {
	var timer <-chan time.Time // fires at timerAt
	var timerAt int64
	for run.ctx.Err() == nil {
		now := s.o.Clock.Now().UnixMilli()
		c.mu.Lock()
		p := c.queue.plan(now)
		c.plans++
		c.mu.Unlock()
		s.persistDrops(c, p.drops, now)
		if s.retire(c) {
			if p.probes {
				s.judgeHost(p.host, c.name, &answer{}, true, now)
			}
			return
		}
		s.forgetMembers(c, p.expired)
		if len(p.again) > 0 {
			run.group.Go(func() { s.tellAgain(run, c, p) })
		}
		if p.beat {
			run.group.Go(func() { s.beat(run, c) })
		}
		s.repeat(c, p.repeat, now)
		for _, st := range p.start {
			run.group.Go(func() { s.attempt(run, c, st) })
		}
		if len(p.fold) > 0 {
			s.fold(c, p.fold, now)
			continue
		}
		wake := min(p.wake, now+longestWaitMs) // timers cannot be taken back
		if wake > 0 && (timer == nil || wake < timerAt) {
			timer, timerAt = s.o.Clock.After(time.Duration(wake-now)*time.Millisecond), wake
		}
		select {
		case <-c.wake:
		case <-timer:
			timer = nil
		case <-c.stop:
			return
		case <-run.ctx.Done():
		}
	}
}

// persistDrops stores what the queue has let go.
func (s *Service) persistDrops(c *channel, drops []drop, now int64) {
	if len(drops) == 0 {
		return
	}
	list := make([]ended, len(drops))
	for i, a := range noted(c, drops, now) {
		d := &drops[i]
		list[i] = ended{c, d.it, outcome{item: *d.it, gone: true, open: d.markOpen, close: d.over, attempt: a}, now}
		if d.bury {
			list[i].o.dead = d.reason
		}
	}
	s.persist("drop notifications", list, nil)
	s.endCounted(c, drops, now)
	for _, d := range drops {
		s.countDrop(c, d)
	}
}

// countDrop counts and logs one drop.
func (s *Service) countDrop(c *channel, d drop) {
	switch d.reason {
	case reasonSuperseded:
		s.stats.superseded.Add(1)
	case reasonOver, reasonNeverSent:
		s.stats.neverSent.Add(1)
	case reasonOverflow:
		s.stats.overflowed.Add(1)
	}
	if d.bury {
		s.stats.buried.Add(1)
	}
	s.o.Log.Info().Str("receiver", c.name).Str("notification", d.it.ID).Str("incident", d.it.Incident).
		Str("type", d.it.Type).Str("reason", d.reason).Msg("notification not delivered")
}

// within returns a context that ends after d by the service's clock.
func (s *Service) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return within(ctx, s.o.Clock, d)
}

// within returns a context that ends after d by a clock.
func within(ctx context.Context, c clock.Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	after := c.After(d)
	go func() {
		select {
		case <-after:
			cancel(context.DeadlineExceeded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

func (s *Service) databaseFailed(what string, err error) {
	s.stats.dbErrors.Add(1)
	s.o.Log.Error().Err(err).Msg(what)
}
