package detect

import (
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
)

// Taking back. A group may wait for company, for group_wait at first and then for
// group_interval. What holds an alert back while its group waits comes in time: the
// outbox gives back what nobody can have heard of, and the alert is held back as if that
// had been there from the beginning. So the cause of many alerts that is found a few
// seconds after them still spares their pages.

// mayWait reports whether a group that was given the alert may not have been told yet.
func (in *incident) mayWait(now int64) bool {
	return in.fires() && slices.ContainsFunc(in.Legs, func(l leg) bool {
		return l.Told > 0 && l.Group != nil && now < l.Told+max(l.Group.Wait, l.Group.Interval)
	})
}

// retract takes back what a review found to be held back by now, as far as it waits, and
// stores that. Should it fail, what was told stays told.
func (e *Engine) retract(now int64) {
	list := e.retractable
	e.retractable = nil
	if len(list) == 0 {
		return
	}
	if !e.entry.empty() { // the database fails: it may know nothing of them yet
		e.reviewed.lookAgainAt(now + second)
		return
	}
	byID := make(map[string]*incident, len(list))
	ids := make([]string, len(list))
	for i, in := range list {
		byID[in.ID], ids[i] = in, in.ID
	}
	var w entry
	after := map[*incident]*incident{}
	w.first = func(tx *bbolt.Tx) error {
		back, err := e.journal.outbox.Withdraw(tx, ids)
		if err != nil {
			return err
		}
		receivers := map[*incident][]string{}
		for _, x := range back {
			in := byID[x.Incident]
			receivers[in] = append(receivers[in], x.Receiver)
		}
		for in, names := range receivers {
			after[in] = e.retracted(in, names, now)
			if err := w.put(after[in]); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := e.journal.commit(&w); err != nil {
		e.stats.CommitErrors++
		e.o.Log.Error().Err(err).Msg("alerts that wait for their groups are not taken back")
		return
	}
	for in, is := range after {
		in.Legs, in.Inhibited, in.freed, in.Events = is.Legs, is.Inhibited, 0, is.Events
		e.hold(in)
		if len(in.Inhibited) > 0 {
			e.stats.Inhibited++
		}
		if len(in.Silences) > 0 {
			e.stats.Silenced++
			e.silences.Hit(in.Silences, now, true)
		}
	}
}

// retracted returns the incident as it is when it has been taken back from receivers.
func (e *Engine) retracted(in *incident, receivers []string, now int64) *incident {
	is := *in
	is.Legs, is.Events = slices.Clone(in.Legs), slices.Clone(in.Events)
	is.Inhibited = e.causes(in, setOf(&in.Sent))
	for i := range is.Legs {
		if l := &is.Legs[i]; slices.Contains(receivers, l.Receiver) {
			l.Told, l.Quiet = 0, nil
		}
	}
	slices.Sort(receivers)
	text := strings.Join(receivers, ", ") + " is not told: its group still waited"
	switch {
	case len(is.Inhibited) == 0:
		is.note(now, eventSilenced, text)
		return &is
	case slices.Equal(in.Inhibited, is.Inhibited): // so what inhibits it is noted
		is.note(now, eventInhibited, text)
		return &is
	}
	for _, c := range is.Inhibited {
		is.note(now, eventInhibited, text+", and it is inhibited by "+c.text())
	}
	return &is
}

var _ Outbox = (*notify.Service)(nil)
