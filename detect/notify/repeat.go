package notify

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"
)

// Quiet says what keeps an alert from being told again to a receiver, such as a silence;
// nothing: it speaks again. It may be said before the receiver has accepted the alert;
// until then it does not outlive the process, so after a start it is to be said again.
type Quiet struct {
	Receiver string // "" is every receiver
	Incident string
	By       []string
}

// speaks reports whether a member is a reason to tell of its group again.
func (m *member) speaks() bool { return opens(m.Type) && len(m.Quiet) == 0 }

// planRepeats returns the groups that are to be told of again now, and when to look
// again, 0 for never. A group of which something waits is not: it will be told of.
func (q *queue) planRepeats(now int64) (list []string, wake int64) {
	if q.leaving {
		return nil, 0
	}
	for id, g := range q.groups {
		if g.Repeat == 0 || len(g.items) > 0 || g.fresh() {
			continue
		}
		at := max(g.Told, g.Asked) + g.Repeat
		switch {
		case at > now && (wake == 0 || at < wake):
			wake = at
		case at <= now && g.speaks():
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list, wake
}

func (g *group) speaks() bool {
	for _, m := range g.members {
		if m.speaks() {
			return true
		}
	}
	return false
}

// repeat stores the notifications that tell of groups again: one that goes with all
// that fires, or one for each alert where the receiver is told of them one by one.
func (s *Service) repeat(c *channel, groups []string, now int64) {
	if len(groups) == 0 {
		return
	}
	records := map[string]*groupRecord{}
	incidents := map[string][]string{}
	c.mu.Lock()
	for _, id := range groups {
		g := c.queue.groups[id]
		if g == nil {
			continue
		}
		g.Asked = now // also when it cannot be stored: not again at once
		for _, incident := range slices.Sorted(maps.Keys(g.members)) {
			if g.members[incident].speaks() {
				incidents[id] = append(incidents[id], incident)
			}
		}
		if c.queue.bundles {
			incidents[id] = incidents[id][:min(1, len(incidents[id]))]
		}
	}
	c.mu.Unlock()
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		var items []*item
		for _, id := range groups {
			r, list, err := b.repeat(tx, id, incidents[id], now)
			if err != nil {
				return err
			}
			if items = append(items, list...); r != nil {
				records[id] = r
			}
		}
		tx.OnCommit(func() { s.enqueued(c, items, records, &sorted{}, now) })
		return nil
	})
	if err != nil {
		s.databaseFailed("tell of groups again", err)
	}
}

// repeat stores what tells of a group again; nothing when something newer waits.
func (b box) repeat(tx *bbolt.Tx, id string, incidents []string, now int64) (*groupRecord, []*item, error) {
	r, err := b.group(id)
	waits := link(id, "i")
	if next, _ := b.links.Cursor().Seek(waits); err != nil || r == nil || bytes.HasPrefix(next, waits) {
		return nil, nil, err
	}
	r.Asked = now
	r.Runs++
	var items []*item
	for _, incident := range incidents {
		m, err := b.member(incident)
		if err != nil {
			return nil, nil, err
		}
		if m == nil || m.Group != id || !m.speaks() {
			continue
		}
		var n Notification
		if err := n.UnmarshalJSON(m.Body); err != nil {
			return nil, nil, fmt.Errorf("read member: %w", err)
		}
		n.ID = dedupKey(fmt.Sprintf("%s-r%d", m.ID, r.Runs), 255)
		body, err := n.bounded()
		if err != nil {
			return nil, nil, err
		}
		it := &item{ID: n.ID, Incident: incident, Type: m.Type, Rule: m.Rule, Bytes: len(body), Enqueued: now, Group: id, Repeat: true}
		if err := b.addNext(tx, it, body); err != nil {
			return nil, nil, err
		}
		items = append(items, it)
	}
	return r, items, b.putGroup(id, r)
}

// Quiet notes inside tx what keeps alerts from being told again; the receivers' groups
// go by it once tx commits. What speaks again is told of when its time has passed.
func (s *Service) Quiet(tx *bbolt.Tx, list []Quiet) error {
	var errs []error
	for _, x := range list {
		for _, c := range s.sorted() {
			if x.Receiver != "" && x.Receiver != c.name {
				continue
			}
			b, ok := boxOf(tx, c.name)
			if !ok {
				continue
			}
			m, err := b.member(x.Incident)
			if errs = append(errs, err); m != nil && !slices.Equal(m.Quiet, x.By) {
				m.Quiet = x.By
				errs = append(errs, b.keep(m, ""))
			}
			tx.OnCommit(func() { c.quiet(x) })
		}
	}
	return errors.Join(errs...)
}

func (c *channel) quiet(x Quiet) {
	c.mu.Lock()
	if m := c.queue.members[x.Incident]; m != nil {
		m.Quiet = slices.Clone(x.By)
	} else if len(c.queue.byIncident[x.Incident]) > 0 {
		c.queue.quieted[x.Incident] = slices.Clone(x.By)
	}
	c.mu.Unlock()
	c.poke()
}
