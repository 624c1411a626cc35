package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pulse/detect/notify"
)

// Who is told, as a WhyNot says it: what routes chose, what holds it back and since when,
// and what the outbox waits for.

// Reasons of WhyNot that tell of routes and of the outbox.
const (
	ReasonUnrouted = "no-route"
	ReasonGrouped  = "grouped"
	ReasonRate     = "over-rate"
	ReasonHostDown = "host-down"
)

// NearRoute is a route that does not take an alert, and the matchers that are in the way.
type NearRoute struct {
	Route string   `json:"route"`
	Wants []string `json:"wants"`
}

// maxNear is how many routes are shown that nearly take an alert.
const maxNear = 3

// hold names what holds the alert back, from all or from those that were not told, since
// when and until when.
func (q *question) hold(a *WhyAlert, in *incident) {
	if in.State == StatePending || !in.isHeld() {
		return
	}
	held := func(reason, name, about string, until int64) {
		if t := a.since(about); t != 0 {
			name += " since " + rfc3339(t)
		}
		if until != 0 && a.EndsAt == 0 {
			name += " until " + rfc3339(until)
		}
		a.Held, a.reason = append(a.Held, name), cmp.Or(a.reason, reason)
	}
	for _, id := range in.Silences {
		s, _ := q.e.silences.Get(id)
		held(ReasonSilenced, "silence "+id, id, s.EndsAt)
	}
	for _, c := range in.Inhibited {
		held(ReasonInhibited, "inhibit rule "+c.Name+" while alert "+c.Incident+" fires", c.Incident, 0)
	}
	for i := range in.Legs {
		l := &in.Legs[i]
		if l.Told > 0 {
			continue
		}
		a.Untold = append(a.Untold, l.Receiver)
		for _, name := range l.mutes() {
			held(ReasonMuted, name+" for "+l.Receiver, l.Receiver+" is not told", q.nextOf(l))
		}
	}
	if in.Routed && len(in.Legs) == 0 {
		a.reason = cmp.Or(a.reason, ReasonUnrouted)
		set := setOf(&in.Sent)
		if a.taken = q.routes.Config.Taken(set); len(a.taken) > 0 {
			return
		}
		for _, x := range q.routes.Config.Nearest(set, maxNear) {
			wants := make([]string, len(x.Wants))
			for i, m := range x.Wants {
				wants[i] = m.String()
				if has := set[m.Key]; has != "" {
					wants[i] += " and not " + m.Key + "=" + has
				}
			}
			a.Nearest = append(a.Nearest, NearRoute{x.Path, wants})
		}
	}
}

// isHeld reports whether somebody has not been told that the alert began.
func (in *incident) isHeld() bool {
	if !in.Routed {
		return in.Held
	}
	return len(in.Legs) == 0 || slices.ContainsFunc(in.Legs, func(l leg) bool { return l.Told == 0 })
}

// nextOf is when the first of the mutes of a leg begins or ends.
func (q *question) nextOf(l *leg) (next int64) {
	names := slices.Concat(l.MutedBy, l.Outside)
	for i := range q.routes.Config.Mute {
		m := &q.routes.Config.Mute[i]
		if !slices.Contains(names, m.Name) {
			continue
		}
		if t := m.Next(q.now); next == 0 || t < next {
			next = t
		}
	}
	if next > q.now+int64(350*day) { // as far as is looked ahead
		return 0
	}
	return next
}

// since is when something about it began to hold the alert back, 0 when that is not noted.
func (a *WhyAlert) since(about string) int64 {
	for _, x := range slices.Backward(a.events) {
		switch x.Kind {
		case eventSilenced, eventInhibited, eventMuted:
			if strings.Contains(x.Detail, about) {
				return x.T
			}
		}
	}
	return 0
}

// heldBy says what holds the alert back.
func (a *WhyAlert) heldBy() string {
	if len(a.Held) == 0 {
		return "a silence"
	}
	return strings.Join(a.Held, ", ")
}

// unrouted says why routes give an alert to nobody.
func (q *question) unrouted(a *WhyAlert) string {
	if len(a.taken) > 0 {
		return fmt.Sprintf("%s takes alert %s, and has no receivers", strings.Join(a.taken, ", "), a.Incident)
	}
	text := fmt.Sprintf("no route takes alert %s", a.Incident)
	for i, x := range a.Nearest {
		if i == 0 {
			text += "; the nearest is "
		} else {
			text += ", then "
		}
		text += x.Route + ", which wants " + strings.Join(x.Wants, " and ")
	}
	return text
}

// stands says where the alert stands with a receiver.
func (q *question) stands(x *notify.Standing) string {
	text := "At " + x.Receiver + ": "
	until := ""
	if x.Until != 0 {
		until = " until " + rfc3339(x.Until)
	}
	switch x.Why {
	case notify.StandingGroup:
		text += "it waits for its group" + groupText(x.Group) + until
	case notify.StandingRate:
		text += "it waits" + until + ", since the receiver has had as many as it gets in a minute; or a summary counts it"
	case notify.StandingHost:
		text += "the receiver's host is down, and is only probed; next" + strings.Replace(until, " until", " at", 1)
	case notify.StandingAsked:
		text += "the receiver is left alone" + until + ", as it asked for or fails"
	case notify.StandingRetry:
		text += "an attempt failed; the next is" + strings.Replace(until, " until", " at", 1)
	case notify.StandingCounted:
		text += "a summary counts it, and is all that is said of it"
	case notify.StandingInFlight:
		text += "an attempt is under way"
	case notify.StandingDisabled:
		text += "the receiver is disabled; it waits"
	case notify.StandingRepeats:
		text += "it is told again" + strings.Replace(until, " until", " at", 1)
	case notify.StandingTold:
		text += "it was told"
	default:
		text += "it goes as soon as there is room"
	}
	if len(x.Quiet) > 0 {
		text += ", but not while there is " + strings.Join(x.Quiet, ", ")
	}
	if x.LastError != "" {
		text += "; the last attempt: " + clip(x.LastError, 200)
	}
	return text
}

// groupText names a group by its labels.
func groupText(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	return " " + clip(tagsOf(labels).String(), 200)
}

// concludeWaiting names the reason where what waits in the outbox tells it, and reports
// whether it does.
func (q *question) concludeWaiting(a *WhyAlert) bool {
	reasons := map[string]string{
		notify.StandingGroup: ReasonGrouped, notify.StandingRate: ReasonRate, notify.StandingHost: ReasonHostDown,
		notify.StandingRetry: ReasonRetrying, notify.StandingAsked: ReasonRetrying, notify.StandingCounted: ReasonSummary,
		notify.StandingInFlight: ReasonQueued,
	}
	for i := range a.Standing {
		x := &a.Standing[i]
		if reason, known := reasons[x.Why]; known && x.Type != notify.TypeResolved {
			so := " so far"
			if x.Why == notify.StandingCounted {
				so = ""
			}
			q.because(reason, "nobody was paged%s of alert %s. %s.", so, a.Incident, q.stands(x))
			return true
		}
	}
	return false
}
