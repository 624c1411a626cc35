package notify

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

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
		var letters []DeadLetter
		var keys [][]byte
		err := b.dead.ForEach(func(key, src []byte) error {
			var d DeadLetter
			if err := json.Unmarshal(src, &d); err != nil {
				return fmt.Errorf("read dead letter %d: %w", binary.BigEndian.Uint64(key), err)
			}
			switch {
			case id != "" && d.ID != id:
			case opens(d.Type) && !s.tellsOf(d.Incident) && !on(d.Incident):
				out.Over++
			default:
				letters, keys = append(letters, d), append(keys, key)
			}
			return nil
		})
		if err != nil {
			return err
		}
		var items []*item
		for i, d := range letters {
			it := &item{ID: d.ID, Incident: d.Incident, Type: d.Type, Rule: d.Rule, Bytes: len(d.Body), Enqueued: now, Unsure: opens(d.Type) && d.Attempts > 0}
			if err := b.addNext(tx, it, d.Body); err != nil {
				return err
			}
			if err := b.dead.Delete(keys[i]); err != nil {
				return err
			}
			items = append(items, it)
		}
		out.Sent = len(items)
		tx.OnCommit(func() { s.enqueued(c, items, nil, &sorted{}, now) })
		return nil
	})
	if err != nil {
		return Resent{}, fmt.Errorf("send dead letters of %s: %w: %w", name, ErrNotStored, err)
	}
	s.o.Log.Info().Str("receiver", name).Int("sent", out.Sent).Int("over", out.Over).Msg("dead letters are sent again")
	return out, nil
}
