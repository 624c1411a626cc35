package detect

import "sync/atomic"

// judged is how far the engine has come, for those that watch it without its lock.
type judged struct{ at, through atomic.Int64 }

// noteJudged keeps the time of an advance whose changes are stored, and through when no close
// is owed: until the first that is overdue.
func (e *Engine) noteJudged(now int64) {
	if e.failing {
		return
	}
	through := now
	for _, r := range e.order {
		through = min(through, r.deadline())
	}
	e.judged.through.Store(through)
	e.judged.at.Store(now)
}

// Judged returns when the engine last looked at what is due and could store what came of
// it, and through what time no step is owed, both Unix ms; 0: not since the start. It
// does not wait for an engine that is at work, or stuck.
func (e *Engine) Judged() (at, through int64) {
	return e.judged.at.Load(), e.judged.through.Load()
}
