package detect

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"pulse/store"
	"pulse/store/field"
	"pulse/store/step"
)

// Checkpoints are what a band goes on from instead of reading history from the
// rule's beginning. They are states that stored history gives, to the last bit:
// a live rule that closed a step before all of its points were in has seen
// something else, and is not trusted until its state at a later checkpoint turns
// out to be what history gives.

// checkpointSteps is the distance of checkpoints: every step whose time ÷ step
// is a multiple of it.
const checkpointSteps = 120

// saveMs is the least time between two states of a rule in the database.
const saveMs = 60 * second

// verifySteps bounds how many detector steps per time the live rules may spend
// on finding out whether they can be trusted again. What is over is left to the
// next band.
const verifySteps = 50_000

// checkpoint is the state of a rule's detectors after step t.
type checkpoint struct {
	t     int64
	state []byte // of judge.appendState; immutable
}

// checkpointBudget bounds the memory of all rules' checkpoints.
type checkpointBudget struct {
	limit, used int
}

// trust decides whether the live state is still what history gives, after step t
// closed on sources as in c.
func (r *running) trust(t int64, c store.Completeness) {
	if c.Expected == 0 || c.Reported < c.Expected {
		r.trusted, r.tainted = false, t
	}
}

// keep remembers the state after step t when a checkpoint is due.
func (e *Engine) keep(r *running, t int64) {
	if r.saved == 0 && e.o.Marks != nil {
		// Marks from before the rule's first close are of other rules of its name.
		e.entry.checkpoint(r.c.rule.ID, r.checkpoint())
		r.saved = t
	}
	if t/r.c.step%checkpointSteps != 0 {
		return
	}
	if t-r.saved >= saveMs {
		e.entry.checkpoint(r.c.rule.ID, r.checkpoint())
		r.saved = t
	}
	now := checkpoint{t, r.judge.appendState(nil)}
	if !r.trusted {
		r.trusted = e.verify(r) && r.tainted <= r.candidate.t
		r.candidate = now
	}
	if r.trusted {
		e.kept.add(r, now)
	}
}

// verify reads history up to the rule's last live checkpoint and reports whether
// it gives the same state. It does nothing when that is not final yet, or would
// take too long.
func (e *Engine) verify(r *running) bool {
	at := r.candidate
	if at.t == 0 || at.t > e.final() {
		return false
	}
	b, err := e.bandUpTo(r, at.t, at.t)
	if err != nil {
		return false
	}
	cost := int((at.t-b.from)/r.c.step) * max(1, len(r.judge.groups))
	if b.taught.width > 0 {
		cost += int((b.taught.end-b.taught.start)/b.taught.width) * max(1, len(r.judge.groups))
	}
	if e.verified += cost; e.verified > verifySteps {
		return false
	}
	h, err := e.open(r.c)
	if err != nil {
		return false
	}
	defer h.Close()
	if err := e.prepare(context.Background(), b); err != nil {
		return false
	}
	err = e.replay(context.Background(), h, b.judge, span{b.from, at.t}, b.blind, b.remember)
	e.kept.merge(r, b.found)
	return err == nil && bytes.Equal(b.judge.appendState(nil), at.state)
}

// final returns the last time whose values can no longer change.
func (e *Engine) final() int64 { return e.now - e.o.Store.Options().MaxPast - e.step }

// add keeps c, which no checkpoint of the rule stands at. When memory is short,
// every other of the rule's own is given up, so that what remains still spans
// the same time.
func (b *checkpointBudget) add(r *running, c checkpoint) {
	at, found := slices.BinarySearchFunc(r.checkpoints, c.t, func(c checkpoint, t int64) int { return cmp.Compare(c.t, t) })
	if found {
		return
	}
	for b.used+len(c.state) > b.limit && len(r.checkpoints) > 0 {
		i := 0
		b.dropIf(r, func(checkpoint) bool { i++; return i%2 == 1 })
		at, _ = slices.BinarySearchFunc(r.checkpoints, c.t, func(c checkpoint, t int64) int { return cmp.Compare(c.t, t) })
	}
	if b.used+len(c.state) > b.limit {
		return
	}
	b.used += len(c.state)
	r.checkpoints = slices.Insert(r.checkpoints, at, c)
}

// merge keeps what a replay found on its way.
func (b *checkpointBudget) merge(r *running, found []checkpoint) {
	for _, c := range found {
		b.add(r, c)
	}
}

// dropIf forgets the checkpoints for which f answers true.
func (b *checkpointBudget) dropIf(r *running, f func(checkpoint) bool) {
	r.checkpoints = slices.DeleteFunc(r.checkpoints, func(c checkpoint) bool {
		drop := f(c)
		if drop {
			b.used -= len(c.state)
		}
		return drop
	})
}

// A stored checkpoint is drawn as
//
//	version  1 byte
//	trusted  1 byte: 1 when it is what history gives
//	t        8 bytes, little endian: the last step the detectors saw
//	turn     uvarint: how often the clock had been set back
//	judges   uvarint of its length and what the rule judged, to know a changed one
//	state    of judge.appendState, then of the stream
const storedVersion = 2

// checkpoint returns the rule's state for the database.
func (r *running) checkpoint() []byte {
	dst := []byte{storedVersion, 0}
	if r.trusted {
		dst[1] = 1
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.judged))
	dst = binary.AppendUvarint(dst, uint64(r.turn))
	judges := r.c.judges()
	dst = field.AppendText(dst, judges)
	return r.appendState(dst)
}

// loadCheckpoint brings a rule that has just been started into a stored state.
func (e *Engine) loadCheckpoint(r *running, stored []byte) error {
	in := field.Reader{Rest: stored}
	if v := in.Byte(); v != storedVersion {
		return fmt.Errorf("%w: version %d, expected %d", errCheckpoint, v, storedVersion)
	}
	trusted := in.Byte() == 1
	at := int64(in.Uint64())
	turn := in.Number(math.MaxInt32)
	judges := in.Text()
	if in.Bad {
		return errShort
	}
	if string(judges) != r.c.judges() {
		return fmt.Errorf("%w: it is of %s", errCheckpoint, judges)
	}
	if err := r.restoreState(in.Rest); err != nil {
		return err
	}
	r.judged = at
	r.saved, r.turn = r.judged, turn
	e.turn = max(e.turn, turn)
	r.trusted = trusted
	if r.trusted {
		e.kept.add(r, checkpoint{r.judged, r.judge.appendState(nil)})
	}
	return nil
}

// oldest is the last step before what the store still has.
func (e *Engine) oldest(now, s int64) int64 {
	return step.Floor(now-e.o.Store.Options().Retention, s)
}
