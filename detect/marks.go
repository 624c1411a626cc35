package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"pulse/detect/alert"
	"pulse/store/field"
)

// Marks say in the store's log which steps were judged, each at its place among
// the points. A restart reads them together with the points, so that every
// detector sees each step as it was when it closed, late points or not, and no
// step is judged twice.
//
// The mark's place is that at which the columns of the step were read: no point is
// between the two (Log.Mark). What the verdicts changed is stored after that. Should the
// process end in between, the restart comes to the same verdicts, finds that the
// database does not know what they changed, and stores it (goon.go).
//
// A mark is drawn as
//
//	version    1 byte
//	kind       1 byte: 1 judged, 2 put off, 3 caught up from history
//	t, now     varints: the step, ms, and the clock
//	turn       uvarint: how often the clock was set back so far
//	listed     1 byte: 0 when the rules listed are those that closed, 1 when they are those that did not
//	rules      uvarint, then 4 bytes of each
//	partial    uvarint, then 4 bytes of each rule that closed without all its sources
//	end        varint, of kind 3 only: the step up to which it will be caught up
type mark struct {
	kind    markKind
	t, now  int64
	end     int64
	turn    int
	others  bool // the rules listed did not close, all others did
	rules   []uint32
	partial []uint32
}

type markKind uint8

const (
	markVersion = 2

	markJudged markKind = 1
	markPutOff markKind = 2 // the rules listed wait once more for the sources of the step
	markCaught markKind = 3 // the rules listed have seen history up to the step
)

// Log keeps marks in the order of what the store was sent. *store.Store is one.
type Log interface {
	// Mark writes a mark and calls at when everything before it has happened to the
	// store and nothing after it. On an error, neither may be so.
	Mark(mark []byte, at func()) error
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
	if m.kind == markCaught {
		dst = binary.AppendVarint(dst, m.end)
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
	if m.kind == markCaught {
		m.end = r.Varint()
	}
	if r.Bad {
		return m, errors.New("mark ends early")
	}
	if m.kind < markJudged || m.kind > markCaught || len(r.Rest) > 0 {
		return m, fmt.Errorf("mark of kind %d with %d bytes left over", m.kind, len(r.Rest))
	}
	return m, nil
}

// markClosing marks that the rules of the turn close step t, and reads the values that
// they are judged by. What the others have put off is marked before.
func (e *Engine) markClosing(t, now int64) {
	e.markPutOff(t, now)
	if len(e.closing) == 0 {
		return
	}
	m := mark{kind: markJudged, t: t, now: now, turn: e.turn}
	var others []uint32
	for _, r := range e.order {
		switch {
		case r.closes:
			m.rules = append(m.rules, r.number)
			if !r.sources.Complete() || r.sources.Expected == 0 {
				m.partial = append(m.partial, r.number)
			}
		case r.mayHaveClosed(t, now, e.turn):
			others = append(others, r.number)
		}
	}
	if len(others) < len(m.rules) {
		m.others, m.rules = true, others
	}
	e.round = e.o.Hub.Round()
	began := e.o.Clock.Now()
	e.write(&m, func() { e.readClosing(t) })
	e.worked += e.o.Clock.Now().Sub(began).Nanoseconds()
}

// readClosing reads the values of the rules that close step t.
func (e *Engine) readClosing(t int64) {
	began := e.o.Clock.Now()
	for _, r := range e.closing {
		r.stream.Read(e.round, t)
		ended := e.o.Clock.Now()
		r.reading = ended.Sub(began).Nanoseconds()
		began = ended
	}
}

// markPutOff marks the rules that wait for sources of step t once more, so that a
// restart lets them wait no shorter.
func (e *Engine) markPutOff(t, now int64) {
	m := mark{kind: markPutOff, t: t, now: now, turn: e.turn}
	for _, r := range e.puttingOff {
		m.rules = append(m.rules, r.number)
	}
	e.puttingOff = e.puttingOff[:0]
	if len(m.rules) > 0 {
		e.write(&m, func() {})
	}
}

// markCatching marks that the rule catches up to the given step on its way to end, when
// it matters at which place in the log that is, and does so.
func (e *Engine) markCatching(r *running, t, end int64, matters bool, at func()) {
	if !matters || !e.resumed {
		at()
		return
	}
	e.write(&mark{kind: markCaught, t: t, end: end, now: e.now, turn: e.turn, rules: []uint32{r.number}}, at)
}

// mayHaveClosed reports whether a mark at t that names the rules that did not
// close has to name this one. A rule that the clock took back judges again what
// it has judged before.
func (r *running) mayHaveClosed(t, now int64, turn int) bool {
	return t%r.c.step == 0 && (r.turn < turn || r.turn == turn && r.judged < t) && r.began < now
}

// mayHaveRead reports whether a mark is of what the words of the rule's expression
// remember of the time before the next step, which its state does not have yet.
func (r *running) mayHaveRead(m *mark) bool {
	return m.kind == markCaught && r.turn == m.turn && r.judged == m.t && !r.stream.Began()
}

// write hands a mark to the log and does what belongs to its place. A mark that the log
// does not take costs no more than exactness: a restart then reads what the store has by
// then.
func (e *Engine) write(m *mark, at func()) {
	if e.o.Marks == nil {
		at()
		return
	}
	e.markScratch = m.appendTo(e.markScratch[:0])
	done := false
	switch err := e.o.Marks.Mark(e.markScratch, func() { at(); done = true }); {
	case err != nil:
		e.stats.Unmarked++
		e.unlogged = true
	case e.unlogged:
		e.unlogged = false
		e.saveAnew() // or the steps that the log does not have would be missing before those to come
	}
	if !done {
		at()
	}
}

// ReplayMark takes a mark that the log had, with the store as it was when it was
// written. It is for an engine with Options.Replay, before Resume.
func (e *Engine) ReplayMark(text []byte) {
	m, err := parseMark(text)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.resumed {
		return
	}
	if err != nil {
		if e.unread++; e.unreadErr == nil {
			e.unreadErr = err
		}
		return
	}
	e.now, e.turn = m.now, max(e.turn, m.turn)
	slices.Sort(m.rules)
	slices.Sort(m.partial)
	for _, r := range e.order {
		if _, listed := slices.BinarySearch(m.rules, r.number); listed == m.others || !r.mayHaveClosed(m.t, m.now, m.turn) && !r.mayHaveRead(&m) {
			continue
		}
		_, partial := slices.BinarySearch(m.partial, r.number)
		e.again(r, m, partial)
	}
}

// again does what a mark says of a rule.
func (e *Engine) again(r *running, m mark, partial bool) {
	switch m.kind {
	case markJudged:
		e.judgeAgain(r, m, partial)
	case markPutOff:
		r.postponed = m.t
	case markCaught:
		e.follows(r, m.t+r.c.step, m.turn)
		e.catchUpTo(r, m.end, m.t, time.Time{})
	}
}

// judgeAgain brings the rule's detectors and alerts over step m.t as its close did.
func (e *Engine) judgeAgain(r *running, m mark, partial bool) {
	e.follows(r, m.t, m.turn)
	if r.judged+r.c.step < m.t {
		e.catchUp(r, m.t, time.Time{})
	}
	e.observe(r, m.t)
	c := r.stream.Completeness(m.t, m.now)
	if c.Reported = c.Expected; partial {
		c.Expected++
	} else if c.Expected == 0 {
		c.Expected, c.Reported = 1, 1
	}
	e.settleAgain(r, m.t)
	r.last = moment{m.t, m.now, c}
	r.hasJudged(m.t)
	r.postponed = 0
	r.fresh++
	r.trust(m.t, c)
	e.keep(r, m.t)
}

// follows brings a rule to where its next step is t, after steps that were never
// judged, or with a clock that was set back.
func (e *Engine) follows(r *running, t int64, turn int) {
	next := r.judged + r.c.step
	switch {
	case r.judged == 0 || r.last.t == 0 && r.saved == 0:
	case t < next:
		e.turnBack(r, t, turn)
	default:
		r.skipTo(t)
	}
	r.inTurn(turn)
}

// settleAgain brings the alerts over step t as its close did. What that changed is
// stored already, or will be when the replay is over.
func (e *Engine) settleAgain(r *running, t int64) {
	r.recount()
	config, retention := e.configAt(r, t), e.o.Store.Options().Retention
	for i := range r.judge.groups {
		a := &r.alerts[i]
		before := a.state
		if _, gone := e.stepAlert(r, i, t, &config, retention); gone {
			a.state.Clear()
		}
		if before.Phase != a.state.Phase {
			r.recountOne(before.Phase, -1)
			r.recountOne(a.state.Phase, 1)
		}
	}
}

// recount counts the alerts that are pending or fire, going by their states.
func (r *running) recount() {
	r.pending, r.firing = 0, 0
	for i := range r.alerts {
		r.recountOne(r.alerts[i].state.Phase, 1)
	}
}

func (r *running) recountOne(phase alert.Phase, n int) {
	switch phase {
	case alert.Pending:
		r.pending += n
	case alert.Firing:
		r.firing += n
	}
}

// Resume ends the replay: open alerts go on at now, Unix ms, and what was judged
// but not stored when the process ended is stored. An engine without
// Options.Replay has resumed when New returns.
func (e *Engine) Resume(now int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.resumed {
		return
	}
	e.resumed, e.now = true, now
	e.pauseSilences(now)
	if e.unread > 0 {
		e.o.Log.Error().Err(e.unreadErr).Int("marks", e.unread).Msg("marks in the log cannot be read: detectors see what the store has now")
	}
	for _, r := range e.order {
		e.goOn(r, now)
		delete(e.asleep, r.c.rule.ID)
	}
	for _, left := range e.asleep {
		e.loose = append(e.loose, left...)
	}
	e.asleep, e.lastMarks, e.ended = nil, nil, nil
	e.wakeHolds(now)
	e.commit()
	e.saveSome(now) // of what open alerts brought up to date
}

// Checkpoint stores what every detector knows, so that marks written before need
// not be replayed. Closes go on meanwhile.
func (e *Engine) Checkpoint() error {
	e.mu.Lock()
	e.saveAnew()
	e.mu.Unlock()
	for more := true; more; {
		var err error
		if more, err = e.checkpointSome(); err != nil {
			return fmt.Errorf("store detectors: %w", err)
		}
	}
	return nil
}

func (e *Engine) checkpointSome() (more bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed { // it has stored everything, or this has to
		if e.unstored {
			err = e.storeLast()
		}
		return false, err
	}
	if err := e.settled(); err != nil { // alerts are stored before states that know them
		return false, err
	}
	return e.saveNext()
}
