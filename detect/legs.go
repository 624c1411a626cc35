package detect

import (
	"cmp"
	"slices"
	"strings"

	"pulse/detect/label"
	"pulse/detect/notify"
	"pulse/detect/route"
)

// Legs. Routes decide when an alert begins whom it is told to: a leg for each receiver.
// What was told stays as it was, whatever becomes of the routes. What is held back goes
// by the routes that there are then.

// leg is one receiver of an alert that routes chose.
type leg struct {
	Receiver string    `json:"receiver"`
	Group    *legGroup `json:"group,omitempty"`   // nil: it is told alone and at once
	MutedBy  []string  `json:"mutedBy,omitempty"` // mutes that hold it back
	Outside  []string  `json:"outside,omitempty"` // active times of its route, when it is none of them
	Told     int64     `json:"told,omitempty"`    // Unix ms; 0: not yet
	Quiet    []string  `json:"quiet,omitempty"`   // what keeps it from being told again

	path string // of the route, of one that was decided just now
}

// legGroup is the group that a leg is told with; durations in ms.
type legGroup struct {
	Key      string            `json:"key"`
	Labels   map[string]string `json:"labels,omitempty"`
	Wait     int64             `json:"wait,omitempty"`
	Interval int64             `json:"interval,omitempty"`
	Repeat   int64             `json:"repeat,omitempty"`
}

// Cause is an alert that holds another one back, and the inhibit rule by which it does.
type Cause struct {
	Name     string `json:"name"`
	Incident string `json:"incident"`
}

func (l *leg) muted() bool { return len(l.MutedBy)+len(l.Outside) > 0 }

// target is where a notification of the leg goes.
func (l *leg) target() notify.Target {
	to := notify.Target{Receiver: l.Receiver}
	if g := l.Group; g != nil {
		to.Group = &notify.Group{Key: g.Key, Labels: g.Labels, Wait: g.Wait, Interval: g.Interval, Repeat: g.Repeat}
	}
	return to
}

// newLeg returns what routes decided.
func newLeg(x *route.Leg) leg {
	l := leg{Receiver: x.Receiver, MutedBy: x.MutedBy, Outside: x.Outside, path: x.Path}
	if !x.Alone || x.GroupWait > 0 || x.RepeatInterval > 0 {
		l.Group = &legGroup{x.GroupKey, x.GroupLabels, x.GroupWait, x.GroupInterval, x.RepeatInterval}
	}
	return l
}

// toldTo returns the receivers that were told that the alert began: nil is those of
// Notify, or all. any is false when nobody was.
func (in *incident) toldTo() (to []notify.Target, any bool) {
	if !in.Routed {
		return nil, !in.Held
	}
	to = []notify.Target{}
	for i := range in.Legs {
		if in.Legs[i].Told > 0 {
			to = append(to, in.Legs[i].target())
		}
	}
	return to, len(to) > 0
}

// waits reports whether somebody may still be told that the alert began.
func (in *incident) waits() bool {
	if !in.fires() {
		return false
	}
	if !in.Routed {
		return in.Held
	}
	return len(in.Legs) == 0 || slices.ContainsFunc(in.Legs, func(l leg) bool { return l.Told == 0 })
}

// repeats reports whether somebody is told again while the alert fires.
func (in *incident) repeats() bool {
	return in.fires() && slices.ContainsFunc(in.Legs, func(l leg) bool { return l.repeats() })
}

func (l *leg) repeats() bool { return l.Told > 0 && l.Group != nil && l.Group.Repeat > 0 }

// quieten says of receivers that are told again what keeps them from it now, where that
// has changed, and reports whether it has.
func (e *Engine) quieten(in *incident) (changed bool) {
	var all []string
	for _, id := range in.Silences {
		all = append(all, "silence "+id)
	}
	for _, c := range in.Inhibited {
		all = append(all, "inhibit rule "+c.Name)
	}
	for i := range in.Legs {
		l := &in.Legs[i]
		if !l.repeats() {
			continue
		}
		by := slices.Concat(all, l.mutes())
		if !slices.Equal(by, l.Quiet) {
			l.Quiet, changed = by, true
			e.entry.quiet = append(e.entry.quiet, notify.Quiet{Receiver: l.Receiver, Incident: in.ID, By: by})
		}
	}
	return changed
}

func (in *incident) fires() bool { return in.State == StateFiring || in.State == StateNoData }

// older orders incidents by their beginnings.
func older(a, b *incident) int {
	return cmp.Or(cmp.Compare(a.Sent.StartsAt, b.Sent.StartsAt), strings.Compare(a.ID, b.ID))
}

// route brings the legs to what the routes say now, and reports whether anything changed,
// which it notes at the given time. set is the alert's. A rule's own receivers win over
// routes. When all were told that were to be, nobody joins them.
func (e *Engine) route(in *incident, set label.Set, now int64) (changed bool) {
	conf, waits := e.routing.Config, in.waits()
	switch {
	case len(in.Notify) > 0:
		return false
	case !conf.Routed():
		return in.unroute(now, "there are no routes any more")
	case !in.Routed:
		in.Routed, in.Held, changed = true, false, true
	}
	decided := e.router.Decide(set, e.now)
	legs := make([]leg, 0, len(decided))
	for i := range in.Legs {
		l := &in.Legs[i]
		at := slices.IndexFunc(decided, func(x route.Leg) bool { return x.Receiver == l.Receiver })
		if l.Told > 0 {
			after := *l
			if after.MutedBy, after.Outside = nil, nil; at >= 0 {
				after.MutedBy, after.Outside = decided[at].MutedBy, decided[at].Outside
			}
			changed = in.noteMutes(l, &after, now) || changed
			legs = append(legs, after)
		} else if at < 0 {
			in.note(now, eventRouted, "routes have changed: "+l.Receiver+" is not to be told any more")
			changed = true
		}
	}
	for i := range decided {
		l := newLeg(&decided[i])
		before, known := leg{}, false
		if at := slices.IndexFunc(in.Legs, func(x leg) bool { return x.Receiver == l.Receiver }); at >= 0 {
			before, known = in.Legs[at], true
		}
		if before.Told > 0 || !known && !waits {
			continue
		}
		changed = changed || !known || !l.alike(&before)
		in.noteMutes(&before, &l, now)
		legs = append(legs, l)
	}
	if len(legs) == 0 && changed {
		e.unrouted(in, set, now)
	}
	in.Legs = legs
	return changed
}

func (l *leg) alike(o *leg) bool {
	same := slices.Equal(l.MutedBy, o.MutedBy) && slices.Equal(l.Outside, o.Outside) && (l.Group == nil) == (o.Group == nil)
	return same && (l.Group == nil || l.Group.Key == o.Group.Key &&
		[3]int64{l.Group.Wait, l.Group.Interval, l.Group.Repeat} == [3]int64{o.Group.Wait, o.Group.Interval, o.Group.Repeat})
}

// noteRoutes notes whom the routes chose for an alert that begins.
func (in *incident) noteRoutes(t int64) {
	if len(in.Legs) == 0 {
		return
	}
	text := make([]byte, 0, 80)
	for i := range in.Legs {
		l := &in.Legs[i]
		if i > 0 {
			text = append(text, "; "...)
		}
		text = append(append(append(text, l.Receiver...), " by "...), l.path...)
		if l.Group != nil && l.Group.Wait > 0 {
			text = append(append(append(text, ", waits "...), spoken(l.Group.Wait)...), " for its group"...)
		}
	}
	in.note(t, eventRouted, string(text))
}

// unroute has an alert told to those that are told without routes: its rule's receivers
// or all. Where some were told already, it is told to those that routes had chosen.
func (in *incident) unroute(now int64, why string) (changed bool) {
	if !in.Routed {
		return false
	}
	if _, told := in.toldTo(); !told {
		whom := "every receiver"
		if len(in.Notify) > 0 {
			whom = strings.Join(in.Notify, ", ")
		}
		in.Routed, in.Legs, in.Held = false, nil, true
		in.note(now, eventRouted, why+": "+whom+" is to be told")
		return true
	}
	for i := range in.Legs {
		l := &in.Legs[i]
		after := *l
		after.MutedBy, after.Outside = nil, nil
		changed = in.noteMutes(l, &after, now) || changed
		*l = after
	}
	return changed
}

// nameAgain has an alert that nobody was told of go by the receivers that its rule names
// by now, and reports whether these are others.
func (e *Engine) nameAgain(in *incident, now int64) (changed bool) {
	r := e.rules[in.Rule]
	if _, told := in.toldTo(); r == nil || told || slices.Equal(r.c.rule.Notify, in.Notify) {
		return false
	}
	in.Notify = r.c.rule.Notify
	if len(in.Notify) > 0 && !in.unroute(now, "the rule names receivers") {
		in.note(now, eventRouted, "the rule names receivers: "+strings.Join(in.Notify, ", ")+" is to be told")
	}
	return true
}

// unrouted notes why an alert has no receiver.
func (e *Engine) unrouted(in *incident, set label.Set, now int64) {
	e.stats.Unrouted++
	if taken := e.router.Taken(set); len(taken) > 0 {
		in.note(now, eventUnrouted, "nobody is told: "+strings.Join(taken, ", ")+" has no receivers")
		return
	}
	in.note(now, eventUnrouted, "nobody is told: no route takes the alert")
}

// noteMutes notes what began and what ended to hold a leg back, or to keep it from being
// told again, and reports whether that has changed.
func (in *incident) noteMutes(before, after *leg, now int64) (changed bool) {
	if slices.Equal(before.MutedBy, after.MutedBy) && slices.Equal(before.Outside, after.Outside) {
		return false
	}
	not := " is not told"
	if after.Told > 0 {
		not += " again"
	}
	for _, name := range after.MutedBy {
		if !slices.Contains(before.MutedBy, name) {
			in.note(now, eventMuted, after.Receiver+not+": it is a time of the mute "+name)
		}
	}
	if len(after.Outside) > 0 && !slices.Equal(before.Outside, after.Outside) {
		in.note(now, eventMuted, after.Receiver+not+": it is no time of "+strings.Join(after.Outside, ", "))
	}
	if before.muted() && !after.muted() {
		in.note(now, eventUnmuted, after.Receiver+": "+strings.Join(append(slices.Clone(before.MutedBy), before.Outside...), ", ")+" is over")
	}
	return true
}
