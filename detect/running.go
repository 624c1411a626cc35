package detect

import (
	"fmt"
	"time"

	"pulse/detect/alert"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/step"
)

// running is a rule at work: its stream, its detectors and the alert of each
// group. It belongs to the engine and is used under its lock.
type running struct {
	c       *compiled
	created int64     // Unix ms
	earlier []earlier // what its alerts went by before
	began   int64     // Unix ms: when it was put with the detector that it has
	number  uint32    // what marks call it
	file    string    // that it comes from, "": the API
	owner   *owner
	stream  *stream.Stream
	judge   *judge
	alerts  []groupAlert // one per judge.groups

	next   int64    // the step to close next
	putOff bool     // next was put off once
	waits  bool     // next cannot be closed yet, as of the current Advance
	judged int64    // the last step the detectors saw, 0: none yet
	origin int64    // detectors read the steps after this one
	taught lesson   // what they knew before; width 0: nothing
	pupil  *pupil   // while they are being taught
	behind bool     // the detectors must catch up from history before next
	blind  span     // steps that count as no data although the store may have some
	turn   int      // how often the clock had been set back when it last followed
	clocks turnStep // the times of alerts are as of this step
	fresh  int      // steps closed since the rule was started, or since some were missed
	missed bool     // there were steps to catch up

	closes    bool               // next closes in the current turn
	sources   store.Completeness // of that step
	reading   int64              // ns that its values took
	cost      int64              // ns that the last close took with them, 0: there was none
	last      moment             // the last step judged in a replay
	postponed int64              // the step put off last, in a replay

	pending, firing, absent int // alerts in that state

	marked    int64     // last step stored as mark, 0: none
	saved     int64     // last step whose state is in the database
	unsaved   bool      // it is to be stored soon
	parts     []int64   // steps of the whole parts in the database, see save.go
	saving    *saving   // nil: nothing of the state is on its way there
	trail     trail     // see checkpoint.go
	trusted   bool      // the live state is what history gives
	tainted   int64     // the last step that may have been closed too early for that
	candidate candidate // live state at the last checkpoint while not trusted

	closedOn closedSteps // sources of the last steps
	hurried  hurried     // steps that were judged with a source missing
	attended hurried     // steps that were judged in their time, as far as is known
	crowded  hurried     // steps at which groups were out of band beyond maxAlerts
	deferred *PutOff     // of the newest step that was put off

	failed bool // the last step could not be judged
	stats  RuleStats
}

// groupAlert is the alert of one group and its open incidents.
type groupAlert struct {
	state   alert.State
	breach  *incident // pending or firing
	absence *incident
	missing int64 // ms without data
}

// RuleStats are counts of one rule since it was started.
type RuleStats struct {
	Owner       string `json:"owner"`
	File        string `json:"file,omitempty"` // that the rule comes from
	Groups      int    `json:"groups"`
	Series      int    `json:"series"`      // that its expressions select, each as often as they do
	Closed      int64  `json:"closed"`      // steps judged
	Missed      int64  `json:"missed"`      // of these, judged more than a step too late
	Incomplete  int64  `json:"incomplete"`  // of these, judged with a source missing
	PutOff      int64  `json:"putOff"`      // closes put off for a missing source
	Skipped     int64  `json:"skipped"`     // steps never judged
	Suppressed  int64  `json:"suppressed"`  // verdicts out of band beyond maxAlerts
	Errors      int64  `json:"errors"`      // steps whose expression failed
	CostNs      int64  `json:"costNs"`      // time spent on closes
	LastClosed  int64  `json:"lastClosed"`  // step
	LastLatency int64  `json:"lastLatency"` // ms from the end of that step to its close
	LastError   string `json:"lastError,omitempty"`

	// How far back, in ms, the words of the expression look, and how much history
	// the detector begins with.
	ExprLookback     int64 `json:"exprLookback"`
	DetectorLookback int64 `json:"detectorLookback"`
	// FedFrom is the step after which the detectors were fed every step, and
	// TaughtFrom the time from which they were taught by coarser tiers before that; 0:
	// not yet, or not.
	FedFrom    int64 `json:"fedFrom"`
	TaughtFrom int64 `json:"taughtFrom"`
	CatchingUp bool  `json:"catchingUp"` // there is history that they have not seen yet
}

// Limits of what one rule may have open, and of what a long pause may take to
// catch up step by step.
const (
	maxAlerts  = 10_000
	maxBacklog = 1_000 // steps
)

// start returns a rule that is judged from the step of now on.
func (e *Engine) start(c *compiled, now int64) (*running, error) {
	j, err := newJudge(c)
	if err != nil {
		return nil, err
	}
	s, err := e.open(c)
	if err != nil {
		return nil, err
	}
	r := &running{c: c, stream: s, judge: j, next: step.Ceil(now, c.step), behind: true}
	r.identify(now, now)
	r.stats.Owner = c.rule.Owner
	return r, nil
}

// identify sets when the rule was made, and when it got its detector.
func (r *running) identify(created, began int64) {
	r.created, r.began, r.number = created, began, ruleNumber(r.c.rule.ID, began)
}

// deadline is when the next step closes at the latest.
func (r *running) deadline() int64 {
	if r.putOff {
		return r.next + 2*r.c.grace
	}
	return r.next + r.c.grace
}

// followClock moves the rule to where the clock is, when that was set back or
// the process stood still for longer than what is caught up step by step.
func (e *Engine) followClock(r *running, now int64) {
	at := step.Ceil(now, r.c.step)
	switch {
	case r.next-at > (holdSteps+1)*r.c.step:
		if r.turn == e.turn { // the first rule to see it
			e.turn++
		}
		e.turnBack(r, at, e.turn)
		if r.marked != 0 { // or a state as of now would be taken for older than the mark
			r.marked = at - r.c.step
			e.entry.mark(r.c.rule.ID, r.marked)
		}
	case (at-r.next)/r.c.step > maxBacklog:
		skipped := (at - r.next) / r.c.step
		r.stats.Skipped += skipped
		r.skipTo(at)
	default:
		return
	}
	e.o.Log.Warn().Str("rule", r.c.rule.ID).Int64("from", r.next).Int64("to", at).Msg("rule follows a jump of time")
	r.next, r.putOff, r.behind = at, false, true
}

// turnBack prepares the rule for judging step at again, which it has judged
// before, after the clock was set back so many times.
func (e *Engine) turnBack(r *running, at int64, turn int) {
	r.moveClocks(turnStep{turn, at - r.c.step})
	r.inTurn(turn)
	r.judged = min(r.judged, at-r.c.step)
	e.kept.dropIf(&r.trail, func(c checkpoint) bool { return c.t >= at })
	r.trusted, r.tainted, r.candidate = false, at, candidate{}
	r.saved = min(r.saved, at-r.c.step)
	if r.marked != 0 {
		r.marked = min(r.marked, at-second)
	}
	e.reopen(r)
}

// inTurn makes what the rule judges from now on later than all before the clock was set
// back for the last of so many times.
func (r *running) inTurn(turn int) { r.turn, r.judge.turn = turn, turn }

// hasJudged notes that detectors and alerts have seen step t.
func (r *running) hasJudged(t int64) {
	r.judged, r.clocks = t, turnStep{r.turn, t}
	r.attended.add(t, r.c.step)
}

// moveClocks brings the times of alerts to a step that nobody has judged, nor those
// since the last one: they count for nothing.
func (r *running) moveClocks(to turnStep) {
	if !r.clocks.before(to) {
		return
	}
	for i := range r.alerts {
		from := r.clocksOf(i)
		switch ms := to.t - from.t; {
		case !from.before(to):
		case ms < 0:
			r.alerts[i].state.Shift(ms)
		default:
			r.alerts[i].state.Pause(ms)
		}
	}
	r.clocks = to
}

// clocksOf returns the step that the times of the alert of group i are as of.
func (r *running) clocksOf(i int) turnStep {
	if seen := r.judge.groups[i].seen; r.clocks.before(seen) {
		return seen
	}
	return r.clocks
}

// reopen gives the rule a new stream, since one never goes back in time.
func (e *Engine) reopen(r *running) {
	s, err := e.open(r.c)
	if err != nil {
		e.fail(r, err)
		return
	}
	r.stream.Close()
	r.stream = s
}

// attempt is what became of a step that may be due.
type attempt uint8

const (
	stepWaits      attempt = iota // for a source, or for the time when that is given up
	stepUnfinished                // time is up before the detectors have caught up
	stepCloses
)

// look finds out whether it is time to close the rule's next step: every expected
// source has reported it, or the wait for the missing ones is over. The step must not be
// later than now. What has to be caught up before takes until the given time.
func (e *Engine) look(r *running, now int64, until time.Time) attempt {
	t := r.next
	c := r.stream.CompletenessIn(e.round, t, now)
	complete := c.Expected > 0 && c.Reported >= c.Expected
	if !complete && now < r.deadline() {
		return stepWaits
	}
	if r.behind && !e.catchUp(r, t, until) {
		return stepUnfinished
	}
	mayWait := c.Reported < c.Expected && !r.putOff && now < t+2*r.c.grace
	if mayWait && e.deviates(r, t) {
		r.putOff = true
		r.stats.PutOff++
		r.deferStep(t, now, c)
		e.puttingOff = append(e.puttingOff, r)
		return stepWaits
	}
	r.sources = c
	r.stream.Prepare(t)
	return stepCloses
}

// close closes step t of a rule, whose values are read.
func (e *Engine) close(r *running, t, now int64) {
	r.inTurn(e.turn)
	c := r.sources
	e.observe(r, t)
	e.settle(r, t, now, c)
	e.finish(r, t, now, c)
}

// waitsOnceMore returns the step that was put off and is not judged, 0 when there is none.
func (r *running) waitsOnceMore() int64 {
	if r.putOff {
		return r.next
	}
	return 0
}

// observe evaluates the step and judges every group. A failing expression is a
// step without data.
func (e *Engine) observe(r *running, t int64) {
	r.failed = false
	lines, err := r.stream.StepIn(e.round, t)
	if err != nil {
		e.fail(r, err)
		lines = nil
	}
	r.judge.observe(t, lines)
	if r.judge.excess > 0 {
		e.fail(r, fmt.Errorf("expr gives more than the %d groups that are judged; group by fewer tags or select fewer series", r.judge.most))
	}
	e.followLeft(r)
	r.fit()
}

// followLeft ends the alerts of groups that left the judge.
func (e *Engine) followLeft(r *running) {
	left := r.judge.left
	for _, i := range left {
		if i >= len(r.alerts) {
			break
		}
		e.endGroup(r, i, e.now, "no data for so long that it is forgotten")
	}
	r.alerts = without(r.alerts, left)
}

// fit makes an alert for every group.
func (r *running) fit() {
	for len(r.alerts) < len(r.judge.groups) {
		r.alerts = append(r.alerts, groupAlert{})
	}
}

// fail counts an error of the rule and logs the first of a kind.
func (e *Engine) fail(r *running, err error) {
	r.stats.Errors++
	r.failed = true
	if text := clip(err.Error(), 500); r.stats.LastError != text {
		r.stats.LastError = text
		e.o.Log.Error().Err(err).Str("rule", r.c.rule.ID).Msg("rule cannot be judged")
	}
}

// deviates reports whether closing step t now would change something for the
// worse or the better: a group out of band, or back in band while its alert is
// on. It changes nothing.
func (e *Engine) deviates(r *running, t int64) bool {
	lines, err := r.stream.Peek(e.round, t)
	if err != nil {
		lines = nil // observe says so
	}
	return r.judge.peek(t, lines, func(i int, o alert.Observation) bool {
		if o == alert.Missing {
			switch r.judge.noData {
			case alert.OK:
				o = alert.In
			case alert.Alert:
				o = alert.Out
			}
		}
		return o == alert.Out || o == alert.In && i >= 0 && i < len(r.alerts) && r.alerts[i].state.Phase != alert.Inactive
	})
}

// finish goes on to the next step.
func (e *Engine) finish(r *running, t, now int64, c store.Completeness) {
	r.stats.Closed++
	r.owner.stats.Closed++
	r.stats.LastClosed, r.stats.LastLatency = t, now-t
	if c.Reported < c.Expected {
		r.stats.Incomplete++
		r.hurried.add(t, r.c.step)
	}
	if now > r.deadline()+r.c.step {
		r.stats.Missed++
		r.owner.stats.Missed++
	}
	r.hasJudged(t)
	r.next, r.putOff = t+r.c.step, false
	r.fresh++
	r.closedOn.put(r.c.step, t, now-t, c)
	r.trust(t, c)
	e.mark(r, t)
	e.keep(r, t)
}

// mark stores how far the rule was judged while an alert is pending, at most
// once per second of data, so that a restart knows how much of `for` was seen.
func (e *Engine) mark(r *running, t int64) {
	switch {
	case r.pending > 0 && t-r.marked >= second:
		e.entry.mark(r.c.rule.ID, t)
		r.marked = t
		e.recordHeld(r, t)
	case r.pending == 0 && r.marked != 0:
		e.entry.mark(r.c.rule.ID, 0)
		r.marked = 0
	}
}

// recordHeld stores pending alerts for which time without data was counted since
// they were stored: the mark says that all time up to it was seen.
func (e *Engine) recordHeld(r *running, t int64) {
	for i := range r.alerts {
		a := &r.alerts[i]
		if a.breach != nil && a.state.Phase == alert.Pending && a.breach.Machine.Held != a.state.Held {
			e.record(r, i, a.breach, t)
		}
	}
}
