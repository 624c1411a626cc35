package notify

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// PutReceiver creates or replaces a receiver, durably. Parts of r that are
// masked keep their stored value. A URL that egress does not allow is refused
// with an *EgressError that names --egress-allow. Replacing a receiver that was
// disabled by its own answer enables it, and what waits is sent.
func (s *Service) PutReceiver(r Receiver) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	c := s.channel(r.Name)
	if c != nil {
		r = r.keeping(c.snapshot())
	}
	r.DisabledAt, r.DisabledReason = 0, ""
	r, err := r.validate()
	if err != nil {
		return err
	}
	ctx, cancel := s.within(context.Background(), lookupTimeout)
	defer cancel()
	if err := s.judgeTarget(ctx, &r); err != nil {
		return fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	if c == nil {
		return s.createReceiver(r)
	}
	if err := s.o.DB.Update(func(tx *bbolt.Tx) error { return storeReceiver(tx, r) }); err != nil {
		return fmt.Errorf("store receiver %s: %w: %w", r.Name, ErrNotStored, err)
	}
	was := c.replace(r)
	c.poke()
	s.o.Log.Info().Str("receiver", r.Name).Bool("disabled", r.Disabled).Msg("receiver replaced")
	if was.DisabledAt != 0 {
		s.announce(was, TypeResolved)
	}
	return nil
}

// createReceiver puts the channel in place before the transaction, so that a
// notification enqueued right after it finds its queue.
func (s *Service) createReceiver(r Receiver) error {
	c := newChannel(r, newQueue(s.o.QueueLimit, s.o.QueueBytes, s.o.PerMinute))
	s.mu.Lock()
	if len(s.channels) >= maxReceivers {
		s.mu.Unlock()
		return fmt.Errorf("receiver %s: there are %d receivers, which is the most", r.Name, maxReceivers)
	}
	s.channels[r.Name] = c
	s.mu.Unlock()
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		if err := storeReceiver(tx, r); err != nil {
			return err
		}
		return createBox(tx, r.Name)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.channels, r.Name)
		return fmt.Errorf("store receiver %s: %w: %w", r.Name, ErrNotStored, err)
	}
	if s.run != nil {
		s.dispatchIn(s.run, c)
	}
	s.o.Log.Info().Str("receiver", r.Name).Msg("receiver created")
	return nil
}

func storeReceiver(tx *bbolt.Tx, r Receiver) error {
	src, err := encodeReceiver(r)
	if err != nil {
		return err
	}
	return tx.Bucket(keyRoot).Bucket(keyReceivers).Put([]byte(r.Name), src)
}

// DeleteReceiver removes a receiver with everything that waits for it and its
// dead letters.
func (s *Service) DeleteReceiver(name string) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	c := s.channel(name)
	if c == nil {
		return fmt.Errorf("%w %.70q", ErrUnknownReceiver, name)
	}
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		root := tx.Bucket(keyRoot)
		if err := root.Bucket(keyReceivers).Delete([]byte(name)); err != nil {
			return err
		}
		return root.Bucket(keyOutbox).DeleteBucket([]byte(name))
	})
	if err != nil {
		return fmt.Errorf("delete receiver %s: %w: %w", name, ErrNotStored, err)
	}
	s.mu.Lock()
	delete(s.channels, name)
	s.mu.Unlock()
	close(c.stop)
	c.mu.Lock()
	waiting := len(c.queue.items)
	c.mu.Unlock()
	s.o.Log.Info().Str("receiver", name).Int("waiting", waiting).Msg("receiver deleted")
	return nil
}

// Receivers returns all receivers by name, with secrets masked.
func (s *Service) Receivers() []Receiver {
	out := []Receiver{}
	for _, c := range s.sorted() {
		out = append(out, c.snapshot().shown())
	}
	return out
}

// Receiver returns one receiver, with secrets masked.
func (s *Service) Receiver(name string) (Receiver, error) {
	c := s.channel(name)
	if c == nil {
		return Receiver{}, fmt.Errorf("%w %.70q", ErrUnknownReceiver, name)
	}
	return c.snapshot().shown(), nil
}

func (s *Service) sorted() []*channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*channel, 0, len(s.channels))
	for _, c := range s.channels {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *channel) int { return strings.Compare(a.name, b.name) })
	return out
}

// disable stops a receiver whose target answered 410, durably, and tells the
// others. One that has another target by now, or was deleted, is left alone.
func (s *Service) disable(c *channel, asked Receiver, now int64) {
	s.admin.Lock()
	defer s.admin.Unlock()
	r := c.snapshot()
	if r.Disabled || !r.sameTarget(asked) || s.channel(c.name) != c { // or another one has its name
		return
	}
	r.Disabled, r.DisabledAt, r.DisabledReason = true, now, "it answered 410 Gone"
	if err := s.o.DB.Update(func(tx *bbolt.Tx) error { return storeReceiver(tx, r) }); err != nil {
		s.databaseFailed("disable receiver", err)
	}
	c.replace(r)
	s.o.Log.Error().Str("receiver", r.Name).Str("reason", r.DisabledReason).Msg("receiver disabled")
	s.announce(r, TypeFiring)
}

// announce tells every other receiver that r was disabled, or is back.
func (s *Service) announce(r Receiver, kind string) {
	n := Notification{
		Incident: fmt.Sprintf("pulse-receiver-%s-%d", r.Name, r.DisabledAt), Type: kind, Status: "firing",
		Rule: "pulse-receiver-disabled", Severity: "page", Tags: map[string]string{"receiver": r.Name},
		Annotations: map[string]string{"summary": "receiver " + r.Name + " is disabled: " + r.DisabledReason},
		Value:       1, Expected: math.NaN(), Lower: math.NaN(), Upper: math.NaN(), Score: math.NaN(),
		StartsAt: r.DisabledAt, EvaluatedAt: s.o.Clock.Now().UnixMilli(), Completeness: 1,
	}
	n.ID = n.Incident + "-firing"
	if kind == TypeResolved {
		n.ID, n.Status, n.Value, n.EndsAt = n.Incident+"-resolved", "resolved", 0, n.EvaluatedAt
	}
	for _, c := range s.sorted() {
		if c.name != r.Name {
			n.Notify = append(n.Notify, c.name)
		}
	}
	if len(n.Notify) == 0 {
		return
	}
	if err := s.o.DB.Update(func(tx *bbolt.Tx) error { return s.Enqueue(tx, n) }); err != nil {
		s.databaseFailed("announce disabled receiver", err)
	}
}

// snapshot returns the receiver with its secrets.
func (c *channel) snapshot() Receiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.receiver
}

// replace installs r and returns what was there.
func (c *channel) replace(r Receiver) Receiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.receiver
	c.receiver = r
	c.queue.disabled = r.Disabled
	return was
}
