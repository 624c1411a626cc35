package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"pulse/store/field"
)

// The state of a rule in the database is a head and parts of partGroups groups
// each. A part is whole about once a day; in between only what differs from the whole
// one is written. All parts of a head are as of the same step.
//
//	head   version  1 byte
//	       trusted  1 byte: 1 when it is what history gives
//	       t        8 bytes, little endian: the last step the detectors saw
//	       turn     uvarint: how often the clock had been set back
//	       fresh    uvarint: steps closed since one was missed
//	       putOff   varint: the step that waits for its sources once more, 0: none
//	       judges   uvarint of its length and what the rule judged, to know a changed one
//	       parts    uvarint, then of each varint: t - the step of its whole state
//	       state    of the stream
//	key of a part: rule id, 0, 4 bytes number, `d`; of a whole one: the same with `w`
//	and 8 bytes step, big endian
const (
	headVersion = 4
	partGroups  = 256
)

const (
	// saveMs is the least time between two states of a rule in the database.
	saveMs = 60 * second
	// saveBytes is about how much one transaction writes, and saveRate how much is
	// written in a second on average; a snapshot does not wait.
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

// saveAll stores every state.
func (e *Engine) saveAll() error {
	for _, r := range e.order {
		e.saveSoon(r)
	}
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
	done := 0
	var parts [][]int64
	err = e.journal.db.Update(func(tx *bbolt.Tx) error {
		root := tx.Bucket(keyDetect)
		for _, r := range *queue {
			if written >= saveBytes {
				break
			}
			n, whole, complete, err := r.save(root, saveBytes-written)
			if err != nil {
				return fmt.Errorf("rule %q: %w", r.c.rule.ID, err)
			}
			written += n
			parts = append(parts, whole)
			if !complete {
				break
			}
			done++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	for i, r := range (*queue)[:len(parts)] {
		if r.parts = parts[i]; i < done {
			r.saved, r.unsaved = r.judged, false
		}
	}
	*queue = slices.Delete(*queue, 0, done)
	e.saves.credit -= int64(written)
	e.stats.SavedBytes += int64(written)
	return written, nil
}

func partKey(rule string, part int, kind byte) []byte {
	key := append([]byte(rule), 0)
	return append(binary.BigEndian.AppendUint32(key, uint32(part)), kind)
}

func wholeKey(rule string, part int, t int64) []byte {
	return binary.BigEndian.AppendUint64(partKey(rule, part, 'w'), uint64(t))
}

// save writes the rule's state, or, while there is too much to be written at once,
// whole parts for later. It returns how many bytes that were and of which steps the whole
// parts are now.
func (r *running) save(root *bbolt.Bucket, most int) (written int, whole []int64, complete bool, err error) {
	b, id, t := root.Bucket(keyStates), r.c.rule.ID, r.judged
	n := (len(r.judge.groups) + partGroups - 1) / partGroups
	whole = make([]int64, n)
	copy(whole, r.parts)
	var state, delta []byte
	putWhole := func(part int) error {
		state = r.appendPart(state[:0], part)
		written += len(state)
		whole[part] = t
		return b.Put(wholeKey(id, part, t), slices.Clone(state))
	}
	renewed := 0
	for part := range whole {
		old := whole[part] == 0 || t < whole[part]
		if aged := t-whole[part] >= day && renewed <= n/16; !old && !aged {
			continue
		}
		if renewed > 0 && written >= most {
			return written, whole, false, nil
		}
		renewed++
		if err := putWhole(part); err != nil {
			return 0, nil, false, err
		}
	}
	for part, at := range whole {
		if at == t {
			continue
		}
		state = r.appendPart(state[:0], part)
		if delta, err = appendDelta(delta[:0], b.Get(wholeKey(id, part, at)), state); err != nil || len(delta) > len(state)/2 {
			if err := putWhole(part); err != nil {
				return 0, nil, false, err
			}
			continue
		}
		written += len(delta)
		if err := b.Put(partKey(id, part, 'd'), slices.Clone(delta)); err != nil {
			return 0, nil, false, err
		}
	}
	if err := dropStale(b, id, whole); err != nil {
		return 0, nil, false, err
	}
	head := r.head(whole)
	return written + len(head), whole, true, root.Bucket(keyCheckpoints).Put([]byte(id), head)
}

// appendPart appends a part of the judge's state.
func (r *running) appendPart(dst []byte, part int) []byte {
	groups := r.judge.groups
	from, to := part*partGroups, min((part+1)*partGroups, len(groups))
	return r.judge.appendGroups(dst, groups[from:to], r.alerts[min(from, len(r.alerts)):min(to, len(r.alerts))])
}

// dropStale deletes the parts of a rule that are no longer part of its state.
func dropStale(b *bbolt.Bucket, rule string, whole []int64) error {
	return eachPart(b, rule, func(key []byte, part int, kind byte, t int64) error {
		if part >= len(whole) || kind == 'w' && t != whole[part] {
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
	return dropStale(root.Bucket(keyStates), rule, nil)
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

func (r *running) head(whole []int64) []byte {
	dst := []byte{headVersion, 0}
	if r.trusted {
		dst[1] = 1
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.judged))
	dst = binary.AppendUvarint(dst, uint64(r.turn))
	dst = binary.AppendUvarint(dst, uint64(r.fresh))
	dst = binary.AppendVarint(dst, r.waitsOnceMore())
	judges := r.c.judges()
	dst = binary.AppendUvarint(dst, uint64(len(judges)))
	dst = append(dst, judges...)
	dst = binary.AppendUvarint(dst, uint64(len(whole)))
	for _, t := range whole {
		dst = binary.AppendVarint(dst, r.judged-t)
	}
	return r.stream.AppendState(dst)
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
	e.turn = max(e.turn, r.turn)
	if r.trusted {
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
	t := int64(in.Uint64())
	turn, fresh, putOff := in.Number(math.MaxInt32), in.Number(math.MaxInt32), in.Varint()
	judges := in.Text()
	whole := make([]int64, in.Count(1))
	for i := range whole {
		whole[i] = t - in.Varint()
	}
	if in.Bad {
		return errShort
	}
	if string(judges) != r.c.judges() {
		return fmt.Errorf("%w: it is of %s", errCheckpoint, judges)
	}
	alerted := func(i int, a groupAlert) {
		r.fit()
		r.alerts[i] = a
	}
	for part, at := range whole {
		state := states.Get(wholeKey(r.c.rule.ID, part, at))
		if at != t {
			var err error
			if state, err = appendPatched(nil, state, states.Get(partKey(r.c.rule.ID, part, 'd'))); err != nil {
				return err
			}
		}
		if _, err := r.judge.restoreGroups(state, nil, alerted); err != nil {
			return err
		}
	}
	if _, err := r.stream.Restore(in.Rest); err != nil {
		return err
	}
	r.judged, r.saved, r.turn, r.trusted, r.parts = t, t, turn, trusted, whole
	r.fresh, r.postponed = fresh, putOff
	return nil
}
