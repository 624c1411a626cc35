package detect

import (
	"cmp"
	"slices"
)

// trail is the checkpoints of a rule that are in memory, ascending: once a day a
// whole state, and in between what differs from an earlier one. That is one and the
// same for many, until the difference gets longer than deltaBytes a group.
type trail struct {
	list  []checkpoint
	base  *known // of the checkpoint to come
	state []byte // whole state of base
	whole int64  // step of the newest whole state
}

// deltaBytes is how long a difference may get per group.
const deltaBytes = 1000

// checkpoint is the state of a rule's detectors after step t.
type checkpoint struct {
	t int64
	*known
}

// known is a state of judge.appendState, or what it has that its base has not. It
// is immutable but for its users.
type known struct {
	base  *known // nil: bytes is whole
	bytes []byte
	users int // checkpoints, and bases of other states, in trails of the engine
}

// state returns the whole state.
func (k *known) state() ([]byte, error) {
	if k.base == nil {
		return k.bytes, nil
	}
	base, err := k.base.state()
	if err != nil {
		return nil, err
	}
	return appendPatched(nil, base, k.bytes)
}

// checkpointBudget bounds the memory of checkpoints.
type checkpointBudget struct {
	limit, used int
}

// share returns the budget of a replay.
func (b *checkpointBudget) share() checkpointBudget { return checkpointBudget{limit: b.limit / 4} }

// fits reports whether states of j may be kept: one has to leave room for others.
func (b *checkpointBudget) fits(j *judge) bool { return j.stateSize() <= b.limit/4 }

// record returns a checkpoint of the given state of some groups after step t, later
// than those that tr has. It is to be added.
func (tr *trail) record(t int64, state []byte, groups int) checkpoint {
	if tr.base != nil && t-tr.whole < day {
		if delta, err := appendDelta(nil, tr.state, state); err == nil {
			if len(delta) > deltaBytes*groups {
				delta = tr.rebase(delta, state)
			}
			if len(delta) <= len(state)/2 {
				return checkpoint{t, &known{base: tr.base, bytes: slices.Clip(delta)}}
			}
		}
	}
	tr.base, tr.state, tr.whole = &known{bytes: state}, state, t
	return checkpoint{t, tr.base}
}

// rebase makes the newest checkpoint the base if that makes the difference to state
// shorter than delta, and returns the shorter one.
func (tr *trail) rebase(delta, state []byte) []byte {
	if len(tr.list) == 0 {
		return delta
	}
	newest := tr.list[len(tr.list)-1]
	base, err := newest.state()
	if err != nil {
		return delta
	}
	shorter, err := appendDelta(nil, base, state)
	if err != nil || len(shorter) >= len(delta) {
		return delta
	}
	tr.base, tr.state = newest.known, base
	return shorter
}

// keep records the state of j after step t, unless it is older than one that tr has.
func (b *checkpointBudget) keep(tr *trail, t int64, j *judge) {
	if n := len(tr.list); n > 0 && tr.list[n-1].t >= t || !b.fits(j) {
		return
	}
	b.add(tr, tr.record(t, j.appendState(nil), len(j.groups)))
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
	b.used += c.use()
	at, _ := tr.at(c.t)
	tr.list = slices.Insert(tr.list, at, c)
	for b.used > b.limit && len(tr.list) > 0 {
		i := 0
		b.dropIf(tr, func(checkpoint) bool { i++; return i%2 == 1 })
	}
}

// use counts a user of k, and returns how many bytes that takes.
func (k *known) use() int {
	if k.users++; k.users > 1 {
		return 0
	}
	if k.base == nil {
		return len(k.bytes)
	}
	return len(k.bytes) + k.base.use()
}

// leave counts a user less, and returns how many bytes that frees.
func (k *known) leave() int {
	if k.users--; k.users > 0 {
		return 0
	}
	if k.base == nil {
		return len(k.bytes)
	}
	return len(k.bytes) + k.base.leave()
}

// merge keeps what a replay found on its way, whose trail is given up.
func (b *checkpointBudget) merge(tr, found *trail) {
	for _, c := range found.list {
		c.leave()
	}
	for _, c := range found.list {
		b.add(tr, c)
	}
	*found = trail{}
}

// dropIf forgets the checkpoints for which f answers true.
func (b *checkpointBudget) dropIf(tr *trail, f func(checkpoint) bool) {
	tr.list = slices.DeleteFunc(tr.list, func(c checkpoint) bool {
		drop := f(c)
		if drop {
			b.used -= c.leave()
		}
		return drop
	})
	if tr.base != nil && tr.base.users == 0 {
		tr.base, tr.state = nil, nil
	}
}
