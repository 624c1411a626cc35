package detect

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// maxListed bounds how many ended incidents a list shows.
const maxListed = 1000

// states are the values that Alerts accepts.
var states = []string{StatePending, StateFiring, StateNoData, StateResolved}

// Alerts returns the incidents in the given state, newest first: `pending`,
// `firing`, `nodata`, `resolved`, or all for an empty text. Open incidents show the
// newest verdict and the silences that mean them now. Of those that ended, the newest
// 1,000 are listed.
func (e *Engine) Alerts(state string) ([]Alert, error) {
	if state != "" && !slices.Contains(states, state) {
		return nil, fmt.Errorf("state is %q, want one of pending, firing, nodata, resolved", clip(state, 40))
	}
	out := e.openAlerts(func(in *incident) bool { return state == "" || in.State == state })
	e.silenced(out)
	if state == "" || state == StateResolved {
		ended, err := e.journal.ended(maxListed)
		if err != nil {
			return nil, fmt.Errorf("list alerts: %w", err)
		}
		for _, in := range ended {
			out = append(out, shown(in))
		}
	}
	slices.SortStableFunc(out, func(a, b Alert) int {
		if c := cmp.Compare(b.since(), a.since()); c != 0 {
			return c
		}
		return cmp.Compare(a.Incident, b.Incident)
	})
	return out, nil
}

func (a *Alert) since() int64 { return max(a.PendingSince, a.StartsAt) }

// openAlerts returns the open incidents for which keep answers true, with the
// newest verdict of their group.
func (e *Engine) openAlerts(keep func(*incident) bool) []Alert {
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
					out = append(out, e.current(r, i, in))
				}
			}
		}
	}
	for _, in := range e.loose {
		if keep(in) {
			out = append(out, shown(in))
		}
	}
	return out
}

// current shows an open incident with the newest verdict.
func (e *Engine) current(r *running, i int, in *incident) Alert {
	a := shown(in)
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

func shown(in *incident) Alert {
	a := Alert{Notification: in.Sent, State: in.State, PendingSince: in.PendingSince}
	a.Notify = in.Notify
	return a
}

// AlertByID returns the incident of that id, or of one of its transitions, with
// what it was decided on and its timeline: the points around its beginning and its
// end, its transitions, silences and every attempt to deliver them, in order of time, and
// at one time a point before what was decided on it. Each of the three is bounded.
func (e *Engine) AlertByID(ctx context.Context, id string) (Alert, error) {
	id = incidentOf(id)
	a, in, err := e.find(id)
	if err != nil {
		return Alert{}, err
	}
	a.Why = e.whyOf(ctx, &in)
	a.Timeline = append(a.Why.timeline(), in.Events...)
	for _, attempt := range e.o.Notify.Attempts(id) {
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
		copied.Events = slices.Clone(in.Events)
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
	return shown(ended), *ended, nil
}
