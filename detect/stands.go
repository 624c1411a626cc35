package detect

import (
	"cmp"
	"errors"
	"slices"
)

// States of a rule as a whole, the gravest first: a rule has the first that is true of it.
const (
	RuleFiring   = "firing"   // some group is
	RuleNoData   = "nodata"   // some group has a no-data alert
	RuleBroken   = "broken"   // it is not judged, or its last step could not be
	RulePending  = "pending"  // some group is
	RuleLearning = "learning" // it catches up with history
	RuleEmpty    = "empty"    // no group yet
	RuleOK       = "ok"
)

// RuleStates are all of them in that order.
func RuleStates() []string {
	return []string{RuleFiring, RuleNoData, RuleBroken, RulePending, RuleLearning, RuleEmpty, RuleOK}
}

// RuleStand is a rule as it stands.
type RuleStand struct {
	Rule  Rule
	State string
	Step  int64 // ms
	// Groups with an alert in each state; one may be in two.
	Firing, Pending, NoData int
	RuleStats
	Advice []Advice // what is probably not meant, once Advise was called

	c    *compiled // nil: it could not be started
	twin string    // a rule before it that judges the same in the same way
}

// judging is what compiled.judges says.
type judging struct {
	text, noData, detector string
	step                   int64
}

// Advice is a Finding about a rule in force.
type Advice struct{ Check, Message string }

// RuleStands returns how all rules stand, in order of their ids.
func (e *Engine) RuleStands() []RuleStand {
	e.mu.Lock()
	out := make([]RuleStand, 0, len(e.order)+len(e.broken))
	for _, r := range e.order {
		s := RuleStand{Rule: r.c.rule, Step: r.c.step, Firing: r.firing, Pending: r.pending, NoData: r.absent, RuleStats: r.standing(), c: r.c}
		s.State = s.state(r.failed)
		out = append(out, s)
	}
	for _, b := range e.broken {
		out = append(out, RuleStand{Rule: b.stored.Rule, Step: b.stored.Rule.stepMs(e.step), State: RuleBroken, RuleStats: b.stats()})
	}
	e.mu.Unlock()
	slices.SortFunc(out, func(a, b RuleStand) int { return cmp.Compare(a.Rule.ID, b.Rule.ID) })
	first := make(map[judging]string, len(out))
	for i := range out {
		c := out[i].c
		if c == nil {
			continue
		}
		key := judging{c.text, c.rule.NoData, string(c.detector), c.step}
		if other, ok := first[key]; ok {
			out[i].twin = other
		} else {
			first[key] = c.rule.ID
		}
	}
	return out
}

// state says which of the states it is in; failed: its last step could not be judged.
func (s *RuleStand) state(failed bool) string {
	switch {
	case s.Firing > 0:
		return RuleFiring
	case s.NoData > 0:
		return RuleNoData
	case failed:
		return RuleBroken
	case s.Pending > 0:
		return RulePending
	case s.CatchingUp:
		return RuleLearning
	case s.Groups == 0:
		return RuleEmpty
	}
	return RuleOK
}

// Advise fills Advice.
func (s *RuleStand) Advise() {
	if s.Advice = nil; s.c == nil {
		return
	}
	found := func(check string, err error) { s.Advice = append(s.Advice, Advice{check, err.Error()}) }
	for _, err := range s.c.unknownTags() {
		found(CheckTemplate, err)
	}
	if s.twin != "" {
		found(CheckDuplicate, twice(s.twin))
	}
	s.c.advise(found)
	if s.Suppressed > 0 {
		found(CheckGroups, errors.New("more groups were out of band than a rule may have alerts: further ones were passed by"))
	}
}
