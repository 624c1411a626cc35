package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pulse/detect/alert"
	"pulse/detect/notify"
)

// say puts what was found into sentences, in the order in which one asks, and ends
// with the reason.
func (q *question) say() {
	on, toBe := q.during(), q.toBe()
	switch {
	case on != nil && !on.NoData:
		q.Phase, q.For = StateFiring, nil
		if q.seen == alert.In && q.Seen != nil && q.lastOut != 0 {
			q.Keep = &Wait{on.needs(&q.c.config), q.T - q.lastOut}
		}
	case toBe != nil:
		q.Phase = StatePending
	case on == nil && q.crowded && q.seen == alert.Out:
		q.passedBy = true
		q.state, q.firedAt, q.For, q.Phase = alert.State{}, 0, nil, alert.Inactive.String()
	case q.Seen != nil && q.firedAt != 0:
		q.Phase = alert.Inactive.String()
	}
	q.sayRule()
	if q.T > q.Created {
		q.saySeen()
		q.sayAlert(on, toBe)
	}
	for _, s := range q.Silences {
		q.tell("Silence %s of %s meant the group at that time, until %s: %q.", s.ID, s.Author, rfc3339(s.EndsAt), s.Comment)
	}
	if on != nil {
		q.sayDelivery(on)
	}
	q.conclude(on, toBe)
	q.Text = capital(q.Text)
}

func (q *question) tell(format string, a ...any) {
	q.Sentences = append(q.Sentences, fmt.Sprintf(format, a...))
}

func (q *question) because(reason, format string, a ...any) {
	q.Reason, q.Text = reason, fmt.Sprintf(format, a...)
}

func capital(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// group names the group.
func (q *question) group() string {
	if len(q.Tags) == 0 {
		return "its one group"
	}
	return "group " + clip(tagsOf(q.Tags).String(), 300)
}

// sayRule says whether the rule was there and what became of the step.
func (q *question) sayRule() {
	if q.T <= q.Created {
		q.tell("Rule %s was put at %s, after that time.", q.Rule, rfc3339(q.Created))
		return
	}
	q.tell("Rule %s, put at %s, judges steps of %s; the time is in the step that ends at %s.", q.Rule, rfc3339(q.Created), spoken(q.Step), rfc3339(q.T))
	if q.began > q.Created && q.T <= q.began {
		q.tell("It has had its detector since %s only; here the step is judged with that.", rfc3339(q.began))
	}
	switch q.Judged {
	case stepNotYet:
		if q.now < q.T {
			q.tell("That step has not ended.")
		} else if q.PutOff == nil {
			q.tell("That step has not been judged: the last one that was is that of %s, and the next is judged at %s at the latest.", orNone(q.judged), rfc3339(q.due))
		}
	case stepSkipped:
		q.tell("No alert was judged at that step in its time: the server was down, stood still, or could not keep up. Detectors have seen its values later.")
	case stepUnknown:
		q.tell("Whether that step was judged in its time is not remembered: that reaches back to %s.", q.remembered())
	case stepIncomplete:
		q.tell("The step was judged before all of its sources had reported%s; what came later was not seen then, and is seen here.", q.reports())
	case stepLate:
		q.tell("The step was judged late%s.", q.reports())
	case stepJudged:
		q.tell("The step was judged in its time%s.", q.reports())
	}
	if p := q.PutOff; p != nil {
		text := fmt.Sprintf("It was put off at %s, since only %d of %d sources had reported and a verdict would have changed something", rfc3339(p.At), p.Reported, p.Sources)
		if len(p.Silent) > 0 {
			text += "; without " + strings.Join(p.Silent[:min(len(p.Silent), maxWhyNames)], ", ")
		}
		q.tell("%s.", text)
	}
}

func orNone(t int64) string {
	if t == 0 {
		return "none"
	}
	return rfc3339(t)
}

// remembered is the first step that is known to have been judged in its time.
func (q *question) remembered() string {
	first := int64(0)
	for _, s := range q.attended {
		if first == 0 || s.end < first {
			first = s.start + q.Step
		}
	}
	return orNone(first)
}

// reports says when the step was judged and who had reported it.
func (q *question) reports() string {
	if q.LateMs == 0 && q.Sources == 0 {
		return ""
	}
	text := ", " + spoken(q.LateMs) + " after its end"
	if q.Sources > 0 {
		text += fmt.Sprintf(", with %d of %d sources", q.Reported, q.Sources)
	}
	return text
}

// saySeen says what the step held and how far the detector had come.
func (q *question) saySeen() {
	switch {
	case q.T > q.judged:
		return
	case q.failed != nil:
		q.tell("It cannot be judged again: %v.", q.failed)
		return
	case q.Seen == nil || !q.known:
		text := "The rule had no " + q.group() + " then"
		if q.first != 0 {
			text += "; its first value is that of " + rfc3339(q.first)
		} else if len(q.some) > 0 {
			text += "; it has such as " + strings.Join(q.some, "; ")
		}
		q.tell("%s.", text)
		return
	}
	q.tell("For %s it held, judged again now: %s.", q.group(), q.Seen.describe())
	switch q.Detector {
	case "nodata":
		text := "There was no data, which under no_data " + q.c.rule.NoData + " " + q.meaning()
		if q.Absent != nil {
			text += fmt.Sprintf("; that lasted for %s of the %s after which a no-data alert begins", spoken(q.Absent.Passed), spoken(q.Absent.Needs))
		}
		q.tell("%s.", text)
	case "training":
		q.tell("The detector had not seen enough yet to expect anything.")
	case "hold":
		q.tell("The excursion had lasted for %s of the %s that the detector's hold wants.", spoken(q.Hold.Passed), spoken(q.Hold.Needs))
	case "out":
		q.tell("The detector took that for out of band.")
	default:
		q.tell("The detector took that for in band.")
	}
}

// meaning says what no data means to the alert.
func (q *question) meaning() string {
	switch q.c.config.NoData {
	case alert.OK:
		return "counts as in band"
	case alert.Alert:
		return "counts as out of band"
	}
	return "neither confirms nor ends an alert"
}

// within says what the band of a step is.
func (s *JudgedStep) within() string {
	above, below := !math.IsNaN(float64(s.Lower)), !math.IsNaN(float64(s.Upper))
	switch {
	case above && below:
		return ", band " + s.Lower.String() + " to " + s.Upper.String()
	case above:
		return ", not below " + s.Lower.String()
	case below:
		return ", not above " + s.Upper.String()
	}
	return ""
}

// sayAlert says where the alert stood.
func (q *question) sayAlert(on, toBe *WhyAlert) {
	switch {
	case on != nil && on.NoData:
		q.tell("The no-data alert %s was on since %s.", on.Incident, rfc3339(on.StartsAt))
	case on != nil:
		text := fmt.Sprintf("Alert %s was firing since %s, pending since %s", on.Incident, rfc3339(on.StartsAt), rfc3339(on.PendingSince))
		if q.Keep != nil {
			text += fmt.Sprintf("; it had been back in band for %s of the %s of %s", spoken(q.Keep.Passed), spoken(q.Keep.Needs), on.keptBy())
		}
		if on.EndsAt != 0 {
			text += "; it ended at " + rfc3339(on.EndsAt)
		}
		q.tell("%s.", text)
		for _, x := range on.events {
			if x.Kind == eventFlapping {
				q.tell("Flapping, %s: %s.", rfc3339(x.T), x.Detail)
			}
		}
	case toBe != nil:
		q.tell("Alert %s was pending since %s%s.", toBe.Incident, rfc3339(toBe.PendingSince), q.soFar())
	case q.state.Phase == alert.Pending:
		q.tell("An alert was pending since %s%s.", rfc3339(q.state.PendingSince), q.soFar())
	case q.Seen != nil:
		q.tell("No alert of the group was on.")
	}
}

func (q *question) soFar() string {
	if q.For == nil {
		return ""
	}
	return fmt.Sprintf(": for had run %s of %s", spoken(q.For.Passed), spoken(q.For.Needs))
}

// sayDelivery says what became of the beginning of an alert.
func (q *question) sayDelivery(a *WhyAlert) {
	for _, x := range a.events {
		if x.ofHold() {
			q.tell("%s, %s: %s.", capital(x.Kind), rfc3339(x.T), x.Detail)
		}
	}
	if len(a.Nearest) > 0 {
		q.tell("%s.", capital(q.unrouted(a)))
	}
	if !a.Queued {
		return
	}
	if len(a.Untold) > 0 && len(a.Held) > 0 {
		q.tell("It was not told to %s: %s.", strings.Join(a.Untold, ", "), a.heldBy())
	}
	to := "all receivers"
	if len(a.notify) > 0 {
		to = strings.Join(a.notify, ", ")
	}
	q.tell("Its beginning was queued for %s.", clip(to, 300))
	for _, x := range a.toldOf() {
		text := x.Detail() + ", at " + rfc3339(x.T)
		if x.Next != 0 {
			text += "; the next attempt is at " + rfc3339(x.Next)
		}
		q.tell("Last of %s.", text)
	}
	for i := range a.Standing {
		q.tell("%s.", q.stands(&a.Standing[i]))
	}
}

// conclude names the reason.
func (q *question) conclude(on, toBe *WhyAlert) {
	switch {
	case q.T <= q.Created:
		q.because(ReasonNoRule, "nobody was paged since the rule was not there yet: it was put at %s.", rfc3339(q.Created))
	case on != nil:
		q.concludeDelivery(on)
	case toBe != nil && toBe.StartsAt != 0:
		q.because(ReasonPending, "nobody was paged at that step since for was still running%s; alert %s fired at %s.", q.soFar(), toBe.Incident, rfc3339(toBe.StartsAt))
	case q.now < q.T:
		q.because(ReasonFuture, "nobody was paged since the step has not ended yet.")
	case q.T > q.judged && q.PutOff != nil:
		q.because(ReasonWaiting, "nobody was paged since the step waits for sources that have not reported it, until %s at the latest.", rfc3339(q.due))
	case q.T > q.judged:
		q.because(ReasonWaiting, "nobody was paged since the step has not been judged yet.")
	case q.Judged == stepSkipped:
		q.because(ReasonSkipped, "nobody was paged since no alert was judged at that step: the server was down, stood still, or could not keep up.")
	case q.failed != nil:
		q.because(ReasonUnknown, "no alert was on, and more cannot be said: %v.", q.failed)
	case q.excess > 0:
		q.because(ReasonLimit, "nobody was paged since the rule gives more groups than the %d that are judged, and this is none of them.", q.c.maxGroups)
	case q.Seen == nil || !q.known:
		q.because(ReasonNoGroup, "nobody was paged since the rule had no such group then.")
	default:
		q.concludeStep()
	}
}

// concludeStep names the reason where the step was judged and no alert fired.
func (q *question) concludeStep() {
	v := q.Seen
	switch {
	case q.passedBy:
		q.because(ReasonLimit, "nobody was paged since %s alerts of the rule were pending or firing, the most that a rule may have: further groups that were out of band were passed by.", people(maxAlerts))
	case q.firedAt != 0:
		why := "points that came after the step was judged may have changed it, or the alert is too old to be remembered"
		if q.Judged == stepIncomplete {
			why = "it was judged before all sources had reported, and what came later changed it"
		}
		q.because(ReasonOtherwise, "with what is stored now the alert would have fired at %s, and it did not: %s.", rfc3339(q.firedAt), why)
	case q.state.Phase == alert.Pending:
		text := "nobody was paged since for was still running" + q.soFar()
		switch {
		case q.laterAt == 0:
		case q.dropped:
			text += "; at " + rfc3339(q.laterAt) + " it was back in band"
		default:
			text += "; it was over at " + rfc3339(q.laterAt)
		}
		q.because(ReasonPending, "%s.", text)
	case q.Detector == "nodata":
		q.because(ReasonNoData, "nobody was paged since there was no data, which %s.", q.meaning())
	case q.Detector == "training":
		q.because(ReasonTraining, "nobody was paged since the detector was still in training.")
	case q.Detector == "hold":
		q.because(ReasonHold, "nobody was paged since the excursion had not lasted for the detector's hold: %s of %s.", spoken(q.Hold.Passed), spoken(q.Hold.Needs))
	default:
		q.because(ReasonInBand, "nobody was paged since the value was in band: %s%s.", v.Value.String(), v.within())
	}
}

// concludeDelivery names the reason where an alert was on.
func (q *question) concludeDelivery(a *WhyAlert) {
	if !a.Queued {
		if a.reason == ReasonUnrouted {
			q.because(ReasonUnrouted, "nobody was paged since %s.", q.unrouted(a))
			return
		}
		held := "is"
		if a.EndsAt != 0 {
			held = "was until its end"
		}
		q.because(cmp.Or(a.reason, ReasonSilenced), "nobody was paged since alert %s %s held back by %s.", a.Incident, held, a.heldBy())
		return
	}
	if at, reason := a.releasedAt(); at > q.T {
		q.because(reason, "nobody was paged at that time since alert %s was held back; it was told at %s.", a.Incident, rfc3339(at))
		return
	}
	told := a.toldOf()
	by := func(outcome string) (names []string) {
		for _, x := range told {
			if x.Outcome == outcome {
				names = append(names, x.Receiver)
			}
		}
		return names
	}
	if accepted := by(notify.OutcomeAccepted); len(accepted) > 0 {
		first := told[slices.IndexFunc(told, func(x notify.Attempt) bool { return x.Outcome == notify.OutcomeAccepted })].T
		names := strings.Join(accepted, ", ")
		if a.StartsAt == q.T {
			q.because(ReasonPaged, "somebody was paged: %s took the page of alert %s at %s.", names, a.Incident, rfc3339(first))
			return
		}
		if a.Flapping && q.overAt > a.StartsAt {
			q.because(ReasonFlapping, "there was no page at that step since alert %s flaps: it would have been over at %s, and stays on until it has been in band for %s; %s took its page at %s.",
				a.Incident, rfc3339(q.overAt), spoken(a.needs(&q.c.config)), names, rfc3339(first))
			return
		}
		q.because(ReasonFiring, "there was no page at that step since alert %s was firing already, and a page is sent when it begins: %s took that one at %s.", a.Incident, names, rfc3339(first))
		return
	}
	q.concludeUntold(a, told, by)
}

// concludeUntold names the reason where a notification was queued that nobody took.
func (q *question) concludeUntold(a *WhyAlert, told []notify.Attempt, by func(string) []string) {
	switch {
	case q.concludeWaiting(a):
	case len(told) == 0:
		q.concludeUntried(a)
	case len(by(notify.OutcomeRetry)) > 0:
		q.because(ReasonRetrying, "nobody was paged so far since %s did not take the page; it is tried again.", strings.Join(by(notify.OutcomeRetry), ", "))
	case len(by(notify.OutcomeDead)) > 0:
		q.because(ReasonDead, "nobody was paged since the page is a dead letter of %s: %s.", strings.Join(by(notify.OutcomeDead), ", "), lastError(told, notify.OutcomeDead))
	case len(by(notify.OutcomeDisabled)) > 0:
		q.because(ReasonDead, "nobody was paged since %s answered that it is gone, and is disabled.", strings.Join(by(notify.OutcomeDisabled), ", "))
	case slices.ContainsFunc(told, notify.Attempt.Folded):
		q.because(ReasonSummary, "nobody got a page of this alert alone since there were too many: it was counted in a summary.")
	default:
		q.because(ReasonOverBefore, "nobody was paged since the page was dropped: %s.", lastError(told, notify.OutcomeDropped))
	}
}

// concludeUntried names the reason where a notification was queued and never tried.
func (q *question) concludeUntried(a *WhyAlert) {
	known, ok := q.e.o.Notify.(interface{ Receivers() []notify.Receiver })
	if !ok {
		q.because(ReasonQueued, "the page of alert %s was queued; no attempt to deliver it is noted.", a.Incident)
		return
	}
	var there, disabled []string
	everyone := q.e.everyone()
	for _, r := range known.Receivers() {
		if len(a.notify) > 0 && !slices.Contains(a.notify, r.Name) || q.e.o.Receivers != nil && !slices.Contains(everyone, r.Name) {
			continue
		}
		if there = append(there, r.Name); r.Disabled {
			disabled = append(disabled, r.Name)
		}
	}
	switch {
	case len(there) == 0 && len(a.notify) > 0:
		q.because(ReasonNobody, "nobody was paged since there is no receiver of the name %s.", clip(strings.Join(a.notify, ", "), 200))
	case len(there) == 0:
		q.because(ReasonNobody, "nobody was paged since there is no receiver.")
	case q.failing:
		q.because(ReasonQueued, "nobody was paged so far since the database cannot be written, and no page is sent before it is stored.")
	case len(disabled) == len(there):
		q.because(ReasonQueued, "nobody was paged so far since %s is disabled; the page waits.", strings.Join(disabled, ", "))
	default:
		q.because(ReasonQueued, "the page of alert %s was queued for %s; no attempt to deliver it is noted.", a.Incident, strconv.Itoa(len(there))+" receivers")
	}
}

// lastError is why the last attempt of an outcome came to that.
func lastError(list []notify.Attempt, outcome string) string {
	for _, x := range slices.Backward(list) {
		if x.Outcome == outcome && x.Error != "" {
			return clip(x.Error, 300)
		}
	}
	return "no reason is noted"
}
