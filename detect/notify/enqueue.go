package notify

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// Enqueue is EnqueueAll of one notification.
func (s *Service) Enqueue(tx *bbolt.Tx, n Notification) error {
	return errors.Join(s.EnqueueAll(tx, []Notification{n})...)
}

// EnqueueAll stores notifications for their receivers inside tx, which the caller
// commits: transitions and notifications become durable together, and delivery
// starts after the commit. A name in Notify that no receiver has is logged and
// counted, not an error, so that one rule's mistake does not stop the transitions
// of a step. What is refused is returned with its reason, the rest is stored:
// errors are those of the database, and notifications without a usable ID, type or
// size.
func (s *Service) EnqueueAll(tx *bbolt.Tx, list []Notification) (refused []error) {
	now := s.o.Clock.Now().UnixMilli()
	var everyone []string
	var names []string // in order of appearance
	byName := make(map[string][]*letter)
	for i := range list {
		l := &letter{Notification: &list[i], written: &written{}}
		if err := validateNotification(l.Notification); err != nil {
			refused = append(refused, fmt.Errorf("rule %q: %w", list[i].Rule, err))
			continue
		}
		send := func(name string, l *letter) {
			waiting, known := byName[name]
			if !known {
				names = append(names, name)
			}
			if len(waiting) == 0 || waiting[len(waiting)-1].Notification != l.Notification { // named twice
				byName[name] = append(waiting, l)
			}
		}
		all := func(l *letter) {
			if everyone == nil {
				everyone = receiverNames(tx)
			}
			for _, name := range everyone {
				send(name, l)
			}
		}
		switch {
		case l.To != nil:
			for _, to := range l.To {
				own := &letter{l.Notification, l.written, to.Group}
				if to.Receiver == "" {
					all(own)
				} else {
					send(to.Receiver, own)
				}
			}
		case len(l.Notify) > 0:
			for _, name := range l.Notify {
				send(name, l)
			}
		default:
			all(l)
		}
	}
	for _, name := range names {
		if err := s.enqueueFor(tx, name, byName[name], now); err != nil {
			refused = append(refused, err)
		}
	}
	return refused
}

// letter is a notification to one receiver, or to several without a group.
type letter struct {
	*Notification
	*written
	group *Group
}

// written is the body of a notification, made once for all receivers.
type written struct {
	text []byte
	err  error
}

func (l *letter) body() ([]byte, error) {
	if l.text == nil && l.err == nil {
		l.text, l.err = l.bounded()
	}
	return l.text, l.err
}

func receiverNames(tx *bbolt.Tx) (names []string) {
	c := tx.Bucket(keyRoot).Bucket(keyReceivers).Cursor()
	for name, _ := c.First(); name != nil; name, _ = c.Next() {
		names = append(names, string(name))
	}
	return names
}

// enqueueFor stores what one receiver gets.
func (s *Service) enqueueFor(tx *bbolt.Tx, name string, list []*letter, now int64) error {
	b, ok := boxOf(tx, name)
	if !ok {
		for _, l := range list {
			s.stats.unrouted.Add(1)
			s.o.Log.Warn().Str("receiver", name).Str("rule", l.Rule).Str("incident", l.Incident).Msg("notification names an unknown receiver")
		}
		return nil
	}
	c := s.channel(name)
	var x sorted
	if x.keep = list; c != nil {
		list = s.wanted(c, list)
		x = c.sort(list, now)
	}
	var errs []error
	var items []*item
	if len(x.count) > 0 {
		it, err := s.addSummary(tx, b, &x, now)
		if errs = append(errs, err); err == nil {
			items = append(items, it)
		} else {
			x.count = nil
		}
	}
	if len(x.count)+len(x.spare) > 0 {
		var summary *item
		if len(items) > 0 {
			summary = items[0]
		}
		ends, err := s.noteCounts(tx, b, c, &x, summary, now)
		items, errs = append(items, ends...), append(errs, err)
	}
	records := map[string]*groupRecord{}
	for _, l := range x.keep {
		it := l.item(now)
		var err error
		if it.Group, err = c.groupOf(b, l, records); err == nil {
			err = b.enqueue(tx, it, l)
		}
		if errs = append(errs, err); err == nil {
			items = append(items, it)
		}
	}
	for id, r := range records {
		errs = append(errs, b.putGroup(id, r))
	}
	tx.OnCommit(func() { s.enqueued(c, items, records, &x, now) })
	return errors.Join(errs...)
}

// enqueue stores a notification as the next in the box.
func (b box) enqueue(tx *bbolt.Tx, it *item, l *letter) error {
	body, err := l.body()
	if err != nil {
		return err
	}
	it.Bytes = len(body)
	if err := b.addNext(tx, it, body); err != nil {
		return fmt.Errorf("store notification %s: %w", l.ID, err)
	}
	return nil
}

// groupOf returns the id of the group that a letter is told of with, "" for alone. What
// is over ends where it began.
func (c *channel) groupOf(b box, l *letter, records map[string]*groupRecord) (string, error) {
	if c == nil || l.Incident == "" {
		return "", nil
	}
	c.mu.Lock()
	q := c.queue
	known := q.groupOf(l.Incident)
	told := known != "" || q.open[l.Incident] || len(q.byIncident[l.Incident]) > 0
	full := len(q.groups)+len(records) >= maxGroups
	alone := q.resends
	c.mu.Unlock()
	switch {
	case l.Type == TypeResolved && told:
		if r := records[known]; r != nil || known == "" {
			return known, nil
		}
		r, err := b.group(known)
		if err != nil || r == nil {
			return "", err
		}
		if l.group != nil && groupID(l.group.Key) == known {
			return b.join(l.group, records)
		}
		records[known] = r
		return known, nil
	case l.group == nil || alone:
		return "", nil
	case full && records[groupID(l.group.Key)] == nil && b.groups.Get([]byte(groupID(l.group.Key))) == nil:
		return "", nil
	}
	return b.join(l.group, records)
}

// addNext gives an item the next sequence number and stores it.
func (b box) addNext(tx *bbolt.Tx, it *item, body []byte) (err error) {
	if it.Seq, err = tx.Bucket(keyRoot).NextSequence(); err != nil {
		return err
	}
	return b.add(it, body)
}

// sorted is what becomes of the notifications of one transaction for a receiver.
type sorted struct {
	keep  []*letter
	count []*letter // in a summary
	hold  int64     // Unix ms until which that is held; 0: it goes at once
	spare []*letter // ends of incidents that were counted
	keeps bool      // what a summary opens stays open until it is resolved
	// change is what that does to who is counted, nil: nothing.
	change *counts
}

// sort decides what becomes of a list. When more begin in it than the receiver
// gets in a minute, those are counted for which there is no room. When a summary has
// gone in the last minute, the count waits for the next one.
func (c *channel) sort(list []*letter, now int64) sorted {
	c.mu.Lock()
	defer c.mu.Unlock()
	var x sorted
	begin, ends := 0, map[string]bool{}
	groups := map[string]bool{} // whose first one is counted
	together := func(l *letter) bool {
		if l.group == nil || !c.queue.bundles || groups[l.group.Key] {
			return l.group != nil && c.queue.bundles
		}
		groups[l.group.Key] = true
		return false
	}
	for _, l := range list {
		switch {
		case opens(l.Type) && together(l):
		case opens(l.Type):
			begin++
		case l.Type == TypeResolved:
			ends[l.Incident] = true
		}
	}
	storm := begin > c.queue.perMinute && !c.queue.disabled
	if !storm && len(c.queue.counted) == 0 {
		return sorted{keep: list}
	}
	x.hold, x.keeps = c.queue.heldUntil(now), c.queue.keeps
	room := c.queue.room(now)
	clear(groups)
	for _, l := range list {
		switch {
		case l.Type == TypeResolved && c.queue.isCounted(l.Incident):
			x.spare = append(x.spare, l)
			continue
		case !storm || !opens(l.Type) || ends[l.Incident]:
		case l.group != nil && groups[l.group.Key]:
		case room > 0:
			room--
			if l.group != nil && c.queue.bundles {
				groups[l.group.Key] = true
			}
		default:
			x.count = append(x.count, l)
			continue
		}
		x.keep = append(x.keep, l)
	}
	return x
}

// enqueued brings the queue of c to what was committed, and has the dispatcher
// look at it. The channel is nil when its receiver was deleted meanwhile.
func (s *Service) enqueued(c *channel, items []*item, records map[string]*groupRecord, x *sorted, now int64) {
	s.stats.enqueued.Add(int64(len(items)))
	if c == nil {
		return
	}
	var drops []drop
	c.mu.Lock()
	q := c.queue
	for _, l := range x.count {
		drops = append(drops, drop{it: l.item(now), reason: reasonFolded})
	}
	for _, l := range x.spare {
		drops = append(drops, drop{it: l.item(now), reason: reasonNeverSent})
	}
	if x.change != nil {
		q.counts(x.change)
	}
	if len(x.count) > 0 && x.hold == 0 {
		q.lastSummary = now
	}
	for id, r := range records {
		q.know(id, r)
	}
	for _, it := range items {
		q.insert(it)
	}
	for id := range records { // of what was dropped at once
		if g := q.groups[id]; g != nil {
			q.release(g)
		}
	}
	c.mu.Unlock()
	c.poke()
	s.stats.folded.Add(int64(len(x.count)))
	for _, d := range drops {
		s.countDrop(c, d)
	}
	s.noteLater(noted(c, drops, now))
}

// item returns what stands for the notification in counts and logs.
func (l *letter) item(now int64) *item {
	return &item{ID: l.ID, Incident: l.Incident, Type: l.Type, Rule: l.Rule, Enqueued: now}
}

func validateNotification(n *Notification) error {
	if len(n.ID) == 0 || len(n.ID) > 255 {
		return fmt.Errorf("notification id must have 1 to 255 characters, has %d", len(n.ID))
	}
	for _, c := range []byte(n.ID) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("notification id %.80q: printable ASCII without blanks only", n.ID)
		}
	}
	switch n.Type {
	case TypeFiring, TypeResolved, TypeNoData:
		if n.Incident == "" || len(n.Incident) > 1024 {
			return fmt.Errorf("notification %s: incident must have 1 to 1024 characters, has %d", n.ID, len(n.Incident))
		}
	case TypeSummary, TypeTest:
	default:
		return fmt.Errorf("notification %s: type %.40q is not known", n.ID, n.Type)
	}
	return nil
}

// bounded returns the body of n. One that is too large is sent without
// contributors, then without annotations and labels, and says so.
func (n Notification) bounded() ([]byte, error) {
	cut := func() map[string]string {
		return map[string]string{"truncated": fmt.Sprintf("the notification was larger than %d bytes", maxBodyBytes)}
	}
	for _, shrink := range []func(){
		func() {},
		func() { n.Contributors = nil },
		func() { n.Annotations = cut() },
		func() { n.Labels, n.Detector = nil, nil },
	} {
		shrink()
		body, err := n.AppendJSON(nil)
		if err != nil {
			return nil, fmt.Errorf("encode notification %s: %w", n.ID, err)
		}
		if len(body) <= maxBodyBytes {
			return body, nil
		}
	}
	return nil, fmt.Errorf("notification %s: larger than %d bytes even without annotations", n.ID, maxBodyBytes)
}
