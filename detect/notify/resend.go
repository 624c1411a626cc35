package notify

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Resent says what became of dead letters that were to be sent again.
type Resent struct {
	Sent int `json:"sent"` // they wait for their first attempt, under the keys that they had
	Over int `json:"over"` // beginnings of what is over, which stay dead letters
}

// tellsOf reports whether an incident is that of a receiver which fails.
func (s *Service) tellsOf(incident string) bool {
	for _, c := range s.sorted() {
		if f := c.fails(); f != nil && f.Incident == incident {
			return true
		}
	}
	return false
}

// Resend takes dead letters of a receiver back into its queue: the one of a notification's
// id, or all of them for "". Of beginnings only those of incidents that are on are sent,
// since nobody would tell of their end.
func (s *Service) Resend(name, id string, on func(incident string) bool) (out Resent, err error) {
	s.admin.Lock()
	defer s.admin.Unlock()
	c := s.channel(name)
	if c == nil {
		return out, fmt.Errorf("%w %.70q", ErrUnknownReceiver, name)
	}
	now := s.o.Clock.Now().UnixMilli()
	err = s.o.DB.Update(func(tx *bbolt.Tx) error {
		out = Resent{}
		b, ok := boxOf(tx, name)
		if !ok {
			return nil
		}
		letters, keys, err := b.deadLetters(id)
		if err != nil {
			return err
		}
		var items []*item
		for i := range letters {
			d := &letters[i]
			it := &item{ID: d.ID, Incident: d.Incident, Type: d.Type, Rule: d.Rule, Bytes: len(d.Body), Enqueued: now}
			if it.Unsure = it.begins() && d.Attempts > 0; it.begins() && !s.tellsOf(d.Incident) && !c.tallies(d.Incident) && !on(d.Incident) {
				out.Over++
				continue
			}
			err := errors.Join(b.addNext(tx, it, d.Body), b.dead.Delete(keys[i]))
			if it.Type == TypeResolved { // it was given up since its beginning may have been accepted
				err = errors.Join(err, b.open.Put([]byte(it.Incident), nil))
			}
			if err != nil {
				return err
			}
			items = append(items, it)
		}
		out.Sent = len(items)
		tx.OnCommit(func() {
			c.reopen(items)
			s.enqueued(c, items, nil, &sorted{}, now)
		})
		return nil
	})
	if err != nil {
		return Resent{}, fmt.Errorf("send dead letters of %s: %w: %w", name, ErrNotStored, err)
	}
	s.o.Log.Info().Str("receiver", name).Int("sent", out.Sent).Int("over", out.Over).Msg("dead letters are sent again")
	return out, nil
}

// deadLetters reads those of a notification's id, or all of them for "".
func (b box) deadLetters(id string) (list []DeadLetter, keys [][]byte, err error) {
	err = b.dead.ForEach(func(key, src []byte) error {
		var d DeadLetter
		if err := json.Unmarshal(src, &d); err != nil {
			return fmt.Errorf("read dead letter %d: %w", binary.BigEndian.Uint64(key), err)
		}
		if id == "" || d.ID == id {
			list, keys = append(list, d), append(keys, slices.Clone(key))
		}
		return nil
	})
	return list, keys, err
}

// tallies reports whether an incident is that of a summary, and not all that it counts is
// over.
func (c *channel) tallies(incident string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.queue.tallies {
		if t.id == incident {
			return true
		}
	}
	return false
}

// reopen notes that the beginnings of what ends may have been accepted.
func (c *channel) reopen(items []*item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, it := range items {
		if it.Type == TypeResolved {
			c.queue.begin(it.Incident)
		}
	}
}
