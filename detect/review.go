package detect

import (
	"math"
	"slices"

	"pulse/detect/label"
)

// Reviews. What open alerts are held back by is compared with what holds back whenever
// that has changed, in portions: between two of them steps are judged.

// reviewPortion is how many open alerts are looked at before steps are judged again.
const reviewPortion = 500

// reviewed is when open alerts were last compared with what holds back.
type reviewed struct {
	done    bool
	version uint64 // of the silences
	at      int64  // Unix ms
	mutesAt int64  // when a mute begins or ends after that
	heldAt  int64  // when to look at what is held back again, 0: when something changes
	list    []*incident
}

// review brings open alerts to what holds back at now, if that may have changed, and
// reports whether more of them are to be looked at.
func (e *Engine) review(now int64) (more bool) {
	last := &e.reviewed
	if len(last.list) == 0 && !e.startReview(now) {
		return false
	}
	n := min(reviewPortion, len(last.list))
	for _, in := range last.list[:n] {
		if in.fires() {
			e.reviewOne(in, now)
		}
		if e.entry.size() >= e.journal.portion && !e.failing {
			e.commit()
		}
	}
	if last.list = last.list[n:]; len(last.list) == 0 {
		last.list = nil
	}
	e.commit()
	e.retract(now)
	return last.list != nil
}

// startReview lists what is to be looked at: all that fires when silences have changed,
// what is held back when anything else that holds back may have.
func (e *Engine) startReview(now int64) bool {
	last := &e.reviewed
	all := !last.done || e.silences.Version() != last.version || now < last.at || e.silences.NextChange(last.at) <= now
	if !all && now < last.mutesAt && (last.heldAt == 0 || now < last.heldAt) {
		return false
	}
	if all {
		e.endQuiet(now)
		e.eachOpen(func(in *incident) {
			if in.fires() {
				last.list = append(last.list, in)
			}
		})
	} else {
		for _, in := range e.held {
			last.list = append(last.list, in)
		}
	}
	slices.SortFunc(last.list, older)
	if now < last.at || now >= last.mutesAt {
		last.mutesAt = e.routing.Config.Next(now)
	}
	last.done, last.version, last.at, last.heldAt = true, e.silences.Version(), now, 0
	return true
}

// nextReview is when review has something to do at the latest.
func (e *Engine) nextReview() int64 {
	last := &e.reviewed
	if !last.done {
		return math.MinInt64
	}
	next := min(e.silences.NextChange(last.at), last.mutesAt)
	if last.heldAt != 0 {
		next = min(next, last.heldAt)
	}
	return next
}

// lookAgainAt has what is held back looked at again at t.
func (r *reviewed) lookAgainAt(t int64) {
	if r.heldAt == 0 || t < r.heldAt {
		r.heldAt = t
	}
}

// reviewOne notes what holds an alert back from now on, and has it told to those that
// nothing holds back any more and that were not.
func (e *Engine) reviewOne(in *incident, now int64) {
	waits, repeats, mayWait := in.waits(), in.repeats(), in.mayWait(now)
	if !waits && !repeats && !mayWait && len(in.Silences) == 0 && !e.silences.Any() {
		return
	}
	var was holding
	if waits {
		was = e.holding(in)
	}
	set := setOf(&in.Sent)
	changed := e.resilence(in, set, now)
	if waits || repeats {
		changed = e.nameAgain(in, now) || changed
		changed = e.route(in, set, now) || changed
		changed = e.reinhibit(in, set, now) || changed
		changed = e.release(in, &was, now) || changed
		changed = e.quieten(in) || changed
	}
	if mayWait && len(in.Silences)+len(e.causes(in, set)) > 0 {
		e.retractable = append(e.retractable, in)
	}
	e.hold(in)
	if changed {
		e.putOpen(in)
	}
}

// resilence notes which silences mean an alert from now on.
func (e *Engine) resilence(in *incident, set label.Set, now int64) (changed bool) {
	by := e.silences.By(set, e.now)
	if slices.Equal(by, in.Silences) {
		return false
	}
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
	return true
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
