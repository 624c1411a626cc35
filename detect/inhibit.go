package detect

import (
	"slices"

	"pulse/detect/label"
	"pulse/detect/notify"
)

// Inhibition. Alerts that fire hold back others as the inhibit rules say
// (detect/route). When one ends, those that it held back are told if they still fire,
// but not before they were judged themselves up to the time of that end: what broke
// together mostly recovers together, and each rule says so in its own time.

// useRouting puts a routing in force: what is held back is looked at again.
func (e *Engine) useRouting(r routing) {
	e.routing, e.router, e.inhibitor = r, r.Config.NewRouter(), nil
	if len(r.Config.Inhibit) > 0 {
		e.inhibitor = r.Config.NewInhibitor()
		var list []*incident
		e.eachOpen(func(in *incident) {
			if in.fires() {
				list = append(list, in)
			}
		})
		slices.SortFunc(list, older)
		for _, in := range list {
			e.inhibitor.Add(in.ID, setOf(&in.Sent))
		}
	}
	e.reviewed.mutesAt = r.Config.Next(e.now)
	e.reviewed.lookAgainAt(e.now)
}

// wakeHolds brings what holds back, and what is held back, to the open incidents of a
// restart.
func (e *Engine) wakeHolds(now int64) {
	e.eachOpen(func(in *incident) {
		e.hold(in)
		for i := range in.Legs {
			if l := &in.Legs[i]; l.repeats() && len(l.Quiet) > 0 { // or the outbox has forgotten it
				e.entry.quiet = append(e.entry.quiet, notify.Quiet{Receiver: l.Receiver, Incident: in.ID, By: l.Quiet})
			}
		}
	})
	e.sourceEnded = now
	undecided := e.begun // by what was judged and not stored: they come last, as they did
	e.begun = nil
	e.useRouting(e.routing)
	e.begun = undecided
}

// inhibit notes what holds back an alert that begins.
func (e *Engine) inhibit(in *incident, set label.Set, t int64) {
	if in.Inhibited = e.causes(in, set); len(in.Inhibited) == 0 {
		return
	}
	e.stats.Inhibited++
	for _, c := range in.Inhibited {
		in.note(t, eventInhibited, "nobody is told: inhibited by "+c.text())
	}
}

func (c Cause) text() string { return c.Name + ", as alert " + c.Incident + " fires" }

// causes returns what holds back an alert.
func (e *Engine) causes(in *incident, set label.Set) (out []Cause) {
	if e.inhibitor == nil {
		return nil
	}
	for _, c := range e.inhibitor.HeldBy(in.ID, set) {
		out = append(out, Cause{c.Rule, c.Source})
	}
	return out
}

// inhibitsNoMore says that an alert has ended, and has what it held back looked at.
func (e *Engine) inhibitsNoMore(in *incident) {
	if e.inhibitor == nil {
		return
	}
	if source := e.inhibitor.Remove(in.ID); source && len(e.held) > 0 {
		e.sourceEnded = in.Sent.EndsAt
		e.reviewed.lookAgainAt(e.now)
	}
}

// reinhibit notes what holds back an alert from now on, and reports whether that is
// something else than before.
func (e *Engine) reinhibit(in *incident, set label.Set, now int64) (changed bool) {
	by := e.causes(in, set)
	switch {
	case len(by) > 0:
		in.freed = 0
	case len(in.Inhibited) > 0 && e.staysInhibited(in, now):
		return false
	}
	if slices.Equal(by, in.Inhibited) {
		return false
	}
	for _, c := range in.Inhibited {
		if !slices.Contains(by, c) {
			in.note(now, eventUninhibited, c.text()+" no more, or is not meant")
		}
	}
	for _, c := range by {
		if !slices.Contains(in.Inhibited, c) {
			in.note(now, eventInhibited, "inhibited by "+c.text())
		}
	}
	in.Inhibited, in.freed = by, 0
	return true
}

// staysInhibited reports whether an alert that nothing holds back any more waits until
// its own rule has judged the time at which that ended, and not for much longer than
// that takes.
func (e *Engine) staysInhibited(in *incident, now int64) bool {
	r := e.rules[in.Rule]
	if r == nil {
		return false
	}
	if in.freed == 0 {
		in.freed = e.sourceEnded
	}
	if in.freed > now || r.judged >= in.freed || now >= in.freed+r.c.step+int64(minute) {
		return false
	}
	e.reviewed.lookAgainAt(now + min(max(e.step, 200), 5*second))
	return true
}
