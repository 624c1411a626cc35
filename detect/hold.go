package detect

import (
	"slices"
	"strconv"

	"pulse/detect/label"
	"pulse/detect/notify"
)

// Holding back. An alert that begins while a silence means it, or while an alert fires
// that inhibits it, is stored and shown like any other, and its notification is not
// queued; a mute does that for the receivers of a route. Once nothing holds it back any
// more, and it still fires, that notification is queued as it would have been, in the
// transaction that notes it. Of its end those are told that were told of its beginning,
// whatever holds back by then; nobody, when nobody was.
//
// What is held back and by whom is part of the record of the incident. It is compared
// with what holds back whenever that has changed (review.go), and once after a start: a
// silence that ended while the server was down holds back no longer.

// Kinds of events in a timeline.
const (
	eventSilenced    = "silenced"
	eventReleased    = "unsilenced"
	eventInhibited   = "inhibited"
	eventUninhibited = "uninhibited"
	eventMuted       = "muted"
	eventUnmuted     = "unmuted"
	eventRouted      = "routed"
	eventUnrouted    = "unrouted"
)

// setOf returns the labels by which routes, inhibit rules and silences know an alert.
func setOf(n *notify.Notification) label.Set {
	return label.Of(n.Rule, n.Severity, n.Owner, n.Absence, n.Labels, n.Tags)
}

// silencedBy returns the silences that mean the incident now.
func (e *Engine) silencedBy(in *incident) []string {
	if !e.silences.Any() {
		return nil
	}
	return e.silences.By(setOf(&in.Sent), e.now)
}

// begun is an alert that begins at step t, with the labels that setOf gives.
type begun struct {
	in  *incident
	t   int64
	set label.Set
}

// tell has an alert told that begins at step t, unless something holds it back. Where
// alerts may hold back each other, all that begin in a turn are known before any is
// decided.
func (e *Engine) tell(in *incident, t int64) {
	if e.inhibitor != nil {
		in.undecided = true
		e.begun = append(e.begun, begun{in, t, setOf(&in.Sent)})
		return
	}
	e.decide(in, nil, t)
}

// decideBegun decides of what began in the turn, and puts that in its records.
func (e *Engine) decideBegun() {
	if len(e.begun) == 0 {
		return
	}
	list := e.begun
	e.begun = nil
	slices.SortFunc(list, func(a, b begun) int { return older(a.in, b.in) })
	for _, b := range list {
		e.inhibitor.Add(b.in.ID, b.set)
	}
	for _, in := range e.held {
		if in.repeats() || in.mayWait(e.now) { // it may be held back now
			e.reviewed.lookAgainAt(e.now)
			break
		}
	}
	for _, b := range list {
		b.in.undecided = false
		e.decide(b.in, b.set, b.t)
		e.putOpen(b.in)
	}
}

// putOpen adds the record of an open incident to the entry.
func (e *Engine) putOpen(in *incident) {
	if err := e.entry.put(in); err != nil {
		e.o.Log.Error().Err(err).Str("incident", in.ID).Msg("incident not stored")
	}
}

// decide queues the notification of an alert that begins at step t to all that nothing
// holds back. set is the alert's; nil: it is not known yet.
func (e *Engine) decide(in *incident, set label.Set, t int64) {
	in.Held = true
	if e.inhibitor == nil && !e.routing.Config.Routed() && !e.silences.Any() {
		e.tellFree(in, t)
		return
	}
	if set == nil {
		set = setOf(&in.Sent)
	}
	if e.route(in, set, t) {
		in.noteRoutes(t)
	}
	e.inhibit(in, set, t)
	if in.Silences = e.silences.By(set, e.now); len(in.Silences) > 0 {
		e.stats.Silenced++
		e.silences.Hit(in.Silences, t, true)
	}
	for _, id := range in.Silences {
		in.note(t, eventSilenced, "nobody is told: "+e.describeSilence(id))
	}
	if slices.ContainsFunc(in.Legs, func(l leg) bool { return l.muted() }) {
		e.stats.Muted++
	}
	e.tellFree(in, t)
	e.hold(in)
}

// tellFree queues the beginning of an alert to all that nothing holds back.
func (e *Engine) tellFree(in *incident, t int64) {
	if to, any := in.free(t); any {
		e.send(in, to)
	}
}

// hold keeps in mind whether something is still to be told of the incident, or can be
// taken back.
func (e *Engine) hold(in *incident) {
	if in.waits() || in.repeats() || in.mayWait(e.now) {
		e.held[in.ID] = in
	} else {
		delete(e.held, in.ID)
	}
}

// free returns those whom nothing holds the beginning back from and that were not told,
// which they are at now; nil is those of Notify, or all.
func (in *incident) free(now int64) (to []notify.Target, any bool) {
	if len(in.Silences)+len(in.Inhibited) > 0 {
		return nil, false
	}
	if !in.Routed {
		any, in.Held = in.Held, false
		return nil, any
	}
	for i := range in.Legs {
		if l := &in.Legs[i]; l.Told == 0 && !l.muted() {
			l.Told = now
			to = append(to, l.target())
		}
	}
	return to, len(to) > 0
}

// send adds the newest transition of the incident to the notifications of the entry.
// Without targets it goes to the rule's own receivers, or to all.
func (e *Engine) send(in *incident, to []notify.Target) {
	queued := in.Sent
	queued.Notify, queued.To = in.Notify, to
	e.entry.tell(queued)
}

// tellEnd queues the notification of an alert that ended at t to those that were told
// of its beginning.
func (e *Engine) tellEnd(in *incident, t int64) {
	if in.undecided {
		e.decideBegun()
	}
	e.passed(in, t)
	e.inhibitsNoMore(in)
	delete(e.held, in.ID)
	to, told := in.toldTo()
	if told {
		e.send(in, to)
		return
	}
	kind := eventUnrouted
	switch {
	case len(in.Silences) > 0:
		kind = eventSilenced
	case len(in.Inhibited) > 0:
		kind = eventInhibited
	case len(in.Legs) > 0:
		kind = eventMuted
	}
	in.note(t, kind, "nobody was told of its beginning, so nobody is told of its end")
}

// passed tells the silences that an alert which they mean is over.
func (e *Engine) passed(in *incident, t int64) { e.silences.Over(e.silencedBy(in), t) }

// describeSilence names a silence in a timeline.
func (e *Engine) describeSilence(id string) string {
	s, known := e.silences.Get(id)
	if !known {
		return "silence " + id
	}
	text := "silence " + id + " of " + clip(s.Author, 80) + " until " + rfc3339(s.EndsAt) + ": " + strconv.Quote(clip(s.Comment, 200))
	if s.EndedBy != "" {
		text += ", " + clip(s.EndedBy, 100)
	}
	return text
}

// endQuiet ends the silences whose alerts have been over for as long as they say.
func (e *Engine) endQuiet(now int64) {
	quiet := e.silences.Quiet(now)
	if len(quiet) == 0 {
		return
	}
	open := map[string]bool{}
	e.eachOpen(func(in *incident) {
		for _, id := range e.silencedBy(in) {
			open[id] = true
		}
	})
	for _, id := range quiet {
		if open[id] {
			e.silences.NotYet(id, now)
			continue
		}
		s, _ := e.silences.Get(id)
		e.silences.End(id, "its alerts were over for "+Duration(s.EndWhenNormalFor).String(), now)
		e.o.Log.Info().Str("silence", id).Str("author", s.Author).Msg("silence ended: its alerts have been over for as long as it said")
	}
}

// forgetSilences forgets, once an hour, those that have been over for long.
func (e *Engine) forgetSilences(now int64) {
	if now >= e.swept && now-e.swept < int64(hour) {
		return
	}
	e.swept = now
	if e.silences.GC(now) > 0 {
		e.commit()
	}
}

// pauseSilences takes the time that nobody judged anything off that for which alerts
// have been over: nobody knows whether they were.
func (e *Engine) pauseSilences(now int64) {
	judged := int64(0)
	for _, r := range e.order {
		judged = max(judged, r.judged)
	}
	if gap := now - judged; judged > 0 && gap > int64(minute) {
		e.silences.Pause(gap, now)
	}
}
