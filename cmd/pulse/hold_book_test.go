package main

import (
	"fmt"
	"math"
	"slices"
)

// holds is the part of the book on what keeps receivers from being told, and on who
// is to be told at all. What is held back from its beginning to its end nobody ever
// hears of; a request for it while it is held back breaks the promise.
type holds struct {
	list []*killHold
	// route has, per rule, the receivers that are told of it; a nil map: all are.
	route map[string][]string
	// inhibits has, per rule, the rule whose alert of the same node holds it back.
	inhibits map[string]string
	kept     map[string]bool // incidents of which somebody never heard, as it is to be
}

// killHold is something that holds alerts back, while it is known for sure that it
// does: from when it was acknowledged until its end was asked for. Unix ms.
type killHold struct {
	text     string
	means    func(streamKey) bool
	receiver string // "": all
	from, to int64
}

// whole reports whether the hold keeps an alert from a receiver that began at a time
// and has not been told until another.
func (h *killHold) whole(receiver string, of streamKey, from, to int64) bool {
	return (h.receiver == "" || h.receiver == receiver) && h.means(of) && h.from <= from && to < h.to
}

// hold writes down that alerts are held back from now on.
func (b *killBook) hold(text, receiver string, now int64, means func(streamKey) bool) *killHold {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &killHold{text, means, receiver, now, math.MaxInt64}
	b.holds.list = append(b.holds.list, h)
	return h
}

// lift writes down that a hold may be over from now on.
func (b *killBook) lift(h *killHold, now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h.to = min(h.to, now)
}

// wrong writes down what a server has that it is not to have.
func (b *killBook) wrong(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault(format, args...)
}

// free checks that a receiver may be told of an alert.
func (b *killBook) free(receiver string, n *killAlert, now int64) {
	of, began := n.stream(), n.StartsAt.UnixMilli()
	if b.holds.route != nil && !slices.Contains(b.holds.route[of.rule], receiver) {
		b.fault("%s was told of %v, which is not for it", receiver, of)
	}
	if by := b.heldBy(receiver, of, began, now); by != "" {
		b.fault("%s was told at %d that %v has begun at %d, which %s holds back", receiver, now, n.ID, began, by)
	}
}

// heldBy returns what has held an alert back from a receiver from when it began until
// a time, "" when nothing has for sure.
func (b *killBook) heldBy(receiver string, of streamKey, began, until int64) string {
	for _, h := range b.holds.list {
		if h.whole(receiver, of, began, until) {
			return h.text
		}
	}
	source := streamKey{b.holds.inhibits[of.rule], of.node}
	if source.rule == "" {
		return ""
	}
	for id, in := range b.incidents {
		// It was seen to fire before, and its stream has not been back since.
		if in.stream == source && in.firstSeen <= began && (in.overSeq == 0 || in.overSeen > until) &&
			b.truth.side(source, in.startsAt) == b.truth.side(source, until) {
			return fmt.Sprintf("incident %s of %v", id, source)
		}
	}
	return ""
}

// finish checks that nobody was ever told of what was over while it was held back.
func (hs *holds) finish(b *killBook) {
	hs.kept = map[string]bool{}
	for _, h := range hs.list {
		for id, in := range b.incidents {
			for name := range b.receivers {
				if in.overSeq == 0 || !h.whole(name, in.stream, in.startsAt, in.overSeen) {
					continue
				}
				if b.sent[name+" "+id+"-firing"] != nil || b.sent[name+" "+id+"-resolved"] != nil {
					b.fault("%s was told of %s of %v, which was over while %s held it back", name, id, in.stream, h.text)
				}
				hs.kept[id] = true
			}
		}
	}
}

// untold returns an alert that fires, that nothing holds back, and that a receiver has
// not accepted.
func (b *killBook) untold(list []killAlert) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range list {
		if a.State != "firing" || len(a.SilencedBy)+len(a.MutedBy)+len(a.InhibitedBy) > 0 {
			continue
		}
		for _, receiver := range b.holds.route[a.Rule] {
			if d := b.sent[receiver+" "+a.Incident+"-firing"]; d == nil || d.accepted == 0 {
				return fmt.Sprintf("%s does not know that %v fires (%s)", receiver, a.stream(), a.Incident)
			}
		}
	}
	return ""
}
