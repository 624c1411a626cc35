package detect

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"pulse/detect/notify"
)

// Releases. What is told late is the beginning that it always was: its id, its time and
// its texts stay. It has the newest verdict, though, and says for how long it was held
// back and by what.

// annotationHeld is the annotation of a notification that was held back.
const annotationHeld = "held_back"

const toldNow = "it still fires, so it is told now"

// release queues the beginning of an alert to those whom nothing holds it back from any
// more and that were not told, and reports whether there were any. was is what held it back
// until now.
func (e *Engine) release(in *incident, was *holding, now int64) bool {
	to, any := in.free(now)
	if !any {
		return false
	}
	seconds := max(0, now-in.Sent.StartsAt) / second
	held := "held back for " + spoken(seconds*second) + was.text
	late := in.Sent
	e.freshen(&late, in)
	if late.Annotations = maps.Clone(late.Annotations); late.Annotations == nil {
		late.Annotations = map[string]string{}
	}
	late.Annotations[annotationHeld] = held
	late.Notify, late.To = in.Notify, to
	e.entry.tell(late)
	in.note(now, was.released, toldNow+in.namesOf(to)+": "+held)
	return true
}

// namesOf says who is told, where not all that are meant are.
func (in *incident) namesOf(to []notify.Target) string {
	if len(to) == len(in.Legs) {
		return ""
	}
	names := make([]string, len(to))
	for i := range to {
		names[i] = to[i].Receiver
	}
	return " to " + strings.Join(names, ", ")
}

// freshen sets the newest verdict of the alert's group, if there was one since the start.
func (e *Engine) freshen(n *notify.Notification, in *incident) {
	r := e.rules[in.Rule]
	if r == nil || r.fresh == 0 {
		return
	}
	i, known := r.judge.index[groupKey(in)]
	if !known {
		return
	}
	m := moment{r.stats.LastClosed, r.stats.LastClosed + r.stats.LastLatency, r.sources}
	g := &r.judge.groups[i]
	n.Value, n.Expected, n.Lower, n.Upper = g.value, g.verdict.Expected, g.verdict.Lower, g.verdict.Upper
	if n.Score = g.verdict.Score; math.IsNaN(g.value) {
		n.Score = math.NaN()
	}
	describeCause(n, g, in.Absence)
	n.EvaluatedAt, n.DataAgeMs, n.Completeness = m.now, m.dataAge(), m.ratio()
	n.Link, n.Graph = e.links(in, r, m.t)
}

// holding is what holds an alert back.
type holding struct {
	text     string // such as " by silence X"
	released string // kind of the event that it does no more
}

func (e *Engine) holding(in *incident) holding {
	var names []string
	kind := eventRouted
	add := func(text, released string) {
		if names = append(names, text); len(names) == 1 {
			kind = released
		}
	}
	for _, id := range in.Silences {
		text := "silence " + id
		if s, known := e.silences.Get(id); known {
			text += " of " + clip(s.Author, 80) + ", " + strconv.Quote(clip(s.Comment, 200))
		}
		add(text, eventReleased)
	}
	for _, c := range in.Inhibited {
		add("inhibit rule "+c.Name+" while alert "+c.Incident+" fired", eventUninhibited)
	}
	var mutes []string
	for i := range in.Legs {
		if l := &in.Legs[i]; l.Told == 0 {
			mutes = append(mutes, l.mutes()...)
		}
	}
	slices.Sort(mutes)
	for _, name := range slices.Compact(mutes) {
		add(name, eventUnmuted)
	}
	switch {
	case len(names) > 0:
		return holding{" by " + strings.Join(names, "; "), kind}
	case in.Routed && len(in.Legs) == 0:
		return holding{", since no route took it", kind}
	}
	return holding{"", kind}
}

// mutes names what of times holds a leg back.
func (l *leg) mutes() (names []string) {
	for _, name := range l.MutedBy {
		names = append(names, "mute "+name)
	}
	if len(l.Outside) > 0 {
		names = append(names, "times other than "+strings.Join(l.Outside, ", "))
	}
	return names
}
