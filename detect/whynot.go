package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"pulse/detect/alert"
	"pulse/detect/algo"
	"pulse/detect/notify"
	"pulse/detect/silence"
	"pulse/store/step"
	"pulse/store/tags"
)

// WhyNot says for a rule, a group and a time why somebody was or was not told: what
// was seen, how far detector and alert had come, who was silenced, and what became of
// the notification. NaN is null, times are Unix ms.
//
// The step is judged again, from the nearest checkpoint of the detectors, with what is
// stored now; alerts, attempts and silences are those that were recorded.
type WhyNot struct {
	Rule      string            `json:"rule"`
	Tags      map[string]string `json:"tags"`
	At        int64             `json:"at"` // what was asked for
	T         int64             `json:"t"`  // the step that it is in
	Step      int64             `json:"step"`
	Created   int64             `json:"created"` // when the rule was put
	Reason    string            `json:"reason"`  // one of the reasons below
	Text      string            `json:"text"`    // the same as a sentence
	Sentences []string          `json:"sentences"`

	Judged string `json:"judged"` // judged, incomplete, late, skipped, waiting or unknown: what became of the step in its time
	// LateMs is how long after its end the step was judged, and Sources of which Reported
	// had reported it then; of the last steps only.
	LateMs   int64   `json:"lateMs,omitempty"`
	Reported int     `json:"reported,omitempty"`
	Sources  int     `json:"sources,omitempty"`
	PutOff   *PutOff `json:"putOff,omitempty"`

	Seen     *JudgedStep       `json:"seen,omitempty"` // absent: it cannot be judged again
	Facts    map[string]Number `json:"facts,omitempty"`
	Detector string            `json:"detector,omitempty"` // nodata, training, in, hold, out
	Hold     *Wait             `json:"hold,omitempty"`
	Phase    string            `json:"phase,omitempty"` // of the alert after the step
	For      *Wait             `json:"for,omitempty"`   // while it is pending
	Keep     *Wait             `json:"keep,omitempty"`  // while it fires and is in band
	Absent   *Wait             `json:"absent,omitempty"`

	Alerts   []WhyAlert   `json:"alerts"` // of the group at that time
	Silences []WhySilence `json:"silences"`
}

// WhyAlert is an alert of the group that was on at the time, or began from it.
type WhyAlert struct {
	Incident     string `json:"incident"`
	State        string `json:"state"`
	NoData       bool   `json:"noData,omitempty"`
	PendingSince int64  `json:"pendingSince"`
	StartsAt     int64  `json:"startsAt,omitempty"`
	EndsAt       int64  `json:"endsAt,omitempty"`
	Queued       bool   `json:"queued"` // its beginning was queued for receivers
	// Held is what holds it back from somebody, or did until its end, with times.
	Held     []string          `json:"held,omitempty"`
	Untold   []string          `json:"untold,omitempty"`  // receivers that routes chose and that have not been told
	Nearest  []NearRoute       `json:"nearest,omitempty"` // where no route takes it
	Standing []notify.Standing `json:"standing,omitempty"`
	Flapping bool              `json:"flapping,omitempty"` // it stays on until it has been calm
	Attempts []notify.Attempt  `json:"attempts"`

	notify []string
	reason string   // why nobody was told
	taken  []string // paths of the routes that take it
	events []Event
}

// WhySilence is a silence that meant the group at the time.
type WhySilence struct {
	ID      string `json:"id"`
	Author  string `json:"author"`
	Comment string `json:"comment"`
	EndsAt  int64  `json:"endsAt"`
}

// The reasons of WhyNot.
const (
	ReasonNoRule     = "rule-not-there"
	ReasonFuture     = "in-the-future"
	ReasonWaiting    = "not-judged-yet"
	ReasonSkipped    = "not-judged"
	ReasonNoGroup    = "no-such-group"
	ReasonUnknown    = "not-known"
	ReasonNoData     = "no-data"
	ReasonTraining   = "training"
	ReasonInBand     = "in-band"
	ReasonHold       = "hold"
	ReasonPending    = "pending"
	ReasonOtherwise  = "judged-otherwise"
	ReasonFiring     = "already-firing"
	ReasonFlapping   = "flapping"
	ReasonLimit      = "limit"
	ReasonPaged      = "paged"
	ReasonSilenced   = "silenced"
	ReasonInhibited  = "inhibited"
	ReasonMuted      = "muted"
	ReasonNobody     = "no-receiver"
	ReasonQueued     = "queued"
	ReasonRetrying   = "retrying"
	ReasonDead       = "dead-letter"
	ReasonSummary    = "summary"
	ReasonOverBefore = "over-before-sent"
)

// What became of a step in its time.
const (
	stepJudged     = "judged"
	stepIncomplete = "incomplete"
	stepLate       = "late"
	stepSkipped    = "skipped"
	stepNotYet     = "waiting"
	stepUnknown    = "unknown"
)

// ErrGroups is returned when tags mean more than one group.
var ErrGroups = errors.New("tags mean more than one group")

// Bounds of an answer.
const (
	whyNotLeast  = 30    // steps before the time that are judged again, and
	whyNotMost   = 2_000 // at most, before and after it
	maxWhyAlerts = 20
	maxWhyTries  = 20 // attempts of each alert: the first and the last half
	maxWhyNames  = 5
)

// question is a WhyNot on its way.
type question struct {
	WhyNot
	e      *Engine
	c      *compiled
	now    int64
	key    string
	judged int64
	due    int64 // when the next step is judged at the latest
	began  int64 // when the rule got its detector
	origin int64
	some   []string // names of groups that the rule has
	labels notify.Notification
	routes routing
	excess int   // of a group that is not judged: lines of the last step that would have made more groups
	after  int64 // without data, of a no-data alert; 0: not known

	attended hurried // steps that were judged in their time
	crowded  bool    // at that step the rule passed groups by that were out of band
	failing  bool    // the database could not be written last

	// Found by judging again.
	known   bool  // there was such a group
	first   int64 // its first value after the time, 0: none seen
	state   alert.State
	seen    alert.Observation
	firedAt int64 // the alert would have fired at this step, not after T
	lastOut int64 // the last step out of band up to T, 0: none seen
	overAt  int64 // an alert that does not flap would have been over at this step, the last up to T; 0: none seen
	laterAt int64 // the alert that was pending at T fired or was dropped at this step
	dropped bool
	// passedBy: it was out of band and had no alert, since the rule had as many as it may.
	passedBy bool
	failed   error
}

// WhyNot answers for the group of rule id whose tags contain group, all if it has one,
// at a time in Unix ms; 0 is the last step that was judged. It is an ErrUnknownRule without such a rule, and an ErrGroups
// when the tags mean several groups.
func (e *Engine) WhyNot(ctx context.Context, id string, group tags.Tags, at int64) (*WhyNot, error) {
	q, err := e.ask(id, group, at)
	if err != nil {
		return nil, err
	}
	if err := q.findAlerts(); err != nil {
		return nil, fmt.Errorf("why rule %q: %w", id, err)
	}
	if q.T > q.Created && q.T <= q.judged {
		if q.failed = q.judgeAgain(ctx); q.failed != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("why rule %q: %w", id, ctx.Err())
		}
	}
	q.findSilences()
	q.say()
	return &q.WhyNot, nil
}

// ask notes what is known of the rule and the group.
func (e *Engine) ask(id string, group tags.Tags, at int64) (*question, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rules[id]
	if r == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownRule, clip(id, maxID))
	}
	if at == 0 {
		if at = r.judged; at == 0 {
			at = e.o.Clock.Now().UnixMilli()
		}
	}
	g, some, err := r.meant(group)
	if err != nil {
		return nil, err
	}
	q := &question{
		e: e, c: r.c, now: e.o.Clock.Now().UnixMilli(), key: string(g.AppendKey(nil)), judged: r.judged, due: r.deadline(),
		began: r.began, origin: r.origin, some: some, attended: slices.Clone(r.attended), failing: e.failing,
		routes: e.routing,
	}
	if _, judged := r.judge.index[q.key]; !judged {
		q.excess = r.judge.excess
	}
	q.WhyNot = WhyNot{
		Rule: id, Tags: g.Map(), At: at, T: step.Ceil(at, r.c.step), Step: r.c.step, Created: r.created,
		Sentences: []string{}, Alerts: []WhyAlert{}, Silences: []WhySilence{},
	}
	if q.Tags == nil {
		q.Tags = map[string]string{}
	}
	rule := &r.c.rule
	q.labels = notify.Notification{Rule: rule.ID, Severity: rule.Severity, Owner: rule.Owner, Labels: rule.Labels, Tags: q.Tags}
	if r.c.config.NoData == alert.Auto {
		q.after = r.c.absenceAfter(r.stream, g)
	}
	q.Judged = stepUnknown
	switch {
	case q.T > r.judged:
		q.Judged = stepNotYet
	case q.attended.has(q.T):
		if q.Judged = stepJudged; r.hurried.has(q.T) {
			q.Judged = stepIncomplete
		}
		last := JudgedStep{T: q.T}
		q.LateMs = r.closedOn.fill(&last)
		if q.Reported, q.Sources = last.Reported, last.Sources; q.LateMs > 2*r.c.grace+q.Step {
			q.Judged = stepLate
		}
	case q.attended.after(q.T):
		q.Judged = stepSkipped
	}
	q.crowded = r.crowded.has(q.T)
	if r.deferred != nil && r.deferred.T == q.T {
		q.PutOff = r.deferred
	}
	return q, nil
}

// has reports whether step t is among them.
func (h hurried) has(t int64) bool {
	return slices.ContainsFunc(h, func(s span) bool { return s.has(t) })
}

// after reports whether step t is later than one of them.
func (h hurried) after(t int64) bool {
	return slices.ContainsFunc(h, func(s span) bool { return t > s.end })
}

// meant returns the tags of the group that some mean, and names of groups there are.
// Tags that mean none are those of a group that is gone, or never was.
func (r *running) meant(some tags.Tags) (group tags.Tags, names []string, err error) {
	if _, ok := r.judge.index[string(some.AppendKey(nil))]; ok {
		return some, nil, nil
	}
	found := 0
	for i := range r.judge.groups {
		t := r.judge.groups[i].tags
		if len(names) < maxWhyNames && !contains(t, some) && found == 0 {
			names = append(names, clip(t.String(), 200))
		}
		if contains(t, some) {
			if found++; found == 1 {
				group, names = t, nil
			}
			if len(names) < maxWhyNames {
				names = append(names, clip(t.String(), 200))
			}
		}
	}
	switch {
	case found == 0:
		return some, names, nil
	case found > 1:
		return nil, nil, fmt.Errorf("%w: %d of rule %q have them, such as %s; name all tags of one", ErrGroups, found, r.c.rule.ID, names[0])
	}
	return group, names, nil
}

// judgeAgain judges the steps around the time again, going on from the nearest
// checkpoint, and runs an alert over those that were judged in their time.
func (q *question) judgeAgain(ctx context.Context) error {
	e, s := q.e, q.Step
	back := min(max(q.c.config.For/s+2, whyNotLeast), whyNotMost)
	on := min(max(q.c.config.For/s+2, 2), whyNotMost)
	from := max(q.T-back*s, q.Created)
	for i := range q.Alerts {
		if a := &q.Alerts[i]; !a.NoData && a.EndsAt != 0 && a.EndsAt < q.T {
			from = max(from, a.EndsAt)
		}
	}
	b, _, err := e.lookFrom(q.Rule, min(from, q.T-s), min(q.T+on*s, q.judged))
	if err != nil {
		return err
	}
	if q.T <= b.from {
		return fmt.Errorf("no values of that time are kept")
	}
	if steps := (b.end - b.from) / s; steps > lookBackFar {
		return fmt.Errorf("the nearest checkpoint is %d steps away", steps)
	}
	b.judge.narrow(map[string]bool{q.key: true})
	h, err := e.openFor(b.c, true)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := e.prepare(ctx, b); err != nil {
		return err
	}
	a := again{q: q, judge: b.judge, from: from, config: q.c.config}
	a.config.AbsenceAfter = 0 // those alerts are known, and so are those that flap
	a.config.Flaps = 0
	return e.replay(ctx, h, b.judge, span{b.from, b.end}, b.blind, a.step)
}

// again is an alert that is run over steps that are judged again.
type again struct {
	q       *question
	judge   *judge
	config  alert.Config
	from    int64 // the alert is run over the steps after this one
	absent  int64 // ms without data
	machine alert.State
}

// step takes step t, which has been judged.
func (a *again) step(t int64) error {
	q := a.q
	i, known := a.judge.index[q.key]
	if !known {
		return nil
	}
	g := &a.judge.groups[i]
	hasData := !math.IsNaN(g.value)
	if a.absent += q.Step; hasData {
		a.absent = 0
	}
	if t > q.T && hasData && q.first == 0 {
		q.first = t
	}
	if t <= a.from {
		return nil
	}
	was := a.machine.Phase
	if g.verdict.Out && t <= q.T {
		q.lastOut = t
	}
	o := a.judge.observation(g)
	if !q.attended.has(t) && q.attended.after(t) {
		a.machine.Pause(q.Step)
	} else if a.machine.Step(&a.config, t, o).Has(alert.Resolved) && t <= q.T {
		q.overAt = t
	}
	switch {
	case t < q.T:
	case t == q.T:
		q.known = g.detector != nil || q.c.absence() || q.c.rule.noData() == alert.Alert
		q.see(a.judge, i, o, a.machine, a.absent)
	case q.laterAt == 0 && q.state.Phase == alert.Pending && a.machine.Phase != was:
		q.laterAt, q.dropped = t, a.machine.Phase == alert.Inactive
	}
	return nil
}

// see takes down the step that was asked for.
func (q *question) see(j *judge, i int, o alert.Observation, machine alert.State, absent int64) {
	seen, facts := judgedStep(j, i, q.T, nil)
	seen.Facts, seen.Again = nil, true
	seen.Reported, seen.Sources = q.Reported, q.Sources
	q.Seen, q.state, q.seen = &seen, machine, o
	q.Facts = make(map[string]Number, len(facts))
	for _, f := range facts {
		q.Facts[f.Name] = Number(f.Value)
	}
	hold, _ := algo.Find(facts, algo.FactHold)
	held, _ := algo.Find(facts, algo.FactHeld)
	if hold > 0 {
		q.Hold = &Wait{int64(hold) * q.Step, int64(held) * q.Step}
	}
	switch o {
	case alert.Missing:
		q.Detector = "nodata"
		if q.after > 0 {
			q.Absent = &Wait{q.after, absent}
		}
	case alert.Unjudged:
		q.Detector = "training"
	case alert.Out:
		q.Detector = "out"
	default:
		if q.Detector = "in"; held > 0 && held < hold {
			q.Detector = "hold"
		}
	}
	if machine.Phase == alert.Firing {
		q.firedAt = machine.StartsAt
	}
	q.Phase = machine.Phase.String()
	if machine.Phase == alert.Pending {
		q.For = &Wait{q.c.config.For, max(0, q.T-machine.PendingSince-machine.Held)}
	}
}

// findSilences notes the silences that meant the group at the time.
func (q *question) findSilences() {
	set := setOf(&q.labels)
	for _, s := range q.e.silences.List(q.now) {
		if s.StartsAt <= q.At && q.At < s.EndsAt && s.Matchers.Matches(set) {
			q.Silences = append(q.Silences, whySilence(&s))
			if len(q.Silences) == maxWhyAlerts {
				return
			}
		}
	}
}

func whySilence(s *silence.Silence) WhySilence {
	return WhySilence{s.ID, clip(s.Author, 80), clip(s.Comment, 200), s.EndsAt}
}
