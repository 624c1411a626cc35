package detect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"pulse/store/field"
)

// The state of a rule in the database is a head and parts of partGroups groups
// each. A part is whole about once a day; in between only what differs is written, from
// the whole one at first, and when that gets longer than deltaBytes a group, from the state
// written last: differences follow each other then. Parts are written a few at a time, while the rule goes on, and the
// head is of the time when the first of them was: what a restart replays from there
// passes by the groups that have seen it.
//
//	head   version  1 byte
//	       trusted  1 byte: 1 when it is what history gives
//	       t        8 bytes, little endian: the last step the detectors saw
//	       number   4 bytes: what marks call the rule
//	       turn     uvarint: how often the clock had been set back
//	       fresh    uvarint: steps closed since one was missed
//	       putOff   varint: the step that waits for its sources once more, 0: none
//	       judges   uvarint of its length and what the rule judged, to know a changed one
//	       state    of the stream, with its length
//	       parts    uvarint, how many
//	key of a part: rule id, 0, 4 bytes number, `d`, 1 byte how many differences are before
//	it; of a whole one: the same up to number, `w`, and 8 bytes step, big endian
//	part   turn     uvarint, as in the head
//	       base, t  in `d` only, varints: the steps of the state before and of this one
//	       state    of the groups, or what they have that the state before has not
const (
	headVersion = 6
	partGroups  = 256
	maxDeltas   = 16 // that follow each other
)

const (
	// saveMs is the least time between two states of a rule in the database.
	saveMs = 60 * second
	// saveBytes is about how much of states one transaction looks at, and saveRate how
	// much is written in a second on average; a snapshot does not wait.
	saveBytes = 4 << 20
	saveRate  = 1 << 20
	saveBurst = 64 * saveRate
	// retryMs is how long a failed write of states waits.
	retryMs = 1 * second
)

// saves is the rules whose state is to be stored.
type saves struct {
	queue  []*running
	first  []*running // those that never were, which do not wait
	credit int64      // bytes
	at     int64      // when credit was given
	hold   int64      // nothing is tried before
	most   int        // bytes that one transaction looks at
}

// saving is how far a state is on its way to the database.
type saving struct {
	t       int64  // step of the head
	head    []byte // all but the number of parts
	turn    int
	left    int // groups that had left the rule then
	next    int // part
	renewed int // parts that were written as a whole
	wrote   int // bytes in the transaction
	looked  int // bytes of states in it
	whole   []int64
}

func (s *saves) drop(r *running) {
	same := func(x *running) bool { return x == r }
	s.queue, s.first = slices.DeleteFunc(s.queue, same), slices.DeleteFunc(s.first, same)
}

// saveSoon has the state of r stored.
func (e *Engine) saveSoon(r *running) {
	switch {
	case r.unsaved || r.judged == 0:
		return
	case r.saved == 0:
		e.saves.first = append(e.saves.first, r)
	default:
		e.saves.queue = append(e.saves.queue, r)
	}
	r.unsaved = true
}

// saveFirst stores the states of rules that have none in the database, as far as one
// transaction goes: the rest of very large ones follows, since pages wait.
func (e *Engine) saveFirst() {
	for written := 0; len(e.saves.first) > 0 && written < saveBytes && e.now >= e.saves.hold && e.entry.empty(); {
		n, err := e.saveFrom(&e.saves.first)
		if err != nil {
			e.saveFailed(err)
			return
		}
		written += n
	}
}

func (e *Engine) saveFailed(err error) {
	e.saves.hold = e.now + retryMs
	e.stats.CommitErrors++
	e.o.Log.Error().Err(err).Msg("states of detectors not stored, will retry")
}

// saveSome stores the next states if what was written lately allows it, and
// reports whether there is more.
func (e *Engine) saveSome(now int64) (more bool) {
	s := &e.saves
	s.credit = min(saveBurst, s.credit+max(0, now-s.at)*saveRate/1000)
	s.at = now
	if len(s.queue)+len(s.first) == 0 || s.credit <= 0 || now < s.hold || !e.entry.empty() { // alerts are stored before states that know them
		return false
	}
	more, err := e.saveNext()
	if err != nil {
		e.saveFailed(err)
		return false
	}
	return more && s.credit > 0
}

// saveNext stores the next states in one transaction.
func (e *Engine) saveNext() (more bool, err error) {
	from := &e.saves.queue
	if len(e.saves.first) > 0 {
		from = &e.saves.first
	}
	if _, err := e.saveFrom(from); err != nil {
		return false, err
	}
	return len(e.saves.queue)+len(e.saves.first) > 0, nil
}

// saveAnew has every state stored as of now or later: what was on its way is as of
// earlier, and marks since then may never be read again.
func (e *Engine) saveAnew() {
	for _, r := range e.order {
		r.saving = nil
		e.saveSoon(r)
	}
}

// saveAll stores every state.
func (e *Engine) saveAll() error {
	e.saveAnew()
	for more := true; more; {
		var err error
		if more, err = e.saveNext(); err != nil {
			return err
		}
	}
	return nil
}

// saveFrom stores states from the front of a queue in one transaction, until that
// is large enough, and takes those that are done out of the queue.
func (e *Engine) saveFrom(queue *[]*running) (written int, err error) {
	var saved []saving
	done, looked := 0, 0
	err = e.journal.db.Update(func(tx *bbolt.Tx) error {
		root := tx.Bucket(keyDetect)
		for _, r := range *queue {
			s := r.goOnSaving()
			complete, err := r.save(root, &s, e.saves.most-looked)
			if err != nil {
				return fmt.Errorf("rule %q: %w", r.c.rule.ID, err)
			}
			written += s.wrote
			looked += s.looked
			if saved = append(saved, s); !complete {
				break
			}
			if done++; looked >= e.saves.most {
				break
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	for i, r := range (*queue)[:len(saved)] {
		r.parts, r.saving = saved[i].whole, &saved[i]
		if i < done {
			r.saved, r.unsaved, r.saving = saved[i].t, false, nil
		}
	}
	*queue = slices.Delete(*queue, 0, done)
	e.saves.credit -= int64(written)
	e.stats.SavedBytes += int64(written)
	return written, nil
}

// goOnSaving returns how far the rule's state is on its way. It begins anew when the
// parts that are written do not fit those to come.
func (r *running) goOnSaving() saving {
	s := saving{t: r.judged, turn: r.turn, left: r.judge.gone}
	if r.saving != nil && r.saving.turn == s.turn && r.saving.left == s.left {
		s = *r.saving
	} else {
		s.head = r.head()
	}
	s.whole, s.wrote, s.looked = slices.Clone(r.parts), 0, 0
	return s
}

func partKey(rule string, part int, kind byte) []byte {
	key := append([]byte(rule), 0)
	return append(binary.BigEndian.AppendUint32(key, uint32(part)), kind)
}

func deltaKey(rule string, part, place int) []byte {
	return append(partKey(rule, part, 'd'), byte(place))
}

func wholeKey(rule string, part int, t int64) []byte {
	return binary.BigEndian.AppendUint64(partKey(rule, part, 'w'), uint64(t))
}

// save writes the next parts of the rule's state, and when all are written its head:
// then it is complete.
func (r *running) save(root *bbolt.Bucket, s *saving, most int) (complete bool, err error) {
	b, id := root.Bucket(keyStates), r.c.rule.ID
	n := (len(r.judge.groups) + partGroups - 1) / partGroups
	for ; s.next < n; s.next++ {
		if s.looked > 0 && s.looked >= most {
			return false, nil
		}
		for len(s.whole) <= s.next {
			s.whole = append(s.whole, 0)
		}
		if err := r.savePart(b, s, n); err != nil {
			return false, err
		}
	}
	s.whole = s.whole[:n]
	if err := dropStale(b, id, n); err != nil {
		return false, err
	}
	head := binary.AppendUvarint(slices.Clone(s.head), uint64(n))
	s.wrote += len(head)
	return true, root.Bucket(keyCheckpoints).Put([]byte(id), head)
}

// savePart writes the next of n parts as of the last step judged.
func (r *running) savePart(b *bbolt.Bucket, s *saving, n int) error {
	id, t, part := r.c.rule.ID, r.judged, s.next
	state := r.appendPart(nil, part)
	s.looked += len(state)
	at := s.whole[part]
	old := at == 0 || t < at
	if aged := t-at >= day && s.renewed <= n/16; !old && !aged {
		chain, err := readChain(b, id, part, at)
		if err != nil {
			return err
		}
		s.looked += len(chain) * len(state) // what it took to read it
		if place, delta := chain.add(s.turn, t, state, min(partGroups, len(r.judge.groups)-part*partGroups)); len(delta) > 0 {
			s.wrote += len(delta)
			return b.Put(deltaKey(id, part, place), delta)
		}
	}
	s.renewed++
	s.wrote += len(state)
	s.whole[part] = t
	for _, kind := range []byte("dw") {
		old := partKey(id, part, kind)
		cursor := b.Cursor()
		for key, _ := cursor.Seek(old); bytes.HasPrefix(key, old); key, _ = cursor.Seek(old) {
			if err := b.Delete(key); err != nil {
				return err
			}
		}
	}
	return b.Put(wholeKey(id, part, t), append(binary.AppendUvarint(nil, uint64(s.turn)), state...))
}

// readPart reads the turn of a part and returns what follows.
func readPart(src []byte) (turn int, rest []byte, err error) {
	in := field.Reader{Rest: src}
	turn = in.Number(math.MaxInt32)
	if in.Bad {
		return 0, nil, errShort
	}
	return turn, in.Rest, nil
}

// appendPart appends a part of the judge's state.
func (r *running) appendPart(dst []byte, part int) []byte {
	groups := r.judge.groups
	from, to := part*partGroups, min((part+1)*partGroups, len(groups))
	return r.judge.appendGroups(dst, groups[from:to], r.alerts[min(from, len(r.alerts)):min(to, len(r.alerts))])
}

// dropStale deletes the parts of a rule from the given number on.
func dropStale(b *bbolt.Bucket, rule string, parts int) error {
	return eachPart(b, rule, func(key []byte, part int, _ byte, _ int64) error {
		if part >= parts {
			return b.Delete(key)
		}
		return nil
	})
}

// forgetState deletes the state of a rule.
func forgetState(root *bbolt.Bucket, rule string) error {
	if err := root.Bucket(keyCheckpoints).Delete([]byte(rule)); err != nil {
		return err
	}
	return dropStale(root.Bucket(keyStates), rule, 0)
}

// eachPart calls f with the keys of all parts of a rule.
func eachPart(b *bbolt.Bucket, rule string, f func(key []byte, part int, kind byte, t int64) error) error {
	prefix := append([]byte(rule), 0)
	var keys [][]byte
	cursor := b.Cursor()
	for key, _ := cursor.Seek(prefix); len(key) > len(prefix)+4 && string(key[:len(prefix)]) == string(prefix); key, _ = cursor.Next() {
		keys = append(keys, slices.Clone(key))
	}
	for _, key := range keys {
		in := field.Reader{Rest: key[len(prefix):]}
		part, kind, t := int(binary.BigEndian.Uint32(in.Bytes(4))), in.Byte(), int64(0)
		if len(in.Rest) == 8 {
			t = int64(binary.BigEndian.Uint64(in.Rest))
		}
		if err := f(key, part, kind, t); err != nil {
			return err
		}
	}
	return nil
}

// head returns the head of the state as of now, but for the number of parts.
func (r *running) head() []byte {
	dst := []byte{headVersion, 0}
	if r.trusted {
		dst[1] = 1
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.judged))
	dst = binary.LittleEndian.AppendUint32(dst, r.number)
	dst = binary.AppendUvarint(dst, uint64(r.turn))
	dst = binary.AppendUvarint(dst, uint64(r.fresh))
	dst = binary.AppendVarint(dst, r.waitsOnceMore())
	dst = field.AppendText(dst, r.c.judges())
	return field.AppendText(dst, r.stream.AppendState(nil))
}

// errNoState says that the database has no state of a rule.
var errNoState = errors.New("no state")

// loadState brings a rule that has just been started into the state that the
// database has of it, if it has one.
func (e *Engine) loadState(r *running) error {
	err := e.journal.db.View(func(tx *bbolt.Tx) error {
		root := tx.Bucket(keyDetect)
		head := root.Bucket(keyCheckpoints).Get([]byte(r.c.rule.ID))
		if head == nil {
			return errNoState
		}
		return r.load(root.Bucket(keyStates), head)
	})
	if errors.Is(err, errNoState) {
		return nil
	}
	if err != nil {
		return err
	}
	e.turn = max(e.turn, r.turn, r.judge.ahead.turn)
	if r.trusted && r.judge.ahead == (turnStep{}) {
		e.kept.keep(&r.trail, r.judged, r.judge)
	}
	return nil
}

// load reads a head and its parts.
func (r *running) load(states *bbolt.Bucket, head []byte) error {
	in := field.Reader{Rest: head}
	if v := in.Byte(); v != headVersion {
		return fmt.Errorf("%w: version %d, expected %d", errCheckpoint, v, headVersion)
	}
	trusted := in.Byte() == 1
	t, number := int64(in.Uint64()), in.Bytes(4)
	turn, fresh, putOff := in.Number(math.MaxInt32), in.Number(math.MaxInt32), in.Varint()
	judges, remembered, parts := in.Text(), in.Text(), in.Number(maxParts)
	if in.Bad || len(in.Rest) > 0 {
		return errShort
	}
	if binary.LittleEndian.Uint32(number) != r.number {
		return errNoState // a rule of its name had it
	}
	if string(judges) != r.c.judges() {
		return fmt.Errorf("%w: it is of %s", errCheckpoint, judges)
	}
	if _, err := r.stream.Restore(remembered); err != nil {
		return err
	}
	r.inTurn(turn)
	r.hasJudged(t)
	r.saved, r.trusted, r.parts = t, trusted, make([]int64, parts)
	r.fresh, r.postponed = fresh, putOff
	err := eachPart(states, r.c.rule.ID, func(_ []byte, part int, kind byte, at int64) error {
		if kind == 'w' && part < parts {
			r.parts[part] = max(r.parts[part], at)
		}
		return nil
	})
	for part := 0; part < parts && err == nil; part++ {
		err = r.loadPart(states, part)
	}
	return err
}

// maxParts is more parts than a rule can have.
const maxParts = 1 << 20

// loadPart reads a part, which may be of a later step than the head.
func (r *running) loadPart(states *bbolt.Bucket, part int) error {
	read, err := readChain(states, r.c.rule.ID, part, r.parts[part])
	if err != nil {
		return err
	}
	last := &read[len(read)-1]
	head, seen := turnStep{r.turn, r.judged}, turnStep{last.turn, last.t}
	if seen.before(head) {
		return fmt.Errorf("%w: part %d is of step %d and turn %d, its head of %d and %d", errCheckpoint, part, seen.t, seen.turn, head.t, head.turn)
	}
	if seen == head {
		seen = turnStep{}
	}
	if r.judge.ahead.before(seen) {
		r.judge.ahead = seen
	}
	_, err = r.judge.restoreGroups(last.state, nil, func(i int, a groupAlert) {
		r.fit()
		r.alerts[i], r.judge.groups[i].seen = a, seen
	})
	return err
}
