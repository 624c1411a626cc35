package detect

import (
	"context"
	"time"

	"pulse/query/stream"
	"pulse/store/step"
)

// catchUp brings the detectors up to the step before t from stored history: the
// look-back that the detector states for a new rule, what was missed for one that
// goes on after a restart or a long pause. It begins when t closes, so that late
// points of the steps before are in; alerts are not run over it. It ends early, and
// goes on with the next call, when it is later than until.
func (e *Engine) catchUp(r *running, t int64, until time.Time) (done bool) {
	return e.catchUpTo(r, t-r.c.step, t-r.c.step, until)
}

// catchUpTo is catchUp as far as the step stop on the way to end; without a time it
// takes as long as it takes. What late points can still change is read at the place of
// a mark, a piece at a time, since whoever sends waits for it.
func (e *Engine) catchUpTo(r *running, end, stop int64, until time.Time) (done bool) {
	if e.resumed {
		r.inTurn(e.turn)
	}
	if r.judged == 0 && !e.warmUp(r, end, until) {
		return false
	}
	from := min(max(r.judged, e.oldest(end, r.c.step)), end)
	run := bandRun{c: r.c, judge: r.judge, final: e.final(), memory: e.kept.share()}
	r.missed = r.missed || from < end
	for words := from == end && !r.stream.Began(); from < stop || words; words = false { // their memory needs history, too
		to := min(e.piece(r, from, run.final), stop)
		e.markCatching(r, to, end, to > run.final, func() { e.readMissed(r, &run, span{from, to}) })
		r.judged, from = to, to
		r.moveClocks(turnStep{r.turn, to})
		if !until.IsZero() && e.o.Clock.Now().After(until) {
			break
		}
	}
	if r.trusted && r.judge.ahead.before(turnStep{r.turn, r.judged}) {
		e.kept.merge(&r.trail, &run.found)
	}
	r.fit()
	if from < end {
		return false
	}
	r.trust(end, r.stream.Completeness(end, e.now))
	if r.missed {
		r.haveData(e.o.Store.Options().Retention)
	}
	r.behind, r.missed = false, false
	return true
}

// piece returns up to where the steps after from are caught up at once, which late points
// can either change no more, all of them, or still may.
func (e *Engine) piece(r *running, from, final int64) (to int64) {
	groups := int64(max(1, len(r.judge.groups)))
	final = step.Floor(final, r.c.step)
	if from < final {
		return min(from+min(max(catchUpSteps/groups, minCatchUp), checkpointSteps)*r.c.step, final)
	}
	return from + min(max(openSteps/groups, 1), checkpointSteps)*r.c.step
}

// readMissed feeds the steps of s to the rule's detectors.
func (e *Engine) readMissed(r *running, run *bandRun, s span) {
	err := e.replay(context.Background(), r.stream, r.judge, s, r.blind, func(t int64) error {
		e.followLeft(r)
		return run.remember(t)
	})
	if err != nil {
		e.fail(r, err)
	}
}

// haveData notes of which groups there was data in the history that was read.
func (r *running) haveData(retention int64) {
	for i := range r.alerts {
		g := &r.judge.groups[i]
		if g.detector != nil && int64(g.absent)*r.c.step <= retention {
			r.alerts[i].state.HadData = true
		}
	}
}

// Steps that are caught up between two looks at the clock: so many of all groups
// together, but at least minCatchUp, since stored blocks are read as a whole; fewer,
// openSteps, of those that late points can change.
const (
	catchUpSteps = 20_000
	minCatchUp   = 8
	openSteps    = 5_000
)

// span is the steps in (start, end].
type span struct{ start, end int64 }

func (s span) has(t int64) bool { return t > s.start && t <= s.end }

// replay feeds every step of s to j from stored history and calls each after
// it, whose error ends it. Steps of blind are fed as no data, as they were when
// they were live. With an empty s it only brings the memory of h up to s.end.
func (e *Engine) replay(ctx context.Context, h *stream.Stream, j *judge, s, blind span, each func(t int64) error) error {
	j.past = true
	defer func() { j.past = false }()
	return replayLines(ctx, h, j.step, s, blind, func(t int64, lines []stream.Line) error {
		j.observe(t, lines)
		return each(t)
	})
}

// replayLines calls f with the lines of every step of s from stored history, none
// for steps of blind.
func replayLines(ctx context.Context, h *stream.Stream, step int64, s, blind span, f func(t int64, lines []stream.Line) error) error {
	next := s.start + step
	upTo := func(t int64, lines []stream.Line) error {
		for ; next <= t; next += step {
			of := lines
			if next < t || blind.has(t) {
				of = nil
			}
			if err := f(next, of); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	if err := h.History(ctx, s.start, s.end, upTo); err != nil {
		return err
	}
	if next > s.end {
		return nil
	}
	return upTo(s.end, nil)
}

// recall starts the rules that the database held. Their alerts come back with
// Resume.
func (e *Engine) recall(stored recalled) {
	now := e.o.Clock.Now().UnixMilli()
	e.asleep, e.lastMarks = map[string][]*incident{}, stored.marks
	for _, in := range stored.incidents {
		e.asleep[in.Rule] = append(e.asleep[in.Rule], in)
		e.turn = max(e.turn, in.Turn)
	}
	for _, s := range stored.rules {
		r, err := e.recallRule(s, now)
		if err != nil {
			e.setAside(s, err)
			continue
		}
		if err := e.loadState(r); err != nil {
			e.o.Log.Warn().Err(err).Str("rule", s.Rule.ID).Msg("detectors start anew")
			r.stream.Close()
			if r, err = e.recallRule(s, now); err != nil { // it may have half of a state
				e.setAside(s, err)
				continue
			}
		}
		e.engage(r)
		e.insert(r)
	}
	e.journal.damage.telling(func(err error) {
		e.o.Log.Error().Err(err).Msg("stored incident is lost: where it still fires it begins anew")
	})
	for id, err := range stored.unreadable {
		e.setAside(storedRule{Rule: Rule{ID: id}}, err)
	}
}

// setAside keeps a stored rule that cannot be started where it can be seen,
// replaced and deleted.
func (e *Engine) setAside(s storedRule, err error) {
	e.o.Log.Error().Err(err).Str("rule", s.Rule.ID).Msg("stored rule cannot be judged")
	e.broken[s.Rule.ID] = brokenRule{s, err}
}

func (e *Engine) recallRule(s storedRule, now int64) (*running, error) {
	c, err := e.compiler.compile(s.Rule)
	if err != nil {
		return nil, err
	}
	r, err := e.start(c, now)
	if err != nil {
		return nil, err
	}
	r.identify(s.Created, max(s.Created, s.Began))
	r.origin, r.file, r.earlier = s.Origin, s.Source, s.Earlier
	if l := s.Taught; l != nil && l[2] > 0 {
		r.taught = lesson{span{l[0], l[1]}, l[2]}
	}
	return r, nil
}

// wakeRule sets a recalled rule on the step of now, or on the first one that was
// not judged and still has time to be complete. Those before were missed.
func (e *Engine) wakeRule(r *running, now int64) {
	r.next, r.behind = step.Ceil(now, r.c.step), true
	if e.o.Store.Stats().Series == 0 && (r.judge.hasSeen() || !e.o.Replay) { // or nothing was sent so far
		e.wakeBlind(r, now)
		return
	}
	judged := max(r.judged, step.Ceil(r.began, r.c.step)-r.c.step)
	for t := r.next - r.c.step; e.o.Marks != nil && t > judged && now < t+2*r.c.grace; t -= r.c.step {
		r.next = t
	}
	r.next = max(r.next, r.judged+r.c.step)
	r.stats.Skipped += max(0, (r.next-judged)/r.c.step-1)
}

// wakeBlind sets a rule on its way again whose store has lost everything. What
// was sent in the running step before the restart is gone, and rates and counters
// need a report to begin from: two steps are not whole.
func (e *Engine) wakeBlind(r *running, now int64) {
	if ahead := r.judge.ahead; (turnStep{r.turn, r.judged}).before(ahead) {
		r.moveClocks(ahead)
		r.inTurn(ahead.turn)
		r.judged = ahead.t
	}
	r.next = max(r.next, r.judged) + holdSteps*r.c.step
	r.blind = span{now - e.o.Store.Options().Retention, r.next - r.c.step}
	if r.trusted = r.judged > 0; r.trusted { // without history its state is all there is
		e.kept.keep(&r.trail, r.judged, r.judge)
	}
}
