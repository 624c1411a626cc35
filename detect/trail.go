package detect

import (
	"cmp"
	"slices"
)

// trail is the checkpoints of a rule that are in memory, ascending: once a day,
// and whenever much has changed, a whole state, and in between what differs from the
// one before.
type trail struct {
	list []checkpoint
	base *wholeState // of the checkpoints to come
}

// checkpoint is the state of a rule's detectors after step t.
type checkpoint struct {
	t     int64
	base  *wholeState
	delta []byte // from base; nil: it is base
}

// wholeState is a state of judge.appendState. It is immutable but for its users.
type wholeState struct {
	t     int64
	bytes []byte
	users int // checkpoints in trails of the engine
}

// state returns the whole state.
func (c *checkpoint) state() ([]byte, error) {
	if c.delta == nil {
		return c.base.bytes, nil
	}
	return appendPatched(nil, c.base.bytes, c.delta)
}

// checkpointBudget bounds the memory of checkpoints.
type checkpointBudget struct {
	limit, used int
}

// share returns the budget of a replay.
func (b *checkpointBudget) share() checkpointBudget { return checkpointBudget{limit: b.limit / 4} }

// fits reports whether states of j may be kept: one has to leave room for others.
func (b *checkpointBudget) fits(j *judge) bool { return j.stateSize() <= b.limit/2 }

// record returns a checkpoint of the given state after step t, which tr did not
// have before. It is to be added.
func (tr *trail) record(t int64, state []byte) checkpoint {
	if tr.base != nil && t > tr.base.t && t-tr.base.t < day {
		delta, err := appendDelta(nil, tr.base.bytes, state)
		if err == nil && len(delta) <= len(state)/2 {
			return checkpoint{t, tr.base, slices.Clip(delta)}
		}
	}
	tr.base = &wholeState{t: t, bytes: state}
	return checkpoint{t, tr.base, nil}
}

// keep records the state of j after step t.
func (b *checkpointBudget) keep(tr *trail, t int64, j *judge) {
	if _, found := tr.at(t); !found && b.fits(j) {
		b.add(tr, tr.record(t, j.appendState(nil)))
	}
}

// at returns the place of step t.
func (tr *trail) at(t int64) (at int, found bool) {
	return slices.BinarySearchFunc(tr.list, t, func(c checkpoint, t int64) int { return cmp.Compare(c.t, t) })
}

// add keeps c unless there is one of its step. When memory is short, every other of
// the trail's own is given up, so that what remains still spans the same time.
func (b *checkpointBudget) add(tr *trail, c checkpoint) {
	if _, found := tr.at(c.t); found {
		return
	}
	for len(tr.list) > 0 && b.used+c.size() > b.limit {
		i := 0
		b.dropIf(tr, func(checkpoint) bool { i++; return i%2 == 1 })
	}
	if b.used+c.size() > b.limit {
		if tr.base == c.base && c.base.users == 0 {
			tr.base = nil
		}
		return
	}
	b.used += c.size()
	c.base.users++
	at, _ := tr.at(c.t)
	tr.list = slices.Insert(tr.list, at, c)
}

// size is how many bytes keeping c takes.
func (c *checkpoint) size() int {
	n := len(c.delta)
	if c.base.users == 0 {
		n += len(c.base.bytes)
	}
	return n
}

// merge keeps what a replay found on its way, whose trail is given up.
func (b *checkpointBudget) merge(tr, found *trail) {
	for _, c := range found.list {
		c.base.users = 0
	}
	for _, c := range found.list {
		b.add(tr, c)
	}
	*found = trail{}
}

// dropIf forgets the checkpoints for which f answers true.
func (b *checkpointBudget) dropIf(tr *trail, f func(checkpoint) bool) {
	tr.list = slices.DeleteFunc(tr.list, func(c checkpoint) bool {
		if !f(c) {
			return false
		}
		c.base.users--
		b.used -= c.size()
		if c.base.users == 0 && tr.base == c.base {
			tr.base = nil
		}
		return true
	})
}
