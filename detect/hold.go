package detect

import (
	"math"
	"slices"
	"strconv"

	"pulse/detect/label"
	"pulse/detect/notify"
)

// Holding back. An alert that begins while a silence means it is stored and shown like
// any other, and its notification is not queued. Once no silence means it any more, and
// it still fires, that notification is queued as it would have been, in the transaction
// that notes it. An alert that ends while it is held back was never told, so nobody is
// told of its end; one that was told is told to be over, whatever is silenced by then.
//
// What is held back and by whom is part of the record of the incident. It is compared
// with what the silences say after every change of theirs, and once after a start: a
// silence that ended while the server was down holds back no longer.

// Kinds of events in a timeline.
const (
	eventSilenced = "silenced"
	eventReleased = "unsilenced"
)

// reviewed is when open alerts were last compared with the silences.
type reviewed struct {
	done    bool
	version uint64 // of the silences
	at      int64  // Unix ms
}

// setOf returns the labels by which silences know an alert.
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

// tell queues the notification of an alert that begins at step t, unless it is silenced.
func (e *Engine) tell(in *incident, t int64) {
	in.Silences = e.silencedBy(in)
	if in.Held = len(in.Silences) > 0; !in.Held {
		e.send(in)
		return
	}
	e.stats.Silenced++
	e.silences.Hit(in.Silences, t, true)
	for _, id := range in.Silences {
		in.note(t, eventSilenced, "nobody is told: "+e.describeSilence(id))
	}
}

// send adds the newest transition of the incident to the notifications of the entry.
func (e *Engine) send(in *incident) {
	queued := in.Sent
	queued.Notify = in.Notify
	e.entry.tell(queued)
}

// tellEnd queues the notification of an alert that ended at t, if its beginning was.
func (e *Engine) tellEnd(in *incident, t int64) {
	e.passed(in, t)
	if in.Held {
		in.note(t, eventSilenced, "nobody was told of its beginning, so nobody is told of its end")
		return
	}
	e.send(in)
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

// review brings open alerts to what the silences say at now, if that may have changed.
func (e *Engine) review(now int64) {
	last := &e.reviewed
	if last.done && e.silences.Version() == last.version && now >= last.at && e.silences.NextChange(last.at) > now {
		return
	}
	e.endQuiet(now)
	*last = reviewed{true, e.silences.Version(), now}
	e.eachOpen(func(in *incident) {
		if in.State == StatePending {
			return
		}
		if by := e.silencedBy(in); !slices.Equal(by, in.Silences) {
			e.resilence(in, by, now)
		}
		if e.entry.size() >= e.journal.portion && !e.failing {
			e.commit()
		}
	})
	e.commit()
}

// nextReview is when review has something to do at the latest.
func (e *Engine) nextReview() int64 {
	if !e.reviewed.done {
		return math.MinInt64
	}
	return e.silences.NextChange(e.reviewed.at)
}

// eachOpen calls f with every incident that is open.
func (e *Engine) eachOpen(f func(*incident)) {
	for _, r := range e.order {
		if r.pending+r.firing+r.absent == 0 {
			continue
		}
		for i := range r.alerts {
			for _, in := range [...]*incident{r.alerts[i].breach, r.alerts[i].absence} {
				if in != nil {
					f(in)
				}
			}
		}
	}
	for _, in := range e.loose {
		f(in)
	}
}

// resilence notes which silences mean an alert from now on, and has it told when none
// does any more and nobody was.
func (e *Engine) resilence(in *incident, by []string, now int64) {
	for _, id := range in.Silences {
		if !slices.Contains(by, id) {
			in.note(now, eventReleased, e.describeSilence(id))
		}
	}
	for _, id := range by {
		if !slices.Contains(in.Silences, id) {
			e.silences.Hit([]string{id}, now, false)
			in.note(now, eventSilenced, e.describeSilence(id))
		}
	}
	in.Silences = by
	if in.Held && len(by) == 0 {
		in.Held = false
		in.note(now, eventReleased, "it still fires, so it is told now")
		e.send(in)
	}
	if err := e.entry.put(in); err != nil {
		e.o.Log.Error().Err(err).Str("incident", in.ID).Msg("incident not stored")
	}
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
