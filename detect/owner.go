package detect

import (
	"cmp"
	"slices"
	"time"
)

// Rules of different owners do not wait for each other. What is due is done in
// turns. A turn closes one step of time, the earliest there is, rule by rule and
// owner by owner in a circle; an owner whose slice of time is used up waits until
// the others have had theirs, and its rules close later, in order, counted as
// missed when that is more than a step too late. Each turn is stored before the
// next, so that nobody's notifications wait for all of another's rules; while nobody
// else has anything due, the turns of a step are stored together. A rule is not
// interrupted: what it took too long is taken from its owner's next slices.

const (
	// sliceNs is what an owner may spend while another has something due.
	sliceNs = 10_000_000
	// advanceFor bounds how long the engine works before others may ask it
	// something.
	advanceFor = 50 * time.Millisecond
	// turnNs bounds the work of a turn: the values of all its rules are read at once,
	// for which whoever sends waits.
	turnNs = 2 * sliceNs
)

// owner is whose rules share a slice of time.
type owner struct {
	name    string
	rules   int
	credit  int64      // ns it may spend before the others come first, at most sliceNs
	due     []*running // rules with a step to close, by id
	first   int64      // the earliest of these steps
	at      int        // where it got to in due in the current turn
	planned int64      // ns that the rules chosen in it are expected to take
	wrote   int        // changes of the current turn that are to be stored
	stats   OwnerStats
}

// OwnerStats are counts of all rules of an owner since the start.
type OwnerStats struct {
	Owner    string `json:"owner"`
	Rules    int    `json:"rules"`
	Groups   int    `json:"groups"`
	CostNs   int64  `json:"costNs"`   // time spent on closes, on catching up and on storing what they changed
	Closed   int64  `json:"closed"`   // steps judged
	Missed   int64  `json:"missed"`   // of these, judged more than a step too late
	Deferred int64  `json:"deferred"` // times that its rules had to wait for those of others
	LagMs    int64  `json:"lagMs"`    // how long the oldest step that is not judged has been over, less its grace
}

// ownerOf returns the owner of a name, which is made when there is none.
func (e *Engine) ownerOf(name string) *owner {
	o := e.owners[name]
	if o == nil {
		o = &owner{name: name, credit: sliceNs}
		e.owners[name] = o
		at, _ := slices.BinarySearchFunc(e.circle, name, byName)
		e.circle = slices.Insert(e.circle, at, o)
	}
	return o
}

func byName(o *owner, name string) int { return cmp.Compare(o.name, name) }

// engage counts a rule in, disengage out; an owner without rules is forgotten.
func (e *Engine) engage(r *running) {
	r.owner = e.ownerOf(r.c.rule.Owner)
	r.owner.rules++
}

func (e *Engine) disengage(r *running) {
	o := r.owner
	o.due = slices.DeleteFunc(o.due, func(x *running) bool { return x == r })
	if o.rules--; o.rules > 0 {
		return
	}
	delete(e.owners, o.name)
	e.circle = slices.DeleteFunc(e.circle, func(x *owner) bool { return x == o })
}

// gather finds what is due at now, and gives the owners what time has passed.
func (e *Engine) gather(now int64) {
	passed := max(0, now-e.gathered) * int64(time.Millisecond) / int64(max(1, len(e.circle)))
	e.gathered = now
	for _, o := range e.circle {
		o.due = o.due[:0]
		o.credit = min(sliceNs, o.credit+passed)
	}
	for _, r := range e.order {
		e.followClock(r, now)
		if r.waits = false; r.next <= now {
			r.owner.due = append(r.owner.due, r)
		}
	}
}

// earliest returns the earliest step that an owner with credit has to close. When
// all of these have used up theirs, they get more.
func (e *Engine) earliest(now int64) (t int64, found bool) {
	best, waiting := int64(0), false
	for _, o := range e.circle {
		o.due = slices.DeleteFunc(o.due, func(r *running) bool { return r.waits || r.next > now })
		o.at = 0
		if len(o.due) == 0 {
			continue
		}
		o.first = o.due[0].next
		for _, r := range o.due {
			o.first = min(o.first, r.next)
		}
		if !waiting || o.credit > best {
			best, waiting = o.credit, true
		}
	}
	if !waiting {
		return 0, false
	}
	if best <= 0 {
		more := (-best/sliceNs + 1) * sliceNs
		for _, o := range e.circle {
			if len(o.due) > 0 {
				o.credit = min(sliceNs, o.credit+more)
			}
		}
	}
	for _, o := range e.circle {
		if len(o.due) > 0 && o.credit > 0 && (!found || o.first < t) {
			t, found = o.first, true
		}
	}
	return t, found
}

// backlog reports whether anything is left of what gather found that does not wait
// for its sources.
func (e *Engine) backlog(now int64) bool {
	for _, o := range e.circle {
		for _, r := range o.due {
			if !r.waits && r.next <= now {
				return true
			}
		}
	}
	return false
}

// takeTurn closes the earliest step that is due, as far as the slices of the owners
// go, and stores what that changed. It reports whether there was anything to do.
func (e *Engine) takeTurn(now int64) bool {
	t, found := e.earliest(now)
	if !found {
		return false
	}
	if e.entry.empty() {
		e.explained, e.scanned = 0, 0
	}
	e.choose(t, now)
	e.markClosing(t, now)
	e.closeChosen(t, now)
	if !e.alone(t, now) {
		e.storeTurn()
	}
	e.follow(t)
	return true
}

// alone reports whether an owner has more rules that may close step t, and nobody else
// has anything due.
func (e *Engine) alone(t, now int64) (more bool) {
	waiting := 0
	for _, o := range e.circle {
		due := false
		for _, r := range o.due {
			if r.waits || r.next > now {
				continue
			}
			due, more = true, more || r.next == t
		}
		if due {
			waiting++
		}
	}
	return more && waiting == 1
}

// choose finds the rules that close step t in this turn, going by what they took the
// last time.
func (e *Engine) choose(t, now int64) {
	e.round = e.o.Hub.Round()
	e.planned = 0
	queue := e.queue[:0]
	for _, o := range e.circle {
		if o.planned = 0; len(o.due) > 0 && o.credit > 0 && o.first == t {
			queue = append(queue, o)
		}
	}
	e.queue = queue
	slices.SortStableFunc(queue, func(a, b *owner) int { return cmp.Compare(b.credit, a.credit) })
	for len(queue) > 0 && e.planned < turnNs {
		queue = slices.DeleteFunc(queue, func(o *owner) bool { return !e.chooseOne(o, t, now) })
	}
	e.round = 0
}

// chooseOne looks at the next rule of o that has step t to close, and reports whether
// o goes on in this turn.
func (e *Engine) chooseOne(o *owner, t, now int64) bool {
	for ; o.at < len(o.due); o.at++ {
		r := o.due[o.at]
		if r.next != t || r.waits {
			continue
		}
		began := e.o.Clock.Now()
		result := e.look(r, now, began.Add(time.Duration(o.credit-o.planned)))
		cost := e.o.Clock.Now().Sub(began).Nanoseconds()
		o.at++
		if r.waits = result == stepWaits; r.waits {
			return true // it was only looked at
		}
		e.worked += cost
		r.spend(cost)
		if result == stepCloses {
			r.closes = true
			e.closing = append(e.closing, r)
			o.planned += r.expected()
			e.planned += r.expected()
		}
		if o.credit <= o.planned {
			o.stats.Deferred++
		}
		return o.credit > o.planned
	}
	return false
}

// expected is how many ns the next close is going to take.
func (r *running) expected() int64 {
	if r.cost == 0 {
		return sliceNs / 16
	}
	return r.cost
}

// closeChosen closes the step of the rules that are chosen.
func (e *Engine) closeChosen(t, now int64) {
	began := e.o.Clock.Now()
	for i, r := range e.closing {
		changes := e.entry.size()
		e.close(r, t, now)
		r.owner.wrote += max(0, e.entry.size()-changes)
		ended := e.o.Clock.Now()
		judging := ended.Sub(began).Nanoseconds()
		r.cost = max(1, judging+r.reading)
		e.worked += judging
		r.spend(r.cost)
		began, e.closing[i], r.closes = ended, nil, false
	}
	e.closing = e.closing[:0]
}

// spend charges the owner of r for work on it.
func (r *running) spend(ns int64) {
	r.stats.CostNs += ns
	r.owner.spend(ns)
}

func (o *owner) spend(ns int64) {
	o.credit -= ns
	o.stats.CostNs += ns
}

// storeTurn commits what the turn changed, which its owners pay for.
func (e *Engine) storeTurn() {
	began := e.o.Clock.Now()
	e.commit()
	e.saveFirst()
	cost := e.o.Clock.Now().Sub(began).Nanoseconds()
	e.worked += cost
	total := 0
	for _, o := range e.circle {
		total += o.wrote
	}
	for _, o := range e.circle {
		if o.wrote > 0 {
			o.spend(cost * int64(o.wrote) / int64(total))
			o.wrote = 0
		}
	}
}

// Owners returns what the rules of each owner have cost, by name.
func (e *Engine) Owners() []OwnerStats {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]OwnerStats, len(e.circle))
	at := make(map[*owner]*OwnerStats, len(out))
	for i, o := range e.circle {
		out[i] = o.stats
		out[i].Owner, out[i].Rules = o.name, o.rules
		at[o] = &out[i]
	}
	for _, r := range e.order {
		s := at[r.owner]
		s.Groups += len(r.judge.groups)
		s.LagMs = max(s.LagMs, e.now-r.deadline())
	}
	return out
}
