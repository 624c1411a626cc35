package notify

import (
	"go.etcd.io/bbolt"
)

// Withdrawn is a beginning that was taken back before it was told.
type Withdrawn struct{ Receiver, Incident, ID string }

// withdrawMs is for how long nothing that is taken back is attempted: the transaction
// that does so ends before.
const withdrawMs = 30_000

const reasonWithdrawn = "held back while it waited for its group"

// Withdraw takes back inside tx the beginnings of incidents that wait for their groups
// and cannot have reached anybody, and returns which. They may be enqueued again. When
// tx fails, they are told, a little late.
func (s *Service) Withdraw(tx *bbolt.Tx, incidents []string) (list []Withdrawn, err error) {
	now := s.o.Clock.Now().UnixMilli()
	for _, c := range s.sorted() {
		b, ok := boxOf(tx, c.name)
		if !ok {
			continue
		}
		var items []*item
		var copies []item
		c.mu.Lock()
		for _, incident := range incidents {
			if it := c.queue.withdrawable(incident, now); it != nil {
				it.Next = max(it.Next, now+withdrawMs)
				items, copies = append(items, it), append(copies, *it)
			}
		}
		c.mu.Unlock()
		var drops []drop
		for i := range copies {
			it := &copies[i]
			if err := b.remove(it); err != nil {
				return nil, err
			}
			list = append(list, Withdrawn{c.name, it.Incident, it.ID})
			drops = append(drops, drop{it: it, reason: reasonWithdrawn})
		}
		if len(items) > 0 {
			tx.OnCommit(func() { s.withdrawn(c, items, drops, now) })
		}
	}
	return list, nil
}

// withdrawable returns the beginning of an incident when it waits for its group and
// nobody can have heard of it.
func (q *queue) withdrawable(incident string, now int64) *item {
	same := q.byIncident[incident]
	if len(same) != 1 || q.open[incident] || q.members[incident] != nil {
		return nil
	}
	it := same[0]
	g := q.groups[it.Group]
	if g == nil || !opens(it.Type) || it.inFlight || it.folding || it.released || it.Unsure || it.Attempts > 0 || it.Set != "" || g.due(g.items[0].Enqueued) <= now {
		return nil
	}
	return it
}

// withdrawn brings the queue to what was committed.
func (s *Service) withdrawn(c *channel, items []*item, drops []drop, now int64) {
	c.mu.Lock()
	for _, it := range items {
		c.queue.remove(it)
	}
	c.mu.Unlock()
	c.poke()
	for _, d := range drops {
		s.countDrop(c, d)
	}
	s.noteLater(noted(c, drops, now))
}
