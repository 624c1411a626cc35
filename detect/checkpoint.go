package detect

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// checkpointSteps is the distance of checkpoints: every step whose time ÷ step
// is a multiple of it.
const checkpointSteps = 120

// saveMs is the least time between two checkpoints of a rule in the database.
const saveMs = 60 * second

// checkpoint is the state of a rule's detectors after step t.
type checkpoint struct {
	t     int64
	state []byte // of judge.appendState, then of the stream when it stood at t; immutable
}

// checkpointBudget bounds the memory of all rules' checkpoints.
type checkpointBudget struct {
	limit, used   int
	contributions int // how many more alerts of this step may be explained
}

// keep remembers the state after step t when a checkpoint is due.
func (e *Engine) keep(r *running, t int64) {
	if t/r.c.step%checkpointSteps != 0 {
		return
	}
	e.kept.add(r, checkpoint{t, r.appendState(nil)})
	if t-r.saved >= saveMs {
		e.entry.checkpoint(r.c.rule.ID, r.checkpoint())
		r.saved = t
	}
}

// add keeps c. When memory is short, every other of the rule's own checkpoints
// is given up, so that what remains still spans the same time.
func (b *checkpointBudget) add(r *running, c checkpoint) {
	for b.used+len(c.state) > b.limit && len(r.checkpoints) > 0 {
		i := 0
		r.checkpoints = slices.DeleteFunc(r.checkpoints, func(old checkpoint) bool {
			i++
			if i%2 == 1 {
				b.used -= len(old.state)
			}
			return i%2 == 1
		})
	}
	if b.used+len(c.state) > b.limit {
		return
	}
	b.used += len(c.state)
	r.checkpoints = append(r.checkpoints, c)
}

// dropBefore forgets checkpoints of steps up to t, whose history is gone.
func (b *checkpointBudget) dropBefore(r *running, t int64) {
	r.checkpoints = slices.DeleteFunc(r.checkpoints, func(c checkpoint) bool {
		if c.t <= t {
			b.used -= len(c.state)
		}
		return c.t <= t
	})
}

// dropAfter forgets checkpoints of steps later than t.
func (b *checkpointBudget) dropAfter(r *running, t int64) {
	r.checkpoints = slices.DeleteFunc(r.checkpoints, func(c checkpoint) bool {
		if c.t > t {
			b.used -= len(c.state)
		}
		return c.t > t
	})
}

// drop forgets all checkpoints of r.
func (b *checkpointBudget) drop(r *running) {
	for _, c := range r.checkpoints {
		b.used -= len(c.state)
	}
	r.checkpoints = nil
}

// A stored checkpoint is drawn as
//
//	version  1 byte
//	t        8 bytes, little endian: the last step the detectors saw
//	detector uvarint of its length and the detector's JSON, to know a changed rule
//	state    of judge.appendState, then of the stream
const storedVersion = 1

// checkpoint returns the rule's state for the database.
func (r *running) checkpoint() []byte {
	dst := []byte{storedVersion}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.judged))
	dst = binary.AppendUvarint(dst, uint64(len(r.c.detector)))
	dst = append(dst, r.c.detector...)
	return r.appendState(dst)
}

// loadCheckpoint brings a rule that has just been started into a stored state.
func (e *Engine) loadCheckpoint(r *running, stored []byte) error {
	c := cursor{src: stored}
	if v := c.byte(); v != storedVersion {
		return fmt.Errorf("%w: version %d, expected %d", errCheckpoint, v, storedVersion)
	}
	at := c.bytes(8)
	detector := c.bytes(c.uvarint(maxFile))
	if c.err != nil {
		return c.err
	}
	if string(detector) != string(r.c.detector) {
		return fmt.Errorf("%w: it is of detector %s", errCheckpoint, detector)
	}
	if err := r.restoreState(c.src); err != nil {
		return err
	}
	r.judged = int64(binary.LittleEndian.Uint64(at))
	e.kept.add(r, checkpoint{r.judged, r.appendState(nil)})
	return nil
}
