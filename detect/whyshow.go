package detect

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"pulse/detect/notify"
)

// whyOf returns what an incident was decided on: what is stored, what waits for
// that, and the steps that are in neither, judged again now.
func (e *Engine) whyOf(ctx context.Context, in *incident) *Why {
	w := &Why{Facts: []string{}, Decisions: []Decision{}, Steps: []JudgedStep{}}
	e.mu.Lock()
	j, r := *e.journal, e.rules[in.Rule]
	var fresh Why
	var wanted []span
	step := int64(0)
	if u := e.whys.byID[in.ID]; u != nil {
		fresh.merge(&u.saving)
		fresh.merge(&u.why)
	}
	if r != nil {
		step, wanted = r.c.step, in.around(r.c.step, r.judged)
		for i := range wanted { // there is nothing to be had before
			wanted[i].start = max(wanted[i].start, r.origin, e.oldest(e.now, step))
		}
	}
	e.mu.Unlock()
	stored, err := j.why(in.PendingSince, in.ID)
	if err != nil {
		w.Note = err.Error()
	}
	if stored != nil {
		w.merge(stored)
	}
	w.merge(&fresh)
	if lacks(w, wanted, step) {
		l := look{groupKey(in), wanted, w}
		if err := e.lookBack(ctx, in.Rule, []*look{&l}); err != nil && w.Note == "" {
			w.Note = "the steps around it cannot be judged again: " + err.Error()
		}
	}
	if len(w.Decisions) == 0 {
		w.Decisions = append(w.Decisions, decisionOf(in))
		if w.Note == "" {
			w.Note = "more was decided at that time than what can be kept; the steps are judged again from what is stored now"
		}
	}
	if w.Breakdown == nil {
		w.Breakdown = breakdownOf(in.Sent.Contributors)
	}
	w.Text = w.words(in, step)
	return w
}

func groupKey(in *incident) string { return string(tagsOf(in.Sent.Tags).AppendKey(nil)) }

// lacks reports whether a step of spans is not in w and was not looked for in vain.
func lacks(w *Why, spans []span, step int64) bool {
	for _, s := range spans {
		for t := s.start + step; t <= s.end; t += step {
			before := len(w.Steps) > 0 && t < w.Steps[0].T && w.From != 0 && t > w.From
			if !before && !w.has(t) {
				return true
			}
		}
	}
	return false
}

// decisionOf is what the newest notification of an incident says about it.
func decisionOf(in *incident) Decision {
	n := &in.Sent
	d := Decision{Kind: in.State, At: n.EvaluatedAt, JudgedStep: JudgedStep{
		T: in.PendingSince, Value: Number(n.Value), Expected: Number(n.Expected), Lower: Number(n.Lower), Upper: Number(n.Upper),
		Score: Number(n.Score), Out: in.State != StateResolved, Cause: n.Cause,
	}}
	if n.StartsAt != 0 {
		d.T = n.StartsAt
	}
	if n.EndsAt != 0 {
		d.T = n.EndsAt
	}
	return d
}

// breakdownOf is as much of a breakdown as a notification says.
func breakdownOf(list []notify.Contributor) *Breakdown {
	if len(list) == 0 || len(list[0].Tags) != 1 {
		return nil
	}
	b := &Breakdown{Delta: Number(math.NaN()), Keys: []SplitKey{}}
	for _, c := range list {
		for key, value := range c.Tags {
			nan := Number(math.NaN())
			b.Key = key
			b.Values = append(b.Values, Contributor{value, nan, nan, Number(c.Delta), Number(c.Share)})
			b.Explained += Number(c.Share)
		}
	}
	return b
}

// words says in plain words why the incident is or was there.
func (w *Why) words(in *incident, step int64) string {
	d := w.newest(StateFiring, StateNoData)
	if d == nil {
		d = w.newest(StatePending)
	}
	if d == nil {
		d = &w.Decisions[len(w.Decisions)-1]
	}
	text := w.explain(d, in.PendingSince, step)
	if in.Sent.Flapping {
		text += "; it came back again and again, so it stays on until it is calm"
	}
	if in.Sent.EndsAt == 0 {
		return text
	}
	end := "; over after " + spoken(in.Sent.EndsAt-in.Sent.StartsAt)
	if reason := in.Sent.Annotations["reason"]; reason != "" {
		return text + end + ": " + reason
	}
	if over := w.newest(StateResolved); over != nil && !math.IsNaN(float64(over.Value)) {
		end += " at " + people(float64(over.Value))
		if !math.IsNaN(float64(over.Expected)) {
			end += ", expected " + people(float64(over.Expected))
		}
	}
	return text + end
}

// sayWhy returns the words for the decision that was just made about an incident.
func (e *Engine) sayWhy(in *incident, step int64) string {
	w := Why{}
	if u := e.whys.byID[in.ID]; u != nil {
		w = u.why
	}
	if len(w.Decisions) == 0 {
		w.Decisions = []Decision{decisionOf(in)}
		w.Breakdown = breakdownOf(in.Sent.Contributors)
	}
	return w.words(in, step)
}

// timeline returns the steps of w as lines of a timeline. Steps with a decision
// say what it was made on and what the detector knew.
func (w *Why) timeline() []Event {
	out := make([]Event, 0, len(w.Steps))
	for i := range w.Steps {
		s := &w.Steps[i]
		text := s.describe()
		if at := slices.IndexFunc(w.Decisions, func(d Decision) bool { return d.T == s.T }); at >= 0 {
			text += w.Decisions[at].basis() + w.knew(s)
		}
		out = append(out, Event{s.T, "point", text})
	}
	return out
}

// basis says how old the data of a decision was, and who had sent it.
func (d *Decision) basis() (text string) {
	if d.DataAgeMs != nil {
		text = "; data age " + spoken(*d.DataAgeMs)
	}
	if d.Sources > 0 {
		text += fmt.Sprintf("; %d of %d sources had reported", d.Reported, d.Sources)
	}
	return text
}

// knew says what the detector knew after a step.
func (w *Why) knew(s *JudgedStep) string {
	if len(s.Facts) != len(w.Facts) || len(s.Facts) == 0 {
		return ""
	}
	var known []string
	for k, name := range w.Facts {
		known = append(known, strings.ReplaceAll(name, "_", " ")+" "+s.Facts[k].String())
	}
	return "; detector: " + strings.Join(known, ", ")
}

// describe says in a line what the verdict of a step was.
func (s *JudgedStep) describe() string {
	n := notify.Notification{
		Value: float64(s.Value), Expected: float64(s.Expected), Lower: float64(s.Lower), Upper: float64(s.Upper), Score: float64(s.Score),
		Completeness: 1,
	}
	if s.Sources > 0 {
		n.Completeness = float64(s.Reported) / float64(s.Sources)
	}
	text := describe(&n)
	if s.Out {
		text += ", out of band"
		if s.Cause != "" {
			text += ": " + s.Cause
		}
	}
	return text
}
