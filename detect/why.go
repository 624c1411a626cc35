package detect

import (
	"cmp"
	"math"
	"slices"

	"pulse/detect/algo"
	"pulse/detect/notify"
	"pulse/store"
)

// Why is what an alert was decided on: the decisions themselves, the steps
// around them with what the detector knew after each, and who carries the change.
//
// The decisions and the steps after them are kept as they were judged. The
// steps before are judged again, a moment later and off the way of the
// notification, from the nearest checkpoint of the detectors; whyrecord.go does
// that and stores all of it with the alert, so that it stays true after late points
// and when the data is gone.
type Why struct {
	Text      string       `json:"text"`  // in plain words
	Facts     []string     `json:"facts"` // what the numbers in Facts of steps and decisions are
	Decisions []Decision   `json:"decisions"`
	Steps     []JudgedStep `json:"steps"` // ascending, at most maxWhySteps
	Breakdown *Breakdown   `json:"breakdown,omitempty"`
	From      int64        `json:"from,omitempty"` // the steps after this one were looked for
	Note      string       `json:"note,omitempty"` // what is missing here, and why
}

// JudgedStep is one step of a group: what was seen, what was expected, and what
// the detector knew after it. NaN is null.
type JudgedStep struct {
	T        int64  `json:"t"` // Unix ms
	Value    Number `json:"value"`
	Expected Number `json:"expected"`
	Lower    Number `json:"lower"`
	Upper    Number `json:"upper"`
	Score    Number `json:"score"`
	Out      bool   `json:"out"`
	Cause    string `json:"cause"`
	// Reported of Sources expected sources had reported the step when it was
	// judged; no sources: unknown.
	Reported int      `json:"reported"`
	Sources  int      `json:"sources"`
	Again    bool     `json:"again,omitempty"` // judged again later, from stored values
	Facts    []Number `json:"facts,omitempty"` // in the order of Why.Facts
}

// Decision is one change of an alert and what it was decided on.
type Decision struct {
	Kind   string `json:"kind"` // a state: pending, firing, nodata, resolved
	At     int64  `json:"at"`   // clock, Unix ms
	For    *Wait  `json:"for,omitempty"`
	Keep   *Wait  `json:"keep,omitempty"`
	Absent *Wait  `json:"absent,omitempty"`
	// Silent are expected sources that had not reported.
	Silent []string `json:"silent,omitempty"`
	PutOff *PutOff  `json:"putOff,omitempty"`
	// DataAgeMs is how long before the decision the newest data of the rule had come.
	DataAgeMs *int64 `json:"dataAgeMs,omitempty"`
	JudgedStep
}

// Wait is a clock of the alert, in ms.
type Wait struct {
	Needs  int64 `json:"needs"`
	Passed int64 `json:"passed"`
}

// PutOff says that a step was not judged at once, because a verdict out of the
// ordinary came while a source was missing.
type PutOff struct {
	T        int64    `json:"t"`  // the step
	At       int64    `json:"at"` // clock, Unix ms
	Reported int      `json:"reported"`
	Sources  int      `json:"sources"`
	Silent   []string `json:"silent,omitempty"`
}

// Bounds of what is kept of one alert.
const (
	stepsBefore   = 30 // a beginning
	stepsAround   = 10 // before the other decisions
	stepsAfter    = 30 // a beginning, while the alert is open
	maxWhySteps   = 128
	maxDecisions  = 16
	maxWhyFacts   = 24
	maxWhySilent  = 10 // names of sources
	maxSourceName = 80 // bytes
)

// closedStep is on how many sources a step closed.
type closedStep struct {
	t                 int64
	late              int64 // ms from its end to its close
	reported, sources uint32
}

// closedSteps are those of a rule's last steps, in a ring by time ÷ step.
type closedSteps struct {
	step int64
	ring []closedStep
}

// keptClosed is how many steps a rule remembers.
const keptClosed = stepsBefore + 2

func (k *closedSteps) put(step, t, late int64, c store.Completeness) {
	if k.ring == nil {
		k.step, k.ring = step, make([]closedStep, keptClosed)
	}
	k.ring[t/step%keptClosed] = closedStep{t, late, uint32(c.Reported), uint32(c.Expected)}
}

// fill sets of s how many sources had reported it, where that is remembered, and
// returns how long after its end it was closed, in ms.
func (k *closedSteps) fill(s *JudgedStep) (late int64) {
	if k.ring == nil {
		return 0
	}
	at := k.ring[s.T/k.step%keptClosed]
	if at.t != s.T {
		return 0
	}
	s.Reported, s.Sources = int(at.reported), int(at.sources)
	return at.late
}

func (k closedSteps) clone() closedSteps {
	k.ring = slices.Clone(k.ring)
	return k
}

// judgedStep describes the last step of group i of j, which is t.
func judgedStep(j *judge, i int, t int64, scratch []algo.Fact) (JudgedStep, []algo.Fact) {
	g := &j.groups[i]
	v := g.verdict
	s := JudgedStep{
		T: t, Value: Number(g.value), Expected: Number(v.Expected), Lower: Number(v.Lower), Upper: Number(v.Upper),
		Score: Number(v.Score), Out: v.Out, Cause: causeOf(g).String(),
	}
	if math.IsNaN(g.value) {
		s.Score = Number(math.NaN())
	}
	if g.detector == nil {
		return s, scratch
	}
	scratch = g.detector.Facts(scratch[:0])
	scratch = scratch[:min(len(scratch), maxWhyFacts)]
	s.Facts = make([]Number, len(scratch))
	for k, f := range scratch {
		s.Facts[k] = Number(f.Value)
	}
	return s, scratch
}

// causeOf says in which way the group is out. Where the detector does not say,
// its band does, while the value is beyond it.
func causeOf(g *group) algo.Cause {
	v := &g.verdict
	switch {
	case !v.Out || v.Cause != algo.CauseNone:
		return v.Cause
	case g.value < v.Lower:
		return algo.CauseDrop
	case g.value > v.Upper:
		return algo.CauseRise
	}
	return algo.CauseNone
}

// named adds the names of facts to w, which are the same for all steps of a
// rule with one detector.
func (w *Why) named(facts []algo.Fact) {
	if len(w.Facts) > 0 || len(facts) == 0 {
		return
	}
	w.Facts = make([]string, len(facts))
	for i, f := range facts {
		w.Facts[i] = f.Name
	}
}

// fact returns the fact of a name in a step of w.
func (w *Why) fact(s *JudgedStep, name string) (float64, bool) {
	at := slices.Index(w.Facts, name)
	if at < 0 || at >= len(s.Facts) || math.IsNaN(float64(s.Facts[at])) {
		return 0, false
	}
	return float64(s.Facts[at]), true
}

// merge adds what o knows. A step as it was judged takes the place of one that
// was judged again. The detector of the rule may have been replaced in between: steps
// with facts of other names lose theirs.
func (w *Why) merge(o *Why) {
	if len(w.Facts) == 0 {
		w.Facts = o.Facts
	}
	same := slices.Equal(w.Facts, o.Facts) || len(o.Facts) == 0
	for _, d := range o.Decisions {
		if !same {
			d.Facts = nil
		}
		known := slices.ContainsFunc(w.Decisions, func(x Decision) bool { return x.Kind == d.Kind && x.T == d.T })
		if !known && len(w.Decisions) < maxDecisions {
			w.Decisions = append(w.Decisions, d)
		}
	}
	slices.SortStableFunc(w.Decisions, func(a, b Decision) int { return cmp.Compare(a.T, b.T) })
	for _, s := range o.Steps {
		if !same {
			s.Facts = nil
		}
		w.insert(s)
	}
	w.lookedFrom(o.From)
	if o.Breakdown != nil {
		w.Breakdown = o.Breakdown
	}
	if o.Note != "" {
		w.Note = o.Note
	}
}

// lookedFrom notes that steps after t were looked for.
func (w *Why) lookedFrom(t int64) {
	if t != 0 && (w.From == 0 || t < w.From) {
		w.From = t
	}
}

// insert puts a step at its place.
func (w *Why) insert(s JudgedStep) {
	at, found := slices.BinarySearchFunc(w.Steps, s.T, func(x JudgedStep, t int64) int { return cmp.Compare(x.T, t) })
	switch {
	case found && w.Steps[at].Again && !s.Again:
		w.Steps[at] = s
	case !found && len(w.Steps) < maxWhySteps:
		w.Steps = slices.Insert(w.Steps, at, s)
	}
}

// has reports whether the step is there.
func (w *Why) has(t int64) bool {
	_, found := slices.BinarySearchFunc(w.Steps, t, func(x JudgedStep, t int64) int { return cmp.Compare(x.T, t) })
	return found
}

// around returns the spans of steps that are worth keeping of an incident that
// has been judged up to step last.
func (in *incident) around(step, last int64) []span {
	began := in.PendingSince
	out := []span{{began - (stepsBefore+1)*step, min(last, began+stepsAfter*step)}}
	if starts := in.Sent.StartsAt; starts > began {
		out = append(out, span{starts - (stepsAround+1)*step, min(last, starts+stepsAfter*step)})
	}
	if ends := in.Sent.EndsAt; ends > 0 {
		out[0].end, out[len(out)-1].end = min(out[0].end, ends), min(out[len(out)-1].end, ends)
		out = append(out, span{ends - (stepsAround+1)*step, min(last, ends)})
	}
	return out
}

// decided notes a decision about group i of r.
func (e *Engine) decided(r *running, i int, in *incident, kind string, m moment) {
	w, g := &e.whys, &r.judge.groups[i]
	u, dropped := w.open(in, g.tags, g.key, m.t)
	if u == nil || dropped {
		e.stats.Unexplained++
	}
	if u == nil {
		return
	}
	age := m.dataAge()
	d := Decision{Kind: kind, At: m.now, Silent: silentOf(m.completeness), DataAgeMs: &age}
	d.JudgedStep, w.scratch = judgedStep(r.judge, i, m.t, w.scratch)
	d.Reported, d.Sources = m.completeness.Reported, m.completeness.Expected
	d.wait(r, i, in, w)
	if r.deferred != nil && r.deferred.T == m.t {
		d.PutOff = r.deferred
	}
	u.why.named(w.scratch)
	u.why.insert(d.JudgedStep)
	if len(u.why.Decisions) < maxDecisions {
		u.why.Decisions = append(u.why.Decisions, d)
	}
	u.pending = kind == StatePending
	before := int64(stepsAround)
	if kind == StatePending || kind == StateNoData {
		before = stepsBefore
	}
	u.wanted = append(u.wanted, span{m.t - (before+1)*r.c.step, m.t - r.c.step})
	if kind == StatePending || kind == StateFiring {
		w.followOn(u, stepsAfter)
	} else {
		u.follow = 0
	}
	w.ready()
}

// wait sets the clock of the alert that the decision was waiting for.
func (d *Decision) wait(r *running, i int, in *incident, before *whys) {
	state, config := &r.alerts[i].state, &r.c.config
	switch {
	case in.Absence && d.Kind == StateNoData:
		d.Absent = &Wait{r.c.absenceAfter(r.stream, r.judge.groups[i].tags), state.Absent}
	case in.Absence:
	case d.Kind == StatePending:
		d.For = &Wait{config.For, 0}
	case d.Kind == StateFiring:
		d.For = &Wait{config.For, d.T - state.PendingSince}
	case d.Kind == StateResolved:
		d.Keep = &Wait{before.needs, d.T - before.lastOut}
	}
}

// explainedBy notes who carries the change of an alert that fires, or, when b is
// nil, that this is to be looked for later.
func (e *Engine) explainedBy(id string, x *change, b *Breakdown) {
	if u := e.whys.byID[id]; u != nil {
		if u.why.Breakdown = b; b == nil {
			u.change = x
		}
	}
}

// silentOf returns the names of sources that had not reported, clipped.
func silentOf(c store.Completeness) []string {
	var out []string
	for _, s := range c.Silent[:min(len(c.Silent), maxWhySilent)] {
		out = append(out, clip(s, maxSourceName))
	}
	return out
}

// deferStep remembers that the rule's next step was put off.
func (r *running) deferStep(t, now int64, c store.Completeness) {
	r.deferred = &PutOff{T: t, At: now, Reported: c.Reported, Sources: c.Expected, Silent: silentOf(c)}
}

// describeCause sets the cause of a notification by the group's verdict. One
// that is over keeps the cause that it had.
func describeCause(n *notify.Notification, g *group, absence bool) {
	if absence {
		n.Cause = algo.CauseMissing.String()
	} else if cause := causeOf(g); cause != algo.CauseNone {
		n.Cause = cause.String()
	}
}
