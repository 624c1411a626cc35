package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"pulse/store/field"
)

// Marks say in the store's log which steps were judged, each at its place among
// the points. A restart reads them together with the points, so that every
// detector sees each step as it was when it closed, late points or not, and no
// step is judged twice.
//
// A close is marked when its verdicts are known, and once more when what they
// changed is stored. Between the two lies the moment in which a process can die
// and have judged without a trace: the verdicts of a close without the second
// mark are settled by the restart.
//
// A mark is drawn as
//
//	version    1 byte
//	kind       1 byte: 1 judged, 2 judged and nothing to store, 3 stored
//	t, now     varints: the step, ms, and the clock
//	turn       uvarint: how often the clock was set back so far
//	listed     1 byte: 0 when the rules listed are those that closed, 1 when they are those that did not
//	rules      uvarint, then 4 bytes of each
//	partial    uvarint, then 4 bytes of each rule that closed without all its sources
type mark struct {
	kind    markKind
	t, now  int64
	turn    int
	others  bool // the rules listed did not close, all others did
	rules   []uint32
	partial []uint32
}

type markKind uint8

const (
	markVersion = 1

	markJudged  markKind = 1
	markDone    markKind = 2
	markSettled markKind = 3
)

// Log keeps marks in the order of what the store was sent. *store.Store is one.
type Log interface {
	Mark(mark []byte) error
}

// ruleNumber is what a mark calls a rule: 32 bits of what identifies the run of
// its detectors.
func ruleNumber(id string, began int64) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(began)))
	return h.Sum32()
}

func (m *mark) appendTo(dst []byte) []byte {
	dst = append(dst, markVersion, byte(m.kind))
	dst = binary.AppendVarint(dst, m.t)
	dst = binary.AppendVarint(dst, m.now)
	dst = binary.AppendUvarint(dst, uint64(m.turn))
	listed := byte(0)
	if m.others {
		listed = 1
	}
	dst = append(dst, listed)
	for _, list := range [][]uint32{m.rules, m.partial} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for _, n := range list {
			dst = binary.LittleEndian.AppendUint32(dst, n)
		}
	}
	return dst
}

func parseMark(src []byte) (m mark, err error) {
	r := field.Reader{Rest: src}
	if v := r.Byte(); !r.Bad && v != markVersion {
		return m, fmt.Errorf("mark has version %d, expected %d", v, markVersion)
	}
	m.kind = markKind(r.Byte())
	m.t, m.now = r.Varint(), r.Varint()
	m.turn = r.Number(math.MaxInt32)
	m.others = r.Byte() == 1
	for _, list := range []*[]uint32{&m.rules, &m.partial} {
		b := r.Bytes(4 * r.Count(4))
		for ; len(b) > 0; b = b[4:] {
			*list = append(*list, binary.LittleEndian.Uint32(b))
		}
	}
	if r.Bad {
		return m, errors.New("mark ends early")
	}
	if m.kind < markJudged || m.kind > markSettled || len(r.Rest) > 0 {
		return m, fmt.Errorf("mark of kind %d with %d bytes left over", m.kind, len(r.Rest))
	}
	return m, nil
}

// markClosed marks that the rules that just closed did so at step t.
func (e *Engine) markClosed(t, now int64) {
	if e.o.Marks == nil {
		return
	}
	var closed, others, partial []uint32
	for _, r := range e.order {
		switch {
		case r.justClosed:
			r.justClosed = false
			closed = append(closed, r.number)
			if !r.complete {
				partial = append(partial, r.number)
			}
		case r.mayHaveClosed(t, now, e.turn):
			others = append(others, r.number)
		}
	}
	if len(closed) == 0 {
		return
	}
	m := mark{kind: markJudged, t: t, now: now, turn: e.turn, rules: closed, partial: partial}
	if len(others) < len(closed) {
		m.others, m.rules = true, others
	}
	if e.unmarked = e.unmarked || !e.entry.empty(); !e.unmarked {
		m.kind = markDone
	}
	e.write(&m)
}

// mayHaveClosed reports whether a mark at t that names the rules that did not
// close has to name this one. A rule that the clock took back judges again what
// it has judged before.
func (r *running) mayHaveClosed(t, now int64, turn int) bool {
	return t%r.c.step == 0 && (r.turn < turn || r.turn == turn && r.judged < t) && r.began < now
}

// markStored marks that what the close of step t changed is stored.
func (e *Engine) markStored(t, now int64) {
	if e.unmarked && e.entry.empty() {
		e.unmarked = false
		e.write(&mark{kind: markSettled, t: t, now: now, turn: e.turn})
	}
}

// write hands a mark to the log. One that the log does not take costs no more
// than exactness: a restart then reads what the store has by then.
func (e *Engine) write(m *mark) {
	e.markScratch = m.appendTo(e.markScratch[:0])
	if err := e.o.Marks.Mark(e.markScratch); err != nil {
		e.stats.Unmarked++
	}
}

// ReplayMark takes a mark that the log had, with the store as it was when it was
// written. It is for an engine with Options.Replay, before Resume.
func (e *Engine) ReplayMark(text []byte) {
	m, err := parseMark(text)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.o.Log.Error().Err(err).Msg("mark in the log cannot be read")
		return
	}
	if e.closed || e.resumed {
		return
	}
	e.now, e.turn = m.now, max(e.turn, m.turn)
	if m.kind == markSettled {
		for _, r := range e.order {
			if r.unsettled.t == m.t {
				r.unsettled = moment{}
			}
		}
		return
	}
	slices.Sort(m.rules)
	slices.Sort(m.partial)
	for _, r := range e.order {
		if _, listed := slices.BinarySearch(m.rules, r.number); listed == m.others || !r.mayHaveClosed(m.t, m.now, m.turn) {
			continue
		}
		_, partial := slices.BinarySearch(m.partial, r.number)
		e.judgeAgain(r, m, partial)
	}
}

// judgeAgain brings the rule's detectors over step m.t as its close did, and
// leaves its alerts alone.
func (e *Engine) judgeAgain(r *running, m mark, partial bool) {
	switch {
	case r.judged >= m.t:
		e.turnBack(r, m.t)
		e.catchUp(r, m.t, time.Time{})
	case r.judged+r.c.step < m.t:
		e.catchUp(r, m.t, time.Time{})
	}
	r.turn = m.turn
	e.observe(r, m.t)
	c := r.stream.Completeness(m.t, m.now)
	if c.Reported = c.Expected; partial {
		c.Expected++
	} else if c.Expected == 0 {
		c.Expected, c.Reported = 1, 1
	}
	r.unsettled = moment{}
	if m.kind == markJudged {
		r.unsettled = moment{m.t, m.now, c}
	}
	r.judged = m.t
	r.trust(m.t, c)
	e.keep(r, m.t)
}

// Resume ends the replay: open alerts go on at now, Unix ms, and what was judged
// but not stored when the process ended is settled. An engine without
// Options.Replay has resumed when New returns.
func (e *Engine) Resume(now int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.resumed {
		return
	}
	e.resumed, e.now = true, now
	for _, r := range e.order {
		e.goOn(r, now)
		delete(e.asleep, r.c.rule.ID)
	}
	for _, left := range e.asleep {
		e.loose = append(e.loose, left...)
	}
	e.asleep, e.lastMarks = nil, nil
	e.commit()
}

// goOn gives a rule its alerts back and sets it on the step of now. A step that
// was judged and not stored is settled first.
func (e *Engine) goOn(r *running, now int64) {
	incidents, stored := e.asleep[r.c.rule.ID], e.lastMarks[r.c.rule.ID]
	m := r.unsettled
	if m.t == 0 {
		e.wakeRule(r, now)
		e.resume(r, incidents, stored)
		return
	}
	r.unsettled, r.judged, r.next = moment{}, m.t-r.c.step, m.t
	e.resume(r, incidents, stored)
	r.judged = m.t
	e.settle(r, m.t, m.now, m.completeness)
	e.wakeRule(r, now)
	r.next = max(r.next, m.t+r.c.step)
	for i := range r.alerts {
		r.alerts[i].state.Pause(r.next - r.c.step - m.t)
	}
}

// Checkpoint stores what every detector knows, so that marks written before need
// not be replayed. Closes go on meanwhile.
func (e *Engine) Checkpoint() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil // Close has stored it
	}
	err := e.settled()
	for _, r := range e.order {
		e.saveSoon(r)
	}
	e.mu.Unlock()
	for more := true; more && err == nil; {
		e.mu.Lock()
		if e.closed {
			e.mu.Unlock()
			return nil
		}
		more, err = e.saveNext()
		e.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("store detectors: %w", err)
	}
	return nil
}
