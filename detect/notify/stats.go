package notify

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

// Stats are counts since the start, over all receivers, and the state of each
// receiver now.
type Stats struct {
	Enqueued       int64 `json:"enqueued"` // per receiver
	Attempts       int64 `json:"attempts"`
	Accepted       int64 `json:"accepted"`
	Retries        int64 `json:"retries"` // attempts after which another is due
	DeadLetters    int64 `json:"deadLetters"`
	Overflowed     int64 `json:"overflowed"` // of these, because a queue was full
	Superseded     int64 `json:"superseded"`
	NeverSent      int64 `json:"neverSent"` // over before its beginning could be accepted
	Folded         int64 `json:"folded"`    // into a summary
	ToldAgain      int64 `json:"toldAgain"` // alerts, to receivers that forget what they do not hear of
	Unrouted       int64 `json:"unrouted"`  // named a receiver that does not exist
	DatabaseErrors int64 `json:"databaseErrors"`
	HostsDown      int   `json:"hostsDown"`  // hosts whose breaker is open
	Failing        int   `json:"failing"`    // receivers
	Heartbeats     int64 `json:"heartbeats"` // accepted

	Receivers []ReceiverStats `json:"receivers"` // by name
}

// ReceiverStats is the state of one receiver. Times are Unix ms, 0 for none.
type ReceiverStats struct {
	Name        string `json:"name"`
	File        string `json:"file,omitempty"`    // that it comes from
	Leaving     int64  `json:"leaving,omitempty"` // since when it is in no file any more
	Disabled    bool   `json:"disabled"`
	Queued      int    `json:"queued"`
	QueuedBytes int    `json:"queuedBytes"`
	InFlight    int    `json:"inFlight"`
	Oldest      int64  `json:"oldest"` // when the oldest waiting one was enqueued
	LastAttempt int64  `json:"lastAttempt"`
	NextAttempt int64  `json:"nextAttempt"`
	LastStatus  int    `json:"lastStatus"`
	LastError   string `json:"lastError,omitempty"`
	// LastAccepted is when it last took something, a test among that.
	LastAccepted int64 `json:"lastAccepted"`

	Breaker BreakerStats `json:"breaker"`           // of its host
	Failing *Failing     `json:"failing,omitempty"` // what others were told of it

	Heartbeat *HeartbeatStats `json:"heartbeat,omitempty"` // of a receiver that gets nothing else
}

// Stats returns the counts.
func (s *Service) Stats() Stats {
	n := &s.stats
	out := Stats{
		Enqueued: n.enqueued.Load(), Attempts: n.attempts.Load(), Accepted: n.accepted.Load(), Retries: n.retried.Load(),
		DeadLetters: n.buried.Load(), Overflowed: n.overflowed.Load(), Superseded: n.superseded.Load(),
		NeverSent: n.neverSent.Load(), Folded: n.folded.Load(), ToldAgain: n.toldAgain.Load(), Unrouted: n.unrouted.Load(), DatabaseErrors: n.dbErrors.Load(),
		HostsDown: s.hosts.open(), Heartbeats: n.heartbeats.Load(),
	}
	for _, c := range s.sorted() {
		x := c.stats()
		if out.Receivers = append(out.Receivers, x); x.Failing != nil {
			out.Failing++
		}
	}
	return out
}

func (c *channel) stats() ReceiverStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queue
	out := ReceiverStats{
		Name: c.name, File: c.owner.File, Leaving: c.owner.Leaving, Disabled: q.disabled, Queued: len(q.items), QueuedBytes: q.bytes, InFlight: q.inFlight,
		LastAttempt: c.state.lastAttempt, LastStatus: c.state.lastStatus, LastError: c.state.lastError, LastAccepted: c.state.lastAccepted,
		Breaker: q.host.stats(c.name), Failing: c.failing,
	}
	shut := out.Breaker.NextProbe
	if q.everyMs > 0 {
		out.Heartbeat = &HeartbeatStats{q.everyMs, c.beat.last, c.beat.silent}
	}
	for _, it := range q.items {
		if out.Oldest == 0 {
			out.Oldest = it.Enqueued
		}
		if next := max(it.Next, q.hold, shut); !it.inFlight && !q.disabled && next > 0 && (out.NextAttempt == 0 || next < out.NextAttempt) {
			out.NextAttempt = next
		}
	}
	return out
}

// DeadLetters returns what was given up for a receiver, newest first, at most
// limit.
func (s *Service) DeadLetters(receiver string, limit int) ([]DeadLetter, error) {
	var out []DeadLetter
	err := s.o.DB.View(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, receiver)
		if !ok {
			return fmt.Errorf("%w %.70q", ErrUnknownReceiver, receiver)
		}
		cursor := b.dead.Cursor()
		for key, src := cursor.Last(); key != nil && len(out) < limit; key, src = cursor.Prev() {
			var d DeadLetter
			if err := json.Unmarshal(src, &d); err != nil {
				return fmt.Errorf("read dead letter: %w", err)
			}
			out = append(out, d)
		}
		return nil
	})
	return out, err
}
