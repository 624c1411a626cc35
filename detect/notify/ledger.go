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
	writing bool
}

// ended is an attempt that has ended at now, Unix ms.
type ended struct {
	c   *channel
	it  *item
	o   outcome
	now int64
}

// noteBatch is how many notes are stored in one transaction, since pages may wait
// for it.
const noteBatch = 500

// record stores the end of an attempt and then lets its incident go on. It may
// return before that, when somebody else writes.
func (s *Service) record(x ended) {
	s.ledger.mu.Lock()
	s.ledger.ended = append(s.ledger.ended, x)
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

// store writes outcomes and notes in one transaction and brings the queues to it.
// When the database fails, the queues go on all the same: what is not stored is
// repeated after a restart.
func (s *Service) store(batch []ended, notes []Attempt) {
	for i := range batch {
		batch[i].o.attempt.Receiver = batch[i].c.name
		notes = append(notes, batch[i].o.attempt)
	}
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		var buried []box
		for i := range batch {
			b, ok := boxOf(tx, batch[i].c.name)
			if !ok {
				continue // the receiver was deleted
			}
			if err := b.settle(&batch[i].o); err != nil {
				return err
			}
			if batch[i].o.dead != "" && !slices.Contains(buried, b) {
				buried = append(buried, b)
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
		s.databaseFailed("store outcomes of attempts", err)
	}
	for i := range batch {
		s.applyOutcome(&batch[i])
	}
}

// settle writes an outcome.
func (b box) settle(o *outcome) (err error) {
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
	c.queue.finished(it, &o.item, o.gone)
	c.state.lastAttempt, c.state.lastStatus, c.state.lastError = x.now, o.attempt.Status, o.item.LastError
	c.mu.Unlock()
	switch {
	case o.accepted:
		s.stats.accepted.Add(1)
	case o.dead != "":
		s.stats.buried.Add(1)
	case !o.gone:
		s.stats.retried.Add(1)
	}
	level := s.o.Log.Info()
	if !o.accepted {
		level = s.o.Log.Warn()
	}
	level.Str("receiver", c.name).Str("notification", it.ID).Str("incident", it.Incident).Str("type", it.Type).
		Int("attempt", o.attempt.Number).Int("status", o.attempt.Status).Int64("latencyMs", o.attempt.LatencyMs).
		Str("error", o.attempt.Error).Str("outcome", o.attempt.Outcome).Msg("notification attempted")
	c.poke()
}
