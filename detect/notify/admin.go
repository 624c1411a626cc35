package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// PutReceiver creates or replaces a receiver, durably. Parts of r that are
// masked keep their stored value. A URL that egress does not allow is refused
// with an *EgressError that names --egress-allow, a receiver that comes from a file
// with an *OwnedError. Replacing a receiver that was disabled by its own answer
// enables it, and what waits is sent.
func (s *Service) PutReceiver(r Receiver) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	c := s.channel(r.Name)
	var stored Receiver
	if c != nil {
		if err := s.owned(c); err != nil {
			return err
		}
		stored = c.snapshot()
	}
	r, err := r.merged(stored)
	if err != nil {
		return err
	}
	if err := s.reachable(r); err != nil {
		return err
	}
	if c == nil {
		return s.createReceiver(r)
	}
	err = s.o.DB.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket(keyRoot).Bucket(keyOwners).Delete([]byte(r.Name)); err != nil {
			return err
		}
		return storeReceiver(tx, r)
	})
	if err != nil {
		return fmt.Errorf("store receiver %s: %w: %w", r.Name, ErrNotStored, err)
	}
	c.own(owner{})
	s.replace(c, r)
	s.replaced(c)
	return nil
}

// replaced has what waits sent to the new form of a receiver.
func (s *Service) replaced(c *channel) {
	c.poke()
	s.o.Log.Info().Str("receiver", c.name).Bool("disabled", c.snapshot().Disabled).Msg("receiver replaced")
	s.lookAfter()
}

// createReceiver puts the channel in place before the transaction, so that a
// notification enqueued right after it finds its queue.
func (s *Service) createReceiver(r Receiver) error {
	s.mu.Lock()
	n := len(s.channels)
	s.mu.Unlock()
	if n >= maxReceivers {
		return fmt.Errorf("receiver %s: there are %d receivers, which is the most", r.Name, maxReceivers)
	}
	created := []*channel{s.newChannel(r)}
	s.join(created)
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		if err := storeReceiver(tx, r); err != nil {
			return err
		}
		return createBox(tx, r.Name)
	})
	if err != nil {
		s.mu.Lock()
		delete(s.channels, r.Name)
		s.mu.Unlock()
		s.hosts.leave(r.Name)
		return fmt.Errorf("store receiver %s: %w: %w", r.Name, ErrNotStored, err)
	}
	s.begin(created)
	return nil
}

// join puts channels in place; s.admin is held, so that none of their names is taken.
func (s *Service) join(list []*channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		s.channels[c.name] = c
	}
}

// begin has new channels deliver.
func (s *Service) begin(list []*channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		if s.run != nil {
			s.dispatchIn(s.run, c)
		}
		s.o.Log.Info().Str("receiver", c.name).Msg("receiver created")
	}
}

func storeReceiver(tx *bbolt.Tx, r Receiver) error {
	src, err := encodeReceiver(r)
	if err != nil {
		return err
	}
	return tx.Bucket(keyRoot).Bucket(keyReceivers).Put([]byte(r.Name), src)
}

// DeleteReceiver removes a receiver with everything that waits for it and its
// dead letters; the timelines of what waited say so. One that comes from a file is
// refused with an *OwnedError.
func (s *Service) DeleteReceiver(name string) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	c := s.channel(name)
	if c == nil {
		return fmt.Errorf("%w %.70q", ErrUnknownReceiver, name)
	}
	if err := s.owned(c); err != nil {
		return err
	}
	var waiting []Attempt
	err := s.o.DB.Update(func(tx *bbolt.Tx) (err error) {
		if waiting, err = s.undelivered(tx, c); err != nil {
			return err
		}
		if err := s.remember(tx, waiting); err != nil {
			return err
		}
		if err := s.tellWorking(tx, c, "is deleted", s.o.Clock.Now().UnixMilli()); err != nil {
			return err
		}
		return deleteReceiver(tx, name)
	})
	if err != nil {
		return fmt.Errorf("delete receiver %s: %w: %w", name, ErrNotStored, err)
	}
	s.forget(c)
	s.o.Log.Info().Str("receiver", name).Int("waiting", len(waiting)).Msg("receiver deleted")
	return nil
}

// undelivered is what waits for c, as the timelines tell of it.
func (s *Service) undelivered(tx *bbolt.Tx, c *channel) (out []Attempt, err error) {
	b, ok := boxOf(tx, c.name)
	if !ok {
		return nil, nil
	}
	now := s.o.Clock.Now().UnixMilli()
	err = b.pending.ForEach(func(_, src []byte) error {
		var it item
		if err := json.Unmarshal(src, &it); err != nil {
			return fmt.Errorf("read notification: %w", err)
		}
		out = append(out, Attempt{T: now, Incident: it.Incident, Notification: it.ID, Type: it.Type, Receiver: c.name, Outcome: OutcomeDropped, Error: "the receiver was deleted"})
		return nil
	})
	return out, err
}

func deleteReceiver(tx *bbolt.Tx, name string) error {
	root := tx.Bucket(keyRoot)
	for _, key := range [][]byte{keyReceivers, keyOwners} {
		if err := root.Bucket(key).Delete([]byte(name)); err != nil {
			return err
		}
	}
	return root.Bucket(keyOutbox).DeleteBucket([]byte(name))
}

// forget ends the channel of a receiver that is deleted.
func (s *Service) forget(c *channel) {
	s.mu.Lock()
	delete(s.channels, c.name)
	s.mu.Unlock()
	s.hosts.leave(c.name)
	close(c.stop)
}

// Receivers returns all receivers by name, with secrets masked and how delivery goes.
func (s *Service) Receivers() []Receiver {
	out := []Receiver{}
	for _, c := range s.sorted() {
		out = append(out, c.shown())
	}
	return out
}

func (c *channel) shown() Receiver {
	r, status := c.snapshot().shown(), c.stats()
	r.Status = &status
	return r
}

// Names returns the names of the receivers that are told of alerts that begin, in order: of
// all but those that get heartbeats and those that are leaving.
func (s *Service) Names() []string {
	out := []string{}
	for _, c := range s.sorted() {
		if r := c.snapshot(); r.Heartbeat == "" && c.origin().Leaving == 0 {
			out = append(out, c.name)
		}
	}
	return out
}

// FileOf returns the file that a receiver comes from, or came from when it is leaving, ""
// for none.
func (s *Service) FileOf(name string) string {
	if c := s.channel(name); c != nil {
		return c.origin().File
	}
	return ""
}

// Receiver returns one of them.
func (s *Service) Receiver(name string) (Receiver, error) {
	c := s.channel(name)
	if c == nil {
		return Receiver{}, fmt.Errorf("%w %.70q", ErrUnknownReceiver, name)
	}
	return c.shown(), nil
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
	stop := func() { s.replace(c, r) }
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		if err := storeReceiver(tx, r); err != nil {
			return err
		}
		tx.OnCommit(stop) // before it is known to fail: the watch takes one that is gone and not stopped for one that was put again
		return s.tellFailing(tx, c, trouble{now, r.DisabledReason, true}, now)
	})
	if err != nil {
		s.databaseFailed("disable receiver", err)
		stop()
	}
	s.o.Log.Error().Str("receiver", r.Name).Str("reason", r.DisabledReason).Msg("receiver disabled")
	s.lookAfter() // for what could not be stored
}

// snapshot returns the receiver with its secrets.
func (c *channel) snapshot() Receiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.receiver
}

// replace installs r. What failed before is no fault of it.
func (s *Service) replace(c *channel, r Receiver) {
	host := s.hosts.of(&r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiver = r
	c.beat.failedSince, c.beat.err, c.vain = 0, "", vain{}
	c.queue.forgive()
	if c.queue.host != host {
		c.queue.succeeded()
		c.queue.goOn()
	}
	c.queue.serve(&r, host)
}
