package notify

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Target is one receiver of a notification.
type Target struct {
	Receiver string // "" is every receiver
	// Group is nil for an alert that is told alone and at once. An Alertmanager groups
	// by itself, and goes by none.
	Group *Group
}

// Group gathers the alerts that a receiver is told of together.
type Group struct {
	Key    string // equal for all of its alerts, over restarts too
	Labels map[string]string
	// Wait is for how long the first notification of a group waits for company,
	// Interval the least time between two, in ms.
	Wait, Interval int64
	// Repeat is after how long a group that still fires unchanged is told of again, in
	// ms; 0 is never.
	Repeat int64
}

// groupRecord is a group in the database; it lasts while anything of it waits or fires.
type groupRecord struct {
	Key      string            `json:"key"`
	Labels   map[string]string `json:"labels,omitempty"`
	Wait     int64             `json:"wait,omitempty"`
	Interval int64             `json:"interval,omitempty"`
	Repeat   int64             `json:"repeat,omitempty"`
	Told     int64             `json:"told,omitempty"`  // Unix ms, 0: never
	Asked    int64             `json:"asked,omitempty"` // Unix ms of the last repeat
	Runs     int               `json:"runs,omitempty"`  // repeats so far
}

// group is one in memory. What the receiver has been told of it are its members, what
// it is to be told its items.
type group struct {
	groupRecord
	id      string
	items   []*item // in the queue, ascending Seq
	members map[string]*member
	turn    uint64 // of plan, in which it has been looked at
}

// Bounds of groups.
const (
	maxGroups      = 10_000  // per receiver; alerts of others are told alone
	maxBundleBytes = 4 << 20 // of the bodies of one message; beyond it, members that go on are left out
)

// groupID names a group in the outbox.
func groupID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:12])
}

// link is the key under which something of a group stands.
func link(group, of string) []byte { return []byte(group + of) }

func (it *item) link() []byte      { return link(it.Group, "i"+string(sequence(it.Seq))) }
func (m *member) link() []byte     { return link(m.Group, "m"+m.Incident) }
func (r *groupRecord) fresh() bool { return r.Told == 0 }

// due is when the group may be told of what waits since then, both Unix ms.
func (r *groupRecord) due(since int64) int64 {
	if r.fresh() {
		return since + r.Wait
	}
	return max(since, r.Told+r.Interval)
}

// group reads one, nil when it is not there.
func (b box) group(id string) (*groupRecord, error) {
	src := b.groups.Get([]byte(id))
	if src == nil {
		return nil, nil
	}
	r := &groupRecord{}
	if err := json.Unmarshal(src, r); err != nil {
		return nil, fmt.Errorf("read group %s: %w", id, err)
	}
	return r, nil
}

func (b box) putGroup(id string, r *groupRecord) error {
	src, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return b.groups.Put([]byte(id), src)
}

// unlink removes something of a group, and the group with the last.
func (b box) unlink(group string, key []byte) error {
	if group == "" {
		return nil
	}
	if err := b.links.Delete(key); err != nil {
		return err
	}
	if next, _ := b.links.Cursor().Seek([]byte(group)); next != nil && bytes.HasPrefix(next, []byte(group)) {
		return nil
	}
	return b.groups.Delete([]byte(group))
}

// told notes when a group was told of last.
func (b box) told(id string, now int64) error {
	r, err := b.group(id)
	if err != nil || r == nil {
		return err
	}
	r.Told = now
	return b.putGroup(id, r)
}

// join makes the record of a notification's group, or brings it up to date. records
// holds those of this transaction.
func (b box) join(g *Group, records map[string]*groupRecord) (id string, err error) {
	id = groupID(g.Key)
	r := records[id]
	if r == nil {
		if r, err = b.group(id); err != nil {
			return "", err
		}
		if r == nil {
			r = &groupRecord{Key: g.Key}
		}
		records[id] = r
	}
	r.Labels, r.Wait, r.Interval, r.Repeat = g.Labels, g.Wait, g.Interval, g.Repeat
	return id, nil
}

// loadGroups reads the groups of a receiver.
func (b box) loadGroups() (map[string]*groupRecord, error) {
	out := make(map[string]*groupRecord)
	err := b.groups.ForEach(func(id, _ []byte) (err error) {
		out[string(id)], err = b.group(string(id))
		return err
	})
	return out, err
}

// know brings a group to its record.
func (q *queue) know(id string, r *groupRecord) {
	g := q.groups[id]
	if g == nil {
		g = &group{id: id, members: make(map[string]*member)}
		q.groups[id] = g
	}
	last := g.groupRecord
	g.groupRecord = *r
	g.Told, g.Asked, g.Runs = max(g.Told, last.Told), max(g.Asked, last.Asked), max(g.Runs, last.Runs)
}

// release forgets a group of which nothing is left.
func (q *queue) release(g *group) {
	if len(g.items)+len(g.members) == 0 {
		delete(q.groups, g.id)
	}
}

// groupOf returns the group in which the receiver was told of an incident, or will be.
func (q *queue) groupOf(incident string) string {
	if same := q.byIncident[incident]; len(same) > 0 {
		return same[len(same)-1].Group
	}
	if m := q.members[incident]; m != nil {
		return m.Group
	}
	return ""
}

// bundleID names a message that tells of these notifications.
func bundleID(key string, items []*item) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%q\n", key)
	for _, it := range items {
		fmt.Fprintf(hash, "%q\n", it.ID)
	}
	return "group-" + hex.EncodeToString(hash.Sum(nil)[:16])
}

// batch returns what a group is told of next, the name of that message and when it is
// due. What was attempted together is attempted again under its name, and nothing
// joins it; when a newer state has taken a part of it away, what is left is told with all
// else that waits. Nil: something is under way.
func (q *queue) batch(g *group) (items []*item, id string, due int64) {
	var sealed []*item
	for _, it := range g.items {
		if it.inFlight {
			return nil, "", 0
		}
		if q.busy(it.Incident) {
			continue
		}
		if it.Set != "" && (sealed == nil || sealed[0].Set == it.Set) {
			sealed = append(sealed, it)
		}
		items = append(items, it)
	}
	if len(items) == 0 {
		return nil, "", 0
	}
	if sealed != nil && bundleID(g.Key, sealed) == sealed[0].Set {
		items = sealed
	} else {
		due = g.due(items[0].Enqueued)
	}
	for _, it := range items {
		due = max(due, it.Next)
	}
	return items, bundleID(g.Key, items), due
}

// planGroup returns what goes when an item of a group has its turn, and when that is
// due; nothing, when it went with another.
func (q *queue) planGroup(g *group, it *item, due, now int64) (start, int64) {
	if !q.bundles {
		if !it.released && it.Attempts == 0 {
			if due = max(due, g.due(g.items[0].Enqueued)); due <= now {
				for _, one := range g.items {
					if !one.inFlight { // or it belongs to its attempt, and was before
						one.released = true
					}
				}
			}
		}
		return start{items: []*item{it}}, due
	}
	if g.turn == q.turn {
		return start{}, 0
	}
	g.turn = q.turn
	items, id, at := q.batch(g)
	if items == nil {
		return start{}, 0
	}
	record := g.groupRecord
	return start{items: items, id: id, group: &record}, max(at, q.hold)
}

// followGroups brings what is noted in the time of a clock that was set back by so many
// ms to now. After a start nobody knows by how many: then it is 0.
func (q *queue) followGroups(now, back int64) {
	for _, g := range q.groups {
		if g.Told > 0 {
			g.Told = max(1, min(g.Told-back, now))
		}
		g.Asked = max(0, min(g.Asked-back, now))
		for _, it := range g.items {
			if !it.inFlight {
				it.Enqueued = min(it.Enqueued-back, now)
			}
		}
	}
	for _, m := range q.members {
		m.sent = min(m.sent-back, now)
		if m.Until > 0 {
			m.Until = min(m.Until-back, now+againEndsMs)
		}
	}
	q.againAt = min(q.againAt, now)
}

// lead is the one of a batch that the rate limit goes by.
func lead(items []*item) *item {
	if i := slices.IndexFunc(items, func(it *item) bool { return it.Attempts > 0 }); i >= 0 {
		return items[i]
	}
	if i := slices.IndexFunc(items, func(it *item) bool { return opens(it.Type) }); i >= 0 {
		return items[i]
	}
	return items[0]
}

// seal stores which notifications are told together, before the first attempt: after a
// crash they are told under the same name again.
func (s *Service) seal(c *channel, st *start) {
	var changed []*item
	for _, it := range st.items {
		if it.Set != st.id {
			it.Set = st.id
			changed = append(changed, it)
		}
	}
	if len(changed) == 0 {
		return
	}
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		for _, it := range changed {
			if b.pending.Get(sequence(it.Seq)) == nil {
				continue
			}
			if err := b.put(it); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil { // what it is called after a crash matters less than that it is told
		s.databaseFailed("store what is told together", err)
	}
}

// groupBundle makes the message of a group: what is new, and whatever else fires.
func (s *Service) groupBundle(c *channel, st *start, bodies [][]byte) (*bundle, error) {
	b := s.newBundle(c.name, st.id, TypeResolved, "", nil)
	b.Key, b.Labels = st.group.Key, st.group.Labels
	size := 0
	for _, body := range bodies {
		var n Notification
		if err := n.UnmarshalJSON(body); err != nil {
			return nil, fmt.Errorf("read notification: %w", err)
		}
		size += len(body)
		b.Alerts = append(b.Alerts, n)
	}
	err := s.o.DB.View(func(tx *bbolt.Tx) error {
		box, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		for _, incident := range st.others {
			m, err := box.member(incident)
			if err != nil {
				return err
			}
			if m == nil {
				continue
			}
			if size += len(m.Body); size > maxBundleBytes {
				b.Truncated++
				continue
			}
			var n Notification
			if err := n.UnmarshalJSON(m.Body); err != nil {
				return fmt.Errorf("read member: %w", err)
			}
			b.Alerts = append(b.Alerts, n)
		}
		return nil
	})
	slices.SortStableFunc(b.Alerts, func(x, y Notification) int {
		return cmp.Or(cmp.Compare(over(&x), over(&y)), cmp.Compare(x.StartsAt, y.StartsAt), cmp.Compare(x.Incident, y.Incident))
	})
	if b.firing()+b.Truncated > 0 {
		if b.Type = TypeFiring; len(b.Alerts) == 1 {
			b.Type = b.Alerts[0].Type
		}
	}
	return b, err
}
