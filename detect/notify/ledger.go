package notify

import (
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// ledger gathers what is to be stored about attempts. Whoever adds to it while
// nobody writes, writes until nothing is left, so that one transaction holds all
// that came while the one before was written. The outcomes of attempts come first;
// notes only tell people why there was none.
type ledger struct {
	mu      sync.Mutex
	ended   []ended
	notes   []Attempt
	owed    []ended // what the database did not take: it goes with the next transaction
	writing bool
}

// ended is an attempt that has ended at now, Unix ms, or a notification that the queue
// has let go.
type ended struct {
	c   *channel
	it  *item
	o   outcome
	now int64
}

// noteBatch is how many notes are stored in one transaction, since pages may wait
// for it.
const noteBatch = 500

// maxOwed bounds what waits for a database that cannot be written.
const maxOwed = 20_000

// record stores the end of an attempt, of whatever it told, and then lets the incidents
// go on. It may return before that, when somebody else writes.
func (s *Service) record(list []ended) {
	for i := range list {
		list[i].o.attempt.Receiver = list[i].c.name
	}
	s.ledger.mu.Lock()
	s.ledger.ended = append(s.ledger.ended, list...)
	s.ledger.mu.Unlock()
	s.write()
}

// noteLater has notes stored by another goroutine, if there is a Run under way;
// else they wait for the next one.
func (s *Service) noteLater(notes []Attempt) {
	if len(notes) == 0 {
		return
	}
	l := &s.ledger
	l.mu.Lock()
	l.notes = append(l.notes, notes...)
	l.notes = l.notes[max(0, len(l.notes)-maxAttempts):]
	l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil {
		s.run.group.Go(s.write)
	}
}

// write stores what the ledger holds, unless somebody does already.
func (s *Service) write() {
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writing {
		return
	}
	l.writing = true
	for len(l.ended)+len(l.notes) > 0 {
		batch, notes := l.ended, []Attempt(nil)
		l.ended = nil
		if len(batch) == 0 {
			n := min(len(l.notes), noteBatch)
			notes, l.notes = l.notes[:n], l.notes[n:]
		}
		l.mu.Unlock()
		s.store(batch, notes)
		l.mu.Lock()
	}
	l.notes, l.writing = nil, false
}

// store writes outcomes and notes and brings the queues to them. When the database
// fails, the queues go on all the same.
func (s *Service) store(batch []ended, notes []Attempt) {
	s.persist("store outcomes of attempts", batch, notes)
	for i := range batch {
		s.applyOutcome(&batch[i])
	}
}

// persist writes a list, after what is owed, and notes in one transaction. When the
// database fails, the list is owed, and repeated after a restart until it is stored.
func (s *Service) persist(what string, list []ended, notes []Attempt) {
	l := &s.ledger
	l.mu.Lock()
	list = slices.Concat(l.owed, list)
	l.owed = nil
	l.mu.Unlock()
	if len(list)+len(notes) == 0 {
		return
	}
	notes = slices.Clone(notes)
	for i := range list {
		notes = append(notes, list[i].o.attempt)
	}
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		var buried []box
		for i := range list {
			b, ok := boxOf(tx, list[i].c.name)
			if !ok {
				continue // the receiver was deleted
			}
			if err := b.settle(&list[i].o); err != nil {
				return err
			}
			if list[i].o.dead != "" && !slices.Contains(buried, b) {
				buried = append(buried, b)
			}
			if err := s.noteHealth(tx, &list[i]); err != nil {
				return err
			}
		}
		for _, b := range buried {
			if err := b.trimDead(); err != nil {
				return err
			}
		}
		return s.remember(tx, notes)
	})
	if err != nil {
		s.databaseFailed(what, err)
		l.owe(list)
	}
}

// noteHealth notes what the end of an attempt says of its receiver.
func (s *Service) noteHealth(tx *bbolt.Tx, x *ended) error {
	switch {
	case x.o.accepted:
		return noteWorks(tx, x.c, x.now)
	case x.o.dead != "" && x.o.item.Rule != RuleFailing:
		return s.tellFailing(tx, x.c, trouble{since: x.now, reason: "a notification is given up: " + x.o.dead}, x.now)
	}
	return nil
}

// owe keeps a list for the next transaction, of each item the newest.
func (l *ledger) owe(list []ended) {
	l.mu.Lock()
	defer l.mu.Unlock()
	type key struct {
		c   *channel
		seq uint64
	}
	seen := map[key]bool{}
	var kept []ended
	for _, x := range slices.Backward(slices.Concat(l.owed, list)) {
		if k := (key{x.c, x.o.item.Seq}); !seen[k] && len(kept) < maxOwed {
			seen[k] = true
			kept = append(kept, x)
		}
	}
	slices.Reverse(kept)
	l.owed = kept
}

// settle writes an outcome, unless its item is not there: then its receiver was
// deleted, and this is another one of that name.
func (b box) settle(o *outcome) (err error) {
	if b.pending.Get(sequence(o.item.Seq)) == nil {
		return nil
	}
	if o.keep != nil {
		if err := b.keep(o.keep, o.displaced); err != nil {
			return err
		}
	} else if o.close {
		if err := b.leave(o.item.Incident); err != nil {
			return err
		}
	}
	if o.told {
		if err := b.told(o.item.Group, o.attempt.T); err != nil {
			return err
		}
	}
	switch {
	case o.dead != "":
		err = b.bury(&o.item, o.attempt.T, o.dead)
	case o.gone:
		err = b.remove(&o.item)
	default:
		err = b.put(&o.item)
	}
	if err == nil && o.open {
		err = b.open.Put([]byte(o.item.Incident), nil)
	}
	if err == nil && o.close {
		err = b.open.Delete([]byte(o.item.Incident))
	}
	return err
}

// applyOutcome brings the queue to the stored outcome.
func (s *Service) applyOutcome(x *ended) {
	c, it, o := x.c, x.it, &x.o
	c.mu.Lock()
	if o.close {
		delete(c.queue.open, it.Incident)
	}
	if o.keep != nil {
		c.queue.keep(o.keep)
	} else if o.close {
		c.queue.leave(it.Incident)
	}
	if g := c.queue.groups[it.Group]; g != nil && o.told {
		g.Told = max(g.Told, x.now)
	}
	c.queue.finished(it, &o.item, o.gone)
	c.state.saw(x.now, o.attempt.Status, o.item.LastError, o.accepted)
	c.mu.Unlock()
	switch {
	case o.accepted:
		s.stats.accepted.Add(1)
	case o.dead != "":
		s.stats.buried.Add(1)
	case !o.gone:
		s.stats.retried.Add(1)
	}
	s.lookAfter()
	level := s.o.Log.Info()
	if !o.accepted {
		level = s.o.Log.Warn()
	}
	level.Str("receiver", c.name).Str("notification", it.ID).Str("incident", it.Incident).Str("type", it.Type).
		Int("attempt", o.attempt.Number).Int("status", o.attempt.Status).Int64("latencyMs", o.attempt.LatencyMs).
		Str("error", o.attempt.Error).Str("outcome", o.attempt.Outcome).Msg("notification attempted")
	c.poke()
}
