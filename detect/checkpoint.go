package detect

import (
	"context"

	"pulse/store"
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

// verifySteps bounds how many detector steps per time the live rules may spend
// on finding out whether they can be trusted again. What is over is left to the
// next band.
const verifySteps = 50_000

// trust decides whether the live state is still what history gives, after step t
// closed on sources as in c.
func (r *running) trust(t int64, c store.Completeness) {
	if c.Expected == 0 || c.Reported < c.Expected {
		r.trusted, r.tainted = false, t
	}
}

// candidate is a live state that may turn out to be what history gives.
type candidate struct {
	t   int64
	sum uint64
}

// keep remembers the state after step t when a checkpoint is due.
func (e *Engine) keep(r *running, t int64) {
	if r.saved == 0 && e.o.Marks != nil {
		// What the database has may be of a rule of the same name and kind before.
		e.saveSoon(r)
	}
	if t/r.c.step%checkpointSteps != 0 {
		return
	}
	if t-r.saved >= saveMs {
		e.saveSoon(r)
	}
	if !r.judge.ahead.before(turnStep{r.turn, t}) {
		return // it is not a state of all groups
	}
	if !r.trusted && len(r.judge.groups)*checkpointSteps <= verifySteps { // or it will not be verified
		if r.candidate.t != 0 && r.tainted <= r.candidate.t {
			e.doubted[r] = r.candidate
		}
		r.candidate = candidate{t, r.judge.sum(e.seed)}
	}
	if r.trusted {
		e.kept.keep(&r.trail, t, r.judge)
	}
}

// verifySome finds out whether rules can be trusted again, as far as that does not
// take too long.
func (e *Engine) verifySome() {
	e.verified = 0
	for r, at := range e.doubted {
		if e.verified >= verifySteps {
			return
		}
		delete(e.doubted, r)
		if !r.trusted && r.tainted <= at.t {
			r.trusted = e.verify(r, at) && r.tainted <= at.t
		}
	}
}

// verify reads history up to a live state of the rule and reports whether it gives
// the same. It does nothing when that is not final yet, or would take too long.
func (e *Engine) verify(r *running, at candidate) bool {
	if at.t > e.final() {
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
	e.kept.merge(&r.trail, &b.found)
	return err == nil && b.judge.sum(e.seed) == at.sum
}

// final returns the last time whose values can no longer change.
func (e *Engine) final() int64 { return e.now - e.o.Store.Options().MaxPast - e.step }

// oldest is the last step before what the store still has.
func (e *Engine) oldest(now, s int64) int64 {
	return step.Floor(now-e.o.Store.Options().Retention, s)
}
