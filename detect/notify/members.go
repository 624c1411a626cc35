package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"pulse/detect/label"
)

// member is an alert that a receiver has accepted and is told of again later.
type member struct {
	Incident string `json:"incident"`
	ID       string `json:"id"` // of the notification that stands for it
	Seq      uint64 `json:"seq"`
	Type     string `json:"type"`
	Rule     string `json:"rule"`
	Group    string `json:"group,omitempty"` // its id
	// Labels is the fingerprint by which the receiver knows it.
	Labels string          `json:"labels,omitempty"`
	Quiet  []string        `json:"quiet,omitempty"` // what keeps it from being told again, by name
	Until  int64           `json:"until,omitempty"` // Unix ms until which its end is told again
	Body   json.RawMessage `json:"body,omitempty"`  // in the database only

	bytes    int   // of its body
	sent     int64 // Unix ms, when it was told last; 0: not since the start
	inFlight bool
}

// The figures of telling again. An Alertmanager takes an alert for over that it does
// not hear of for alertmanagerKeepsMs.
const (
	againMs      = 60_000
	againSlackMs = 5_000   // what is due within goes along
	againEndsMs  = 300_000 // for so long ends are told again
	againAlerts  = 256     // alerts of one post
	againBytes   = 1 << 20 // of their bodies, but for one
	maxMembers   = 10_000  // per receiver; the others are told of once
)

// newMember returns what is kept of a notification that a receiver has accepted, nil
// when it is not told again.
func newMember(r *Receiver, it *item, body []byte, now int64) *member {
	if it.Incident == "" {
		return nil
	}
	m := &member{Incident: it.Incident, ID: it.ID, Seq: it.Seq, Type: it.Type, Rule: it.Rule, Group: it.Group, Body: body, sent: now}
	if r.Kind != KindAlertmanager {
		if it.Group == "" || it.Type == TypeResolved {
			return nil
		}
		return m
	}
	var n Notification
	if err := json.Unmarshal(body, &n); err != nil {
		return nil
	}
	m.Labels = label.Fingerprint(promLabels(n.set()))
	if it.Type == TypeResolved {
		m.Until = now + againEndsMs
	}
	return m
}

// keep stores a member, and forgets the one whose place it takes.
func (b box) keep(m *member, displaced string) error {
	if displaced != "" {
		if err := b.leave(displaced); err != nil {
			return err
		}
	}
	src, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if m.Group != "" {
		if err := b.links.Put(m.link(), nil); err != nil {
			return err
		}
	}
	return b.members.Put([]byte(m.Incident), src)
}

// leave forgets the member of an incident, if there is one.
func (b box) leave(incident string) error {
	m, err := b.member(incident)
	if err != nil || m == nil {
		return err
	}
	if err := b.members.Delete([]byte(incident)); err != nil {
		return err
	}
	return b.unlink(m.Group, m.link())
}

// loadMembers reads what is told again, without bodies.
func (b box) loadMembers() (list []*member, err error) {
	err = b.members.ForEach(func(key, src []byte) error {
		m := &member{}
		if err := json.Unmarshal(src, m); err != nil {
			return fmt.Errorf("read member %q: %w", key, err)
		}
		m.bytes, m.Body = len(m.Body), nil
		list = append(list, m)
		return nil
	})
	return list, err
}

// places says where a new member goes: whether it is kept at all, and whose place it
// takes. Of several incidents with the same labels the newest is told of.
func (q *queue) places(m *member) (keep bool, displaced string) {
	other := q.byLabels[m.Labels]
	switch {
	case m.Labels != "" && other != nil && other.Incident != m.Incident:
		return other.Seq < m.Seq, other.Incident
	case q.members[m.Incident] == nil && len(q.members) >= maxMembers:
		return false, ""
	}
	return true, ""
}

// keep notes a member that is stored.
func (q *queue) keep(m *member) {
	if other := q.byLabels[m.Labels]; m.Labels != "" && other != nil && other.Incident != m.Incident {
		if other.Seq > m.Seq {
			return
		}
		q.leave(other.Incident)
	}
	if was := q.members[m.Incident]; was != nil && was.Seq > m.Seq {
		return
	}
	q.leave(m.Incident)
	kept := *m
	kept.bytes, kept.Body = len(m.Body), nil
	if by, said := q.quieted[m.Incident]; said { // while its acceptance was stored
		kept.Quiet = by
		delete(q.quieted, m.Incident)
	}
	q.members[m.Incident] = &kept
	if g := q.groups[m.Group]; g != nil {
		g.members[m.Incident] = &kept
	}
	if m.Labels != "" {
		q.byLabels[m.Labels] = &kept
	}
	if due := m.sent + againMs; q.againAt == 0 || due < q.againAt {
		q.againAt = due
	}
}

// leave forgets a member.
func (q *queue) leave(incident string) {
	m := q.members[incident]
	if m == nil {
		return
	}
	delete(q.members, incident)
	if q.byLabels[m.Labels] == m {
		delete(q.byLabels, m.Labels)
	}
	if g := q.groups[m.Group]; g != nil {
		delete(g.members, incident)
		q.release(g)
	}
}

// planAgain picks what is told again now, and marks it in flight; wake is when to look
// again, 0 for never. What waits in the queue says it better, and is left out.
func (q *queue) planAgain(p *plan) (list []*member, wake int64) {
	now := p.now
	if !q.resends || q.againUnderWay || len(q.members) == 0 {
		return nil, 0
	}
	if at := max(q.againAt, q.hold); at > now {
		return nil, at
	}
	q.againAt = 0
	bytes := 0
	for _, incident := range slices.Sorted(maps.Keys(q.members)) {
		m := q.members[incident]
		due := m.sent + againMs
		switch {
		case m.Until > 0 && now >= m.Until:
			q.expired = append(q.expired, m)
			q.leave(incident)
			continue
		case len(q.byIncident[incident]) > 0:
			due = now + againMs
		case due <= now+againSlackMs && len(list) < againAlerts && (bytes == 0 || bytes+m.bytes <= againBytes):
			bytes += m.bytes
			list = append(list, m)
			continue
		}
		due = max(due, now)
		if q.againAt == 0 || due < q.againAt {
			q.againAt = due
		}
	}
	if len(list) > 0 {
		if q.againUnderWay, p.probes = q.enter(p); !q.againUnderWay {
			q.againAt = min(p.shut, now+againSlackMs)
			return nil, max(q.againAt, q.hold)
		}
	}
	for _, m := range list {
		m.inFlight = true
	}
	return list, max(q.againAt, q.hold)
}

// forgetMembers removes from the database what is not told again any more.
func (s *Service) forgetMembers(c *channel, list []*member) {
	if len(list) == 0 {
		return
	}
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		for _, m := range list {
			if now, err := b.member(m.Incident); err != nil || now == nil || now.Seq != m.Seq {
				continue
			}
			if err := b.leave(m.Incident); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil { // they are told again after a restart, and leave then
		s.databaseFailed("forget what is not told again", err)
	}
}

// member reads one with its body, nil when it is not there.
func (b box) member(incident string) (*member, error) {
	src := b.members.Get([]byte(incident))
	if src == nil {
		return nil, nil
	}
	m := &member{}
	if err := json.Unmarshal(src, m); err != nil {
		return nil, fmt.Errorf("read member %q: %w", incident, err)
	}
	return m, nil
}
