package detect

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"pulse/detect/alert"
	"pulse/detect/notify"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/tags"
)

// holdSteps is how many steps after a start missing data decides nothing, under
// any policy, unless no step was missed: the senders have not had the time to come back.
const holdSteps = 2

// settle runs the alert of every group over the verdicts of step t and collects
// what changed in e.entry.
func (e *Engine) settle(r *running, t, now int64, c store.Completeness) {
	config, retention := e.configAt(r, t), e.o.Store.Options().Retention
	for i := range r.judge.groups {
		change, gone := e.stepAlert(r, i, t, &config, retention)
		if gone {
			e.giveUp(r, i, now)
			continue
		}
		if change != 0 {
			e.change(r, i, change, moment{t, now, c})
		}
		if e.entry.size() >= e.journal.portion && !e.failing {
			e.commit()
		}
	}
}

// configAt returns what alerts go by at step t, which is the one after the last judged.
func (e *Engine) configAt(r *running, t int64) alert.Config {
	config := r.configOf(t)
	if r.fresh < holdSteps {
		config.NoData = alert.Keep
	}
	return config
}

// stepAlert runs the alert of group i over step t, or reports that nothing of the
// group can be left.
func (e *Engine) stepAlert(r *running, i int, t int64, config *alert.Config, retention int64) (changed alert.Change, gone bool) {
	g, a := &r.judge.groups[i], &r.alerts[i]
	if r.judge.passes(g) {
		return 0, false
	}
	o := r.judge.observation(g)
	if a.gone(g.value, r.c.step, retention) {
		return 0, true
	}
	if o == alert.Out && r.c.absence() && a.state.Phase == alert.Inactive && int64(r.fresh) < r.c.lookback/r.c.step+holdSteps {
		o = alert.Missing // who sends may have been cut off from a server that was not there
	}
	if o == alert.Missing {
		config.AbsenceAfter = r.absenceAfter(i)
	}
	if o == alert.Out && a.state.Phase == alert.Inactive && r.pending+r.firing >= maxAlerts {
		r.stats.Suppressed++
		r.crowded.add(t, r.c.step)
		o = alert.Unjudged
	}
	e.whys.before(&a.state, config)
	return a.state.Step(config, t, o), false
}

// portion is after how many changes those of a step are stored and sent without
// waiting for the rest of it, so that memory is bounded. It is as many as one rule can
// make: usually all transitions of a step are one transaction. Should the process end
// between two, the restart stores the rest. While the database fails, it is tried once a turn.
const portion = 2 * maxAlerts

// giveUp ends the incidents of a group that has had no data for the whole
// retention: nothing of it is left in the store, so it is gone and not late.
func (e *Engine) giveUp(r *running, i int, now int64) {
	e.endGroup(r, i, now, "no data for so long that nothing of it is left in the store")
}

// gone counts the time without data and reports whether nothing of the group can
// be left in the store.
func (a *groupAlert) gone(value float64, step, retention int64) bool {
	if !math.IsNaN(value) {
		a.missing = 0
		return false
	}
	a.missing += step
	return a.missing > retention
}

// absenceAfter returns how long without data raises the no-data alert of group i,
// and a time that never comes where that can be at the next step in no case.
func (r *running) absenceAfter(i int) int64 {
	s := &r.alerts[i].state
	least := int64(r.c.rule.AbsenceAfter)
	if least == 0 {
		least = 3 * r.c.step
	}
	if !s.HadData || s.NoDataAt != 0 || s.Absent+r.c.step < min(least, 60*second) {
		return math.MaxInt64
	}
	return r.c.absenceAfter(r.stream, r.judge.groups[i].tags)
}

// absenceAfter returns how long without data raises the no-data alert of a
// group that is read from s.
func (c *compiled) absenceAfter(s *stream.Stream, group tags.Tags) int64 {
	if after := int64(c.rule.AbsenceAfter); after > 0 {
		return after
	}
	return max(3*s.SourceInterval(group), 3*c.step, 60*second)
}

// moment is when and on what a verdict was reached.
type moment struct {
	t, now       int64 // step and wall clock
	completeness store.Completeness
}

// ratio is reported ÷ expected sources, 1 when none is expected.
func (m *moment) ratio() float64 {
	if m.completeness.Expected == 0 {
		return 1
	}
	return float64(m.completeness.Reported) / float64(m.completeness.Expected)
}

// dataAge is how long ago the newest data of the rule arrived.
func (m *moment) dataAge() int64 {
	if last := m.completeness.LastReport; last > 0 {
		return max(0, m.now-last)
	}
	return max(0, m.now-m.t)
}

// change turns what the state machine says into incidents, records and
// notifications.
func (e *Engine) change(r *running, i int, changed alert.Change, m moment) {
	a := &r.alerts[i]
	said := ""
	if changed.Has(alert.Pended) {
		a.breach = e.newIncident(r, i, false, a.state.PendingSince)
		e.fill(a.breach, r, i, m)
		said = describe(&a.breach.Sent)
		a.breach.note(m.t, "pending", said)
		e.decided(r, i, a.breach, StatePending, m)
		r.pending++
	}
	switch {
	case changed.Has(alert.Fired):
		if said == "" {
			e.fill(a.breach, r, i, m)
			said = describe(&a.breach.Sent)
		}
		e.fire(r, i, m, said)
	case changed.Has(alert.Pended):
		e.record(r, i, a.breach, m.t)
	case changed.Has(alert.Dropped):
		e.passed(a.breach, m.t)
		e.forget(a.breach)
		a.breach = nil
		r.pending--
	case changed.Has(alert.Resolved):
		e.fill(a.breach, r, i, m)
		e.finishIncident(r, i, a.breach, m, "back in band"+calmed(a.breach, e.whys.needs)+": "+describe(&a.breach.Sent))
		e.decided(r, i, a.breach, StateResolved, m)
		a.breach = nil
		r.firing--
	}
	if changed.Has(alert.DataLost) {
		a.absence = e.newIncident(r, i, true, a.absentSince(r.c.step))
		e.fill(a.absence, r, i, m)
		a.absence.begin(notify.TypeNoData, a.state.NoDataAt)
		a.absence.Sent.Flapping = a.state.Losses.Flapping(&r.c.config)
		e.decided(r, i, a.absence, StateNoData, m)
		e.announce(r, i, a.absence, m)
		a.absence.note(m.t, StateNoData, "no data since "+rfc3339(a.absence.PendingSince-r.c.step)+missing(m.completeness))
		a.absence.noteFlapping(m.t, a.state.Losses.Times, &r.c.config, r.c.config.Calm)
		e.tell(a.absence, m.t)
		e.record(r, i, a.absence, m.t)
		r.absent++
	}
	if changed.Has(alert.DataReturn) {
		e.fill(a.absence, r, i, m)
		e.finishIncident(r, i, a.absence, m, "data is back"+calmed(a.absence, r.c.config.Calm)+": "+describe(&a.absence.Sent))
		e.decided(r, i, a.absence, StateResolved, m)
		a.absence = nil
		r.absent--
	}
}

// absentSince returns the first step without data of the no-data alert that is on.
func (a *groupAlert) absentSince(step int64) int64 { return a.state.NoDataAt - a.state.Absent + step }

// fire begins the alert of group i, whose notification is filled in and described.
func (e *Engine) fire(r *running, i int, m moment, said string) {
	a := &r.alerts[i]
	a.breach.begin(notify.TypeFiring, a.state.StartsAt)
	a.breach.Sent.Flapping = a.state.Fires.Flapping(&r.c.config)
	e.decided(r, i, a.breach, StateFiring, m)
	e.explainChange(r, i, m.t)
	e.announce(r, i, a.breach, m)
	a.breach.note(m.t, StateFiring, said+missing(m.completeness))
	a.breach.noteFlapping(m.t, a.state.Fires.Times, &r.c.config, a.state.Needs(&r.c.config))
	e.tell(a.breach, m.t)
	e.record(r, i, a.breach, m.t)
	r.pending--
	r.firing++
}

// explainChange says who carries the change of group i that fires at step t, as
// far as that costs next to nothing; the rest is found out later.
func (e *Engine) explainChange(r *running, i int, t int64) {
	in := r.alerts[i].breach
	left := contributorPoints - e.scanned
	now := e.explained < maxContributed && left > 0
	if in.Sent.Contributors = nil; !now && !e.whys.has(in.ID) {
		return
	}
	x := r.changeOf(i, t)
	var b *Breakdown
	if now {
		e.explained++
		b = e.breakdown(context.Background(), &x, &left)
		e.scanned = contributorPoints - left
	}
	in.Sent.Contributors = b.contributors()
	e.explainedBy(in.ID, &x, b)
}

// missing names the sources that a decision had to do without.
func missing(c store.Completeness) string {
	if len(c.Silent) == 0 {
		return ""
	}
	shown := c.Silent
	text := ", without "
	if len(shown) > 3 {
		shown = shown[:3]
	}
	for i, source := range shown {
		if i > 0 {
			text += ", "
		}
		text += strconv.Quote(clip(source, 80))
	}
	if more := len(c.Silent) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (e *Engine) newIncident(r *running, i int, absence bool, since int64) *incident {
	return &incident{
		ID:      incidentID(r.c.rule.ID, r.created, r.judge.groups[i].key, absence, since, r.turn),
		Rule:    r.c.rule.ID,
		State:   StatePending,
		Absence: absence, PendingSince: since,
	}
}

// fill sets the verdict of the group's last step in the incident's
// notification. What was said when it began, such as startsAt, stays.
func (e *Engine) fill(in *incident, r *running, i int, m moment) {
	g, rule := &r.judge.groups[i], &r.c.rule
	n := &in.Sent
	if n.ID == "" {
		n.ID, n.Incident = in.ID, in.ID
		n.Status = StatePending
	}
	n.Rule, n.Severity, n.Owner, n.Absence = rule.ID, rule.Severity, rule.Owner, in.Absence
	n.Labels, n.Tags = rule.Labels, g.tags.Map()
	n.Value, n.Expected, n.Lower, n.Upper = g.value, g.verdict.Expected, g.verdict.Lower, g.verdict.Upper
	n.Score = g.verdict.Score
	if math.IsNaN(g.value) {
		n.Score = math.NaN()
	}
	describeCause(n, g, in.Absence)
	n.Detector = r.c.detector
	n.EvaluatedAt, n.DataAgeMs, n.Completeness = m.now, m.dataAge(), m.ratio()
	n.Link, n.Graph = e.links(in, r, m.t)
}

// announce renders the annotations and queues the incident's notification.
func (e *Engine) announce(r *running, i int, in *incident, m moment) {
	n := &in.Sent
	in.Began = &Figures{Number(n.Value), Number(n.Expected), Number(n.Lower), Number(n.Upper)}
	n.Annotations = r.c.notes.render(&TemplateData{
		Rule: n.Rule, Severity: n.Severity, Tags: n.Tags, Labels: n.Labels,
		Value: Number(n.Value), Expected: Number(n.Expected), Lower: Number(n.Lower), Upper: Number(n.Upper), Score: Number(n.Score),
		StartsAt: rfc3339(n.StartsAt), NoData: in.Absence, Flapping: n.Flapping, Cause: n.Cause,
		why: func() string { return e.sayWhy(in, r.c.step) },
	})
	in.Notify = r.c.rule.Notify
}

// record stores an open incident.
func (e *Engine) record(r *running, i int, in *incident, t int64) {
	in.Machine, in.At, in.Turn = r.alerts[i].state, t, r.turn
	if in.undecided { // stored when it is known who is told
		return
	}
	if err := e.entry.put(in); err != nil {
		e.fail(r, err)
	}
}

// finishIncident resolves in at moment m and queues its notification. Its
// annotations stay those of its beginning.
func (e *Engine) finishIncident(r *running, i int, in *incident, m moment, detail string) {
	in.end(m.t)
	in.Machine, in.At, in.Turn = r.alerts[i].state, m.t, r.turn
	in.note(m.t, StateResolved, detail)
	e.tellEnd(in, m.t)
	if err := e.entry.resolve(in); err != nil {
		e.fail(r, err)
	}
}

// links are the alert's page, and the rule's graph from before the incident began;
// empty when it is not known where pages are.
func (e *Engine) links(in *incident, r *running, t int64) (page, graph string) {
	if e.o.BaseURL == "" {
		return "", ""
	}
	const around = hour
	start := min(in.PendingSince, t) - around
	return e.o.BaseURL + "/alerts/" + in.ID, e.o.BaseURL + "/?alert=" + in.ID + "&e=" + strconv.FormatInt(t+around/6, 10) + r.c.link + "&s=" + strconv.FormatInt(start, 10)
}
