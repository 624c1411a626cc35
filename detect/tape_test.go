package detect_test

import (
	"bytes"
	"errors"
	"testing"
)

// tape is a log: what the store was sent and what the engine marked, in order.
type tape struct {
	events []event
	// cut, when set, is asked when a mark is taken; true ends the process there.
	cut func(mark []byte) bool
	// before, when set, is called before a mark takes its place.
	before func()
	// deaf takes no marks, as a log on a full disk does.
	deaf bool
}

type event struct {
	mark    []byte // nil: points
	source  string
	at, now int64
	points  []point
}

var (
	errKilled = errors.New("killed")
	errDeaf   = errors.New("the log is full")
)

func (l *tape) Mark(mark []byte, at func()) error {
	if l.before != nil {
		l.before()
	}
	if l.deaf {
		return errDeaf
	}
	l.events = append(l.events, event{mark: bytes.Clone(mark)})
	if l.cut != nil && l.cut(mark) {
		panic(errKilled)
	}
	at()
	return nil
}

// killed does what is due at ms and is killed when a step is marked, or when what
// its verdicts changed is stored.
func (r *rig) killed(ms int64, stored bool) {
	r.t.Helper()
	if r.tape.cut = func(mark []byte) bool { return mark[1] == 1 }; stored {
		r.tape.cut = nil
		r.engine.OnCommit(func() { panic(errKilled) })
	}
	if !r.dies(func() { r.to(ms) }) && !stored {
		r.t.Fatal("not killed")
	}
}

// dies reports whether f ends in a kill.
func (r *rig) dies(f func()) (died bool) {
	defer func() {
		if v := recover(); v != nil {
			if died = v == errKilled; !died {
				panic(v)
			}
		}
	}()
	f()
	return false
}

// newTapedRig returns a rig whose engine marks its closes.
func newTapedRig(t testing.TB, step int64) *rig {
	r := newRig(t, step)
	if err := r.engine.Close(); err != nil {
		t.Fatal(err)
	}
	r.tape = &tape{}
	r.start()
	r.engine.Resume(r.now())
	return r
}

// recover drops the engine and the store as a kill does and starts new ones from
// the tape and the database.
func (r *rig) recover() {
	r.t.Helper()
	past := r.tape.events
	r.tape = &tape{deaf: r.tape.deaf}
	r.newStore()
	r.start()
	for _, x := range past {
		if x.mark != nil {
			r.engine.ReplayMark(x.mark)
			continue
		}
		r.publish(x.source, x.at, x.now, x.points...)
	}
	r.tape.events = past
	r.engine.Resume(r.now())
}

// runs is how many of n random runs are made: a fifth where time is short.
func runs(n uint64) uint64 {
	if testing.Short() {
		return max(1, n/5)
	}
	return n
}
