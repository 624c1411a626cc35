package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// MaxAlerts is how many alerts a page may have, and has when nothing is said.
const MaxAlerts = 10_000

// maxListed bounds how many ended incidents a list shows that nobody pages through.
const maxListed = 1000

// states are the values that Alerts accepts.
var states = []string{StatePending, StateFiring, StateNoData, StateResolved}

// ErrAfter is returned for a page after an alert that there is not.
var ErrAfter = errors.New("after names no alert that is kept in this list")

// Alerts returns the incidents in the given state, newest first: `pending`,
// `firing`, `nodata`, `resolved`, or all for an empty text. Open incidents show the
// newest verdict and the silences that mean them now. Of those that ended, the newest
// 1,000 are listed.
func (e *Engine) Alerts(state string) ([]Alert, error) {
	if state == "" {
		return e.list(nil, maxListed)
	}
	return e.list([]string{state}, maxListed)
}

// AlertsPage returns up to limit alerts that f chooses, newest first, of all that are
// open and all ended incidents that are kept, after the incident of an id, "" for the
// first page; and whether there are more.
func (e *Engine) AlertsPage(f *AlertFilter, after string, limit int) (page []Alert, more bool, err error) {
	list, err := e.list(f.States, maxResolved)
	if err != nil {
		return nil, false, err
	}
	if after != "" {
		at := slices.IndexFunc(list, func(a Alert) bool { return a.Incident == after })
		if at < 0 {
			return nil, false, ErrAfter
		}
		list = list[at+1:]
	}
	page = []Alert{}
	for i := range list {
		if !f.means(&list[i]) {
			continue
		}
		if len(page) == limit {
			return page, true, nil
		}
		page = append(page, list[i])
	}
	return page, false, nil
}

// list is Alerts for any of these states, all for none, with so many ended incidents.
func (e *Engine) list(wanted []string, most int) ([]Alert, error) {
	for _, state := range wanted {
		if !slices.Contains(states, state) {
			return nil, fmt.Errorf("state is %q, want one of pending, firing, nodata, resolved", clip(state, 40))
		}
	}
	is := func(state string) bool { return len(wanted) == 0 || slices.Contains(wanted, state) }
	everyone := e.everyone()
	out := e.openAlerts(func(in *incident) bool { return is(in.State) })
	e.silenced(out)
	if is(StateResolved) {
		ended, err := e.journal.ended(most)
		if err != nil {
			return nil, fmt.Errorf("list alerts: %w", err)
		}
		for _, in := range ended {
			out = append(out, shown(in, everyone))
		}
	}
	order := make([]*Alert, len(out)) // which are large
	for i := range out {
		order[i] = &out[i]
	}
	slices.SortStableFunc(order, func(a, b *Alert) int {
		return cmp.Or(cmp.Compare(b.since(), a.since()), cmp.Compare(a.Incident, b.Incident))
	})
	sorted := make([]Alert, 0, len(out))
	for i, a := range order {
		if i == 0 || a.Incident != order[i-1].Incident { // one that ended between the two readings is in both
			sorted = append(sorted, *a)
		}
	}
	return sorted, nil
}

func (a *Alert) since() int64 { return max(a.PendingSince, a.StartsAt) }

// openAlerts returns the open incidents for which keep answers true, with the
// newest verdict of their group.
func (e *Engine) openAlerts(keep func(*incident) bool) []Alert {
	everyone := e.everyone()
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []Alert{}
	for _, r := range e.order {
		if r.pending+r.firing+r.absent == 0 {
			continue
		}
		for i := range r.alerts {
			for _, in := range [...]*incident{r.alerts[i].breach, r.alerts[i].absence} {
				if in != nil && keep(in) {
					out = append(out, e.current(r, i, in, everyone))
				}
			}
		}
	}
	for _, in := range e.loose {
		if keep(in) {
			out = append(out, shown(in, everyone))
		}
	}
	return out
}

// current shows an open incident with the newest verdict.
func (e *Engine) current(r *running, i int, in *incident, everyone []string) Alert {
	a := shown(in, everyone)
	g := &r.judge.groups[i]
	if r.fresh == 0 {
		return a // nothing judged since the start
	}
	a.Value, a.Expected, a.Lower, a.Upper, a.Score = g.value, g.verdict.Expected, g.verdict.Lower, g.verdict.Upper, g.verdict.Score
	if math.IsNaN(g.value) {
		a.Score = math.NaN()
	}
	describeCause(&a.Notification, g, in.Absence)
	a.EvaluatedAt = r.stats.LastClosed + r.stats.LastLatency
	return a
}

// shown shows an incident as it was stored.
func shown(in *incident, everyone []string) Alert {
	a := Alert{Notification: in.Sent, State: in.State, PendingSince: in.PendingSince, InhibitedBy: in.Inhibited, Began: in.Began}
	a.Notify = in.Notify
	if in.State == StatePending {
		return a
	}
	for i := range in.Legs {
		if l := &in.Legs[i]; l.Told == 0 {
			a.MutedBy = append(append(a.MutedBy, l.MutedBy...), l.Outside...)
		}
	}
	slices.Sort(a.MutedBy)
	a.MutedBy = slices.Compact(a.MutedBy)
	switch {
	case in.Routed:
		for i := range in.Legs {
			l := &in.Legs[i]
			if a.Meant = append(a.Meant, l.Receiver); l.Told > 0 {
				a.Receivers = append(a.Receivers, l.Receiver)
			}
		}
		slices.Sort(a.Receivers)
	case len(in.Notify) > 0:
		a.Meant = in.Notify
	default:
		a.Meant = everyone
	}
	if !in.Routed && !in.Held {
		a.Receivers = a.Meant
	}
	return a
}

// everyone returns the names of all receivers, which are told where nobody is named.
func (e *Engine) everyone() []string {
	if e.o.Receivers == nil {
		return nil
	}
	return e.o.Receivers()
}

// AlertByID returns the incident of that id, or of one of its transitions, with
// what it was decided on and its timeline: the points around its beginning and its
// end, its transitions, silences and every attempt to deliver them, in order of time, and
// at one time a point before what was decided on it. Each of the three is bounded.
// Standing is where it stands with receivers that have not heard all of it.
func (e *Engine) AlertByID(ctx context.Context, id string) (Alert, error) {
	id = incidentOf(id)
	a, in, err := e.find(id)
	if err != nil {
		return Alert{}, err
	}
	a.Why = e.whyOf(ctx, &in)
	a.Timeline = append(a.Why.timeline(), in.Events...)
	a.Attempts, a.Standing = e.o.Notify.Attempts(id), e.standing(id)
	for _, attempt := range a.Attempts {
		a.Timeline = append(a.Timeline, Event{attempt.T, "attempt", attempt.Detail()})
	}
	slices.SortStableFunc(a.Timeline, func(x, y Event) int { return cmp.Compare(x.T, y.T) })
	a.Timeline = slices.Compact(a.Timeline)
	return a, nil
}

// find returns the alert and a copy of its incident.
func (e *Engine) find(id string) (Alert, incident, error) {
	var copied incident
	open := e.openAlerts(func(in *incident) bool {
		if in.ID != id {
			return false
		}
		copied = *in
		copied.Events, copied.Legs = slices.Clone(in.Events), slices.Clone(in.Legs)
		return true
	})
	if len(open) > 0 {
		e.silenced(open)
		return open[0], copied, nil
	}
	ended, err := e.journal.endedByID(id)
	if err != nil {
		return Alert{}, incident{}, fmt.Errorf("find alert: %w", err)
	}
	if ended == nil {
		return Alert{}, incident{}, fmt.Errorf("%w %q", ErrUnknownAlert, clip(id, 80))
	}
	return shown(ended, e.everyone()), *ended, nil
}
