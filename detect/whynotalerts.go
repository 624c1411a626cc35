package detect

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pulse/detect/notify"
)

// The alerts of a question: what the database and the engine have of the group around
// the time.

// findAlerts notes the alerts of the group that were on at the time, ended shortly
// before, or began within the time that the rule waits.
func (q *question) findAlerts() error {
	window := min(max(q.c.config.For, whyNotLeast*q.Step), whyNotMost*q.Step)
	from, to := q.T-window, q.T+window
	mine := func(in *incident) bool {
		return in.Rule == q.Rule && groupKey(in) == q.key && in.PendingSince <= to
	}
	for _, in := range q.e.openIncidents(mine) {
		q.addAlert(&in)
	}
	ended, err := q.e.journal.endedOf(q.Rule, from)
	if err != nil {
		return err
	}
	for _, in := range ended {
		if mine(in) {
			q.addAlert(in)
		}
	}
	slices.SortStableFunc(q.Alerts, func(a, b WhyAlert) int { return cmp.Compare(a.PendingSince, b.PendingSince) })
	if n := len(q.Alerts); n > maxWhyAlerts { // those next to the time
		at := slices.IndexFunc(q.Alerts, func(a WhyAlert) bool { return a.PendingSince > q.T })
		if at < 0 {
			at = n
		}
		begin := min(max(0, at-maxWhyAlerts/2), n-maxWhyAlerts)
		q.Alerts = q.Alerts[begin : begin+maxWhyAlerts]
	}
	return nil
}

func (q *question) addAlert(in *incident) {
	a := WhyAlert{
		Incident: in.ID, State: in.State, NoData: in.Absence, PendingSince: in.PendingSince, StartsAt: in.Sent.StartsAt, EndsAt: in.Sent.EndsAt,
		Attempts: []notify.Attempt{}, Flapping: in.Sent.Flapping, notify: in.Notify, events: in.Events,
	}
	to, told := in.toldTo()
	a.Queued = in.State != StatePending && told
	for _, x := range to {
		a.notify = append(a.notify, x.Receiver)
	}
	q.hold(&a, in)
	a.Standing = q.e.standing(in.ID)
	tries := q.e.o.Notify.Attempts(in.ID)
	if n := len(tries); n > maxWhyTries {
		tries = slices.Concat(tries[:maxWhyTries/2], tries[n-maxWhyTries/2:])
	}
	a.Attempts = append(a.Attempts, tries...)
	q.Alerts = append(q.Alerts, a)
}

// standing returns where an incident stands with each receiver, where the outbox knows.
func (e *Engine) standing(incident string) []notify.Standing {
	if known, ok := e.o.Notify.(interface {
		Standing(string) []notify.Standing
	}); ok {
		return known.Standing(incident)
	}
	return nil
}

// openIncidents returns copies of the open incidents for which keep answers true.
func (e *Engine) openIncidents(keep func(*incident) bool) (out []incident) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.eachOpen(func(in *incident) {
		if keep(in) {
			copied := *in
			copied.Events, copied.Legs = slices.Clone(in.Events), slices.Clone(in.Legs)
			out = append(out, copied)
		}
	})
	return out
}

// endedOf returns the incidents of a rule that ended after t. Only records that may be
// its own are read.
func (j *journal) endedOf(rule string, t int64) (out []*incident, err error) {
	named := notify.AppendString([]byte(`,"rule":`), rule)
	err = j.eachEnded(func(at int64, list []filed) (more bool) {
		if at <= t {
			return false
		}
		for _, r := range slices.Backward(list) {
			if !bytes.Contains(r.text, named) {
				continue
			}
			in, err := r.read()
			if err != nil {
				j.damage.found(r.id, err)
				continue
			}
			out = append(out, in)
		}
		return true
	})
	slices.Reverse(out)
	if err != nil {
		return nil, fmt.Errorf("read alerts that ended: %w", err)
	}
	return out, nil
}

// during returns the alert that was on at the time, that of the values before that of
// missing data; nil when there was none.
func (q *question) during() (on *WhyAlert) {
	for i := range q.Alerts {
		a := &q.Alerts[i]
		if a.StartsAt == 0 || a.StartsAt > q.T || a.EndsAt != 0 && a.EndsAt <= q.T {
			continue
		}
		if on == nil || on.NoData && !a.NoData {
			on = a
		}
	}
	return on
}

// toBe returns the alert that was pending at the time, nil when there was none.
func (q *question) toBe() *WhyAlert {
	for i := range q.Alerts {
		a := &q.Alerts[i]
		if !a.NoData && a.PendingSince <= q.T && (a.StartsAt == 0 || a.StartsAt > q.T) && (a.EndsAt == 0 || a.EndsAt > q.T) {
			return a
		}
	}
	return nil
}

// ofHold reports whether an event is about what holds an alert back.
func (x *Event) ofHold() bool {
	switch x.Kind {
	case eventSilenced, eventReleased, eventInhibited, eventUninhibited, eventMuted, eventUnmuted, eventRouted, eventUnrouted:
		return true
	}
	return false
}

// releasedAt is when an alert that was held back was told, and by what it had been held
// back; 0 when it was not.
func (a *WhyAlert) releasedAt() (t int64, reason string) {
	for _, x := range a.events {
		if x.ofHold() && strings.HasPrefix(x.Detail, toldNow) {
			switch x.Kind {
			case eventUninhibited:
				return x.T, ReasonInhibited
			case eventUnmuted:
				return x.T, ReasonMuted
			case eventRouted:
				return x.T, ReasonNobody
			}
			return x.T, ReasonSilenced
		}
	}
	return 0, ""
}

// toldOf is what became of the beginning of an alert at one receiver: the last attempt.
func (a *WhyAlert) toldOf() (last []notify.Attempt) {
	for _, x := range a.Attempts {
		if x.Type == notify.TypeResolved {
			continue
		}
		at := slices.IndexFunc(last, func(y notify.Attempt) bool { return y.Receiver == x.Receiver })
		switch {
		case at < 0:
			last = append(last, x)
		case last[at].Outcome != notify.OutcomeAccepted:
			last[at] = x
		}
	}
	return last
}
