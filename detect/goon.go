package detect

import "pulse/detect/alert"

// goOn gives a rule that a restart has brought to the last step that was marked its
// open incidents back, and sets it on the step of now. What it judged and did not
// store before the process ended is stored.
func (e *Engine) goOn(r *running, now int64) {
	id, known := r.c.rule.ID, r.judged
	r.marked = e.lastMarks[id]
	adopted := e.takeBack(r, e.asleep[id], turnStep{r.turn, known})
	e.payBack(r)
	if known != 0 {
		r.passTime(adopted)
	}
	if len(adopted) > 0 { // what the log does not know must be there when it goes on
		e.saveSoon(r)
	}
	e.wakeRule(r, now)
	r.putOff = r.postponed != 0 && r.postponed == r.next
	r.postponed = 0
	if known == 0 {
		r.clocks = turnStep{r.turn, r.next - r.c.step}
		r.passTime(adopted)
		return
	}
	r.skipTo(r.next)
}

// skipTo sets the rule on a step that does not follow the last one judged. Missing data
// decides nothing in the first steps after that. The clocks of alerts stand still over
// those in between, which are caught up when the step closes.
func (r *running) skipTo(next int64) {
	if next > r.judged+r.c.step {
		r.fresh = 0
	}
}

// takeBack gives the groups of r their incidents, and returns those whose records are
// newer than the rule's state, or all there is: their alerts are as these say.
func (e *Engine) takeBack(r *running, incidents []*incident, known turnStep) (adopted map[int]*incident) {
	r.pending, r.firing, r.absent = 0, 0, 0
	for _, in := range incidents {
		i := r.groupFor(in)
		a := &r.alerts[i]
		if in.Sent.Owner == "" { // stored by a version that did not note it
			in.Sent.Owner = r.c.rule.Owner
		}
		e.lookAgain(r, i, in)
		m := &in.Machine
		if in.Absence {
			a.absence = in
			r.absent++
			if known.before(in.at()) {
				a.state.HadData, a.state.Absent, a.state.NoDataAt, a.state.Losses = true, m.Absent, m.NoDataAt, m.Losses
			}
			continue
		}
		a.breach = in
		if m.Phase == alert.Firing {
			r.firing++
		} else {
			r.pending++
		}
		if known.before(in.at()) || m.Phase == alert.Pending && r.marked > known.t || r.last.t == 0 && a.state.Phase != m.Phase ||
			m.Phase == alert.Firing && a.state.Phase == alert.Pending && !a.another(in) {
			a.state.HadData, a.state.Fires = true, m.Fires
			a.state.Phase, a.state.PendingSince, a.state.StartsAt, a.state.LastOut, a.state.Held = m.Phase, m.PendingSince, m.StartsAt, m.LastOut, m.Held
			if adopted == nil {
				adopted = map[int]*incident{}
			}
			adopted[i] = in
		}
	}
	return adopted
}

// passTime brings the clocks of adopted alerts to where those of the others are.
func (r *running) passTime(adopted map[int]*incident) {
	for i, in := range adopted {
		s, to := &r.alerts[i].state, r.clocksOf(i).t
		if s.Phase == alert.Firing {
			s.LastOut, s.Held = to, 0
			continue
		}
		switch gap := to - max(r.marked, in.At); {
		case gap >= 0:
			s.Pause(gap)
		case gap < -r.c.step:
			s.Shift(gap)
		}
	}
}

// groupFor returns the index of the incident's group, which is made when there
// is none.
func (r *running) groupFor(in *incident) int {
	t := tagsOf(in.Sent.Tags)
	at, ok := r.judge.index[string(t.AppendKey(nil))]
	if !ok {
		at = r.judge.add(t)
	}
	r.fit()
	return at
}

// payBack stores and sends what the alerts of r say and its incidents do not: that was
// judged and not stored when the process ended. Where the database knows more than the
// log, it is right.
func (e *Engine) payBack(r *running) {
	for i := range r.alerts {
		a := &r.alerts[i]
		if a.breach == nil && a.state.Phase != alert.Inactive && (r.last.t == 0 || e.hasEnded(r, i, false, a.state.PendingSince)) {
			a.state.End()
		}
		if a.absence == nil && a.state.NoDataAt != 0 && (r.last.t == 0 || e.hasEnded(r, i, true, a.absentSince(r.c.step))) {
			a.state.NoDataAt = 0
		}
		if r.last.t == 0 {
			continue
		}
		e.whys.before(&a.state, &r.c.config)
		if change := a.ended(); change != 0 {
			e.change(r, i, change, r.last)
		}
		if change := a.owed(); change != 0 {
			e.change(r, i, change, r.last)
		}
	}
}

// hasEnded reports whether the database has the incident of group i that began at step
// since among those that have ended.
func (e *Engine) hasEnded(r *running, i int, absence bool, since int64) bool {
	if e.ended == nil { // a storm may ask for thousands
		var err error
		if e.ended, err = e.journal.endedIDs(); err != nil {
			e.o.Log.Error().Err(err).Msg("incidents that have ended cannot be read")
		}
	}
	return e.ended[incidentID(r.c.rule.ID, r.created, r.judge.groups[i].key, absence, since, r.turn)]
}

// at is the step that the incident's record is as of.
func (in *incident) at() turnStep { return turnStep{in.Turn, in.At} }

// another reports whether the alert is not the incident's any more.
func (a *groupAlert) another(in *incident) bool {
	return a.state.Phase == alert.Inactive || a.state.PendingSince > in.At
}

// ended is what ended since the incidents were stored.
func (a *groupAlert) ended() (c alert.Change) {
	if in := a.breach; in != nil && a.another(in) {
		if c = alert.Resolved; in.State == StatePending {
			c = alert.Dropped
		}
	}
	if a.absence != nil && a.state.NoDataAt == 0 {
		c |= alert.DataReturn
	}
	return c
}

// owed is what began since then.
func (a *groupAlert) owed() (c alert.Change) {
	if a.state.Phase != alert.Inactive && a.breach == nil {
		c |= alert.Pended
	}
	if a.state.Phase == alert.Firing && (a.breach == nil || a.breach.State == StatePending) {
		c |= alert.Fired
	}
	if a.state.NoDataAt != 0 && a.absence == nil {
		c |= alert.DataLost
	}
	return c
}
