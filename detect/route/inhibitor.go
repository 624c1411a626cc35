package route

import (
	"encoding/binary"
	"slices"

	"pulse/detect/label"
)

// Inhibitor knows the alerts that fire and says what they hold back, for ten thousand
// of them as fast as for one. It has one owner at a time.
type Inhibitor struct {
	rules   []inhibiting
	sources map[string]*source // by id: those that fire and may hold back others
	seq     uint64             // of the last one added
	key     []byte             // scratch
}

// inhibiting is a rule and the alerts that are sources of it, by the values of the
// labels in Equal.
type inhibiting struct {
	*Inhibit
	groups map[string]*sources
}

// sources are those of a rule that have the same values of the labels in Equal.
type sources struct {
	key  string
	only queue // those that Target does not mean
	both queue // those that it means too
}

// source is an alert that fires.
type source struct {
	id     string
	set    label.Set
	seq    uint64 // in order of Add
	gone   bool
	places []place
}

// place is where a source stands.
type place struct {
	rule  int
	group *sources
	both  bool
}

func (p place) queue() *queue {
	if p.both {
		return &p.group.both
	}
	return &p.group.only
}

// NewInhibitor returns an Inhibitor of c's rules that knows no alert. c must not be
// changed while it is in use.
func (c *Config) NewInhibitor() *Inhibitor {
	n := &Inhibitor{sources: map[string]*source{}}
	for i := range c.Inhibit {
		n.rules = append(n.rules, inhibiting{&c.Inhibit[i], map[string]*sources{}})
	}
	return n
}

// Add says that an alert fires. Its labels, which must not be changed, are those that
// count until Remove, or until it is added again. Causes name the source added first, so whoever wants the same
// causes after a restart adds in the same order.
func (n *Inhibitor) Add(id string, set label.Set) {
	n.Remove(id)
	n.seq++
	s := &source{id: id, set: set, seq: n.seq}
	for i := range n.rules {
		r := &n.rules[i]
		if !r.Source.Matches(set) {
			continue
		}
		key := n.equal(r, set)
		g := r.groups[string(key)]
		if g == nil {
			g = &sources{key: string(key)}
			r.groups[g.key] = g
		}
		p := place{i, g, r.Target.Matches(set)}
		p.queue().add(s)
		s.places = append(s.places, p)
	}
	if len(s.places) > 0 {
		n.sources[id] = s
	}
}

// Remove says that an alert fires no more, and reports whether it may have held back
// others. One that is not known is no error.
func (n *Inhibitor) Remove(id string) (source bool) {
	s := n.sources[id]
	if s == nil {
		return false
	}
	delete(n.sources, id)
	s.gone = true
	for _, p := range s.places {
		p.queue().drop()
		if p.group.only.live+p.group.both.live == 0 {
			delete(n.rules[p.rule].groups, p.group.key)
		}
	}
	return len(s.places) > 0
}

// Len is how many alerts fire that may hold back others.
func (n *Inhibitor) Len() int { return len(n.sources) }

// By returns what holds back an alert with these labels, as Inhibited does, with
// alerts in the order of Add.
func (n *Inhibitor) By(set label.Set) []Cause {
	var out []Cause
	for i := range n.rules {
		r := &n.rules[i]
		if len(r.groups) == 0 || !r.Target.Matches(set) {
			continue
		}
		g := r.groups[string(n.equal(r, set))]
		if g == nil {
			continue
		}
		first := g.only.first()
		if !r.Source.Matches(set) {
			if other := g.both.first(); first == nil || other != nil && other.seq < first.seq {
				first = other
			}
		}
		if first != nil {
			out = append(out, Cause{r.Name, first.id})
		}
	}
	return out
}

// maxChain bounds how many sources HeldBy follows.
const maxChain = 1000

// HeldBy returns what By does for the alert of an id and its labels, but nothing where
// that would leave nobody told: where alerts hold back each other in a circle, and
// nothing that is told holds back one of them, the one added first is not held back.
// So whatever is held back, something is told of that is, in the end, the cause.
func (n *Inhibitor) HeldBy(id string, set label.Set) []Cause {
	causes, self := n.By(set), n.sources[id]
	if len(causes) == 0 || self == nil {
		return causes // what holds back nothing is in no circle
	}
	seen, first := map[string]bool{id: true}, self.seq
	for todo := causes; len(todo) > 0; {
		s := n.sources[todo[0].Source]
		if todo = todo[1:]; seen[s.id] {
			continue
		}
		seen[s.id] = true
		more := n.By(s.set)
		if len(more) == 0 {
			return causes
		}
		if len(seen) > maxChain {
			return nil
		}
		first = min(first, s.seq)
		todo = slices.Concat(todo, more)
	}
	if first == self.seq {
		return nil
	}
	return causes
}

// equal returns what set has for the labels in Equal as a key, valid until the next
// call. Each value is preceded by its length.
func (n *Inhibitor) equal(r *inhibiting, set label.Set) []byte {
	n.key = n.key[:0]
	for _, key := range r.Equal {
		n.key = binary.AppendUvarint(n.key, uint64(len(set[key])))
		n.key = append(n.key, set[key]...)
	}
	return n.key
}

// queue holds sources in the order in which they were added. Those that are gone are
// passed over, and dropped when they are the most.
type queue struct {
	list []*source
	live int
}

func (q *queue) add(s *source) {
	q.list = append(q.list, s)
	q.live++
}

// drop forgets one that is gone by now.
func (q *queue) drop() {
	q.live--
	if len(q.list) <= 2*q.live+8 {
		return
	}
	kept := make([]*source, 0, q.live)
	for _, s := range q.list {
		if !s.gone {
			kept = append(kept, s)
		}
	}
	q.list = kept
}

// first returns the one that was added first, nil when there is none.
func (q *queue) first() *source {
	for len(q.list) > 0 && q.list[0].gone {
		q.list = q.list[1:]
	}
	if len(q.list) == 0 {
		return nil
	}
	return q.list[0]
}
