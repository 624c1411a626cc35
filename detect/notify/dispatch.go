package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
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
		c.mu.Unlock()
		s.persistDrops(c, p.drops, now)
		for _, it := range p.start {
			run.group.Go(func() { s.attempt(run, c, it) })
		}
		if len(p.fold) > 0 {
			s.fold(c, p.fold, now)
			continue
		}
		p.wake = min(p.wake, now+longestWaitMs) // timers cannot be taken back
		if p.wake > 0 && (timer == nil || p.wake < timerAt) {
			timer, timerAt = s.o.Clock.After(time.Duration(p.wake-now)*time.Millisecond), p.wake
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

// persistDrops stores what the queue has let go. If the database fails, the
// items come back at the next start and are dropped again.
func (s *Service) persistDrops(c *channel, drops []drop, now int64) {
	if len(drops) == 0 {
		return
	}
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		for _, d := range drops {
			if d.markOpen {
				if err := b.open.Put([]byte(d.it.Incident), nil); err != nil {
					return err
				}
			}
			if d.over {
				if err := b.open.Delete([]byte(d.it.Incident)); err != nil {
					return err
				}
			}
			remove := b.remove
			if d.bury {
				remove = func(it *item) error { return b.bury(it, now, d.reason) }
			}
			if err := remove(d.it); err != nil {
				return err
			}
		}
		if err := b.trimDead(); err != nil {
			return err
		}
		return s.remember(tx, s.noted(c, drops, now))
	})
	if err != nil {
		s.databaseFailed("drop notifications", err)
	}
	for _, d := range drops {
		s.countDrop(c, d)
	}
}

// noted returns the history's entries of drops.
func (s *Service) noted(c *channel, drops []drop, now int64) []Attempt {
	out := make([]Attempt, len(drops))
	for i, d := range drops {
		out[i] = Attempt{T: now, Incident: d.it.Incident, Notification: d.it.ID, Type: d.it.Type, Receiver: c.name,
			Outcome: OutcomeDropped, Error: d.reason}
		if d.bury {
			out[i].Outcome = OutcomeDead
		}
	}
	return out
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

// summaryBody is the webhook body of a summary.
type summaryBody struct {
	Type        string   `json:"type"`
	ID          string   `json:"id"`
	Count       int      `json:"count"`
	Rules       []string `json:"rules"`
	Link        string   `json:"link"`
	EvaluatedAt instant  `json:"evaluatedAt"`
}

// summaryRules bounds how many rules a summary names.
const summaryRules = 100

// fold replaces items by one summary, in one transaction. Its ID is made of
// theirs.
func (s *Service) fold(c *channel, items []*item, now int64) {
	hash := sha256.New()
	var rules []string
	drops := make([]drop, len(items))
	for i, it := range items {
		drops[i] = drop{it: it, reason: reasonFolded}
		fmt.Fprintln(hash, it.ID)
		rules = append(rules, it.Rule)
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	rules = rules[:min(len(rules), summaryRules)]
	id := "summary-" + hex.EncodeToString(hash.Sum(nil)[:16])
	body, err := json.Marshal(summaryBody{TypeSummary, id, len(items), rules, s.o.Link, instant(now)})
	if err != nil {
		panic(fmt.Sprintf("BUG: summary of %d: %v", len(items), err))
	}
	summary := &item{ID: id, Type: TypeSummary, Bytes: len(body), Enqueued: now}
	err = s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		for _, it := range items {
			if err := b.remove(it); err != nil {
				return err
			}
		}
		if summary.Seq, err = tx.Bucket(keyRoot).NextSequence(); err != nil {
			return err
		}
		if err := b.add(summary, body); err != nil {
			return err
		}
		return s.remember(tx, s.noted(c, drops, now))
	})
	c.mu.Lock()
	c.queue.lastSummary = now // also when it failed: not again at once
	if err == nil {
		for _, it := range items {
			c.queue.remove(it)
		}
		c.queue.insert(summary)
	}
	c.mu.Unlock()
	if err != nil {
		s.databaseFailed("sum up notifications", err)
		return
	}
	s.stats.folded.Add(int64(len(items)))
	for _, d := range drops {
		s.countDrop(c, d)
	}
}

// within returns a context that ends after d by the service's clock.
func (s *Service) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	after := s.o.Clock.After(d)
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
