package notify

import (
	"maps"
	"slices"
)

// What keeps a notification from being attempted, or what becomes of it.
const (
	StandingQueued   = "queued"          // it goes as soon as there is room
	StandingInFlight = "under way"       // an attempt is
	StandingGroup    = "group"           // its group waits, for company or since it was told of a while ago
	StandingRetry    = "retry"           // an attempt failed
	StandingRate     = "rate"            // the receiver has had as many as it gets in a minute
	StandingHost     = "host down"       // the receiver's host is only probed
	StandingAsked    = "left alone"      // the receiver asked for that, or fails
	StandingDisabled = "disabled"        // the receiver is
	StandingCounted  = "counted"         // a summary is all that is said of it
	StandingTold     = "told"            // it was accepted
	StandingRepeats  = "told repeatedly" // it was accepted, and its group is told of again
)

// Standing is where an incident stands with a receiver that has not heard all of it, or
// hears of it again.
type Standing struct {
	Receiver     string `json:"receiver"`
	Notification string `json:"notification,omitempty"`
	Type         string `json:"type,omitempty"`
	Why          string `json:"why"`
	// Until is when that ends, or when it is told again; Unix ms, 0: nobody knows.
	Until     int64             `json:"until,omitempty"`
	Attempts  int               `json:"attempts,omitempty"`
	LastError string            `json:"lastError,omitempty"`
	Group     map[string]string `json:"group,omitempty"` // its labels
	Quiet     []string          `json:"quiet,omitempty"` // what keeps it from being told again
}

// Standing returns where an incident stands with each receiver that knows of it or is to,
// by name.
func (s *Service) Standing(incident string) (out []Standing) {
	now := s.o.Clock.Now().UnixMilli()
	for _, c := range s.sorted() {
		c.mu.Lock()
		x, ok := c.queue.standing(incident, now)
		c.mu.Unlock()
		if ok {
			x.Receiver = c.name
			out = append(out, x)
		}
	}
	return out
}

func (q *queue) standing(incident string, now int64) (x Standing, ok bool) {
	same := q.byIncident[incident]
	switch {
	case len(same) > 0:
		return q.standingOf(same[len(same)-1], now), true
	case q.isCounted(incident):
		return Standing{Why: StandingCounted}, true
	}
	m := q.members[incident]
	if m == nil {
		return Standing{Why: StandingTold}, q.open[incident]
	}
	x = Standing{Notification: m.ID, Type: m.Type, Why: StandingTold, Quiet: slices.Clone(m.Quiet)}
	if g := q.groups[m.Group]; g != nil {
		if x.Group = maps.Clone(g.Labels); g.Repeat > 0 && opens(m.Type) {
			x.Why, x.Until = StandingRepeats, max(g.Told, g.Asked)+g.Repeat
		}
	}
	return x, true
}

// standingOf says what a notification waits for, as plan goes by it.
func (q *queue) standingOf(it *item, now int64) Standing {
	x := Standing{Notification: it.ID, Type: it.Type, Attempts: it.Attempts, LastError: it.LastError, Why: StandingQueued}
	g := q.groups[it.Group]
	if g != nil {
		x.Group = maps.Clone(g.Labels)
	}
	wait := func(why string, until int64) bool {
		if until <= now {
			return false
		}
		if x.Why, x.Until = why, until; until >= untilAnswered {
			x.Until = 0
		}
		return true
	}
	switch {
	case it.inFlight:
		x.Why = StandingInFlight
	case q.disabled:
		x.Why = StandingDisabled
	case g != nil && len(g.items) > 0 && it.Attempts == 0 && !it.released && wait(StandingGroup, g.due(g.items[0].Enqueued)):
	case q.host != nil && q.host.heldSince(q.name) > 0:
		x.Why = StandingHost
		wait(StandingHost, q.host.stats(q.name).NextProbe)
	case wait(StandingAsked, q.hold):
	case wait(StandingRetry, it.Next):
	case limited(it) && wait(StandingRate, q.free(it, false)):
	}
	return x
}
