package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"pulse/store/field"
)

// event is a change that the passing of time makes and that what comes after it
// depends on. With a log it happens at its place there, live and in a replay.
type event interface {
	// appendTo appends the event for readEvent.
	appendTo(dst []byte) []byte
	// happen makes it so, as the record with the given number; 0: no record.
	happen(s *Store, lsn uint64)
}

// What the marks of a log begin with.
const (
	markOthers  = iota // bytes that Mark was given
	markBurial         // event
	markLeave          // event
	markRules          // event
	markNothing        // a record that was only to see whether the disk takes it
)

// decide makes an event happen. It reports false when it cannot be written
// now, or when a log is being replayed, which says itself what happened.
func (s *Store) decide(e event) bool {
	switch f := s.folder; {
	case !s.live():
		return false
	case f == nil || f.journal == nil:
		s.applying.RLock()
		e.happen(s, 0)
		s.applying.RUnlock()
		return true
	default:
		op := operation{kind: opEvent, event: e}
		return f.journal.submit(&op) == nil
	}
}

// live reports whether no log is being replayed, or waits to be.
func (s *Store) live() bool { return s.folder == nil || !s.folder.replaying.Load() }

// readEvent reads the mark of an event.
func readEvent(mark []byte) (event, error) {
	if len(mark) == 0 {
		return nil, errors.New("mark without a kind")
	}
	b := field.Reader{Rest: mark[1:]}
	var e event
	switch mark[0] {
	case markBurial:
		e = burial{end: b.Varint(), recent: b.Varint(), newest: b.Varint()}
	case markLeave:
		l := make(leave, b.Count(1))
		for i := range l {
			l[i] = SourceID(b.Uvarint())
		}
		e = l
	case markRules:
		e = rules{past: b.Varint(), future: b.Varint(), rate: b.Varint(), counter: b.Varint()}
	default:
		return nil, fmt.Errorf("mark of kind %d", mark[0])
	}
	if b.Bad || len(b.Rest) > 0 {
		return nil, errors.New("mark is not complete")
	}
	return e, nil
}

// burial takes the series that were last written at or before the step end out
// of the index and the watches, and those that were last written at or before
// the step recent, which only coarser tiers have, out of the watches. A step
// after newest was written while the clock was ahead and counts as written now.
type burial struct{ end, recent, newest int64 }

func (e burial) appendTo(dst []byte) []byte {
	dst = binary.AppendVarint(append(dst, markBurial), e.end)
	dst = binary.AppendVarint(dst, e.recent)
	return binary.AppendVarint(dst, e.newest)
}

func (e burial) happen(s *Store, lsn uint64) {
	s.bury(e, lsn)
	s.burials.Store(e.end)
	s.fadings.Store(e.recent)
}

// leave removes every reference to sources, whose numbers are then free.
type leave []SourceID

func (e leave) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, markLeave), uint64(len(e)))
	for _, id := range e {
		dst = binary.AppendUvarint(dst, uint64(id))
	}
	return dst
}

func (e leave) happen(s *Store, lsn uint64) { s.part(e, lsn) }

func (r rules) appendTo(dst []byte) []byte {
	dst = append(dst, markRules)
	for _, v := range []int64{r.past, r.future, r.rate, r.counter} {
		dst = binary.AppendVarint(dst, v)
	}
	return dst
}

func (r rules) happen(s *Store, lsn uint64) {
	if lsn > s.sources.applied {
		s.rules = r
	}
}

// takes reports whether the record with the given number is new to p, which has
// taken it from then on; 0 is no record and always new. The caller holds the
// lock.
func (p *partition) takes(lsn uint64) bool {
	if lsn == 0 {
		return true
	}
	if lsn <= p.applied {
		return false
	}
	p.applied = lsn
	return true
}
